"""Production takes a release that staging has proven, and no other."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.settings import Settings
from crane_infra.release.gate import RequiredProof, Verdict, judge, verdict_for
from crane_infra.release.manifest import Release
from crane_infra.release.proof import CLOCK_SKEW, Proof, as_json
from tests.samples import ACCOUNT, MANIFEST, NOW

REQUIRED = RequiredProof(digest="a" * 64, project="crane-infra", account=ACCOUNT, proven_in="staging", manifest=MANIFEST)
MakeProof = Callable[..., Proof]


def outputs(*proofs: Proof) -> dict[str, Any]:
    return {"proofs": [as_json(proof) for proof in proofs]}


def test_a_proven_release_opens_the_gate(make_proof: MakeProof) -> None:
    verdict = judge(outputs(make_proof()), REQUIRED, NOW)
    assert verdict.is_open
    assert verdict.newest
    assert verdict.reason == "release aaaaaaaaaaaa was proven by staging at 2026-11-24 12:00 UTC"


def test_an_older_proven_release_opens_it_but_is_not_the_newest(make_proof: MakeProof) -> None:
    verdict = judge(outputs(make_proof(digest="b" * 64), make_proof()), REQUIRED, NOW)
    assert verdict.is_open
    assert not verdict.newest


@pytest.mark.parametrize(
    ("given_outputs", "text"),
    [
        (None, "production gate closed: there is no stack staging. Run pulumi up -s staging with the same files, then try again."),
        (
            {},
            "production gate closed: staging has not proven any release. Run pulumi up -s staging with the same files, then try again.",
        ),
        (
            {"proofs": "yes"},
            (
                "production gate closed: the proofs of staging cannot be read (proofs: is not a list of proofs). "
                "Run pulumi up -s staging with the same files, then try again."
            ),
        ),
        (
            {"proofs": [{"digest": "a" * 64}]},
            (
                "production gate closed: the proof of release aaaaaaaaaaaa cannot be read (schema: is missing). "
                "Run pulumi up -s staging with the same files, then try again."
            ),
        ),
    ],
)
def test_without_readable_proofs_it_is_closed_and_says_why(given_outputs: dict[str, Any] | None, text: str) -> None:
    verdict = judge(given_outputs, REQUIRED, NOW)
    assert not verdict.is_open
    assert str(verdict.error()) == text


def test_a_release_that_was_not_proven_is_refused_by_its_digest(make_proof: MakeProof) -> None:
    verdict = judge(outputs(make_proof(digest="b" * 64)), REQUIRED, NOW)
    assert not verdict.is_open
    assert verdict.reason == "release aaaaaaaaaaaa is not proven by staging, whose newest proof is bbbbbbbbbbbb"


@pytest.mark.parametrize(
    ("changes", "objection"),
    [
        ({"schema": 2}, "has schema 2, but this program reads schema 1"),
        ({"project": "other"}, "is for project other, not crane-infra"),
        ({"environment": "production"}, "is for environment production, not staging"),
        ({"account": "f" * 32}, f"is for account {'f' * 32}, not {ACCOUNT}"),
        (
            {"proven_at": NOW + timedelta(hours=1)},
            (
                "is dated in the future: it says 2026-11-24 13:00 UTC and the clock here 2026-11-24 12:00 UTC, "
                "so either the clock of the machine that proved it was ahead or this one is behind"
            ),
        ),
    ],
)
def test_a_proof_of_something_else_is_no_proof(make_proof: MakeProof, changes: dict[str, Any], objection: str) -> None:
    verdict = judge(outputs(make_proof(**changes)), REQUIRED, NOW)
    assert not verdict.is_open
    assert verdict.reason == f"the proof of release aaaaaaaaaaaa {objection}"


def test_a_clock_that_is_a_little_ahead_does_not_close_it(make_proof: MakeProof) -> None:
    assert judge(outputs(make_proof(proven_at=NOW + CLOCK_SKEW / 2)), REQUIRED, NOW).is_open


def test_a_proof_older_than_the_limit_is_refused_and_one_within_it_is_not(make_proof: MakeProof) -> None:
    limited = replace(REQUIRED, max_age=timedelta(days=7))
    too_old = judge(outputs(make_proof(proven_at=NOW - timedelta(days=8))), limited, NOW)
    assert not too_old.is_open
    assert too_old.reason == "the proof of release aaaaaaaaaaaa is older than 7 days"
    assert judge(outputs(make_proof(proven_at=NOW - timedelta(days=6))), limited, NOW).is_open


def test_an_unreadable_proof_of_another_release_does_not_close_it(make_proof: MakeProof) -> None:
    stack_outputs = outputs(make_proof())
    stack_outputs["proofs"].insert(0, {"digest": "b" * 64, "schema": 7})
    assert judge(stack_outputs, REQUIRED, NOW).is_open


@pytest.mark.parametrize(
    "changes",
    [
        {"workers": {}},
        {"workers": {"crane-context": {"script": "crane-context-staging", "version": "v1", "tag": "other"}}},
        {"databases": {}},
    ],
)
def test_a_proof_that_leaves_out_a_part_of_its_release_is_refused(make_proof: MakeProof, changes: dict[str, Any]) -> None:
    verdict = judge(outputs(make_proof(**changes)), REQUIRED, NOW)
    assert verdict.reason == "the proof of release aaaaaaaaaaaa does not list every worker with its digest, and every database"


def test_a_proof_with_the_right_digest_and_another_manifest_is_refused(make_proof: MakeProof) -> None:
    verdict = judge(outputs(make_proof(manifest={**MANIFEST, "checks": {}})), REQUIRED, NOW)
    assert verdict.reason == "the proof of release aaaaaaaaaaaa is for a different manifest"


def test_an_extra_field_makes_the_proofs_unreadable(make_proof: MakeProof) -> None:
    stack_outputs = outputs(make_proof())
    stack_outputs["proofs"][0]["forged"] = True
    assert judge(stack_outputs, REQUIRED, NOW).reason == "the proof of release aaaaaaaaaaaa cannot be read (forged: is not known)"


A, B, C = "a" * 64, "b" * 64, "c" * 64
MakeSettings = Callable[..., Settings]


class TestGoingBack:
    """Production takes release A. The digests are in the order of staging's proofs, newest first."""

    @pytest.fixture
    def verdict(self, make_proof: MakeProof, make_settings: MakeSettings) -> Callable[..., Verdict]:
        """The verdict on A, by what staging proved and what production ran, both newest first."""

        def ask(staging: list[str], production: list[str] | None, *, rollback_to: str | None = None, **more: Any) -> Verdict:  # noqa: ANN401
            settings = make_settings("production", rollback_to=rollback_to)
            proven = {**outputs(*(make_proof(digest=digest) for digest in staging)), **more}
            ran = None if production is None else outputs(*(make_proof(digest=digest, environment="production") for digest in production))
            return verdict_for(settings, Release({}, {}, {}, MANIFEST, A), proven, ran, NOW)

        return ask

    @pytest.mark.parametrize("rollback_to", [None, B, B[:12]], ids=["without the setting", "other", "the beginning of another"])
    @pytest.mark.parametrize("staging", [[B, A], [A, B, A], [A, A, B, A]], ids=["older", "proven again", "proven again twice"])
    def test_is_refused_without_the_setting_however_the_release_was_proven(
        self, verdict: Callable[..., Verdict], staging: list[str], rollback_to: str | None
    ) -> None:
        assert str(verdict(staging, [B], rollback_to=rollback_to).error()) == (
            "production gate closed: production runs a newer release, bbbbbbbbbbbb, which was first proven after aaaaaaaaaaaa. "
            "Promote a newer release. To go back on purpose, tick rollback on GitHub, "
            "or run pulumi config set -s production rollback-to aaaaaaaaaaaa."
        )

    @pytest.mark.parametrize("staging", [[B, A], [A, B, A]], ids=["older", "proven again"])
    def test_is_taken_and_said_with_the_setting(self, verdict: Callable[..., Verdict], staging: list[str]) -> None:
        back = verdict(staging, [B], rollback_to=A[:12])
        assert back.is_open
        assert back.note == "production runs a newer release, bbbbbbbbbbbb: this goes back to aaaaaaaaaaaa, as rollback-to says"

    def test_is_seen_where_the_list_of_proofs_has_forgotten_that_the_release_is_older(self, verdict: Callable[..., Verdict]) -> None:
        assert not verdict([A, C], [B], releases={A: 1, B: 2, C: 3}).is_open

    def test_is_seen_in_what_production_ran_where_staging_has_lost_its_state(self, verdict: Callable[..., Verdict]) -> None:
        assert not verdict([A], [B, A]).is_open

    @pytest.mark.parametrize(
        ("staging", "production"),
        [
            ([A], None),
            ([A], []),
            ([A], [A]),
            ([B, A], [A]),
            ([A, B, A], [A, B]),
            ([A, B], [B]),
            ([A, C, B], [B]),
            ([C, A, B], [B]),
        ],
        ids=[
            "production is unknown",
            "production never ran",
            "production runs it",
            "production runs it, staging is ahead",
            "production went back to it",
            "the next release",
            "a hotfix, the newest of all",
            "newer, but not the newest",
        ],
    )
    def test_is_not_what_a_newer_release_does_or_the_same_one(
        self, verdict: Callable[..., Verdict], staging: list[str], production: list[str] | None
    ) -> None:
        assert (verdict(staging, production).is_open, verdict(staging, production).note) == (True, "")

    def test_may_be_what_happens_where_nobody_knows_the_order_and_is_said(self, verdict: Callable[..., Verdict]) -> None:
        unsure = verdict([A], [B])
        assert unsure.is_open
        assert unsure.note == "production runs release bbbbbbbbbbbb, which staging does not know: it may be newer than aaaaaaaaaaaa"

    def test_is_no_matter_for_a_release_that_is_not_proven(self, verdict: Callable[..., Verdict]) -> None:
        assert verdict([B], [B]).reason == "release aaaaaaaaaaaa is not proven by staging, whose newest proof is bbbbbbbbbbbb"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["proofs", "environment", "x"]), json_values))
def test_whatever_a_stack_exports_the_gate_answers_and_stays_closed(anything: dict[str, Any]) -> None:
    assert not judge(anything, REQUIRED, NOW).is_open
