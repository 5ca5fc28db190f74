"""The same files give the same digest on any machine. Any change of a release changes it; the settings of an environment do not."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crane_infra.catalog import crane
from crane_infra.config.catalog import Catalog, Limits, Placement
from crane_infra.errors import BundleError
from crane_infra.release.bundle import Bundle, read_bundle
from crane_infra.release.manifest import make_manifest, read_release


@pytest.fixture
def workers(tmp_path: Path) -> Path:
    """A built workers folder for crane's catalog."""
    for worker in ("crane-context", "crane-classifier"):
        (tmp_path / worker / "dist" / "lib").mkdir(parents=True)
        (tmp_path / worker / "dist" / "index.js").write_text("export default {}", encoding="utf-8")
        (tmp_path / worker / "dist" / "lib" / "a.js").write_text("export const a = 1", encoding="utf-8")
        (tmp_path / worker / "migrations").mkdir()
        (tmp_path / worker / "migrations" / "0001_first.sql").write_text("CREATE TABLE a (id INTEGER);\n", encoding="utf-8")
    return tmp_path


def test_the_same_files_in_another_folder_give_the_same_digest(workers: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "built"
    workers.rename(elsewhere)
    moved = read_release(crane(), elsewhere).digest
    elsewhere.rename(workers)
    assert read_release(crane(), workers).digest == moved


def edit(path: str, text: str) -> Callable[[Path], None]:
    def change(workers: Path) -> None:
        (workers / path).write_text(text, encoding="utf-8")

    return change


@pytest.mark.parametrize(
    "change",
    [
        edit("crane-context/dist/index.js", "export default { }"),
        edit("crane-context/dist/lib/b.js", ""),
        edit("crane-classifier/migrations/0001_first.sql", "CREATE TABLE a (id INTEGER) ;\n"),
        edit("crane-classifier/migrations/0002_second.sql", "CREATE TABLE b (id INTEGER);\n"),
    ],
)
def test_another_byte_in_a_module_or_a_migration_is_another_release(workers: Path, change: Callable[[Path], None]) -> None:
    before = read_release(crane(), workers).digest
    change(workers)
    assert read_release(crane(), workers).digest != before


def changed(**fields: object) -> Catalog:
    catalog = crane()
    worker = catalog.workers["crane-context"].model_copy(update=fields)
    return catalog.model_copy(update={"workers": {**catalog.workers, "crane-context": worker}})


@pytest.mark.parametrize(
    "fields",
    [
        {"compatibility_date": "2024-01-02"},
        {"compatibility_flags": ("nodejs_compat",)},
        {"variables": {**crane().workers["crane-context"].variables, "IDEMPOTENCY_TTL_SECONDS": "1"}},
        {"secrets": crane().workers["crane-context"].secrets[:1]},
        {"environment_variables": ()},
        {"placement": Placement(mode="smart")},
        {"limits": Limits(cpu_ms=50)},
    ],
)
def test_a_change_of_a_worker_in_the_catalog_changes_the_digest_of_that_worker_only(workers: Path, fields: dict[str, Any]) -> None:
    before, after = read_release(crane(), workers), read_release(changed(**fields), workers)
    assert after.tag("crane-context") != before.tag("crane-context")
    assert after.tag("crane-classifier") == before.tag("crane-classifier")
    assert after.digest != before.digest


def test_a_check_is_part_of_the_release_but_not_of_the_worker(workers: Path) -> None:
    fewer = changed(checks=crane().workers["crane-context"].checks[:2])
    before, after = read_release(crane(), workers), read_release(fewer, workers)
    assert after.tag("crane-context") == before.tag("crane-context")
    assert after.digest != before.digest


def test_the_manifest_lists_modules_and_migrations_with_their_sha256(workers: Path) -> None:
    manifest = read_release(crane(), workers).manifest
    digest = hashlib.sha256(b"export default {}").hexdigest()
    assert manifest["workers"]["crane-context"]["modules"]["index.js"] == {"type": "application/javascript+module", "sha256": digest}
    assert [file["name"] for file in manifest["databases"]["crane-context-db"]["migrations"]] == ["0001_first.sql"]


def test_what_wrangler_writes_beside_the_modules_is_left_out(workers: Path) -> None:
    before = read_release(crane(), workers).digest
    (workers / "crane-context" / "dist" / "index.js.map").write_text("{}", encoding="utf-8")
    (workers / "crane-context" / "dist" / "README.md").write_text("built by wrangler", encoding="utf-8")
    assert read_release(crane(), workers).digest == before


def test_what_is_uploaded_is_what_was_hashed_even_if_the_file_changes_meanwhile(workers: Path) -> None:
    bundle = read_bundle(workers / "crane-context" / "dist", "index.js", "crane-context")
    (workers / "crane-context" / "dist" / "index.js").write_text("changed", encoding="utf-8")
    assert {module.name: module.content for module in bundle.modules}["index.js"] == b"export default {}"


def test_a_bundle_that_is_missing_or_has_no_main_module_is_refused_with_the_way_to_build_it(workers: Path) -> None:
    (workers / "crane-context" / "dist" / "index.js").unlink()
    with pytest.raises(BundleError) as caught:
        read_release(crane(), workers)
    folder = workers / "crane-context" / "dist"
    build = "Build the worker (for TypeScript: wrangler deploy --dry-run --outdir dist), or correct workers-dir."
    assert str(caught.value) == f"bundle of crane-context ({folder}): it has no index.js. {build}"
    with pytest.raises(BundleError) as caught:
        read_bundle(workers / "nowhere", "index.js", "crane-context")
    assert str(caught.value) == f"bundle of crane-context ({workers / 'nowhere'}): the folder does not exist. {build}"


def test_a_file_that_is_not_a_module_is_refused_by_name(workers: Path) -> None:
    (workers / "crane-context" / "dist" / "index.ts").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match=r"index\.ts is not a module of a worker"):
        read_release(crane(), workers)


def test_a_link_out_of_the_bundle_an_empty_main_module_and_an_unreadable_path_are_refused(workers: Path, tmp_path: Path) -> None:
    folder = workers / "crane-context" / "dist"
    (tmp_path / "outside.js").write_text("export default {}", encoding="utf-8")
    (folder / "linked.js").symlink_to(tmp_path / "outside.js")
    with pytest.raises(BundleError, match=r"linked\.js is a link to a file outside the folder\. Replace the link with the file\.$"):
        read_bundle(folder, "index.js", "crane-context")
    (folder / "linked.js").unlink()
    (folder / "index.js").write_text("", encoding="utf-8")
    with pytest.raises(BundleError, match=r"its index\.js is empty"):
        read_bundle(folder, "index.js", "crane-context")
    with pytest.raises(BundleError, match="the folder does not exist"):
        read_bundle(workers / ("x" * 5000), "index.js", "crane-context")


def test_a_binding_to_another_database_is_another_worker() -> None:
    digests = set()
    for bound in ("one", "two"):
        worker = crane().workers["crane-context"].model_copy(update={"databases": {"DB": bound}})
        catalog = Catalog.model_construct(workers={"w": worker}, databases={})
        digests.add(make_manifest(catalog, {"w": Bundle("index.js", ())}, {}, {})["workers"]["w"]["digest"])
    assert len(digests) == 2
