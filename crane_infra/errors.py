"""The errors of crane-infra: each says where, what, and what to do, in one line.

    CraneError
    ├── SettingsError      a stack's configuration, or the catalog
    ├── BundleError        the built modules of a worker, or the archive of a release
    ├── SecretError        a secret that is missing, empty, unencrypted, shared or a placeholder
    ├── ApiError           a call to Cloudflare's API that failed
    ├── DataError          rows of a database that cannot be copied, tried, backed up or restored
    ├── MigrationError     migration files and ledger that do not match, or a file that failed
    ├── CheckError         a check that a deployed worker did not pass
    ├── LiveError          something live that differs from what the stack deployed
    ├── GateError          a release that may not go to production
    ├── ReportError        a preview or an output that a report cannot read
    ├── ScrubError         a rule for staging's rows that is missing or wrong, or a scrubbed copy that breaks one
    ├── WranglerError      a configuration file of wrangler that cannot be imported
    ├── GithubError        a call to GitHub that failed, or something that a workflow needs and lacks
    └── RehearsalError     a rehearsal, its local project or its engine

The text of an error never holds a secret: code that raises one passes names, not values. The command line (``cli/main.py``) and the program
(``program/environment.py``) print an error as one line and choose the exit code.
"""

from collections.abc import Sequence
from typing import ClassVar, TypeVar, cast

WOULD_REFUSE = "An update would be refused."
"""A preview adds this to the text of an error that would stop an update, and goes on with the diff."""


E = TypeVar("E", bound="CraneError")


class CraneError(Exception):
    """An error that the user can fix.

    ``where`` is a path, a setting or a resource; ``what`` is the fault; ``todo`` is what to do about it. Line breaks in them become
    spaces, and full stops are added.
    """

    SHOWN: ClassVar[int | None] = None
    """How many lines of several errors are shown; None: all."""

    def __init__(self, where: str, what: str, todo: str) -> None:
        self.where, self.what, self.todo = (" ".join(part.split()) for part in (where, what, todo))
        self._several: tuple[CraneError, ...] = ()
        super().__init__(f"{self.where}: {_sentence(self.what)} {_sentence(self.todo)}".strip())

    @property
    def errors(self) -> "Sequence[CraneError]":
        """The single errors that make up this one, in order: itself, unless it stands for several."""
        return self._several or (self,)


class SettingsError(CraneError):
    """A setting is unknown, missing or malformed."""


class BundleError(CraneError):
    """The built modules of a worker are missing or cannot be used."""


class SecretError(CraneError):
    """A secret is missing, empty, a placeholder, too short, stored in the clear, or the same where it must differ, or cannot be read."""


class ApiError(CraneError):
    """Cloudflare's API refused a call, did not answer, or sent a reply that cannot be read."""


class MigrationError(CraneError):
    """Migration files and ledger do not match, or a file failed."""

    SHOWN = 20


class DataError(CraneError):
    """Rows of a database cannot be copied, tried, backed up, restored or written."""


class CheckError(CraneError):
    """A deployed worker does not answer a check as the catalog expects."""


class LiveError(CraneError):
    """A live worker or database differs from what this stack deployed."""


class GateError(CraneError):
    """This release may not go to production."""


class ReportError(CraneError):
    """A file that a report is made from is missing or cannot be read."""


class ScrubError(CraneError):
    """A rule for production's rows in staging is missing or cannot be followed, or a scrubbed copy holds what it must not."""


class WranglerError(CraneError):
    """A configuration file of wrangler is missing, is broken or says something that cannot be imported."""


class GithubError(CraneError):
    """GitHub refused a call, or a workflow lacks something that it needs."""


class RehearsalError(CraneError):
    """A step of a rehearsal failed, or its local project or engine cannot be used."""


def together(errors: Sequence[E]) -> E | None:
    """One error of the kind of the first one for all of these, whose text has a line for each; None where there is none."""
    if len(errors) < 2:  # noqa: PLR2004
        return errors[0] if errors else None
    first, shown = errors[0], errors[: errors[0].SHOWN]
    kind = next(kind for kind in type(first).__mro__ if CraneError in kind.__bases__)
    several = cast("E", kind(first.where, first.what, first.todo))
    several._several = tuple(errors)  # noqa: SLF001
    left = len(errors) - len(shown)
    several.args = ("\n".join([*map(str, shown), *([f"{left} more files or statements are refused."] if left else [])]),)
    return several


def refuse(errors: Sequence[CraneError]) -> None:
    """Raise all of these as one error; nothing where there is none."""
    if error := together(errors):
        raise error


def _sentence(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."
