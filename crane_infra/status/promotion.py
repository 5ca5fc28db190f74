"""What promoting the newest release of staging would change in production. Pure."""

from collections.abc import Iterator, Mapping

from crane_infra.migrations.ledger import Ledger
from crane_infra.release.outputs import StackOutputs

Kinds = Mapping[tuple[str, str], str]
"""The class of a migration by its database, as the catalog calls it, and its sha256."""
UNKNOWN_KIND = "class unknown: its file is not at hand"


def changes_of(staging: StackOutputs, production: StackOutputs, ledgers: Mapping[str, Ledger], kinds: Kinds) -> Iterator[str]:
    """What changes, each in a few words; nothing where staging has no proof. ``ledgers`` are those of production, by the catalog's names."""
    proof, last = staging.newest, production.newest
    if proof is None or (last is not None and last.digest == proof.digest):
        return
    before = {name: worker.tag for name, worker in last.workers.items()} if last else {}
    for name, worker in proof.workers.items():
        if name not in before:
            yield f"worker {name}: is new"
        elif before[name] != worker.tag:
            yield f"worker {name}: a new version"
    yield from (f"worker {name}: is no longer part of the release" for name in before if name not in proof.workers)
    for name in proof.databases:
        ledger = ledgers.get(name, production.ledger(name))
        for file, sha256 in staging.migrations(name).items():
            if ledger.entry(file) is None:
                yield f"database {name}: applies {file} ({kinds.get((name, sha256), UNKNOWN_KIND)})"
