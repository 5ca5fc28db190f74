"""What adopting a worker will change, compared with how it is deployed now. Pure.

The provider plans an adoption as "import" and shows little of it. Prevents a binding, a variable or an address from going away
because somebody had set it by hand and no file says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from crane_infra.live.account import LiveWorker

Bindings = Mapping[str, tuple[str, str]]
_QUIET = {"version_metadata"}


@dataclass(frozen=True)
class WantedWorker:
    """A worker as this stack declares it. ``bindings``: type and readable value by name; ``crons`` None: none of ours."""

    bindings: Bindings
    compatibility_date: str
    compatibility_flags: tuple[str, ...]
    workers_dev: bool
    crons: tuple[str, ...] | None


def changes(live: LiveWorker, wanted: WantedWorker) -> list[str]:
    """What will change, each in a few words; loss first."""
    told = [f"the {kind} binding {name} goes away" for name, (kind, _) in live.bindings.items() if name not in wanted.bindings]
    told += [change for name in wanted.bindings if (change := _binding(name, live.bindings.get(name), wanted.bindings[name]))]
    if secrets := sorted(name for name, (kind, _) in wanted.bindings.items() if kind == "secret_text" and name in live.bindings):
        told.append(f"the secrets {', '.join(secrets)} are set from this stack")
    for what, now, then in (
        ("the compatibility date", live.compatibility_date, wanted.compatibility_date),
        ("the compatibility flags", _listed(live.compatibility_flags), _listed(wanted.compatibility_flags)),
        ("the workers.dev address", _switch(on=live.workers_dev), _switch(on=wanted.workers_dev)),
        ("the addresses of single versions", _switch(on=live.previews), _switch(on=False)),
        ("the schedules", _listed(live.crons), _listed(live.crons if wanted.crons is None else wanted.crons)),
    ):
        if now != then:
            told.append(f"{what}: {now or 'none'} becomes {then}")
    return told


def _binding(name: str, live: tuple[str, str] | None, wanted: tuple[str, str]) -> str | None:
    kind, value = wanted
    if live is None:
        return None if kind in _QUIET else f"the {kind} binding {name} is new"
    if live[0] != kind:
        return f"the binding {name}: {live[0]} becomes {kind}"
    return None if live[1] == value else f"the {kind} binding {name}: {live[1]} becomes {value}"


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(sorted(values)) or "none"


def _switch(*, on: bool) -> str:
    return "on" if on else "off"
