"""What adopting a worker changes, compared with how it is deployed now. Pure.

The provider plans an adoption as "import" and shows little of it, so a binding, a variable or an address that no file declares would go away
unseen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crane_infra.live.account import LiveWorker

Bindings = Mapping[str, tuple[str, str]]
"""The type and the readable value of each binding, by its name."""
_QUIET = {"version_metadata"}


@dataclass(frozen=True)
class DeclaredWorker:
    """A worker as this stack declares it. ``crons`` None: it declares no schedules, and those that are there stay."""

    bindings: Bindings
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    workers_dev: bool
    crons: tuple[str, ...] | None


def changes(live: LiveWorker, declared: DeclaredWorker) -> list[str]:
    """What changes, each in a few words; what is lost comes first."""
    texts = [f"the {kind} binding {name} goes away" for name, (kind, _) in live.bindings.items() if name not in declared.bindings]
    texts += [change for name in declared.bindings if (change := _binding(name, live.bindings.get(name), declared.bindings[name]))]
    if secrets := sorted(name for name, (kind, _) in declared.bindings.items() if kind == "secret_text" and name in live.bindings):
        texts.append(f"the secrets {', '.join(secrets)} are set from this stack")
    for what, before, after in (
        ("the compatibility date", live.compatibility_date, declared.compatibility_date),
        ("the compatibility flags", _listed(live.compatibility_flags), _listed(declared.compatibility_flags)),
        ("the workers.dev address", _switch(on=live.workers_dev), _switch(on=declared.workers_dev)),
        ("the addresses of single versions", _switch(on=live.previews), _switch(on=False)),
        ("the schedules", _listed(live.crons), _listed(live.crons if declared.crons is None else declared.crons)),
    ):
        if before != after:
            texts.append(f"{what}: {before or 'none'} becomes {after}")
    return texts


def _binding(name: str, live: tuple[str, str] | None, declared: tuple[str, str]) -> str | None:
    kind, value = declared
    if live is None:
        return None if kind in _QUIET else f"the {kind} binding {name} is new"
    if live[0] != kind:
        return f"the binding {name}: {live[0]} becomes {kind}"
    return None if live[1] == value else f"the {kind} binding {name}: {live[1]} becomes {value}"


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(sorted(values)) or "none"


def _switch(*, on: bool) -> str:
    return "on" if on else "off"
