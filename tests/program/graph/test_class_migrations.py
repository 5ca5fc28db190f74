"""The version of a worker carries the Durable Object migrations that are not live yet, and the run says so; what cannot go well is refused before."""

from typing import Any

import pytest

from crane_infra import catalog
from crane_infra.config.bindings import DurableObject
from crane_infra.config.class_migrations import ClassMigration
from crane_infra.errors import LiveError, SettingsError
from crane_infra.program.announce import class_migrations
from tests.program.graph.account import Account
from tests.program.graph.conftest import Declare, Declared, committed, recorded

WORKER, SCRIPT = "crane-context", "crane-context-staging"
STEPS = (
    ClassMigration(tag="v1", new_sqlite_classes=("Room",)),
    ClassMigration(tag="v2", renamed_classes={"Room": "Hall"}),
    ClassMigration(tag="v3", new_sqlite_classes=("Log",), deleted_classes=("Old",), loses_objects=True),
)
LINE = (
    f"worker {SCRIPT}: Durable Object migration v2 renames Room to Hall; v3 adds Log, deletes all objects of Old. "
    "The version gets all traffic at once, untried and not in steps, and crane rollback cannot go back past it."
)


@pytest.fixture(autouse=True)
def with_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog whose first worker has three steps."""
    known = catalog.crane()
    own = {"class_migrations": STEPS, "bindings": {"HALL": DurableObject(class_name="Hall")}}
    changed = {**known.workers, WORKER: known.workers[WORKER].model_copy(update=own)}
    monkeypatch.setattr(catalog, "crane", lambda: known.model_copy(update={"workers": changed}))


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the run logs."""
    lines: list[str] = []
    monkeypatch.setattr("pulumi.log.warn", lines.append)
    return lines


def carried(declared: Declared) -> Any:  # noqa: ANN401 (JSON)
    """The migrations of each version."""
    return {name: version.get("migrations") for name, version in declared.of("WorkerVersion").items()}


def released(account: Account, declared: Declared, **tags: str) -> dict[str, Any]:
    """The outputs of a stack that has released what it declared, with these tags by script; the account has it, and nothing newer."""
    outputs = recorded(declared)
    account.remember(outputs)
    account.serving |= {worker["script"]: {"id": worker["version"]} for worker in outputs["proofs"][0]["workers"].values()}
    account.newest[SCRIPT] = outputs["proofs"][0]["workers"][WORKER]["version"]
    account.class_tags.update(tags)
    return {"organization/crane-infra/staging": outputs}


def test_the_steps_after_the_live_tag_go_with_the_version_and_are_said(account: Account, declare: Declare, logged: list[str]) -> None:
    account.class_tags[SCRIPT] = "v1"
    assert carried(declare("staging")) == {
        WORKER: {
            "oldTag": "v1",
            "newTag": "v3",
            "steps": [{"renamedClasses": [{"from": "Room", "to": "Hall"}]}, {"newSqliteClasses": ["Log"], "deletedClasses": ["Old"]}],
        },
        "crane-classifier": None,
    }
    assert LINE in logged


def test_they_stay_declared_until_something_else_changes_and_are_said_once(account: Account, declare: Declare, logged: list[str]) -> None:
    first = declare("staging")
    stacks = released(account, first, **{SCRIPT: "v3"})
    logged.clear()
    second = declare("staging", stacks)
    assert carried(second) == carried(first)
    assert recorded(second)["environment"] == recorded(first)["environment"]
    assert not [line for line in logged if "Durable Object" in line]
    workers = committed("staging")["workers"]
    workers[WORKER]["variables"] = workers[WORKER].get("variables", {}) | {"ENVIRONMENT": "another"}
    third = declare("staging", stacks, workers=workers)
    assert carried(third)[WORKER] is None
    assert "class-migrations" not in recorded(third)["environment"]["workers"][WORKER]


def test_a_version_whose_modules_an_earlier_program_named_in_another_way_is_uploaded_once_more_without_them(
    account: Account, declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloudflare refuses steps that the worker has taken, in each run until something else of it changes."""
    with monkeypatch.context() as before:
        before.setattr(class_migrations, "MODULES", "contents")
        first = declare("staging")
    assert carried(first)[WORKER] is not None
    assert carried(declare("staging", released(account, first, **{SCRIPT: "v3"})))[WORKER] is None


def test_a_version_that_was_uploaded_since_and_never_served_does_not_carry_them_again(account: Account, declare: Declare) -> None:
    stacks = released(account, declare("staging"), **{SCRIPT: "v3"})
    account.newest[SCRIPT] = "of-a-run-that-failed"
    assert carried(declare("staging", stacks))[WORKER] is None


def test_an_adopted_worker_that_has_taken_all_steps_gets_none(account: Account, declare: Declare, logged: list[str]) -> None:
    account.class_tags[SCRIPT] = "v3"
    assert carried(declare("staging"))[WORKER] is None
    assert not [line for line in logged if "Durable Object" in line]


def test_a_live_step_that_the_catalog_lacks_stops_an_update_and_a_preview_says_so(
    account: Account, declare: Declare, logged: list[str]
) -> None:
    account.class_tags[SCRIPT] = "v4"
    with pytest.raises(LiveError, match="its live Durable Object migration is v4"):
        declare("staging")
    assert carried(declare("staging", preview=True))[WORKER] is None
    assert next(line for line in logged if "v4" in line).endswith("An update would be refused.")


def test_a_worker_whose_traffic_moves_in_steps_is_refused_with_what_to_set(declare: Declare) -> None:
    with pytest.raises(SettingsError) as caught:
        declare("staging", rollout={"steps": [10], "pause": "1s"})
    assert str(caught.value) == (
        f"Pulumi.staging.yaml workers.{WORKER}.rollout: the Durable Object migration v3 cannot go out in steps: Cloudflare gives its version "
        f"all traffic at once. Set workers.{WORKER}.rollout to {{steps: []}} for this release."
    )
    workers = committed("staging")["workers"]
    workers[WORKER]["rollout"] = {"steps": []}
    assert carried(declare("staging", rollout={"steps": [10], "pause": "1s"}, workers=workers))[WORKER]


def test_a_preview_that_cannot_look_goes_on_with_what_was_released(account: Account, declare: Declare, logged: list[str]) -> None:
    first = declare("staging")
    stacks = released(account, first, **{SCRIPT: "v3"})
    account.forbidden = "/services/"
    assert carried(declare("staging", stacks, preview=True)) == carried(first)
    assert [line for line in logged if line.startswith("This preview cannot see which Durable Object migrations are live: ")]
