"""The catalog describes crane's two workers as they run today; a mistake in it is refused with its path."""

from typing import Any

import pytest

from crane_infra.catalog import crane
from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, faults_in_one_line
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
    assert {"/health", "/version"} <= {check.path for check in checks}
    assert [check.path for check in checks if check.version_at] == ["/version"]
    assert any(check.status == 401 for check in checks)
    assert [check.method for check in checks if check.mutating] == ["POST"]


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


def test_a_database_that_is_bound_but_not_declared_is_refused() -> None:
    worker = CatalogWorker(bundle="x", compatibility_date="2024-01-01", reports_version=False, databases={"DB": "nowhere"})
    with pytest.raises(SettingsError, match="crane-context binds the database nowhere, which is not in the catalog"), faults_in_one_line():
        Catalog(workers={"crane-context": worker}, databases={"other": CatalogDatabase(migrations="m")})


def test_a_worker_has_one_place_and_limits_of_more_than_nothing() -> None:
    assert "set one of mode, region, hostname and host" in refusal(placement={})
    assert "set one of mode, region, hostname and host" in refusal(placement={"mode": "smart", "region": "aws:eu-central-1"})
    assert "CatalogWorker.placement.mode" in refusal(placement={"mode": "fast"})
    assert "CatalogWorker.limits.cpu_ms" in refusal(limits={"cpu_ms": 0})
