"""Reads what a resource waits for without the detours of Pulumi's SDK.

For each resource in ``depends_on`` the SDK makes outputs and tasks, and looks for a cycle in all that is known to depend on something. Where
each of fifty schemas waits for fifty versions and each of fifty deployments for fifty schemas, that was a fifth of what the program did.
Here a resource can only wait for one that was declared before it, so there is no cycle to find.
"""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime import resource
from pulumi.runtime._depends_on import _resolve_depends_on_urns


def read_dependencies_directly() -> None:
    """Send the same dependencies as the SDK, read directly, from now on. The SDK has no setting for it; what is no plain resource is left to it."""
    known: WeakKeyDictionary[pulumi.Resource, str | None] = WeakKeyDictionary()

    async def resolve(depends_on: Sequence[Any], from_resource: pulumi.Resource | None = None) -> set[str]:
        if not all(isinstance(dependency, pulumi.CustomResource) for dependency in depends_on):
            return await _resolve_depends_on_urns(list(depends_on), from_resource)
        for dependency in depends_on:
            if dependency not in known:
                known[dependency] = await dependency.urn.future()
        return {urn for dependency in depends_on if (urn := known[dependency])}

    resource._resolve_depends_on_urns = resolve  # type: ignore[attr-defined, assignment]  # noqa: SLF001
