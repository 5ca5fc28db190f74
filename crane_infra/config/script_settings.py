"""The settings of a script that a stack may declare: logs and traces, logpush, tags, tail consumers.

All versions of the script share them. What a stack leaves out stays as it is at Cloudflare, down to the single value.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from crane_infra.frozen import Frozen

_LABELS = {
    "subdomain.enabled": "the workers.dev address",
    "subdomain.previews_enabled": "the addresses of single versions",
    "tail_consumers": "the tail consumers",
}
Rate = Annotated[float, Field(ge=0, le=1)]


class Stream(Frozen):
    """What logs and traces have in common."""

    enabled: bool | None = None
    head_sampling_rate: Annotated[Rate | None, Field(alias="head-sampling-rate")] = None
    persist: bool | None = None
    destinations: tuple[str, ...] | None = None


class Logs(Stream):
    """The logs of a worker."""

    invocation_logs: Annotated[bool | None, Field(alias="invocation-logs")] = None


class Observability(Frozen):
    """Whether and how much of a worker is logged and traced."""

    enabled: bool | None = None
    head_sampling_rate: Annotated[Rate | None, Field(alias="head-sampling-rate")] = None
    logs: Logs | None = None
    traces: Stream | None = None


class ScriptSettings(Frozen):
    """What a stack declares of a script. None: it stays as it is at Cloudflare."""

    observability: Observability | None = None
    logpush: bool | None = None
    tags: tuple[str, ...] | None = None
    tail_consumers: Annotated[tuple[str, ...] | None, Field(alias="tail-consumers")] = None
    """The names at Cloudflare of the workers that get the logs."""
    workers_dev: Annotated[bool, Field(alias="workers-dev")] = True
    """Whether it is served on workers.dev."""
    preview_urls: Annotated[bool, Field(alias="preview-urls")] = False
    """Whether each version has an address of its own, which is public and uses that version's bindings."""

    @property
    def declared(self) -> dict[str, Any]:
        """Only what is declared, in the words of Cloudflare's API."""
        shared = ScriptSettings.model_fields.keys() - {"tail_consumers", "workers_dev", "preview_urls"}
        declared = self.model_dump(mode="json", include=shared, exclude_none=True)
        if self.tail_consumers is not None:
            declared["tail_consumers"] = [{"name": name} for name in self.tail_consumers]
        return {**declared, "subdomain": {"enabled": self.workers_dev, "previews_enabled": self.preview_urls}}


def single_values(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every single value of nested settings, by its path."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from single_values(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def label(path: str) -> str:
    """What a person calls the setting at this path."""
    return _LABELS.get(path, path)


def shown(value: object) -> str:
    """A value for a person."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list | tuple):
        return ", ".join(str(entry.get("name")) if isinstance(entry, Mapping) else str(entry) for entry in value) or "none"
    return f"{value:g}" if isinstance(value, int | float) else str(value)
