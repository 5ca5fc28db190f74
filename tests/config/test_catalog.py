"""The catalog describes crane's two workers as they run today; a mistake in it is refused with its path."""

from typing import Any

import pytest

from crane_infra.catalog import crane
from crane_infra.checks.model import Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Secret, faults_in_one_line
from crane_infra.errors import SettingsError


def test_crane_context_is_declared_as_it_runs_today() -> None:
    worker = crane().workers["crane-context"]
    assert (worker.compatibility_date, worker.compatibility_flags) == ("2024-01-01", ())
    assert worker.databases == {"DB": "crane-context-db"}
    assert worker.variables == {
        "CONTEXT_SESSION_STALE_MINUTES": "45",
        "IDEMPOTENCY_TTL_SECONDS": "3600",
        "HEARTBEAT_INTERVAL_SECONDS": "600",
        "HEARTBEAT_JITTER_SECONDS": "120",
    }
    assert {secret.binding: secret.key for secret in worker.secrets} == {
        "CONTEXT_RELAY_KEY": "CRANE_CONTEXT_KEY",
        "CONTEXT_ADMIN_KEY": "CRANE_ADMIN_KEY",
    }


def test_crane_classifier_is_declared_as_it_runs_today() -> None:
    worker = crane().workers["crane-classifier"]
    assert (worker.compatibility_date, worker.compatibility_flags) == ("2025-12-15", ("nodejs_compat",))
    assert worker.variables == {"GH_APP_ID": "2619905", "GH_INSTALLATIONS_JSON": '{"venturecrane":"104223482"}'}
    assert [secret.binding for secret in worker.secrets] == [
        "GEMINI_API_KEY",
        "GH_PRIVATE_KEY_PEM",
        "GH_WEBHOOK_SECRET",
        "CLASSIFIER_API_KEY",
    ]


@pytest.mark.parametrize("worker", ["crane-context", "crane-classifier"])
def test_each_worker_is_checked_for_health_version_a_refusal_and_one_write_that_never_runs_in_production(worker: str) -> None:
    checks = crane().workers[worker].checks
    plain = [check for check in checks if isinstance(check, Check)]
    assert {"/health", "/version"} <= {check.path for check in plain}
    assert [check.path for check in plain if check.version_at] == ["/version"]
    assert any(check.status == 401 for check in plain)
    assert [check.method for check in plain if check.mutating] == ["POST"]


def refusal(**fields: Any) -> str:  # noqa: ANN401
    with pytest.raises(SettingsError) as caught, faults_in_one_line():
        CatalogWorker.model_validate({"bundle": "x", "compatibility_date": "2024-01-01", "reports_version": False} | fields)
    return str(caught.value)


@pytest.mark.parametrize("day", ["2024-13-01", "2024-1-1", "20240101", "yesterday", "2023-02-29"])
def test_a_bad_compatibility_date_is_refused_with_its_path(day: str) -> None:
    assert refusal(compatibility_date=day) == (
        f"crane_infra/catalog.py CatalogWorker.compatibility_date: '{day}' is not a compatibility date, write it as YYYY-MM-DD. Fix it there."
    )


def test_a_binding_that_is_declared_twice_is_refused() -> None:
    assert "the binding DB is declared twice" in refusal(databases={"DB": "x"}, variables={"DB": "y"})


def test_a_worker_reports_its_version_if_and_only_if_a_check_reads_it() -> None:
    text = "one check must set version_at, or reports_version must be false; not both"
    assert text in refusal(reports_version=True)
    assert text in refusal(checks=(Check(name="version", path="/version", version_at="id"),))


def test_every_mistake_is_refused_at_once_each_in_a_line_with_its_place() -> None:
    with pytest.raises(SettingsError) as caught, faults_in_one_line():
        Catalog(
            workers={
                "w": CatalogWorker(
                    bundle="x",
                    compatibility_date="someday",
                    reports_version=False,
                    checks=(
                        Check(name="first", path="no slash", status=99),
                        StepsCheck(name="second", steps=(Step(path="/{{note}}"),)),
                        CommandCheck(name="third"),
                    ),
                ),
            },
            databases={"db": CatalogDatabase(migrations="m", baseline=3)},
        )
    assert [line.removeprefix("crane_infra/catalog.py ").split(": ")[0] for line in str(caught.value).split("\n")] == [
        "Check(first).status",
        "Check(first).path",
        "StepsCheck(second)",
        "CommandCheck(third)",
        "CatalogWorker.compatibility_date",
        "CatalogDatabase",
    ]


def test_what_a_mistake_breaks_after_it_is_not_said() -> None:
    """The code of the catalog goes on with the wrong value, and may stumble over it."""

    @faults_in_one_line()
    def catalog() -> bool:
        check = Check(name="first", path="no slash", headers=7)
        return bool(check.secrets)

    with pytest.raises(SettingsError) as caught:
        catalog()
    assert [line.split(": ")[0] for line in str(caught.value).split("\n")] == [
        "crane_infra/catalog.py Check(first).path",
        "crane_infra/catalog.py Check(first).headers",
    ]


def test_a_check_needs_secrets_that_its_worker_binds() -> None:
    keyed = Check(name="keyed", path="/", headers={"X": SecretHeader(secret="KEY")})
    command = CommandCheck(name="mine", run=("x",), secrets_in={"K": "KEY"})
    steps = StepsCheck(name="steps", steps=(Step(path="/"),), cleanup=(Step(path="/", headers={"X": SecretHeader(secret="KEY")}),))
    for check in (keyed, command, steps):
        assert f"the check {check.name} needs the secret KEY, which the worker does not bind" in refusal(checks=(check,))
        refused_not = CatalogWorker(
            bundle="x", compatibility_date="2024-01-01", reports_version=False, checks=(check,), secrets=(Secret(binding="KEY", key="K"),)
        )
        assert refused_not.checks == (check,)


def test_a_database_that_is_bound_but_not_declared_is_refused() -> None:
    worker = CatalogWorker(bundle="x", compatibility_date="2024-01-01", reports_version=False, databases={"DB": "nowhere"})
    with pytest.raises(SettingsError, match="crane-context binds the database nowhere, which is not in the catalog"), faults_in_one_line():
        Catalog(workers={"crane-context": worker}, databases={"other": CatalogDatabase(migrations="m")})


def test_a_worker_has_one_place_and_limits_of_more_than_nothing() -> None:
    assert "set one of mode, region, hostname and host" in refusal(placement={})
    assert "set one of mode, region, hostname and host" in refusal(placement={"mode": "smart", "region": "aws:eu-central-1"})
    assert "CatalogWorker.placement.mode" in refusal(placement={"mode": "fast"})
    assert "CatalogWorker.limits.cpu_ms" in refusal(limits={"cpu_ms": 0})
