"""crane verify asks a worker only the checks of the release that serves, and says so where these files have others."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog
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
