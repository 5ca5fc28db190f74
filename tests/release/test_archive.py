"""A packed release is the release, to the byte, on any machine; whatever is not exactly that is refused, and nothing of it is left."""

import io
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from crane_infra.catalog import crane
from crane_infra.config.catalog import CatalogDatabase
from crane_infra.errors import BundleError
from crane_infra.release.archive import pack, require, unpack
from crane_infra.release.manifest import read_release
from tests.repository import ROOT


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder of built workers, with files beside the release as a build leaves them."""
    folder = tmp_path / "built"
    shutil.copytree(ROOT / "workers", folder)
    (folder / "crane-context" / "dist" / "index.js.map").write_text("{}", encoding="utf-8")
    (folder / "crane-context" / ".dev.vars").write_text("KEY=canary-dev-vars", encoding="utf-8")
    return folder


@pytest.fixture
def packed(built: Path, tmp_path: Path) -> Path:
    """Its release, packed."""
    target = tmp_path / "release.tar"
    pack(read_release(crane(), built), crane(), built, target)
    return target


def digest(folder: Path) -> str:
    return read_release(crane(), folder).digest


def names(archive: Path) -> list[str]:
    with tarfile.open(archive) as opened:
        return opened.getnames()


def test_unpacking_gives_the_release_that_was_packed_and_no_other_file(built: Path, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "below" / "bundles"
    assert unpack(packed, folder, crane(), digest(built)).digest == digest(folder) == digest(built)
    files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(names(packed))
    assert not [name for name in files if name.endswith((".map", ".dev.vars", ".md"))]
    assert b"canary-dev-vars" not in packed.read_bytes()


def test_the_same_files_give_the_same_archive_whatever_their_folder_and_time(built: Path, packed: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(built, elsewhere, copy_function=shutil.copyfile)
    again = tmp_path / "again.tar"
    pack(read_release(crane(), elsewhere), crane(), elsewhere, again)
    assert again.read_bytes() == packed.read_bytes()


def test_a_base_schema_is_packed_too(built: Path, tmp_path: Path) -> None:
    (built / "crane-context" / "schema.sql").write_text("CREATE TABLE base (id INTEGER);\n", encoding="utf-8")
    with_base = CatalogDatabase(migrations="crane-context/migrations", base="crane-context/schema.sql", baseline=4)
    catalog = crane().model_copy(update={"databases": {**crane().databases, "crane-context-db": with_base}})
    release, target = read_release(catalog, built), tmp_path / "release.tar"
    pack(release, catalog, built, target)
    assert unpack(target, tmp_path / "bundles", catalog, release.digest).bases.keys() == {"crane-context-db"}


def test_the_seeds_of_staging_go_along_and_are_no_part_of_the_digest(built: Path, tmp_path: Path) -> None:
    before, seed = digest(built), "crane-context/seeds/0002_more.sql"
    (built / seed).write_text("DELETE FROM smoke_writes;", encoding="utf-8")
    pack(read_release(crane(), built), crane(), built, tmp_path / "release.tar")
    assert unpack(tmp_path / "release.tar", tmp_path / "bundles", crane(), before).digest == before
    assert seed in names(tmp_path / "release.tar")
    assert (tmp_path / "bundles" / seed).read_text(encoding="utf-8") == "DELETE FROM smoke_writes;"


def test_a_file_that_changed_since_it_was_hashed_is_refused(built: Path, tmp_path: Path) -> None:
    release = read_release(crane(), built)
    path = built / "crane-context" / "migrations" / "0001_create_sessions.sql"
    path.write_text("CREATE TABLE other (id INTEGER);\n", encoding="utf-8")
    with pytest.raises(BundleError) as refused:
        pack(release, crane(), built, tmp_path / "release.tar")
    assert str(refused.value) == f"{path}: changed while it was read. Wait until the build has finished, then run this again."


# Refusals


def test_another_release_is_refused_in_one_line(built: Path) -> None:
    with pytest.raises(BundleError) as refused:
        require(crane(), built, "a" * 64, "bundles")
    assert str(refused.value) == (
        f"bundles: is release {digest(built)[:12]} with the catalog of this commit, not aaaaaaaaaaaa. "
        "Use the archive that staging stored, or prove this release in staging first."
    )


Spoil = Callable[[tarfile.TarFile], None]


def file(name: str, content: bytes = b"export default {}") -> Spoil:
    def add(archive: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))

    return add


def link(kind: bytes, target: str) -> Spoil:
    def add(archive: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo("crane-context/dist/link.js")
        entry.type, entry.linkname = kind, target
        archive.addfile(entry)

    return add


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (file("../outside.js"), "'../outside.js' is not a plain file inside the folder, or is there twice"),
        (file("/outside.js"), "'/outside.js' is not a plain file inside the folder, or is there twice"),
        (
            file("crane-context/../../outside.js"),
            "'crane-context/../../outside.js' is not a plain file inside the folder, or is there twice",
        ),
        (file("a\\..\\b.js"), "'a\\\\..\\\\b.js' is not a plain file inside the folder, or is there twice"),
        (file("crane-context/dist/index.js"), "'crane-context/dist/index.js' is not a plain file inside the folder, or is there twice"),
        (link(tarfile.SYMTYPE, "/etc/passwd"), "'crane-context/dist/link.js' is not a plain file inside the folder, or is there twice"),
        (
            link(tarfile.LNKTYPE, "crane-context/dist/index.js"),
            "'crane-context/dist/link.js' is not a plain file inside the folder, or is there twice",
        ),
        (file("crane-context/notes.txt"), "contains crane-context/notes.txt, which is not part of release"),
        (file("crane-context/dist/more.js"), "is release"),
    ],
    ids=["up", "absolute", "up inside", "backslash", "twice", "symbolic link", "hard link", "beside the release", "another module"],
)
def test_an_archive_with_more_than_the_release_is_refused_and_nothing_is_left(
    built: Path, packed: Path, tmp_path: Path, spoil: Spoil, what: str
) -> None:
    with tarfile.open(packed, "a") as archive:
        spoil(archive)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(BundleError, match="^" + str(packed)) as refused:
        unpack(packed, tmp_path / "bundles", crane(), digest(built))
    assert what in str(refused.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("content", "what"),
    [(None, "does not exist"), (b"", "cannot be read (ReadError)"), (b"x" * 2000, "cannot be read (ReadError)")],
)
def test_a_file_that_is_absent_or_not_an_archive_is_refused(built: Path, tmp_path: Path, content: bytes | None, what: str) -> None:
    source = tmp_path / "release.tar"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(BundleError) as refused:
        unpack(source, tmp_path / "bundles", crane(), digest(built))
    assert str(refused.value).startswith(f"{source}: {what}.")
    assert not (tmp_path / "bundles").exists()


def test_an_archive_that_was_cut_off_is_refused(built: Path, packed: Path, tmp_path: Path) -> None:
    packed.write_bytes(packed.read_bytes()[:3000])
    with pytest.raises(BundleError):
        unpack(packed, tmp_path / "bundles", crane(), digest(built))
    assert not (tmp_path / "bundles").exists()


def test_a_folder_that_is_not_empty_is_refused(built: Path, packed: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundles"
    folder.mkdir()
    (folder / "left.js").write_text("left", encoding="utf-8")
    with pytest.raises(BundleError) as refused:
        unpack(packed, folder, crane(), digest(built))
    assert str(refused.value) == f"{folder}: is not empty. Remove it, so that no file of an earlier release is left."
