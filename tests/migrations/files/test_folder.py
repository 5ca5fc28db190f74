"""Every SQL file of a folder is a migration, is left out with a word, or is an error: none is left out in silence."""

from pathlib import Path

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.folder import find_migrations
from crane_infra.migrations.files.read import read_migrations
from tests.migrations.builders import SHOWN


def folder_with(root: Path, *names: str) -> Path:
    """A folder with these files; a name that ends in / is a folder."""
    folder = root / "migrations"
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text("SELECT 1;")
    return folder


def refusal(folder: Path) -> str:
    with pytest.raises(MigrationError) as caught:
        find_migrations(folder, SHOWN)
    return str(caught.value)


def test_the_layouts_of_wrangler_drizzle_and_prisma_are_found(tmp_path: Path) -> None:
    """The name that the ledger records is the path in the folder, as wrangler records it with a migrations_pattern."""
    drizzle = folder_with(tmp_path / "a", "0000_init.sql", "0001_users.sql", "meta/_journal.json", "meta/0000_snapshot.json")
    assert find_migrations(drizzle, SHOWN).migrations == ("0000_init.sql", "0001_users.sql")
    nested = folder_with(tmp_path / "b", "20260116020812_init/migration.sql", "20260116020812_init/snapshot.json", "migration_lock.toml")
    assert [file.name for file in read_migrations(nested, SHOWN)] == ["20260116020812_init/migration.sql"]
    assert find_migrations(nested, SHOWN).left_out == ("migration_lock.toml",)


def test_what_is_no_migration_is_left_out_and_named(tmp_path: Path) -> None:
    names = (
        "0001_a.sql",
        "README.md",
        "meta/journal.json",
        "_archive/0000_old.sql",
        ".hidden.sql",
        "0001_A.SQL",
        "0002_x.sql/",
        "0003_b/down.SQL",
    )
    folder = folder_with(tmp_path, *names, "0003_b/migration.sql", "schema.sql")
    found = find_migrations(folder, SHOWN, base=folder / "schema.sql")
    assert found.migrations == ("0001_a.sql", "0003_b/migration.sql")
    assert found.left_out == (
        ".hidden.sql",
        "0001_A.SQL (only names that end in .sql, in lower case, are migrations)",
        "0002_x.sql/",
        "0003_b/down.SQL",
        "README.md",
        "_archive/",
        "meta/",
    )


@pytest.mark.parametrize("below", ["0002_b/up.sql", "old/0001_a.sql", "deep/er/migration.sql", "0002_b/UP.SQL"])
def test_sql_in_a_folder_that_is_no_migration_is_an_error(tmp_path: Path, below: str) -> None:
    folder, _, file = below.partition("/")
    assert refusal(folder_with(tmp_path, "0001_a.sql", below)) == (
        f"{SHOWN}/{folder}: it holds {file} but no migration.sql, so it is not a migration. Name the file migration.sql, move it into the folder "
        "above, or let the folder's name begin with _ to leave it out."
    )


@pytest.mark.parametrize("names", [("0001_a.SQL",), ("meta/journal.json",), ("0001_a.txt",), ("0001_a.sql/",)])
def test_files_without_any_migration_are_an_error(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert refusal(folder_with(tmp_path, *names)).startswith(f"{SHOWN}: it holds {names[0].partition('/')[0]}")


def test_an_empty_folder_and_one_with_notes_only_have_no_migrations(tmp_path: Path) -> None:
    for names in ((), ("README.md", ".gitkeep")):
        assert find_migrations(folder_with(tmp_path, "./", *names), SHOWN).migrations == ()


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    assert refusal(tmp_path / "migratoins") == (
        f"{SHOWN}: the folder does not exist. Create it, or correct the path of the migrations in the catalog."
    )


def test_a_link_to_a_folder_outside_is_refused(tmp_path: Path) -> None:
    outside = folder_with(tmp_path / "other", "migration.sql")
    folder = folder_with(tmp_path, "0001_a.sql")
    (folder / "0002_b").symlink_to(outside)
    with pytest.raises(MigrationError) as caught:
        read_migrations(folder, SHOWN)
    assert str(caught.value) == f"{SHOWN}/0002_b/migration.sql: it is a link to a file outside the folder. Put the file itself here."
