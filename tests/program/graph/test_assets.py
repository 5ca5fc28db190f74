"""Static assets: a version uploads a copy of exactly the files of its release, and a run counts what changes."""

import shutil
from pathlib import Path

import pulumi
import pytest

from crane_infra import catalog
from crane_infra.config.assets import Assets
from crane_infra.config.catalog import Catalog
from crane_infra.release.assets import read_assets
from tests.program.graph.conftest import Declare, recorded
from tests.program.graph.test_graph import bindings
from tests.repository import ROOT

WORKER, SCRIPT = "crane-context", "crane-context-staging"
CRANE = catalog.crane()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The static assets of a worker, in a folder of built workers; the program runs beside it."""
    workers = tmp_path / "workers"
    shutil.copytree(ROOT / "workers", workers)
    folder = workers / WORKER / "site"
    folder.mkdir()
    (folder / "index.html").write_text("home")
    (folder / "_headers").write_text("/*\n  X-A: b\n")
    assets = Assets(directory=f"{WORKER}/site", binding="ASSETS", not_found_handling="404-page", run_worker_first=("/api/*",))
    worker = CRANE.workers[WORKER].model_copy(update={"assets": assets})
    changed = Catalog(workers={**CRANE.workers, WORKER: worker}, databases=CRANE.databases)
    monkeypatch.setattr(catalog, "crane", lambda: changed)
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_version_gets_a_checked_copy_under_a_path_that_names_its_files(declare: Declare, site: Path, tmp_path: Path) -> None:
    declared = declare("staging", workers_dir=str(tmp_path / "workers"))
    versions = declared.of("WorkerVersion")
    directory = f".crane/assets/{read_assets(site, WORKER).digest[:32]}"
    config = {"notFoundHandling": "404-page", "runWorkerFirst": ["/api/*"]}
    assert versions[WORKER]["assets"] == {"directory": directory, "config": config}
    assert [path.name for path in (tmp_path / directory).iterdir()] == ["index.html"]
    assert [module["name"] for module in versions[WORKER]["modules"]][-1] == "_headers"
    assert bindings(declared, WORKER)["ASSETS"] == {"name": "ASSETS", "type": "assets"}
    assert "assets" not in versions["crane-classifier"]
    assert all((tmp_path / module["contentFile"]).is_file() for version in versions.values() for module in version["modules"])


def test_a_run_counts_the_files_that_change(declare: Declare, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged = list[str]()
    monkeypatch.setattr(pulumi.log, "info", lambda text, *_, **__: logged.append(text))
    workers = str(tmp_path / "workers")
    before = declare("staging", workers_dir=workers)
    assert f"worker {SCRIPT}: static assets: 1 new, other rules for headers or redirects (1 file in all)" in logged
    (site / "index.html").write_text("other")
    (site / "more.txt").write_text("more")
    stacks = {"organization/crane-infra/staging": recorded(before)}
    after = declare("staging", stacks, preview=True, workers_dir=workers)
    assert f"worker {SCRIPT}: static assets: 1 new, 1 changed (2 files in all)" in logged
    first, second = (declared.of("WorkerVersion")[WORKER] for declared in (before, after))
    assert first["assets"]["directory"] != second["assets"]["directory"]
    assert first["annotations"]["workersTag"] != second["annotations"]["workersTag"]
