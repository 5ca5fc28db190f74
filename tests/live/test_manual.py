"""A deployment that the stack did not make is told from its own, and production's is never undone unasked."""

import dataclasses

import pytest

from crane_infra.live.account import Deployment
from crane_infra.live.manual import LastDeployed, ManualDeployment, action_for, action_for_one_made_anew, manual_deployment
from crane_infra.live.mark import mark
from crane_infra.live.twins import Comparison

TAG, OTHER = "a" * 64, "b" * 64
LAST = LastDeployed("crane-context", "v2", TAG, earlier=("v0",))


def deployments(*shares: str | dict[str, float]) -> list[Deployment]:
    """The active one first; a version alone has all traffic."""
    return [
        Deployment(f"d{number}", {share: 100.0} if isinstance(share, str) else share, "wrangler someone@example.com", "2026-11-24")
        for number, share in enumerate(shares)
    ]


class TestTheStacksOwnAreNoHandwork:
    def test_the_version_of_the_last_proof(self) -> None:
        assert manual_deployment(deployments("v2", "v1"), LAST, None) is None

    def test_the_version_of_the_last_proof_in_two_deployments(self) -> None:
        assert manual_deployment(deployments("v2", "v2", "v1"), LAST, None) is None

    def test_its_twin_even_if_that_served_before(self) -> None:
        for served in (("v9", "v2"), ("v9", "v2", "v9")):
            assert manual_deployment(deployments(*served), LAST, Comparison(TAG, is_twin=True)) is None

    def test_a_newer_version_with_a_digest_is_of_a_run_that_did_not_end_well(self) -> None:
        for tag in (TAG, OTHER):
            assert manual_deployment(deployments("v3", "v2"), LAST, Comparison(tag)) is None

    def test_a_candidate_that_crane_let_join_and_what_served_before_it(self) -> None:
        waiting = Deployment("d", {"v2": 100.0, "v3": 0.0}, message=mark("candidate", OTHER).message)
        assert manual_deployment([waiting, *deployments("v2")], LAST, None) is None
        assert manual_deployment([*deployments("v3"), waiting, *deployments("v2")], LAST, Comparison(OTHER)) is None

    def test_a_step_of_a_rollout_and_what_served_after_it(self) -> None:
        step = Deployment("d", {"v2": 50.0, "v3": 50.0}, message=mark("canary", OTHER).message)
        assert manual_deployment([step, *deployments("v2")], LAST, None) is None
        assert manual_deployment([*deployments("v3"), step, *deployments("v2")], LAST, Comparison(OTHER)) is None
        assert manual_deployment([step, *deployments("v4")], dataclasses.replace(LAST, version="v4"), None) is step

    def test_no_deployment_at_all(self) -> None:
        assert manual_deployment([], LAST, None) is None


class TestHandworkIsSeen:
    @pytest.mark.parametrize(
        ("shares", "tag"),
        [
            pytest.param(("v1", "v2", "v1"), TAG, id="a rollback to a version that served before"),
            pytest.param(("v0",), TAG, id="a rollback to the version of an older proof"),
            pytest.param(("v9", "v2"), None, id="a version without a tag"),
            pytest.param(("v9", "v2"), "v1.2.3", id="a version with somebody's own tag"),
            pytest.param(({"v2": 90.0, "v3": 10.0}, "v2"), OTHER, id="a share of the traffic"),
            pytest.param(({"v2": 100.0, "v3": 0.0}, "v2"), OTHER, id="a candidate"),
        ],
    )
    def test_it_is_the_active_deployment(self, shares: tuple[str, ...], tag: str | None) -> None:
        found = deployments(*shares)
        assert manual_deployment(found, LAST, Comparison(tag) if len(found[0].shares) == 1 else None) is found[0]

    @pytest.mark.parametrize("tag", [TAG, OTHER], ids=["of this release", "of another release"])
    def test_a_version_from_before_the_last_one_whose_deployment_arrives_late(self, tag: str) -> None:
        found = deployments("v1", "v2")
        assert manual_deployment(found, LAST, Comparison(tag, is_older=True)) is found[0]

    def test_a_candidate_that_joins_late_and_puts_back_what_served_before(self) -> None:
        late = Deployment("late", {"v1": 100.0, "v9": 0.0}, message=mark("candidate", OTHER).message)
        assert manual_deployment([late, *deployments("v2", "v1")], LAST, Comparison(OTHER, is_older=True)) is late

    def test_a_worker_that_was_deleted_and_created_again_whatever_its_tag(self) -> None:
        for tag in (TAG, OTHER, None):
            found = deployments("v7")
            assert manual_deployment(found, LAST, Comparison(tag, made_anew=True)) is found[0]


class TestWhatIsDone:
    (ACTIVE,) = deployments("v1")

    def test_a_run_with_another_version_replaces_it_anyway(self) -> None:
        for environment in ("staging", "production"):
            assert action_for(self.ACTIVE, LAST, OTHER, environment, None) == "goes on"

    def test_staging_is_returned_to_what_it_should_be(self) -> None:
        assert action_for(self.ACTIVE, LAST, TAG, "staging", None) == "redeploys"

    def test_production_is_left_as_somebody_made_it(self) -> None:
        assert action_for(self.ACTIVE, LAST, TAG, "production", None) == "refuses"

    def test_a_consent_holds_for_the_deployment_that_it_names_alone(self) -> None:
        assert action_for(self.ACTIVE, LAST, TAG, "production", "d0") == "redeploys"
        assert action_for(self.ACTIVE, LAST, TAG, "production", "d1") == "refuses"

    def test_the_refusal_says_who_what_and_how_to_go_on(self) -> None:
        assert str(ManualDeployment("crane-context", "crane-context", self.ACTIVE, "refuses").error("production")) == (
            "worker crane-context: serves v1 at 100% (manual deployment by wrangler someone@example.com on 2026-11-24), which this stack did "
            "not deploy; an update would keep or overwrite it. To let this release replace it: pulumi config set -s production --path "
            "workers.crane-context.replace-deployment d0, then run the same command again."
        )


class TestAWorkerThatServesNothing:
    @pytest.mark.parametrize("tag", [TAG, OTHER])
    def test_is_never_created_again_unasked_in_production_whatever_the_release_brings(self, tag: str) -> None:
        assert action_for(None, LAST, tag, "production", None) == "refuses"
        assert action_for(None, LAST, tag, "production", "nothing-after-v1") == "refuses"
        assert action_for(None, LAST, tag, "production", "nothing-after-v2") == "redeploys"

    def test_comes_back_in_staging(self) -> None:
        assert action_for(None, LAST, TAG, "staging", None) == "redeploys"

    def test_is_refused_with_the_commands_that_create_it_again(self) -> None:
        gone = ManualDeployment("crane-context", "crane-context", None, "refuses", last_version="v2")
        assert str(gone.error("production")) == (
            "worker crane-context: serves nothing: the worker, or its deployment, was deleted. To create it again from this release: "
            "pulumi config set -s production --path workers.crane-context.replace-deployment nothing-after-v2, "
            "then pulumi refresh -s production, then run the same command again."
        )


class TestAWorkerThatWasMadeAnew:
    (ACTIVE,) = deployments("v7")

    def test_is_only_touched_where_the_stack_adopts_it_and_somebody_consents(self) -> None:
        assert action_for_one_made_anew(self.ACTIVE, "d0", adopted=True) == "redeploys"
        assert action_for_one_made_anew(self.ACTIVE, "d1", adopted=True) == "refuses"
        assert action_for_one_made_anew(self.ACTIVE, "d0", adopted=False) == "refuses"

    def test_that_the_stack_adopts_is_adopted_again_by_consent(self) -> None:
        manual = ManualDeployment("w", "crane-context", self.ACTIVE, "refuses", last_version="v2", adopted=True, made_anew=True)
        assert str(manual.error("production")).endswith(
            "and v2, which this stack deployed, is gone. To let this release replace it: pulumi config set -s production --path "
            "workers.w.replace-deployment d0, then pulumi refresh -s production, then run the same command again."
        )
