"""A rollback is what its marks and the stack's own proofs say together; only the release that it left would undo it."""

from collections.abc import Callable

import pytest

from crane_infra.live.account import Deployment
from crane_infra.live.mark import mark
from crane_infra.live.rolled_back import last_rollback, rolled_back, settled
from crane_infra.release.proof import Proof

OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64
MakeProof = Callable[..., Proof]


@pytest.fixture
def proofs(make_proof: MakeProof) -> tuple[Proof, Proof]:
    """Those of a newer and an older release, which have one worker in common as it was."""
    return _proof(make_proof, NEW, one="new", two="same"), _proof(make_proof, OLD, one="old", two="same")


def _proof(make_proof: MakeProof, digest: str, **versions: str) -> Proof:
    workers = {name: {"script": name, "version": version, "tag": "t"} for name, version in versions.items()}
    return make_proof(digest=digest, workers=workers)


def _deployment(version: str, message: str = "", made_on: str = "2026-11-28T21:40:00Z", **more: float) -> Deployment:
    return Deployment("d", {version: 100, **more}, "api ann", made_on, message)


def test_a_marked_deployment_of_a_proven_version_is_a_rollback(proofs: tuple[Proof, Proof]) -> None:
    message = mark("rollback", OLD, left=NEW, reason="it is broken").message
    back = rolled_back({"one": _deployment("old", message), "two": _deployment("same")}, proofs)
    assert back is not None
    assert (back.proof.digest, set(back.deployments)) == (OLD, {"one"})
    assert back.summary == (f"rolled back to release {OLD[:12]} from release {NEW[:12]} on 2026-11-28 21:40 UTC by api ann (it is broken)")


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("old", ""),
        ("old", "crane rollback"),
        ("manual", f"crane rollback {OLD[:12]}"),
        ("old", f"crane rollback {OTHER[:12]}"),
        ("old", f"crane abort {OLD[:12]}"),
    ],
)
def test_a_message_alone_is_none(proofs: tuple[Proof, Proof], version: str, message: str) -> None:
    assert rolled_back({"one": _deployment(version, message)}, proofs) is None


def test_a_share_of_traffic_for_another_version_is_none(proofs: tuple[Proof, Proof]) -> None:
    message = mark("rollback", OLD, left=NEW).message
    assert rolled_back({"one": Deployment("d", {"old": 50, "new": 50}, message=message)}, proofs) is None
    assert rolled_back({"one": Deployment("d", {"old": 100, "new": 0}, message=message)}, proofs) is not None


@pytest.mark.parametrize(("digest", "undone"), [(NEW, True), (OLD, False), (OTHER, False)])
def test_only_the_release_that_was_left_would_undo_it(proofs: tuple[Proof, Proof], digest: str, undone: bool) -> None:  # noqa: FBT001
    for left in (NEW, ""):
        back = rolled_back({"one": _deployment("old", mark("rollback", OLD, left=left).message)}, proofs)
        assert back is not None
        assert back.would_be_undone_by(digest, NEW) is undone


def test_an_update_that_failed_and_was_left_is_known_though_the_stack_never_proved_it(proofs: tuple[Proof, Proof]) -> None:
    back = rolled_back({"one": _deployment("new", mark("rollback", NEW, left=OTHER).message)}, proofs)
    assert back is not None
    assert back.would_be_undone_by(OTHER, NEW)
    assert "pulumi config set -s production --path workers.one.replace-deployment d" in str(back.error("production", OTHER, proven=False))


def test_what_the_stack_deployed_last_is_no_rollback_once_it_is_put_back(proofs: tuple[Proof, Proof]) -> None:
    active = {"one": _deployment("new", mark("rollback", NEW).message)}
    assert rolled_back(active, proofs) is None
    last = last_rollback(active, proofs)
    assert last is not None
    assert last.proof.digest == NEW


def test_nor_is_it_one_after_a_newer_release_that_kept_the_worker(make_proof: MakeProof, proofs: tuple[Proof, Proof]) -> None:
    newest = _proof(make_proof, OTHER, one="new", two="other")
    active = {"one": _deployment("new", mark("rollback", NEW).message), "two": _deployment("other")}
    assert rolled_back(active, (newest, *proofs)) is None


def test_the_last_of_two_counts(make_proof: MakeProof, proofs: tuple[Proof, Proof]) -> None:
    oldest = _proof(make_proof, OTHER, one="oldest", two="oldest")
    one = _deployment("oldest", mark("rollback", OTHER, left=NEW).message, "2026-11-28T21:45:00Z")
    two = _deployment("same", mark("rollback", OLD, left=NEW).message, "2026-11-28T21:40:00Z")
    back = rolled_back({"one": one, "two": two}, (*proofs, oldest))
    assert back is not None
    assert (back.proof.digest, set(back.deployments)) == (OTHER, {"one"})


def test_a_candidate_that_was_tried_beside_it_and_taken_away_changes_nothing() -> None:
    back, candidate = _deployment("old", mark("rollback", OLD, left=NEW).message), mark("candidate", OTHER).message
    tried, alone = _deployment("old", candidate, tried=0), _deployment("old", mark("abort", OTHER).message)
    assert settled([tried, back]) == back
    assert settled([alone, tried, back]) == back
    assert settled([_deployment("old"), alone, tried, back]) == _deployment("old")


def test_a_rollback_that_was_put_back_is_none() -> None:
    put_back = _deployment("new", mark("abort", OLD).message)
    assert settled([put_back, _deployment("old", mark("rollback", OLD, left=NEW).message), _deployment("new")]) == put_back
    assert settled([]) is None
