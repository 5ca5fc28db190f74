"""The release to promote is the newest one, one with a digest or one of a commit, and its commit can be checked out."""

from collections.abc import Callable
from typing import Any

import pytest

from crane_infra.errors import GateError
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.proof import Proof, as_json

OLD, NEW, COMMIT = "a" * 64, "b" * 64, "1" * 40


@pytest.fixture
def outputs(make_proof: Callable[..., Proof]) -> Callable[..., dict[str, Any]]:
    """What staging exports: two proofs, the newest first; the commit of the newest may be another."""

    def make(newest: str | None = "2" * 40) -> dict[str, Any]:
        return {"proofs": [as_json(make_proof(digest=NEW, commit=newest)), as_json(make_proof(digest=OLD, commit=COMMIT))]}

    return make


@pytest.mark.parametrize(
    ("choice", "digest"),
    [
        (Choice("staging"), NEW),
        (Choice("staging", digest=OLD), OLD),
        (Choice("staging", digest=OLD[:12]), OLD),
        (Choice("staging", commit=COMMIT), OLD),
        (Choice("staging", digest=NEW, commit="2" * 40), NEW),
    ],
)
def test_the_requested_proof_is_chosen(outputs: Callable[..., dict[str, Any]], choice: Choice, digest: str) -> None:
    assert chosen(outputs(), choice).digest == digest


def test_a_release_whose_files_differed_from_its_commit_is_chosen_if_that_is_allowed(outputs: Callable[..., dict[str, Any]]) -> None:
    proof = chosen(outputs("2" * 40 + "+changes"), Choice("production", may_have_changes=True))
    assert (proof.digest, proof.commit) == (NEW, "2" * 40)


@pytest.mark.parametrize("proofs", [{}, {"proofs": []}])
def test_a_stack_without_a_proof_is_refused(proofs: dict[str, Any]) -> None:
    with pytest.raises(GateError) as refused:
        chosen(proofs, Choice("staging"))
    assert str(refused.value) == "stack staging: has not proven any release. Run pulumi up -s staging."


@pytest.mark.parametrize("unreadable", ["nonsense", {"schema": 2}, None])
def test_a_newest_proof_that_cannot_be_read_is_not_passed_over_for_an_older_one(
    outputs: Callable[..., dict[str, Any]], unreadable: object
) -> None:
    proofs = {"proofs": [unreadable, *outputs()["proofs"]]}
    with pytest.raises(
        GateError, match=r"^stack staging: its newest proof cannot be read \(.*\)\. Use the version of crane-infra that wrote it"
    ):
        chosen(proofs, Choice("staging"))
    assert chosen(proofs, Choice("staging", digest=OLD)).digest == OLD


@pytest.mark.parametrize(
    ("choice", "asked"),
    [
        (Choice("staging", digest="c" * 64), "release cccccccccccc"),
        (Choice("staging", commit="3" * 40), f"commit {'3' * 40}"),
        (Choice("staging", digest=OLD, commit="2" * 40), f"release {OLD[:12]} commit {'2' * 40}"),
    ],
)
def test_a_release_that_is_not_proven_is_refused_with_the_newest_proofs(
    outputs: Callable[..., dict[str, Any]], choice: Choice, asked: str
) -> None:
    with pytest.raises(GateError) as refused:
        chosen(outputs(), choice)
    assert str(refused.value) == (
        f"stack staging: has not proven {asked}; its newest proofs are {NEW[:12]}, {OLD[:12]}. Deploy it there first."
    )


@pytest.mark.parametrize("commit", [None, "main", "--upload-pack=x", "2" * 40 + "\ndigest=evil", "c0ffee"])
def test_a_proof_without_a_plain_commit_hash_is_refused(outputs: Callable[..., dict[str, Any]], commit: str | None) -> None:
    with pytest.raises(GateError) as refused:
        chosen(outputs(commit), Choice("staging"))
    assert str(refused.value) == (
        f"release {NEW[:12]}: the proof of stack staging has no commit. Commit the files and run pulumi up -s staging from them."
    )


def test_a_release_whose_files_differed_from_its_commit_is_refused(outputs: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(GateError) as refused:
        chosen(outputs("2" * 40 + "+changes"), Choice("staging"))
    assert str(refused.value) == (
        f"release {NEW[:12]}: was deployed to staging from files that differ from commit {'2' * 40}. "
        "Commit the files and run pulumi up -s staging from them."
    )
