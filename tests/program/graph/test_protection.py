"""What must not be lost is protected, what exists is adopted, and no step can overtake the one before it."""

import pytest

from tests.program.graph.conftest import ACCOUNT, Declare, Declared, committed

WORKERS = ("crane-context", "crane-classifier")
DATABASES = ("crane-context-db", "crane-classifier-db")


@pytest.fixture
def production(declare: Declare) -> Declared:
    return declare("production", preview=True)


@pytest.fixture
def updated(declare: Declare) -> Declared:
    """What an update declares: a preview binds no hooks that it would not run. Production's gate is closed, and beyond it both declare the same."""
    return declare("staging")


def waits_for(declared: Declared, kind: str, name: str) -> set[str]:
    """Names and kinds of what a resource waits for, and of what these wait for, and so on."""
    found: set[str] = set()
    left = [(kind, name)]
    while left:
        for urn in declared.request(*left.pop()).dependencies:
            token, awaited = urn.split("::")[-2:]
            token = token.rpartition("$")[2]
            if f"{token}:{awaited}" not in found:
                found.add(f"{token}:{awaited}")
                left.append((token, awaited))
    return found


@pytest.mark.parametrize(
    ("kind", "names"),
    [("D1Database", DATABASES), (":Worker", WORKERS), ("Stash", ("release", *(f"{name}-schema" for name in DATABASES)))],
)
def test_databases_scripts_and_records_are_protected(production: Declared, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        assert [one.protect for one in production.requests if one.type.endswith(kind) and one.name == name and one.custom] == [True]


@pytest.mark.parametrize("kind", ["WorkerVersion", "WorkersDeployment"])
def test_what_every_release_replaces_is_not_protected(production: Declared, kind: str) -> None:
    assert not any(one.protect for one in production.requests if one.type.endswith(kind))


def test_the_committed_stack_adopts_databases_by_id_and_workers_by_name(production: Declared) -> None:
    ids = {name: one["adopt"] for name, one in committed("production")["databases"].items()}
    for name in DATABASES:
        assert production.request("D1Database", name).importId == f"{ACCOUNT}/{ids[name]}"
    for name in WORKERS:
        assert production.request("worker:Worker", name).importId == f"{ACCOUNT}/{name}"


def test_without_adopt_nothing_is_imported(declare: Declare) -> None:
    databases = {name: {"name": f"{name}-x"} for name in DATABASES}
    workers = {name: {"variables": {"ENVIRONMENT": "staging"}} for name in WORKERS}
    declared = declare("staging", databases=databases, workers=workers)
    assert not any(one.importId for one in declared.requests)


def test_secrets_are_sent_to_the_engine_as_secrets(production: Declared) -> None:
    bindings = production.of("WorkerVersion")["crane-context"]["bindings"]
    assert bindings["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"


def test_schemas_wait_for_every_upload(production: Declared) -> None:
    for name in DATABASES:
        assert {f"cloudflare:index/workerVersion:WorkerVersion:{one}" for one in WORKERS} <= waits_for(
            production, "Stash", f"{name}-schema"
        )


def test_traffic_waits_for_every_schema(production: Declared) -> None:
    for name in WORKERS:
        assert {f"pulumi:index:Stash:{one}-schema" for one in DATABASES} <= waits_for(production, "WorkersDeployment", name)


def test_the_proof_waits_for_all_traffic_and_every_schema(production: Declared) -> None:
    expected = {f"cloudflare:index/workersDeployment:WorkersDeployment:{one}" for one in WORKERS}
    expected |= {f"pulumi:index:Stash:{one}-schema" for one in DATABASES}
    assert expected <= waits_for(production, "Stash", "release")


def test_records_are_written_only_behind_hooks_that_run_before_them(updated: Declared) -> None:
    for name in ("release", *(f"{one}-schema" for one in DATABASES)):
        hooks = updated.request("Stash", name).hooks
        assert list(hooks.before_create) == list(hooks.before_update) == [name]
        assert not list(hooks.after_create)
        assert not list(hooks.after_update)


def test_what_an_adoption_replaces_is_kept_in_the_account(production: Declared) -> None:
    for kind, names in (("D1Database", DATABASES), ("worker:Worker", WORKERS)):
        assert all(production.request(kind, name).retainOnDelete for name in names)


def test_no_version_gets_traffic_but_behind_a_hook_that_runs_before(updated: Declared) -> None:
    for name in WORKERS:
        hooks = updated.request("WorkersDeployment", name).hooks
        assert list(hooks.before_create) == list(hooks.before_update)
        first, *_ = hooks.before_create
        assert first == f"{name}-traffic"


def test_schedules_wait_for_the_deployment(declare: Declare) -> None:
    workers = committed("staging")["workers"]
    workers["crane-context"]["crons"] = ["*/5 * * * *"]
    declared = declare("staging", workers=workers)
    assert "cloudflare:index/workersDeployment:WorkersDeployment:crane-context" in waits_for(
        declared, "WorkersCronTrigger", "crane-context"
    )


def test_a_worker_that_is_not_to_be_on_workers_dev_is_not_put_there(declare: Declare) -> None:
    workers = committed("staging")["workers"]
    workers["crane-context"] |= {"workers-dev": False, "url": "https://context.example.org"}
    request = declare("staging", workers=workers).request("worker:Worker", "crane-context")
    assert dict(request.object["subdomain"]) == {"enabled": False, "previewsEnabled": False}
