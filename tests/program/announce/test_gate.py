"""Production goes on only with what staging has proven and, for the newest release, still is."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import GateError
from crane_infra.migrations.ledger import LedgerHead
from crane_infra.program.announce import gate
from crane_infra.program.announce.gate import pass_gate
from crane_infra.program.preparation import Prepared
from crane_infra.redact import Redactor
from crane_infra.release.freeze import TAG, Freeze
from crane_infra.release.manifest import Release
from crane_infra.release.outputs import StackOutputs, read_outputs
from crane_infra.release.proof import Proof, as_json
from crane_infra.release.rehearsed import rehearsal_proof

MakeSettings = Callable[..., Settings]
MakeProof = Callable[..., Proof]
EMPTY: dict[str, object] = {"manifest": {}, "workers": {}, "databases": {}, "checks": {}}


def prepared(settings: Settings, *proofs: Proof, of: Proof) -> Prepared:
    """A run that brings the release of one proof, beside a staging that exports all of them."""
    release = Release({}, {}, {}, of.manifest, of.digest)
    staging = read_outputs({"proofs": [as_json(proof) for proof in proofs]})
    return Prepared(settings, Catalog(workers={}, databases={}), release, {}, {}, StackOutputs(), staging, Redactor({}), {})


def passed(run: Prepared) -> tuple[Proof | None, bool]:
    """The proof that opened the gate, and whether it is the newest one."""
    verdict = pass_gate(run)
    assert verdict is not None
    return verdict.proof, verdict.newest


def refusal(run: Prepared) -> str:
    with pytest.raises(GateError) as caught:
        pass_gate(run)
    return str(caught.value)


@pytest.fixture(autouse=True)
def tags(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The tags of production's stack, in place of the Pulumi CLI."""
    tags: dict[str, str] = {}
    monkeypatch.setattr(gate, "tags_of", lambda *_: tags)
    return tags


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_the_newest_proof_is_handed_on_so_that_traffic_can_be_held_to_it(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime
) -> None:
    proof = make_proof(proven_at=now, **EMPTY)
    assert passed(prepared(make_settings("production"), proof, of=proof)) == (proof, True)


def test_an_older_proof_is_not_held_against_what_staging_serves_now(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime
) -> None:
    older, newer = make_proof(proven_at=now, **EMPTY), make_proof(proven_at=now, digest="b" * 64)
    assert passed(prepared(make_settings("production"), newer, older, of=older)) == (older, False)


def test_an_older_proof_of_a_version_that_staging_does_not_have_closes_the_gate(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime, bare_account: str
) -> None:
    settings = make_settings("production").model_copy(update={"api_url": bare_account})
    manifest = {"workers": {"crane-context": {"digest": "t1"}}}
    older, newer = make_proof(proven_at=now, manifest=manifest, databases={}), make_proof(proven_at=now, digest="b" * 64)
    assert "version v1, which the proof names, does not exist" in refusal(prepared(settings, newer, older, of=older))


def test_a_staging_that_no_longer_serves_what_it_has_proven_closes_the_gate(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime, bare_account: str
) -> None:
    settings = make_settings("production").model_copy(update={"api_url": bare_account})
    proof = make_proof(proven_at=now, manifest={"workers": {"crane-context": {"digest": "t1"}}}, databases={})
    assert "staging has changed since its proof: worker crane-context-staging: does not exist." in refusal(
        prepared(settings, proof, of=proof)
    )


def test_a_proof_older_than_the_stack_allows_closes_the_gate(make_settings: MakeSettings, make_proof: MakeProof, now: datetime) -> None:
    proof = make_proof(proven_at=now - timedelta(hours=25), **EMPTY)
    assert passed(prepared(make_settings("production"), proof, of=proof)) == (proof, True)
    assert "is older than 1 day" in refusal(prepared(make_settings("production", proof_max_age_days="1"), proof, of=proof))


def test_a_proof_of_another_manifest_under_the_release_s_digest_closes_the_gate(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime
) -> None:
    proof = make_proof(proven_at=now, **EMPTY)
    run = prepared(make_settings("production"), proof, of=proof)
    other = replace(run, release=Release({}, {}, {}, {"schema": 2}, proof.digest))
    assert "is for a different manifest" in refusal(other)


def test_a_frozen_production_closes_the_gate_for_what_staging_has_proven(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime, tags: dict[str, str]
) -> None:
    proof = make_proof(proven_at=now, **EMPTY)
    tags[TAG] = Freeze("ann", "2026-11-28T21:40:00Z", "the sale is on").tag
    frozen = "production gate closed: production is frozen by ann since 2026-11-28T21:40:00Z: the sale is on."
    assert refusal(prepared(make_settings("production"), proof, of=proof)).startswith(frozen)
    passing = make_settings("production", override_freeze="2026-11-28T21:40:00Z")
    assert passed(prepared(passing, proof, of=proof)) == (proof, True)


def test_a_production_that_demands_a_rehearsal_takes_only_what_was_rehearsed_on_it_as_it_is(
    make_settings: MakeSettings, make_proof: MakeProof, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = LedgerHead("0001_a.sql", 1, "d1")

    async def heads(*_: object) -> dict[str, LedgerHead]:
        return {"db": head}

    monkeypatch.setattr(gate, "ledger_heads", heads)
    proof = make_proof(proven_at=now, **EMPTY)
    demanding = make_settings("production", require_rehearsal="true")
    assert "this release was not rehearsed on production's rows" in refusal(prepared(demanding, proof, of=proof))
    rehearsed = demanding.model_copy(update={"rehearsed": rehearsal_proof(proof.digest, {"db": head})})
    assert passed(prepared(rehearsed, proof, of=proof)) == (proof, True)
    earlier = demanding.model_copy(update={"rehearsed": rehearsal_proof(proof.digest, {})})
    assert "is of another release, or of production before its last migration" in refusal(prepared(earlier, proof, of=proof))
