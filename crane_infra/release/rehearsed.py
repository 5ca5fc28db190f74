"""The proof that a release was rehearsed on production's rows as they are: one value for the release and the ledgers. Pure.

A change of either makes it another value, so a rehearsal of another release, or from before the last migration, opens nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from crane_infra.migrations.ledger import LedgerHead
from crane_infra.release.gate import Verdict

TODO = (
    "Run crane migrations rehearse -s production where the local cloud is installed, and set what it prints: "
    "pulumi config set -s production rehearsed <value>"
)


def rehearsal_proof(digest: str, heads: Mapping[str, LedgerHead]) -> str:
    """The value that stands for a passed rehearsal of a release on databases whose ledgers have these heads, by name."""
    ledgers = "".join(f"{name}\0{heads[name].digest}\n" for name in sorted(heads))
    return hashlib.sha256(f"crane rehearsal 1\n{digest}\n{ledgers}".encode()).hexdigest()


def with_rehearsal(verdict: Verdict, given: str | None, expected: str) -> Verdict:
    """The gate's verdict where production takes only what was rehearsed; ``given`` is the proof that the stack has."""
    if not verdict.is_open:
        return verdict
    if given is None:
        return Verdict(None, "this release was not rehearsed on production's rows, as require-rehearsal demands", TODO)
    if given != expected:
        what = "the rehearsal that is set is of another release, or of production before its last migration"
        return Verdict(None, what, TODO)
    note = "rehearsed on production's rows"
    return replace(verdict, note=f"{verdict.note}. {note}" if verdict.note else note)


def with_rehearsal_to_come(verdict: Verdict) -> Verdict:
    """The verdict of a preview before the rehearsal: it says what an update will demand."""
    note = "an update demands a rehearsal of it on production's rows"
    return replace(verdict, note=f"{verdict.note}. {note}" if verdict.note else note) if verdict.is_open else verdict
