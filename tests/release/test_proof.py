"""The list of proofs gets new states only, keeps twenty, and does not change because time passes."""

from collections.abc import Callable
from datetime import timedelta

from crane_infra.release.proof import CLOCK_SKEW, KEPT, Proof, as_json, extended
from crane_infra.release.statement import name_of
from tests.samples import NOW

MakeProof = Callable[..., Proof]


def test_the_same_state_at_another_time_and_commit_does_not_change_the_list(make_proof: MakeProof) -> None:
    history = [as_json(make_proof())]
    assert extended(history, make_proof(proven_at=NOW + timedelta(days=1), commit="other", versions={})) == history


def test_another_version_of_the_same_release_is_a_new_proof_in_front(make_proof: MakeProof) -> None:
    history = [as_json(make_proof())]
    later = make_proof(workers={"crane-context": {"script": "crane-context-staging", "version": "v2", "tag": "t1"}})
    assert extended(history, later) == [as_json(later), *history]


def test_a_release_that_comes_back_gets_a_new_proof(make_proof: MakeProof) -> None:
    history = [as_json(make_proof(digest="b" * 64)), as_json(make_proof())]
    assert len(extended(history, make_proof())) == 3


def test_the_twenty_newest_are_kept(make_proof: MakeProof) -> None:
    history: list[dict[str, object]] = []
    for number in range(KEPT + 5):
        history = extended(history, make_proof(digest=f"{number:064x}"))
    assert [proof["digest"] for proof in history] == [f"{number:064x}" for number in range(KEPT + 4, 4, -1)]


def test_numbers_that_the_engine_returns_as_floats_are_not_a_change(make_proof: MakeProof) -> None:
    stored = as_json(make_proof())
    stored["databases"]["crane-context-db"]["head"]["count"] = 1.0
    assert extended([stored], make_proof()) == [stored]


def test_a_proof_without_a_commit_or_a_migration_is_read_back_although_the_engine_drops_none(make_proof: MakeProof) -> None:
    empty = {"id": "d1", "name": "n", "head": {"name": None, "count": 0, "digest": "h"}}
    proof = make_proof(commit=None, databases={"crane-context-db": empty})
    stored = as_json(proof)
    assert None not in (*stored.values(), *stored["databases"]["crane-context-db"]["head"].values())
    assert Proof.model_validate(stored) == proof
    assert extended([stored], proof) == [stored]


def test_if_proofs_expire_another_run_renews_an_old_one_and_keeps_a_recent_one(make_proof: MakeProof) -> None:
    history = [as_json(make_proof())]
    later = make_proof(proven_at=NOW + timedelta(days=4))
    assert extended(history, later, timedelta(days=5)) == history
    assert extended(history, later, timedelta(days=3)) == [as_json(later), *history]


def test_a_proof_from_a_clock_that_was_ahead_is_renewed_by_the_next_run(make_proof: MakeProof) -> None:
    history = [as_json(make_proof(proven_at=NOW + timedelta(hours=1)))]
    assert extended(history, make_proof()) == [as_json(make_proof()), *history]
    assert extended(history, make_proof(proven_at=NOW + timedelta(hours=1) - CLOCK_SKEW / 2)) == history


def test_an_entry_that_cannot_be_read_is_dropped(make_proof: MakeProof) -> None:
    good = as_json(make_proof())
    assert extended([{"forged": True}, good, 3], make_proof()) == [good]


def test_the_same_release_with_other_checks_is_a_new_proof(make_proof: MakeProof) -> None:
    history = [as_json(make_proof())]
    more = make_proof(checks={"crane-context": ["health", "version"]})
    assert extended(history, more) == [as_json(more), *history]


RECORDED = {"script": "crane-context-staging", "version": "v1", "tag": "t1", "secrets": {"KEY": "0" * 16}, "crons": ["0 3 * * *"]}


def test_other_schedules_of_the_same_release_are_a_new_proof(make_proof: MakeProof) -> None:
    history = [as_json(make_proof(workers={"crane-context": RECORDED}))]
    later = make_proof(workers={"crane-context": RECORDED | {"crons": []}})
    assert extended(history, later) == [as_json(later), *history]


def test_what_a_version_before_did_not_record_is_no_change(make_proof: MakeProof) -> None:
    history = [as_json(make_proof())]
    assert extended(history, make_proof(workers={"crane-context": RECORDED}, fingerprint_key="1" * 16)) == history


def test_a_proof_of_a_version_before_keeps_its_name_and_so_its_signature(make_proof: MakeProof) -> None:
    """The name as the version before computed it."""
    assert name_of(make_proof()) == "cbe397ee4aa01c48f70297454d1429d923552165d512840d6944b5ec117724bf"
