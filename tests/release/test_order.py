"""An older release stays older, however often it is proven again and however short the list of proofs is."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.release.order import KEPT, is_older, newest, numbers_of, numbers_with, running
from crane_infra.release.proof import Proof, extended

MakeProof = Callable[..., Proof]
A, B, C, D = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


def stack(*digests: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The outputs of a stack with these proofs, newest first, which are not readable as proofs but for their digests."""
    return {"proofs": [{"digest": digest} for digest in digests], **more}


class Proven:
    """A stack that proves one release after the other, as runs do."""

    def __init__(self, make_proof: MakeProof) -> None:
        self.outputs: dict[str, Any] = {}
        self.make_proof, self.count = make_proof, 0

    def prove(self, *digests: str) -> "Proven":
        """Each of them runs, by a version of its own, and is proven."""
        for digest in digests:
            self.count += 1
            workers = {"crane-context": {"script": "crane-context-staging", "version": f"v{self.count}", "tag": "t1"}}
            proofs = extended(self.outputs.get("proofs") or [], self.make_proof(digest=digest, workers=workers))
            self.outputs = {"proofs": proofs, "releases": {**numbers_with(self.outputs, digest)}}
        return self


class TestTheOrder:
    def test_is_that_in_which_releases_were_first_proven(self, make_proof: MakeProof) -> None:
        assert numbers_of(Proven(make_proof).prove(A, B, C).outputs) == {A: 1, B: 2, C: 3}

    def test_does_not_change_where_an_older_release_is_proven_again(self, make_proof: MakeProof) -> None:
        proven = Proven(make_proof).prove(A, B, A)
        assert proven.outputs["proofs"][0]["digest"] == A
        assert is_older(A, B, proven.outputs)
        assert not is_older(B, A, proven.outputs)
        assert newest(proven.outputs) == B

    def test_outlives_the_list_of_proofs(self, make_proof: MakeProof) -> None:
        many = [f"{number:064x}" for number in range(1, 40)]
        proven = Proven(make_proof).prove(A, *many, A)
        assert [proof["digest"] for proof in proven.outputs["proofs"]].count(A) == 1
        assert is_older(A, many[-1], proven.outputs)

    def test_is_read_off_the_proofs_of_a_stack_that_exports_none_yet(self) -> None:
        assert numbers_of(stack(C, A, B, A)) == {A: 1, B: 2, C: 3}

    def test_is_kept_for_the_last_five_hundred(self) -> None:
        outputs = {"releases": {f"{number:064x}": number for number in range(1, KEPT + 1)}}
        numbers = numbers_with(outputs, A)
        assert len(numbers) == KEPT
        assert (numbers[A], min(numbers.values())) == (KEPT + 1, 2)

    def test_is_the_same_where_the_engine_returns_floats(self) -> None:
        assert numbers_of(stack(B, releases={A: 2.0, B: 1.0})) == {A: 2, B: 1}

    def test_is_not_begun_by_a_run_that_changes_nothing(self) -> None:
        assert numbers_with(stack(B, A), B) == {}

    def test_is_begun_by_the_next_release_and_by_an_older_one_that_comes_back(self) -> None:
        assert numbers_with(stack(B, A), C) == {A: 1, B: 2, C: 3}
        assert numbers_with(stack(B, A), A) == {A: 1, B: 2}


class TestWhichReleaseIsOlder:
    def test_is_unknown_where_no_stack_knows_both(self) -> None:
        assert is_older(A, B, stack(A), stack(B)) is None
        assert is_older(A, B, None, {}) is None

    def test_is_told_by_the_first_stack_that_knows_both(self) -> None:
        assert is_older(A, B, stack(B, A), stack(A, B)) is True
        assert is_older(A, B, stack(A), stack(B, A)) is True

    def test_a_release_is_not_older_than_itself(self) -> None:
        assert is_older(A, A, stack(A)) is False


class TestWhatAStackRuns:
    def test_is_its_newest_proof(self) -> None:
        assert running(stack(B, A)) == B

    @pytest.mark.parametrize("outputs", [None, {}, {"proofs": []}, {"proofs": "x"}, {"proofs": [{"digest": 7}]}])
    def test_is_nothing_before_the_first(self, outputs: dict[str, Any] | None) -> None:
        assert running(outputs) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["proofs", "releases", "x"]), json_values))
def test_whatever_a_stack_exports_there_is_an_order(anything: dict[str, Any]) -> None:
    assert all(isinstance(number, int) for number in numbers_of(anything).values())
    assert A in numbers_with(anything, A)
    assert is_older(A, B, anything) is None


@given(st.lists(st.sampled_from([A, B, C, D]), min_size=2, max_size=12))
def test_however_runs_come_an_older_release_stays_older(digests: list[str]) -> None:
    outputs: dict[str, Any] = {}
    for digest in digests:
        outputs = {"proofs": [{"digest": digest}, *outputs.get("proofs", [])][:2], "releases": numbers_with(outputs, digest)}
    first = list(dict.fromkeys(digests))
    assert sorted(first, key=numbers_of(outputs).__getitem__) == first
