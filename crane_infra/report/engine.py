"""What `pulumi preview --json` says, taken apart: steps, messages, and the outputs that the stack had before. Pure but for no file.

Knows nothing of workers and databases but which types hold data or traffic. Prevents a replacement that stands somewhere in a long JSON from
being overlooked.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.errors import ReportError

CONTENT = "contentBase64"
_GOES = {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "discard-replaced"}
DATABASE, WORKER, VERSION, STASH = (
    "cloudflare:index/d1Database:D1Database",
    "cloudflare:index/worker:Worker",
    "cloudflare:index/workerVersion:WorkerVersion",
    "pulumi:index:Stash",
)
# What the engine may never replace or delete. Versions and deployments come and go, and tell Cloudflare nothing when they do.
_KEPT = {DATABASE: "database", WORKER: "worker", STASH: "record"}


@dataclass(frozen=True)
class Step:
    """One step: what is done to which resource, and its inputs before and after."""

    op: str
    type: str
    name: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]


@dataclass(frozen=True)
class Preview:
    """A preview. ``errors`` and ``messages`` (warnings and notes) are in the order in which they were said; ``outputs`` were before it."""

    steps: tuple[Step, ...]
    errors: tuple[str, ...]
    messages: tuple[str, ...]
    outputs: Mapping[str, Any]

    def step(self, kind: str, name: str) -> Step | None:
        """The step of a resource, by its type and name; None for one that stays as it is."""
        return next((step for step in self.steps if step.type == kind and step.name == name), None)

    @property
    def losses(self) -> tuple[str, ...]:
        """What would be deleted or replaced and must not be."""
        told = dict[tuple[str, str], str]()
        for step in self.steps:
            if step.type in _KEPT and step.op in _GOES:
                done = "deleted" if step.op == "delete" else "replaced by a new, empty one" if step.type == DATABASE else "replaced"
                shown = step.old.get("name") or step.new.get("name") or step.name
                told.setdefault((step.type, step.name), f"{_KEPT[step.type]} {shown}: would be {done}")
        return tuple(told.values())


def redacted(value: Any, redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A value read from JSON, with ``redact`` applied to each text in it but the keys, and the contents of modules: megabytes that nobody shows."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(one, redact) for one in value]
    if isinstance(value, dict):
        return {key: one if key == CONTENT else redacted(one, redact) for key, one in value.items()}
    return value


def parse_preview(text: str, where: str, redact: Callable[[str], str]) -> Preview:
    """Take the JSON of a preview apart, each text redacted; ``where`` is how errors name it.

    Raises ReportError for what is no such JSON.
    """
    todo = "Write it with pulumi preview --json"
    try:
        found = redacted(json.loads(text), redact)
    except json.JSONDecodeError:
        raise ReportError(where, "is not JSON", todo) from None
    if not isinstance(found, dict) or not {"steps", "diagnostics", "config", "changeSummary"} & found.keys():
        raise ReportError(where, "is not the JSON of a preview", todo)
    try:
        root: Mapping[str, Any] = next((one for one in found.get("steps") or [] if "::pulumi:pulumi:Stack::" in one["urn"]), {})
        said = [(str(one.get("severity")), _line(one.get("message"))) for one in found.get("diagnostics") or []]
        return Preview(
            steps=tuple(_step(one) for one in found.get("steps") or [] if one is not root),
            errors=tuple(dict.fromkeys(text for severity, text in said if severity == "error" and text)),
            messages=tuple(dict.fromkeys(text for severity, text in said if severity != "error" and text)),
            outputs=dict((root.get("oldState") or {}).get("outputs") or {}),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ReportError(where, "is not the JSON of a preview", todo) from None


def one_line(text: str) -> str:
    """A text as ``Preview`` has it: in one line, blanks run together."""
    return " ".join(text.split())


def _step(one: Mapping[str, Any]) -> Step:
    *_, kind, name = str(one["urn"]).split("::")
    old, new = (dict((one.get(key) or {}).get("inputs") or {}) for key in ("oldState", "newState"))
    return Step(str(one["op"]), kind.rpartition("$")[2], name, old, new)


def _line(message: object) -> str:
    """A message without the engine's own first word."""
    return one_line(str(message or "")).removeprefix("error: ").removeprefix("warning: ")
