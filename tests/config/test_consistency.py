"""Settings match the catalog, environments share no database, and nothing is renamed or removed."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from crane_infra.catalog import crane
from crane_infra.config.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.config.settings import Settings, parse
from crane_infra.config.variables import variables_of
from crane_infra.errors import SettingsError
from tests.repository import ROOT
from tests.samples import ACCOUNT, as_pulumi, config

MakeSettings = Callable[..., Settings]
ID = "b2182c5b-6f83-47e8-87ee-3dc62511c24e"


def refusal(settings: Settings, others: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        require_consistent(crane(), settings, others or {})
    return str(caught.value)


def with_database(**fields: object) -> dict[str, Any]:
    databases: dict[str, Any] = config("staging")["databases"]
    return databases | {"crane-context-db": databases["crane-context-db"] | fields}


def with_worker(**fields: object) -> dict[str, Any]:
    workers: dict[str, Any] = config("staging")["workers"]
    return workers | {"crane-context": workers["crane-context"] | fields}


def test_complete_settings_match_the_catalog(make_settings: MakeSettings) -> None:
    require_consistent(crane(), make_settings(), {})


@pytest.mark.parametrize(("field", "value"), [("adopt", ID), ("name", "crane-context-db-prod")])
def test_a_database_of_the_other_environment_is_refused(make_settings: MakeSettings, field: str, value: str) -> None:
    settings = make_settings(databases=with_database(**{field: value}))
    others = {"Pulumi.production.yaml": {"databases": {"crane-context-db": {"name": "crane-context-db-prod", "adopt": ID}}}}
    assert refusal(settings, others) == (
        f"Pulumi.staging.yaml databases.crane-context-db.{field}: {value} is a database of Pulumi.production.yaml (crane-context-db). "
        "Give each environment its own database."
    )


def test_a_database_that_the_other_stack_has_deployed_is_refused_by_its_id(make_settings: MakeSettings) -> None:
    settings = make_settings(databases=with_database(adopt=ID))
    assert "is a database of stack production" in refusal(
        settings, {"stack production": {"databases": {"crane-context-db": {"name": "x", "id": ID}}}}
    )


def test_two_databases_of_one_environment_cannot_be_the_same(make_settings: MakeSettings) -> None:
    settings = make_settings(databases=with_database(name="crane-classifier-db-staging"))
    assert "is a database of this environment (crane-context-db)" in refusal(settings)


def test_the_other_environment_is_read_from_its_stack_file_and_its_outputs(make_settings: MakeSettings, tmp_path: Path) -> None:
    content = {"config": {"crane-infra:databases": {"crane-context-db": {"name": "there", "adopt": ID}}}}
    (tmp_path / "Pulumi.production.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    outputs = {"production": {"environment": {"databases": {"crane-context-db": {"name": "live", "id": ID}}}}, "staging": None}
    assert neighbours(make_settings(), outputs) == {
        "Pulumi.production.yaml": {"databases": {"crane-context-db": {"name": "there", "adopt": ID}}, "workers": {}},
        "stack production": {"databases": {"crane-context-db": {"name": "live", "id": ID}}},
    }


@pytest.mark.parametrize("content", ["config: [", "config: [1]", "- 1", "config: {'crane-infra:databases': 3}"])
def test_another_stack_file_that_cannot_be_read_is_an_error_without_a_traceback(
    make_settings: MakeSettings, tmp_path: Path, content: str
) -> None:
    (tmp_path / "Pulumi.production.yaml").write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"^Pulumi\.production\.yaml.*: cannot be read"):
        neighbours(make_settings(), {})


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"workers": with_worker(variables={"ENVIRONMENT": "staging", "TYPO": "1"})},
            (
                "Pulumi.staging.yaml workers.crane-context.variables.TYPO: the catalog has no such variable. "
                "Remove it, or declare it in crane_infra/catalog.py."
            ),
        ),
        (
            {"workers": with_worker(variables={})},
            "Pulumi.staging.yaml workers.crane-context.variables.ENVIRONMENT: is missing. Each environment must set its own value.",
        ),
        (
            {"workers": with_worker(services={"OTHER": "crane-nobody"})},
            "Pulumi.staging.yaml workers.crane-context.services.OTHER: there is no worker crane-nobody. Known names: crane-classifier, crane-context.",
        ),
        (
            {"workers": with_worker(services={"OTHER": {"worker": "crane-nobody", "entrypoint": "Admin"}})},
            "Pulumi.staging.yaml workers.crane-context.services.OTHER: there is no worker crane-nobody. Known names: crane-classifier, crane-context.",
        ),
        (
            {"workers": with_worker(services={"DB": "crane-classifier"})},
            "Pulumi.staging.yaml workers.crane-context.services.DB: the catalog already has a binding with this name. Choose another name.",
        ),
        (
            {"workers": config("staging")["workers"] | {"crane-nobody": {}}},
            "Pulumi.staging.yaml workers.crane-nobody: is not in the catalog. Remove it. Known names: crane-classifier, crane-context.",
        ),
        (
            {"databases": {"crane-context-db": {"name": "x"}}},
            "Pulumi.staging.yaml databases.crane-classifier-db: is missing. The catalog has it, so every stack must set it.",
        ),
    ],
)
def test_settings_that_do_not_match_the_catalog_are_refused(make_settings: MakeSettings, changes: dict[str, Any], text: str) -> None:
    assert refusal(make_settings(**changes)) == text


def test_a_stack_overrides_a_shared_variable_and_adds_its_own(make_settings: MakeSettings) -> None:
    settings = make_settings(workers=with_worker(variables={"ENVIRONMENT": "staging", "IDEMPOTENCY_TTL_SECONDS": "9"}))
    variables = variables_of("crane-context", crane(), settings)
    assert (variables["ENVIRONMENT"], variables["IDEMPOTENCY_TTL_SECONDS"], variables["HEARTBEAT_INTERVAL_SECONDS"]) == (
        "staging",
        "9",
        "600",
    )


LAST = {
    "databases": {"crane-context-db": {"name": "crane-context-db-staging", "id": ID, "adopted": False}},
    "workers": {"crane-context": {"script": "crane-context-staging", "adopted": False}},
}
ADOPTED = {
    "databases": {"crane-context-db": {"name": "crane-context-db-staging", "id": ID, "adopted": True}},
    "workers": {"crane-context": {"script": "crane-context-staging", "adopted": True}},
}


def test_settings_that_still_declare_everything_pass(make_settings: MakeSettings) -> None:
    require_nothing_lost(LAST, make_settings())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"databases": with_database(name="renamed")},
            (
                "Pulumi.staging.yaml databases.crane-context-db: was renamed from crane-context-db-staging to renamed: this would replace or "
                "delete the database and lose its data. Restore crane-context-db-staging."
            ),
        ),
        (
            {"databases": {"crane-classifier-db": {"name": "x"}}},
            (
                "Pulumi.staging.yaml databases.crane-context-db: was removed: this would replace or delete the database and lose its data. "
                "Restore crane-context-db-staging, or let go of the database, which stays at Cloudflare: crane retire -s staging crane-context-db."
            ),
        ),
        (
            {"databases": with_database(adopt=ID)},
            (
                "Pulumi.staging.yaml databases.crane-context-db.adopt: was added, but this stack created the resource: adopting it now would replace it. "
                "Remove adopt."
            ),
        ),
        (
            {"workers": with_worker(adopt=True)},
            (
                "Pulumi.staging.yaml workers.crane-context.adopt: was added, but this stack created the resource: adopting it now would replace it. "
                "Remove adopt."
            ),
        ),
        (
            {"workers": {"crane-classifier": {}}},
            (
                "Pulumi.staging.yaml workers.crane-context: was removed, but crane-context-staging is deployed. "
                "Restore it, or let go of the worker, which stays at Cloudflare: crane retire -s staging crane-context."
            ),
        ),
    ],
)
def test_a_rename_or_a_removal_is_refused_by_the_program_too(make_settings: MakeSettings, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        require_nothing_lost(LAST, make_settings(**changes))
    assert str(caught.value) == text


def test_settings_that_still_adopt_everything_pass(make_settings: MakeSettings) -> None:
    require_nothing_lost(ADOPTED, make_settings(databases=with_database(adopt=ID), workers=with_worker(adopt=True)))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"databases": with_database(adopt="c" * 8 + ID[8:])},
            f"Pulumi.staging.yaml databases.crane-context-db.adopt: names {'c' * 8 + ID[8:]}, but this stack has {ID}. Restore {ID}.",
        ),
        (
            {"workers": with_worker(adopt=True)},
            (
                "Pulumi.staging.yaml databases.crane-context-db.adopt: was removed, but this stack adopted the resource: adding adopt again later would replace it. "
                f"Restore adopt: {ID}."
            ),
        ),
        (
            {"databases": with_database(adopt=ID)},
            (
                "Pulumi.staging.yaml workers.crane-context.adopt: was removed, but this stack adopted the resource: adding adopt again later would replace it. "
                "Restore adopt: true."
            ),
        ),
    ],
)
def test_an_adoption_that_changed_is_refused(make_settings: MakeSettings, changes: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        require_nothing_lost(ADOPTED, make_settings(**changes))
    assert str(caught.value) == text


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_the_committed_stack_files_match_the_catalog_and_leave_workers_dir_and_secrets_to_the_user(environment: str) -> None:
    committed = yaml.safe_load((ROOT / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8"))["config"]
    assert not {"crane-infra:workers-dir", "crane-infra:account-id", "crane-infra:secrets"} & set(committed)
    stack = {"environment": environment, "project": "crane-infra", "organization": "o", "root": str(ROOT)}
    values = {key.partition(":")[2]: value for key, value in committed.items()} | {"workers-dir": "x"}
    settings = parse(stack, as_pulumi(values), {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "t"})
    require_consistent(crane(), settings, neighbours(settings, {}))
