"""Folders as people have them get in as they are: into an empty database, and into one to which the real wrangler applied them."""

import pytest

from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import read_ledger
from tests.migrations.faults.target import Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
POSTS = "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT);\n--> statement-breakpoint\nCREATE INDEX posts_title ON posts (title);"
# What older versions of drizzle-kit and prisma write to change a column.
REBUILD = """PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_posts` (`id` integer PRIMARY KEY NOT NULL, `title` text NOT NULL);
--> statement-breakpoint
INSERT INTO `__new_posts`("id", "title") SELECT "id", "title" FROM `posts`;--> statement-breakpoint
DROP TABLE `posts`;--> statement-breakpoint
ALTER TABLE `__new_posts` RENAME TO `posts`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE INDEX posts_title ON posts (title);
"""
LAYOUTS: dict[str, dict[str, str]] = {
    "drizzle": {"0000_init.sql": USERS, "0001_posts.sql": POSTS, "0002_title.sql": REBUILD, "meta/_journal.json": "{}"},
    "folders": {
        "20260116020812_init/migration.sql": USERS,
        "20260116021603_posts/migration.sql": POSTS,
        "20260116021604_title/migration.sql": REBUILD,
        "migration_lock.toml": 'provider = "sqlite"',
    },
    "from files to folders": {"0000_init.sql": USERS, "0001_posts/migration.sql": POSTS, "0002_title.sql": REBUILD},
    "names": {"1-users.sql": USERS, "2024-01-13-posts.sql": POSTS, "title.sql": REBUILD},
}


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_a_folder_gets_into_an_empty_database_and_wrangler_agrees(target: Target, layout: str) -> None:
    files = target.files(LAYOUTS[layout])
    names = tuple(name for name in LAYOUTS[layout] if name.endswith(".sql"))
    assert (await target.run(files)).applied == names
    assert target.pending_for_wrangler() == ()
    await target.holds(files, names, wrangler=False)


@pytest.mark.parametrize("layout", LAYOUTS)
async def test_what_wrangler_applied_is_imported_without_any_drift(target: Target, layout: str) -> None:
    files = target.files(LAYOUTS[layout])
    names = tuple(file.name for file in files)
    target.by_wrangler("apply")
    assert target.listed == names
    outcome = await target.run(files)
    assert (outcome.adopted, outcome.applied) == (names, ())
    assert (await look_for_drift(target.db, SchemaFiles(files), await read_ledger(target.db))).objects == []


async def test_files_that_only_an_applied_one_may_be_like_are_imported_and_the_next_one_is_applied(target: Target) -> None:
    """A doubled number, a byte order mark and an empty file, which wrangler took long ago."""
    old = {"0001_a.sql": USERS, "0001_b.sql": "\ufeff" + POSTS, "0002_c.sql": ""}
    target.files({"0001_a.sql": USERS, "0001_b.sql": POSTS, "0002_c.sql": "SELECT 1;"})
    target.by_wrangler("apply")
    files = target.files({**old, "0003_d.sql": "ALTER TABLE users ADD COLUMN mail TEXT;"})
    outcome = await target.run(files)
    assert (outcome.adopted, outcome.applied) == (tuple(old), ("0003_d.sql",))
    assert target.listed == (*old, "0003_d.sql")
    assert (await look_for_drift(target.db, SchemaFiles(files), await read_ledger(target.db))).objects == []
