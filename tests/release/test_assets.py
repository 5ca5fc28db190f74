"""Static assets belong to the release: their files decide its digest, go into its archive, and are refused where they could not be carried."""

import os
import tarfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crane_infra.catalog import crane
from crane_infra.config.assets import Assets
from crane_infra.config.catalog import Catalog
from crane_infra.errors import BundleError, CraneError
from crane_infra.release import assets as limits
from crane_infra.release import staged_assets
from crane_infra.release.archive import pack, unpack
from crane_infra.release.assets import change_of, read_assets
from crane_infra.release.manifest import read_release
from crane_infra.release.staged import stage_release
from crane_infra.release.staged_assets import FOLDER, stage
from crane_infra.release.staged_modules import path_of

WORKER = "crane-context"
SITE = {"index.html": "home", "deep/page.txt": "deep", "_headers": "/*\n  X-A: b\n", "_redirects": "/old /new\n"}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder of static assets."""
    return write(tmp_path / "site", SITE)


@pytest.fixture
def workers(tmp_path: Path) -> Path:
    """Built workers, one of them with static assets."""
    folder = tmp_path / "workers"
    for worker in crane().workers:
        write(folder / worker, {"dist/index.js": "export default {}", "migrations/0001_first.sql": "CREATE TABLE a (id INTEGER);\n"})
    write(folder / WORKER / "site", {**SITE, ".assetsignore": "draft.html\n", "draft.html": "not yet"})
    return folder


def catalog(**fields: object) -> Catalog:
    worker = crane().workers[WORKER].model_copy(update={"assets": Assets(directory=f"{WORKER}/site", **fields)})
    databases = {name: database.model_copy(update={"seeds": None}) for name, database in crane().databases.items()}
    return crane().model_copy(update={"workers": {**crane().workers, WORKER: worker}, "databases": databases})


def test_rules_are_no_files_and_go_up_as_modules(site: Path) -> None:
    read = read_assets(site, WORKER)
    assert [file.name for file in read.files] == ["deep/page.txt", "index.html"]
    assert [(rule.name, rule.content_type, rule.content.decode()) for rule in read.rules] == [
        (name, "text/plain", SITE[name]) for name in ("_headers", "_redirects")
    ]


@pytest.mark.parametrize("name", ["index.html", "deep/page.txt", "_headers", "_redirects", "new.txt"])
def test_another_byte_of_any_file_is_another_release(workers: Path, name: str) -> None:
    before = read_release(catalog(), workers)
    write(workers / WORKER / "site", {name: "other"})
    after = read_release(catalog(), workers)
    assert (before.digest != after.digest, before.tag(WORKER) != after.tag(WORKER)) == (True, True)


def test_the_configuration_is_part_of_the_release_and_what_is_left_out_is_not(workers: Path) -> None:
    digest = read_release(catalog(), workers).digest
    for fields in ({"not_found_handling": "404-page"}, {"html_handling": "none"}, {"run_worker_first": ("/api/*",)}, {"binding": "ASSETS"}):
        assert read_release(catalog(**fields), workers).digest != digest
    write(workers / WORKER / "site", {"draft.html": "still not"})
    assert read_release(catalog(), workers).digest == digest


def test_the_archive_has_exactly_these_files(workers: Path, tmp_path: Path) -> None:
    release, target = read_release(catalog(), workers), tmp_path / "release.tar"
    pack(release, catalog(), workers, target)
    with tarfile.open(target) as archive:
        names = {name for name in archive.getnames() if "/site/" in name}
    assert names == {f"{WORKER}/site/{name}" for name in SITE}
    assert unpack(target, tmp_path / "unpacked", catalog(), release.digest).digest == release.digest


def test_a_file_that_changes_between_proof_and_promotion_is_refused(workers: Path, tmp_path: Path) -> None:
    release, target = read_release(catalog(), workers), tmp_path / "release.tar"
    changed = workers / WORKER / "site" / "index.html"
    write(workers / WORKER / "site", {"index.html": "changed"})
    said = f"{changed}: changed while it was read. Wait until the build has finished, then run this again."
    with pytest.raises(BundleError) as refused:
        pack(release, catalog(), workers, target)
    assert str(refused.value) == said
    pack(read_release(catalog(), workers), catalog(), workers, target)
    with pytest.raises(BundleError, match=r"is release .* not"):
        unpack(target, tmp_path / "unpacked", catalog(), release.digest)


def test_the_provider_gets_a_copy_whose_path_says_which_files_it_has(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = read_assets(site, WORKER)
    folder = Path(stage(read, site))
    assert (folder.parent, folder.is_absolute()) == (FOLDER, False)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == ["deep/page.txt", "index.html"]
    elsewhere = write(tmp_path / "elsewhere", SITE)
    assert stage(read_assets(elsewhere, WORKER), elsewhere) == folder.as_posix()
    for spoil in (lambda: write(folder, {"index.html": "other"}), lambda: write(folder, {"more.txt": ""}), (folder / "index.html").unlink):
        spoil()
        assert stage(read, site) == folder.as_posix()
        assert [path.name for path in folder.iterdir() if path.is_file()] == ["index.html"]
        assert (folder / "index.html").read_text() == "home"
    (site / "index.html").write_text("changed")
    (folder / "index.html").unlink()
    with pytest.raises(BundleError, match=r"index\.html: changed while it was read"):
        stage(read, site)
    assert [path.name for path in FOLDER.iterdir() if path.name.startswith("copying-")] == []


def test_all_that_the_provider_reads_of_a_release_is_copied_at_once(workers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "program"
    folder.mkdir()
    monkeypatch.chdir(folder)
    release = read_release(catalog(), workers)
    assets = stage_release(release, catalog(), workers)
    assert assets.keys() == release.assets.keys() == {WORKER}
    assert {path.name for path in (folder / assets[WORKER]).iterdir()} == {"index.html", "deep"}
    modules = {module for bundle in release.bundles.values() for module in bundle.modules} | {*release.assets[WORKER].rules}
    assert {(folder / path_of(module)).read_bytes() for module in modules} == {module.content for module in modules}


def test_copies_that_no_run_has_used_for_a_week_go_but_for_the_last_ones(
    site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never one that a run may be using, nor a file that somebody put there; what a killed run left goes at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(staged_assets, "KEPT", 2)
    month_ago = time.time() - 30 * 24 * 3600
    for name in ("old", "older", "copying-x"):
        (FOLDER / name / "deep").mkdir(parents=True)
    (FOLDER / "note").write_text("mine")
    for number, name in enumerate(("old", "older", "note")):
        os.utime(FOLDER / name, (month_ago - number, month_ago - number))
    (FOLDER / "used").mkdir()
    (FOLDER / "used too").mkdir()
    folder = Path(stage(read_assets(site, WORKER), site))
    assert {path.name for path in FOLDER.iterdir()} == {folder.name, "used", "used too", "note"}
    os.utime(folder, (month_ago, month_ago))
    assert Path(stage(read_assets(site, WORKER), site)).stat().st_mtime > month_ago, "a run that copies nothing uses it, too"


def test_runs_side_by_side_share_one_copy_that_is_always_whole(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read, begun = read_assets(site, WORKER), threading.Barrier(8)

    def run(_: int) -> tuple[str, str]:
        begun.wait(60)
        folder = stage(read, site)
        return folder, Path(folder, "index.html").read_text()

    with ThreadPoolExecutor(8) as runs:
        told = set(runs.map(run, range(8)))
    assert [text for _, text in told] == ["home"]
    assert [path.name for path in FOLDER.iterdir()] == [read.digest[:32]]


def test_a_place_where_nothing_can_be_copied_is_refused(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read = read_assets(site, WORKER)
    FOLDER.mkdir(parents=True)
    (FOLDER / read.digest[:32]).write_text("a file in the way")
    assert Path(stage(read, site), "index.html").read_text() == "home"
    monkeypatch.chdir(site)
    FOLDER.parent.write_text("a file in the way")
    with pytest.raises(BundleError, match=r"static assets cannot be copied there \("):
        stage(read, site)


def refusals(folder: Path) -> list[str]:
    """What is refused of a folder, without its place."""
    with pytest.raises(BundleError) as refused:
        read_assets(folder, WORKER)
    return [str(error).removeprefix(f"assets of {WORKER} ({folder}): ") for error in refused.value.errors]


def test_what_cannot_be_carried_is_refused_all_of_it_at_once(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LARGEST_BYTES", 4)
    write(site, {'a"b.txt': "a", "large.txt": "large", "_worker.js": "code"})
    (site / "out").symlink_to(tmp_path)
    assert refusals(site) == [
        "_worker.js is code of a worker, and everyone could read it. Name _worker.js in .assetsignore.",
        'a"b.txt has a name that the provider cannot upload. Rename it, without quotation marks and backslashes.',
        "large.txt is larger than 25 MiB. Serve it from an R2 bucket.",
        "out is a link that does not lead to a file in the folder. Replace the link with the file.",
    ]


@pytest.mark.parametrize(
    ("files", "refusal"),
    [
        (
            {".assetsignore": "*.map\n"},
            "the line '*.map' of .assetsignore is a pattern, and only whole names are read here. Write the names",
        ),
        (
            {"a.css": "", "a.js": ""},
            "a.css and a.js have the same content and different types, and the provider would give both one type. Add",
        ),
        ({"_headers": ""}, "the folder has no files. Build it, or remove the assets from crane_infra/catalog.py."),
    ],
)
def test_a_folder_that_would_be_served_otherwise_than_by_wrangler_is_refused(tmp_path: Path, files: dict[str, str], refusal: str) -> None:
    (text,) = refusals(write(tmp_path / "site", files))
    assert text.startswith(refusal)


def test_a_folder_that_is_missing_or_holds_too_many_files_is_refused(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusals(tmp_path / "none")[0].startswith("the folder does not exist. Build it")
    monkeypatch.setattr(limits, "MOST_FILES", 1)
    assert refusals(site) == ["2 files are more than Cloudflare takes (1). Leave some out."]
    os.mkfifo(site / "pipe")
    assert "pipe is not a file. Remove it." in refusals(site)


def test_a_link_to_a_file_of_the_folder_and_names_left_out_are_read_as_wrangler_reads_them(tmp_path: Path) -> None:
    lines = "# what is built for other hosts\n_worker.js\n/top.txt\ndeep/left/\n\n"
    left_out = {"_worker.js/index.js": "code", "top.txt": "top", "deep/left/a.txt": "a"}
    folder = write(
        tmp_path / "site", {".assetsignore": lines, "index.html": "home", "deep/top.txt": "kept", "deep/left.txt": "kept2", **left_out}
    )
    (folder / "again.html").symlink_to("index.html")
    read = read_assets(folder, WORKER)
    assert [file.name for file in read.files] == ["again.html", "deep/left.txt", "deep/top.txt", "index.html"]


def test_a_change_of_files_is_counted_and_not_listed(site: Path) -> None:
    before = read_assets(site, WORKER).part()
    assert change_of(before, before) == ""
    write(site, {"index.html": "other", "new.txt": "new", "_headers": "/*\n  X-A: c\n"})
    (site / "deep" / "page.txt").unlink()
    after = read_assets(site, WORKER).part()
    assert change_of(before, after) == "1 new, 1 changed, 1 removed, other rules for headers or redirects (2 files in all)"
    assert (change_of(None, after), change_of(after, None)) == (
        "2 new, other rules for headers or redirects (2 files in all)",
        "2 removed, other rules for headers or redirects (0 files in all)",
    )


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"directory": "../site"}, "'../site' is not a folder below the workers folder"),
        ({"directory": "/site"}, "'/site' is not a folder below the workers folder"),
        ({"directory": "."}, "'.' is not a folder below the workers folder"),
        ({"directory": "site", "run_worker_first": ("api",)}, "'api' is not a path: begin it with '/' or '!/'"),
        ({"directory": "site", "run_worker_first": ("!/api",)}, "needs a path that does not begin with '!'"),
    ],
)
def test_assets_that_cannot_be_declared_are_refused(fields: dict[str, object], refusal: str) -> None:
    with pytest.raises(ValueError, match=refusal.replace("(", r"\(").replace("!", "!").replace(".", r"\.")):
        Assets(**fields)


@pytest.mark.parametrize("directory", ["crane-context/dist/site", "crane-context", "crane-context/dist"])
def test_code_and_static_assets_are_not_within_each_other(directory: str) -> None:
    worker = crane().workers[WORKER]
    with pytest.raises((ValueError, CraneError), match="build them into two folders"):
        type(worker).model_validate({**dict(worker), "assets": Assets(directory=directory)})
