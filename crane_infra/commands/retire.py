"""Lets a stack go of a worker or a database that the catalog no longer has. Nothing at Cloudflare is touched.

The engine refuses to forget what is protected, and the program refuses to lose what it exported, both for good reasons. So this takes the
protection and the entry out of the state, by the engine's own export and import; the next update then forgets the resources.
"""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.errors import SettingsError
from crane_infra.pulumi_cli import ask_for_object, ask_pulumi, pulumi_failed
from crane_infra.release.exported import ENVIRONMENT
from crane_infra.release.outputs import StackOutputs

State = Mapping[str, Any]
_STACK = "pulumi:pulumi:Stack"
_RESOURCES = {
    "workers": (("cloudflare:index/worker:Worker", ""),),
    "databases": (("cloudflare:index/d1Database:D1Database", ""), ("pulumi:index:Stash", "-schema")),
}
"""What is protected of each, by type, and what follows the catalog name in the name of the resource."""


@dataclass(frozen=True)
class Retired:
    """What a stack lets go of: ``workers`` or ``databases``, its name in the catalog, and at Cloudflare."""

    kind: str
    name: str
    shown: str

    @property
    def summary(self) -> str:
        """What happens to it."""
        return f"{self.kind.removesuffix('s')} {self.shown}: the next update forgets it. It stays at Cloudflare as it is"


def retire(stack: str, catalog: Catalog, outputs: StackOutputs, name: str, agreed: Callable[[Retired], bool]) -> bool:
    """Let a stack go of ``name``; False where ``agreed`` says no.

    Raises SettingsError for a name that the catalog still has or the stack does not know, and where the state changes meanwhile.
    """
    retired = _what(stack, catalog, outputs, name)
    state = ask_for_object(stack, "stack", "export")
    changed = without(state, retired)
    if not agreed(retired):
        return False
    if ask_for_object(stack, "stack", "export") != state:
        raise SettingsError(f"stack {stack}", "its state changed meanwhile, so nothing was written", "Run the same command again")
    ended = ask_pulumi(stack, "stack", "import", given=json.dumps(changed))
    if ended.returncode:
        raise pulumi_failed(stack, ended)
    return True


def without(state: State, retired: Retired) -> dict[str, Any]:
    """The state without the protection of a resource, and without its entry among what the stack exported."""
    changed: dict[str, Any] = copy.deepcopy(dict(state))
    ends = {kind: f"::{retired.name}{suffix}" for kind, suffix in _RESOURCES[retired.kind]}
    for resource in changed["deployment"].get("resources") or ():
        if resource["type"] == _STACK:
            _forget(resource.get("outputs") or {}, retired)
        elif resource["type"] in ends and resource["urn"].endswith(ends[resource["type"]]):
            resource["protect"] = False
    return changed


def _forget(outputs: dict[str, Any], retired: Retired) -> None:
    """Take the entry out of the record of the environment, under the name of this version or of one before."""
    for name in (ENVIRONMENT, "environment"):
        if isinstance(record := outputs.get(name), dict):
            (record.get(retired.kind) or {}).pop(retired.name, None)


def _what(stack: str, catalog: Catalog, outputs: StackOutputs, name: str) -> Retired:
    if name in {*catalog.workers, *catalog.databases}:
        todo = "Remove it from crane_infra/catalog.py and from both stack files first"
        raise SettingsError(name, "is in the catalog, so the stack needs it", todo)
    if name in outputs.workers:
        return Retired("workers", name, outputs.workers[name].script)
    if name in outputs.databases:
        return Retired("databases", name, outputs.databases[name].name)
    gone = sorted({*outputs.workers, *outputs.databases} - {*catalog.workers, *catalog.databases})
    todo = f"Names that the catalog no longer has: {', '.join(gone)}" if gone else "The catalog has everything that the stack knows"
    raise SettingsError(f"stack {stack}", f"knows no worker or database {name}", todo)
