"""The names of the secrets on a worker, compared with those that its release declares. Pure; no API shows a value."""

from collections.abc import Collection, Mapping
from typing import Any

from crane_infra.errors import LiveError

_KIND = "secret_text"


def secret_names(bindings: Mapping[str, str]) -> set[str]:
    """The secrets among the bindings of a manifest, which are kinds by name."""
    return {name for name, kind in bindings.items() if kind == _KIND}


def live_secret_names(version: Mapping[str, Any]) -> set[str]:
    """The secrets that a version binds, as the API returns it."""
    return {str(binding.get("name")) for binding in version.get("bindings") or () if binding.get("type") == _KIND}


def secret_names_fault(
    script: str, stack: str, live: Collection[str], declared: Collection[str], required: Collection[str]
) -> LiveError | None:
    """What differs: secrets on the worker that its release does not declare, and required ones that it lacks."""
    undeclared, absent = sorted(set(live) - set(declared)), sorted((set(required) & set(declared)) - set(live))
    texts = [f"{', '.join(undeclared)} not declared"] if undeclared else []
    texts += [f"{', '.join(absent)} missing"] if absent else []
    if not texts:
        return None
    todo = f"Declare a secret that is needed in crane_infra/catalog.py. pulumi up -s {stack} sets the declared ones; see docs/secrets.md"
    return LiveError(f"worker {script}", f"the names of its secrets differ from its release: {'; '.join(texts)}", todo)
