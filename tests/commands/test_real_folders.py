"""Folders as people have them get in as they are: into an empty database, and into one to which the real wrangler applied them.

The tools themselves write what they can: drizzle-kit generates its migrations here, in both of its layouts. A run of ``crane migrations apply``
takes a folder into both databases of staging: the first is empty, to the second wrangler has applied the files.
"""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.drizzle import FILES, FOLDERS, DrizzleKit, folder_of, schemas
from tests.world.copies import fresh_world
from tests.world.staging import CLASSIFIER, CONTEXT, Files, Staging, Write, copied, written

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

EMPTY, ADOPTED = CONTEXT, CLASSIFIER

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
POSTS = (
    "-- Migration number: 0002 \t 2024-01-13T09:30:00.000Z\n"
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users (id), title TEXT);\n"
    "CREATE INDEX posts_author ON posts (author);\n"
)
REBUILD = """PRAGMA foreign_keys = OFF;
CREATE TABLE posts_new (id INTEGER PRIMARY KEY, author INTEGER NOT NULL REFERENCES users (id), title TEXT NOT NULL);
INSERT INTO posts_new (id, author, title) SELECT id, author, coalesce(title, '') FROM posts;
DROP TABLE posts;
ALTER TABLE posts_new RENAME TO posts;
CREATE INDEX posts_author ON posts (author);
PRAGMA foreign_keys = ON;
"""
VIEW = "CREATE VIEW titles AS SELECT title, count(*) AS posts FROM posts GROUP BY title;\n"
PRISMA: Files = {
    "20240113093000_init/migration.sql": """-- CreateTable
CREATE TABLE "User" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "email" TEXT NOT NULL
);

-- CreateTable
CREATE TABLE "Post" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "title" TEXT,
    "authorId" INTEGER NOT NULL,
    CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);

-- CreateIndex
CREATE UNIQUE INDEX "User_email_key" ON "User"("email");
""",
    "20240201120000_title/migration.sql": """-- RedefineTables
PRAGMA defer_foreign_keys=ON;
PRAGMA foreign_keys=OFF;
CREATE TABLE "new_Post" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "title" TEXT NOT NULL DEFAULT '',
    "authorId" INTEGER NOT NULL,
    CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "User" ("id") ON DELETE RESTRICT ON UPDATE CASCADE
);
INSERT INTO "new_Post" ("authorId", "id", "title") SELECT "authorId", "id", coalesce("title", '') AS "title" FROM "Post";
DROP TABLE "Post";
ALTER TABLE "new_Post" RENAME TO "Post";
PRAGMA foreign_keys=ON;
PRAGMA defer_foreign_keys=OFF;
""",
    "migration_lock.toml": 'provider = "sqlite"\n',
}
BY_HAND: Mapping[str, Files] = {
    "prisma": PRISMA,
    "names of any kind": {
        "1 users.sql": USERS,
        "2-posts.sql": POSTS,
        "10_title.sql": REBUILD,
        "2024-01-13-view.sql": VIEW,
        "last.sql": "ALTER TABLE users ADD COLUMN mail TEXT;\n",
        "_archive/0000_old.sql": "CREATE TABLE old (x TEXT);\n",
    },
    "files, later folders": {"0000_init.sql": USERS, "0001_posts/migration.sql": POSTS, "0002_title.sql": REBUILD},
    "those of wrangler with doubled numbers, a byte order mark, an empty file": {
        "README.md": "",
        "0001_init.sql": USERS,
        "0001_posts.sql": f"\ufeff{POSTS}",
        "0002_nothing.sql": "",
        "0003_title.sql": REBUILD,
        "0003_view.sql": VIEW,
    },
}


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """Both stacks, and nothing deployed."""
    with fresh_world(tmp_path_factory) as world:
        yield Staging(world, tmp_path_factory.mktemp("wrangler"))


def gets_in(staging: Staging, write: Write) -> None:
    """The folder gets into the empty database, and into the one to which wrangler applied it; nothing drifts, and wrangler agrees."""
    for name in (EMPTY, ADOPTED):
        staging.begin(name, write)
    staging.wrangler(ADOPTED, "apply")
    names = staging.names(ADOPTED)
    before = staging.crane("status").stdout
    assert f"{EMPTY}-staging: 0 applied, up to none; {len(names)} pending" in before
    assert f"{ADOPTED}-staging: {len(names)} applied, up to {names[-1]}; 0 pending" in before
    applied = staging.crane("apply")
    assert applied.returncode == 0, applied.stderr
    assert f"{EMPTY}-staging: {len(names)} applied, ledger at {names[-1]}" in applied.stdout.splitlines()
    assert f"{ADOPTED}-staging: imported from wrangler's ledger: {', '.join(names)}" in applied.stdout.splitlines()
    assert f"{ADOPTED}-staging: 0 applied, ledger at {names[-1]}" in applied.stdout.splitlines()
    assert staging.names(EMPTY) == names
    verified = staging.crane("verify")
    assert verified.stdout.splitlines() == [f"{name}-staging: its schema matches its migrations" for name in (EMPTY, ADOPTED)]
    assert "No migrations to apply" in staging.wrangler(EMPTY, "list")
    assert staging.names(ADOPTED) == names


@pytest.mark.parametrize("layout", BY_HAND)
def test_a_folder_that_people_wrote_gets_in(staging: Staging, layout: str) -> None:
    gets_in(staging, written(BY_HAND[layout]))


@pytest.mark.parametrize("package", [FILES, FOLDERS], ids=lambda package: package.name)
def test_what_drizzle_kit_writes_gets_in_with_the_tables_that_it_makes_again(staging: Staging, package: Path, tmp_path: Path) -> None:
    folder = folder_of(package, tmp_path / "drizzle")
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.sql"))]
    assert [text.count("CREATE TABLE `__new_") for text in texts] == ([0, 0, 1, 1] if package == FILES else [0, 1, 1, 1])
    assert ('"bio"' in texts[-1].partition(" SELECT ")[2]) == (package == FILES), "the fault of 0.31"
    gets_in(staging, copied(folder))


def test_what_drizzle_kit_1_writes_goes_on_after_the_files_of_an_older_one(staging: Staging, tmp_path: Path) -> None:
    """``drizzle-kit up`` renames the files, so it works on a copy, and each new folder is copied beside the old files."""
    old = folder_of(FILES, tmp_path / "old", ("init",))
    staging.begin(CONTEXT, copied(old))
    staging.wrangler(CONTEXT, "apply")
    shutil.copytree(old, tmp_path / "own" / "migrations")
    kit = DrizzleKit(FOLDERS, tmp_path / "own")
    kit("up", "--dialect", "sqlite", "--out", "migrations")
    assert not list((tmp_path / "own" / "migrations").glob("*.sql"))
    kit.generate("emails", schemas(["init", "emails"])["emails"])
    (new,) = (tmp_path / "own" / "migrations").glob("*_emails")
    shutil.copytree(new, staging.folder(CONTEXT) / new.name)
    planned = staging.crane("plan", "-d", CONTEXT).stdout
    assert "  import  0000_init.sql, applied by wrangler" in planned.splitlines()
    assert [line.split()[1] for line in planned.splitlines() if line.startswith("  apply ")] == [f"{new.name}/migration.sql"]
    assert "(rebuilds-referenced-table)" in planned, "posts refers to users with ON DELETE CASCADE, and users is made again"


def test_the_folders_of_drizzle_kit_keep_their_order_when_the_clock_is_put_back(tmp_path: Path) -> None:
    folder = folder_of(FOLDERS, tmp_path, ("init",))
    (init,) = folder.glob("*_init")
    init.rename(init.with_name("20990101000000_init"))
    DrizzleKit(FOLDERS, tmp_path).generate("titles", schemas(["init", "titles"])["titles"])
    assert [path.name.partition("_")[2] for path in sorted(folder.iterdir())] == ["init", "titles"]
