"""The history of a stack is put together from what others recorded: each record belongs to the run that made it, or to nobody's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from crane_infra.status.events import AppliedMigration, Event, Records, events_of
from tests.status import samples
from tests.status.samples import CONTRACT, MIGRATIONS, NEW, NEWER, NOW, OLD, at, deployment, proof, records, shown, update


def told(given: Records) -> list[Event]:
    """What happened, newest first."""
    return events_of(given, NOW)


def kinds(given: Records) -> list[tuple[str, str]]:
    """The same, in two words each."""
    return [(event.kind, event.outcome) for event in told(given)]


def test_a_run_gets_its_proof_its_migrations_and_its_deployments() -> None:
    (event,) = told(records("staging", [update(9, OLD)], [proof(9, OLD, "staging")], [deployment(9, "staging", OLD)]))
    assert (event.kind, event.outcome, event.seconds, event.digest) == ("release", "succeeded", 48, OLD)
    assert event.versions == {samples.script("staging"): samples.version(OLD)}
    assert event.migrations == tuple(f"{shown('staging')}: {name}" for name in MIGRATIONS)
    assert event.link.endswith("/runs/9000")


@pytest.mark.parametrize(
    ("result", "changes", "outcome"),
    [
        ("succeeded", {"update": 1, "same": 3}, "succeeded"),
        ("succeeded", {"same": 3}, "unchanged"),
        ("failed", {"same": 3}, "refused"),
        ("failed", {}, "refused"),
        ("failed", {"create": 1}, "failed"),
        ("in-progress", {}, "in progress"),
    ],
)
def test_the_outcome_says_whether_anything_was_changed(result: str, changes: dict[str, int], outcome: str) -> None:
    assert kinds(Records("staging", "crane-infra", [update(1, NEW, result=result, changes=changes)])) == [("release", outcome)]


def test_a_run_that_changed_no_resource_but_applied_a_migration_has_failed_and_was_not_refused() -> None:
    row = AppliedMigration(at(1) + timedelta(seconds=3), shown("staging"), CONTRACT, NEWER)
    given = Records("staging", "crane-infra", [update(1, NEWER, result="failed", changes={"same": 1})], applied=[row])
    assert kinds(given) == [("release", "failed")]


def test_production_promotes_or_rolls_back() -> None:
    going_back = update(1, OLD, config={"crane-infra:rollback-to": {"value": OLD}})
    assert kinds(Records("production", "crane-infra", [update(2, NEW), going_back])) == [
        ("rollback", "succeeded"),
        ("promotion", "succeeded"),
    ]


def test_runs_that_are_no_updates_are_named() -> None:
    given = [update(3, OLD, kind="refresh"), update(2, OLD, kind="destroy"), update(1, OLD, kind="resource-import")]
    assert [kind for kind, _ in kinds(Records("staging", "crane-infra", given))] == ["other run", "destroy", "refresh"]


@pytest.mark.parametrize(
    ("message", "deployed", "by", "source"),
    [
        (f"release {NEW} by octocat", True, "octocat", "message"),
        ("Merge the new button", True, "api deploy@example.com", "cloudflare"),
        ("Merge the new button", False, "Ana", "commit"),
        (f"release {NEW} by octocat, and more", False, "Ana", "commit"),
    ],
)
def test_who_did_it_comes_from_the_best_source(message: str, deployed: bool, by: str, source: str) -> None:  # noqa: FBT001 - parametrised
    deployments = [deployment(1, "staging", NEW)] if deployed else []
    (event,) = told(Records("staging", "crane-infra", [update(1, NEW, message=message)], deployments=deployments))
    assert (event.by, event.by_source) == (by, source)


def test_a_link_that_is_no_https_address_is_left_out() -> None:
    (event,) = told(Records("staging", "crane-infra", [update(1, NEW, environment={"ci.build.url": "javascript:alert(1)"})]))
    assert event.link == ""


def test_a_deployment_that_no_run_made_is_a_manual_one() -> None:
    by_hand = deployment(0.5, "production", OLD, "wrangler sam@example.com")
    given = Records(
        "production",
        "crane-infra",
        [update(1, NEW)],
        [proof(1, NEW, "production")],
        deployments=[by_hand, deployment(1, "production", NEW)],
    )
    event, _ = told(given)
    assert (event.kind, event.by, event.summary) == (
        "manual deployment",
        "wrangler sam@example.com",
        f"crane-context serves {samples.version(OLD)} at 100%",
    )


def test_a_deployment_of_crane_rollback_is_a_rollback_also_where_it_is_the_only_one_of_its_version() -> None:
    back = replace(deployment(0.5, "production", OLD, "wrangler sam@example.com"), goes_back_to=OLD[:12])
    proofs = [proof(1, NEW, "production"), proof(9, OLD, "production")]
    given = Records("production", "crane-infra", [update(1, NEW)], proofs, deployments=[back])
    event, *_ = told(given)
    assert (event.kind, event.outcome, event.digest, event.is_run) == ("rollback", "seen", OLD[:12], False)


def test_the_first_deployment_of_a_proven_version_is_that_of_its_run_whatever_the_clocks_say() -> None:
    late = deployment(1, "production", NEW, seconds=120)
    given = Records("production", "crane-infra", [update(1, NEW)], [proof(1, NEW, "production")], deployments=[late])
    assert kinds(given) == [("promotion", "succeeded")]
    again = replace(late, at=late.at + timedelta(hours=1))
    assert kinds(replace(given, deployments=[again, late])) == [("manual deployment", "seen"), ("promotion", "succeeded")]


def test_migrations_that_were_applied_beside_a_run_are_one_event() -> None:
    event, first = told(
        records("staging", [update(9, OLD)], [], applied=[AppliedMigration(at(1), shown("staging"), CONTRACT, "crane migrations apply")])
    )
    assert (event.kind, event.migrations, event.summary) == (
        "migrations",
        (f"{shown('staging')}: {CONTRACT}",),
        "by crane migrations apply",
    )
    assert first.kind == "release"


def test_migrations_of_a_run_that_was_killed_name_its_release() -> None:
    """Pulumi records a run at its end."""
    event, _ = told(records("staging", [update(9, OLD)], [], applied=[AppliedMigration(at(1), shown("staging"), CONTRACT, NEWER)]))
    assert (event.kind, event.digest, event.summary) == (
        "migrations",
        NEWER,
        "in no run that Pulumi has recorded: it is under way, or was killed",
    )


def test_what_was_before_the_first_known_run_was_not_beside_it() -> None:
    before_it = deployment(5, "production", OLD, "wrangler sam@example.com")
    assert kinds(Records("production", "crane-infra", [update(1, NEW)], deployments=[before_it])) == [("promotion", "succeeded")]
    row = AppliedMigration(at(5), shown("production"), CONTRACT, OLD)
    cut = Records("production", "crane-infra", [update(1, NEW)], applied=[row], is_whole=False)
    assert kinds(cut) == [("promotion", "succeeded")]
    assert kinds(replace(cut, is_whole=True)) == [("promotion", "succeeded"), ("migrations", "seen")]
    assert kinds(replace(cut, updates=())) == []


def test_a_database_that_lacks_a_proven_migration_was_restored() -> None:
    given = records("production", [update(9, OLD)], [proof(9, OLD, "production")])
    lost = replace(given, applied=given.applied[:-1], ledgers={shown("production"): frozenset(MIGRATIONS[:-1])})
    event, _ = told(lost)
    assert event.kind == "restore"
    assert (
        event.summary == f"{shown('production')} was restored to an earlier state since 2026-11-19 21:30 UTC, and lacks: {MIGRATIONS[-1]}"
    )


def test_a_proven_migration_that_a_later_run_applied_again_tells_of_a_restore() -> None:
    given = records("production", [update(9, OLD), update(1, OLD)], [proof(9, OLD, "production")])
    again = AppliedMigration(at(1) + timedelta(seconds=5), shown("production"), MIGRATIONS[-1], OLD)
    events = told(replace(given, applied=[*given.applied[:-1], again]))
    assert [event.kind for event in events] == ["restore", "promotion", "promotion"]


def test_a_migration_that_another_clock_dates_after_its_run_tells_of_no_restore() -> None:
    given = records("production", [update(9, OLD)], [proof(9, OLD, "production")])
    late = [replace(row, at=row.at + timedelta(minutes=2)) for row in given.applied]
    assert "restore" not in [kind for kind, _ in kinds(replace(given, applied=late))]


def test_an_unchanged_run_ran_the_release_before_it() -> None:
    newest, _ = told(Records("staging", "crane-infra", [update(2, NEW), update(1, NEW, message="x", changes={"same": 1})]))
    assert (newest.outcome, newest.digest) == ("unchanged", NEW)


def test_five_thousand_runs_are_all_told() -> None:
    many = [update(number / 100, NEW) for number in range(5000)]
    assert len(told(Records("staging", "crane-infra", many))) == 5000


def test_what_happens_in_the_second_in_which_one_run_ends_and_the_next_begins_is_of_the_one_that_ends() -> None:
    """Pulumi's history has whole seconds, and a run's program starts some time after the run."""
    second = at(1) + timedelta(seconds=48)
    promoted = update(1, NEW, message="")
    going_back = update(1, OLD, message="", result="failed", changes={}, config={"crane-infra:rollback-to": {"value": OLD}})
    going_back = going_back.model_copy(update={"started": second, "ended": second + timedelta(seconds=5)})
    proven = replace(proof(1, NEW, "production"), at=second + timedelta(seconds=0.2))
    row = AppliedMigration(second + timedelta(seconds=0.1), shown("production"), CONTRACT, NEW)
    sent = replace(deployment(1, "production", NEW), at=second + timedelta(seconds=0.1))
    given = Records("production", "crane-infra", [going_back, promoted], [proven], [row], deployments=[sent])
    back, promotion = told(given)
    assert (back.kind, back.outcome, back.digest, back.migrations) == ("rollback", "refused", OLD, ())
    assert (promotion.digest, promotion.migrations) == (NEW, (f"{shown('production')}: {CONTRACT}",))
    assert promotion.versions == {samples.script("production"): samples.version(NEW)}


def test_a_run_that_never_ended_takes_nothing_from_the_next() -> None:
    killed = update(2, OLD, result="in-progress", endTime=None)
    (newest, _) = told(Records("staging", "crane-infra", [update(1, NEW), killed], [proof(1, NEW, "staging")]))
    assert newest.versions == {samples.script("staging"): samples.version(NEW)}


def test_runs_that_began_in_the_same_second_stay_in_the_order_of_the_history() -> None:
    refused = update(1, OLD, message="", result="failed", changes={"same": 3}, endTime=at(1).isoformat())
    promoted = update(1, NEW, message="")
    given = Records("production", "crane-infra", [promoted, refused], [proof(1, NEW, "production")])
    assert [(event.outcome, event.digest) for event in told(given)] == [("succeeded", NEW), ("refused", "")]
