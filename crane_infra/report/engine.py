"""The output of `pulumi preview --json` as values: steps, messages, and the outputs that the stack had before. Pure.

Of workers and databases it only knows which types hold data or traffic, and so must not be replaced or deleted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

from crane_infra.errors import ReportError

CONTENT = "contentBase64"
_GOES = {"delete", "delete-replaced", "replace", "create-replacement", "import-replacement", "discard-replaced"}
DATABASE, WORKER, VERSION, STASH = (
    "cloudflare:index/d1Database:D1Database",
    "cloudflare:index/worker:Worker",
    "cloudflare:index/workerVersion:WorkerVersion",
    "pulumi:index:Stash",
)
# What the engine may never replace or delete. Versions and deployments may go: the provider then changes nothing at Cloudflare.
_KEPT = {DATABASE: "database", WORKER: "worker", STASH: "record"}


@dataclass(frozen=True)
class Step:
    """One step: what is done to which resource, and its inputs before and after."""

    op: str
    type: str
    name: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]

    def part(self, key: str, *, before: bool = False) -> Mapping[str, Any]:
        """An input that is an object, after the step or before it; empty where there is none."""
        value = (self.old if before else self.new).get(key)
        return value if isinstance(value, dict) else {}


@dataclass(frozen=True)
class Preview:
    """A preview. ``errors`` and ``messages`` (warnings and notes) are in their order; ``outputs`` are those from before it."""

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
        losses = dict[tuple[str, str], str]()
        for step in self.steps:
            if step.type in _KEPT and step.op in _GOES:
                done = "deleted" if step.op == "delete" else "replaced by a new, empty one" if step.type == DATABASE else "replaced"
                shown = step.old.get("name") or step.new.get("name") or step.name
                losses.setdefault((step.type, step.name), f"{_KEPT[step.type]} {shown}: would be {done}")
        return tuple(losses.values())


def redacted(value: Any, redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - whatever JSON holds
    """A value read from JSON, with ``redact`` applied to every text but keys and the contents of modules, which are megabytes and never shown."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [redacted(entry, redact) for entry in value]
    if isinstance(value, dict):
        return {key: entry if key == CONTENT else redacted(entry, redact) for key, entry in value.items()}
    return value


def parse_preview(text: str, where: str, redact: Callable[[str], str]) -> Preview:
    """Read the JSON of a preview, with every text redacted; ``where`` is how errors name it.

    Raises ReportError where the text is something else.
    """
    todo = "Write it with pulumi preview --json"
    try:
        preview = redacted(from_json(text), redact)
    except ValueError:
        raise ReportError(where, "is not JSON", todo) from None
    if not isinstance(preview, dict) or not {"steps", "diagnostics", "config", "changeSummary"} & preview.keys():
        raise ReportError(where, "is not the JSON of a preview", todo)
    try:
        steps = preview.get("steps") or []
        root: Mapping[str, Any] = next((step for step in steps if "::pulumi:pulumi:Stack::" in step["urn"]), {})
        logged = [(str(entry.get("severity")), _line(entry.get("message"))) for entry in preview.get("diagnostics") or []]
        return Preview(
            steps=tuple(_step(step) for step in steps if step is not root),
            errors=tuple(dict.fromkeys(text for severity, text in logged if severity == "error" and text)),
            messages=tuple(dict.fromkeys(text for severity, text in logged if severity != "error" and text)),
            outputs=dict((root.get("oldState") or {}).get("outputs") or {}),
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ReportError(where, "is not the JSON of a preview", todo) from None


def one_line(text: str) -> str:
    """A text as ``Preview`` has it: in one line, with single blanks."""
    return " ".join(text.split())


def _step(step: Mapping[str, Any]) -> Step:
    *_, kind, name = str(step["urn"]).split("::")
    old, new = (dict((step.get(key) or {}).get("inputs") or {}) for key in ("oldState", "newState"))
    return Step(str(step["op"]), kind.rpartition("$")[2], name, old, new)


def _line(message: object) -> str:
    """A message in one line, without the severity that the engine puts first."""
    return one_line(str(message or "")).removeprefix("error: ").removeprefix("warning: ")
