"""The history of a stack as ``pulumi stack history --json`` prints it. Pure.

Its times have no fractions of a second. The message is the subject of the commit, unless ``-m`` gave another; the workflows say in it which
release they deploy and who started them, since Pulumi records neither.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from crane_infra.errors import SettingsError

_MESSAGE = re.compile(r"release ([0-9a-f]{12,64}) by (\S{1,100})")


class _Read(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True, defer_build=True)


class _Setting(_Read):
    value: str | None = None


def _moment(value: object) -> object:
    """A time with a zone; pydantic would take a number for one, and a time without a zone for local."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    return moment and (moment if moment.tzinfo else moment.replace(tzinfo=UTC))


class Update(_Read):
    """One run of Pulumi for a stack. ``changes`` counts resources by what was done with them."""

    kind: str
    result: str
    started: Annotated[datetime, BeforeValidator(_moment), Field(alias="startTime")]
    ended: Annotated[datetime | None, BeforeValidator(_moment), Field(alias="endTime")] = None
    message: str = ""
    environment: Mapping[str, str] = {}
    config: Mapping[str, _Setting] = {}
    changes: Annotated[Mapping[str, int] | None, Field(alias="resourceChanges")] = None

    @property
    def is_over(self) -> bool:
        """Whether the run ended, well or not."""
        return self.result != "in-progress"

    @property
    def changed(self) -> bool:
        """Whether it changed a resource."""
        return any(count for operation, count in (self.changes or {}).items() if operation != "same")

    @property
    def said(self) -> "tuple[str, str]":
        """The digest of the release, or how it begins, and who started the run, as the message of a workflow says it; else empty."""
        match = _MESSAGE.fullmatch(self.message.strip())
        return (match[1], match[2]) if match else ("", "")

    @property
    def author(self) -> str:
        """Who wrote the commit that was checked out: not always who ran it."""
        return self.environment.get("git.author", "")

    @property
    def commit(self) -> str:
        """The commit that was checked out, with ``+changes`` if files differed from it."""
        head = self.environment.get("git.head", "")
        return f"{head}+changes" if head and self.environment.get("git.dirty") == "true" else head

    @property
    def link(self) -> str:
        """The page of the run in CI; empty for one on a laptop."""
        link = self.environment.get("ci.build.url", "")
        return link if link.startswith("https://") else ""

    def setting(self, key: str) -> str:
        """A plain setting of the stack at that time, by its key with the project; empty where it had none."""
        return (self.config[key].value or "") if key in self.config else ""

    def includes(self, moment: datetime) -> bool:
        """Whether the run was active at that time."""
        return self.started <= moment and (self.ended is None or moment < self.ended + timedelta(seconds=1))


@dataclass(frozen=True)
class Updates:
    """What could be read of a history, newest first, and how many of its entries could not. ``is_whole``: no older ones are left out."""

    read: tuple[Update, ...] = ()
    unreadable: int = 0
    is_whole: bool = True


_LIST: TypeAdapter[list[object]] = TypeAdapter(list[object])


def read_updates(text: str, stack: str, newest: int | None = None) -> Updates:
    """Read what Pulumi printed, which was asked for the ``newest`` entries or for all. Entries that cannot be read are counted.

    Raises SettingsError where it is not a list.
    """
    if not text.strip() or text.strip() == "null":
        return Updates()
    try:
        entries = _LIST.validate_json(text)
    except ValidationError:
        todo = f"This shows what Pulumi prints: pulumi stack history --json --stack {stack}"
        raise SettingsError(f"stack {stack}", "its history cannot be read: it is not a list", todo) from None
    updates = [update for entry in entries if (update := _read(entry))]
    updates.sort(key=lambda update: update.started, reverse=True)
    return Updates(tuple(updates), len(entries) - len(updates), is_whole=newest is None or len(entries) < newest)


def _read(entry: object) -> Update | None:
    try:
        return Update.model_validate(entry)
    except (ValidationError, OverflowError):
        return None
