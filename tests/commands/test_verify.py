"""crane verify asks a worker only the checks of the release that serves, and says so where these files have others.

Of a refresh of staging's rows that is not complete it says what is missing, and so does whatever relies on staging.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog
from crane_infra.errors import LiveError
from crane_infra.migrations.own_tables import CREATE_REFRESHES
from local_cloud.daemon import Running
from tests.cloud import api_of
from tests.live.proven_account import ProvenAccount, make_proven_account

pytestmark = pytest.mark.cloud

FAILS = Check(name="of tomorrow", path="/health", json_includes={"not": "there yet"})


@pytest.fixture(scope="module")
def account(cloud: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvenAccount]:
    """Both environments run one proven release."""
    api = api_of(cloud)
    with api.http:
        yield make_proven_account(api, cloud, tmp_path_factory.mktemp("account"))
        for name in api.made:
            api.call("DELETE", f"/workers/scripts/{name}?force=true")


def with_checks(catalog: Catalog, *more: Check) -> Catalog:
    """The catalog of newer files, in which each worker has more checks."""
    workers = {name: worker.model_copy(update={"checks": (*worker.checks, *more)}) for name, worker in catalog.workers.items()}
    return catalog.model_copy(update={"workers": workers})


def test_the_checks_of_the_release_that_serves_run(account: ProvenAccount) -> None:
    report = account.verify("production")
    assert (report.findings, report.notes) == ([], [])
    assert any(seen.startswith(f"worker {account.script('production')} passes 2 checks on ") for seen in report.seen)


def test_checks_of_newer_files_do_not_run_and_that_is_said(account: ProvenAccount) -> None:
    report = replace(account, catalog=with_checks(account.catalog, FAILS)).verify("production")
    assert report.findings == []
    (note,) = report.notes
    assert note.startswith(f"the checks of {account.script('production')} did not run: these files have other checks than its release")
    assert not any("checks on" in seen for seen in report.seen)


class TestARefreshOfStaging:
    """The database is as a refresh leaves it that was broken off."""

    @pytest.fixture
    def refreshed(self, account: ProvenAccount) -> Iterator[Callable[[str | None, str | None], None]]:
        """Writes the record of a refresh, and takes it away at the end."""
        database = account.database_id("staging")
        account.api.query(database, CREATE_REFRESHES)

        def record(loaded_at: str | None, done_at: str | None) -> None:
            values = ", ".join("NULL" if value is None else f"'{value}'" for value in (loaded_at, done_at))
            account.api.query(database, f"INSERT OR REPLACE INTO crane_refreshes VALUES ('token', '2026-11-29T01:00:00Z', {values})")  # noqa: S608

        yield record
        account.api.query(database, "DROP TABLE crane_refreshes")

    def test_that_has_replaced_the_rows_is_a_finding_lets_nothing_be_proven_and_is_told_by_the_gate(
        self, account: ProvenAccount, refreshed: Callable[[str | None, str | None], None]
    ) -> None:
        refreshed("2026-11-29T01:00:05Z", None)
        said = "the refresh that began at 2026-11-29T01:00:00Z is not complete: all rows are replaced, and seeds may be missing"
        (finding,) = account.verify("staging").findings
        assert said in str(finding)
        assert "crane data seed -s staging" in str(finding)
        with pytest.raises(LiveError, match=said):
            account.prove("staging")
        (line,) = account.gate()
        assert line.startswith("staging: database ")
        assert said in line

    def test_that_left_the_rows_is_a_note_and_stops_nothing(
        self, account: ProvenAccount, refreshed: Callable[[str | None, str | None], None]
    ) -> None:
        refreshed(None, None)
        report = account.verify("staging")
        assert report.findings == []
        (note,) = report.notes
        assert "is not complete: all rows are still those of before it. Run crane data refresh -s staging again" in note
        account.prove("staging")
        assert account.gate() == []

    def test_that_is_complete_is_not_mentioned(self, account: ProvenAccount, refreshed: Callable[[str | None, str | None], None]) -> None:
        refreshed("2026-11-29T01:00:05Z", "2026-11-29T01:00:06Z")
        report = account.verify("staging")
        assert (report.findings, report.notes) == ([], [])
