"""Files that wrangler took long ago stay as they are, and the next one is applied. ``tests/commands/test_real_folders.py`` has whole folders."""

import pytest

from crane_infra.migrations.drift import look_for_drift
from crane_infra.migrations.files.read import SchemaFiles
from crane_infra.migrations.ledger import read_ledger
from local_cloud.faults.model import Drop
from tests.migrations.faults.target import QUERY, Places, Target

pytestmark = [pytest.mark.cloud, pytest.mark.npm]

USERS = "CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);"
POSTS = "CREATE TABLE posts (id INTEGER PRIMARY KEY, title TEXT);\n--> statement-breakpoint\nCREATE INDEX posts_title ON posts (title);"


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


async def test_a_run_that_began_empty_goes_on_with_doubled_numbers_after_a_lost_reply(target: Target, places: Places) -> None:
    """The second of two files with one number is still pending when the run reads the ledger in between."""
    content = {"0001_a.sql": USERS, "0001_b.sql": "\ufeff" + POSTS, "0001_c.sql": ""}
    files = target.files(content)
    with target.faults.fault(QUERY, Drop("after-commit"), nth=places.on_empty):
        outcome = await target.run(files)
    assert outcome.applied == tuple(content)
    await target.holds(files, tuple(content))
