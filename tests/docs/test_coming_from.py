"""What docs/migrations.md shows to those who come from wrangler, drizzle or prisma: every command runs there, and says what is quoted."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import command_line
from tests.commands.test_real_folders import PRISMA
from tests.docs import markdown
from tests.drizzle import FILES, FIRST, FOLDERS, DrizzleKit
from tests.repository import ROOT
from tests.world.copies import fresh_world
from tests.world.staging import CONTEXT, Staging, copied, written
from tests.wrangler import Wrangler

pytestmark = [pytest.mark.engine, pytest.mark.cloud, pytest.mark.npm]

MIGRATIONS = ROOT / "docs" / "migrations.md"
NOTES = FIRST + 'export const notes = sqliteTable("notes", { id: integer("id").primaryKey(), text: text("text") });\n'
KIT = ("generate", "--dialect", "sqlite", "--schema", "schema.ts", "--out", "workers/crane-context/migrations")


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    """Nothing is deployed. The project's folder is a clone for ``crane``, and the folder of wrangler's configuration."""
    with fresh_world(tmp_path_factory) as world:
        (world.project.folder / "crane_infra").symlink_to(ROOT / "crane_infra")
        yield Staging(world, world.project.folder)


def plays(staging: Staging, heading: str, package: Path = FILES) -> None:
    """Run the commands below a heading in their order; each has to succeed, and together they say what is quoted there."""
    shown = markdown.section(MIGRATIONS, heading)
    commands = [line for block in shown if block.info == "sh" for line in block.content.splitlines()]
    assert commands
    said = "\n".join(run(staging, shlex.split(line), package) for line in commands)
    for line in (line for block in shown if block.info == "text" for line in block.content.splitlines()):
        assert re.search(".*".join(map(re.escape, line.split("…"))), said), f"{line}\nis not in\n{said}"


def run(staging: Staging, words: list[str], package: Path) -> str:
    """Run one command, as in a shell in the project's folder, and give what it said."""
    folder, world = staging.world.project.folder, staging.world
    if words[0] == "pulumi":
        ended = world.engine.run(*words[1:], *(["--yes"] if words[1] == "up" else []))
        assert ended.exit == 0, ended.output
        return ended.output
    if words[0] == "crane":
        done = command_line.crane(*words[1:], environ=world.engine.environ, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    assert words[0] == "npx", words
    if words[1] == "drizzle-kit":
        return DrizzleKit(package, folder)(*words[2:])
    staging.bind(CONTEXT)
    return Wrangler(world.cloud, folder)(*words[2:], cwd=folder).stdout


def begin_as_drizzle(staging: Staging, package: Path) -> None:
    """A folder in which drizzle-kit has begun, and a schema that goes on."""
    folder = staging.world.project.folder
    staging.begin(CONTEXT, lambda _: None)
    kit = DrizzleKit(package, folder)
    (folder / "schema.ts").write_text(FIRST, encoding="utf-8")
    kit(*KIT, "--name", "init")
    (folder / "schema.ts").write_text(NOTES, encoding="utf-8")


def last(staging: Staging) -> str:
    """The last row of wrangler's table."""
    return staging.names(CONTEXT)[-1]


@pytest.mark.parametrize("package", [FILES, FOLDERS], ids=lambda package: package.name)
def test_from_drizzle_kit(staging: Staging, package: Path) -> None:
    begin_as_drizzle(staging, package)
    staging.wrangler(CONTEXT, "apply")
    plays(staging, "From drizzle-kit", package)
    assert re.search(r"_notes(\.sql|/migration\.sql)$", last(staging))
    assert "No migrations to apply" in staging.wrangler(CONTEXT, "list")


def test_from_prisma(staging: Staging) -> None:
    staging.begin(CONTEXT, written(PRISMA))
    plays(staging, "From prisma")
    assert last(staging) == "20240201120000_title/migration.sql"
    assert "No migrations to apply" in staging.wrangler(CONTEXT, "list")


def test_migrated_without_wrangler(staging: Staging) -> None:
    begin_as_drizzle(staging, FILES)
    (file,) = staging.folder(CONTEXT).glob("*.sql")
    table = "CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);"
    staging.world.rows(f"{CONTEXT}-staging", file.read_text(encoding="utf-8") + table)
    plays(staging, "Migrated without wrangler")
    assert staging.names(CONTEXT) == [file.name]


def test_from_wrangler(staging: Staging) -> None:
    """The last one, since it deploys."""
    reference = ROOT / "workers" / "crane-context" / "migrations"
    staging.begin(CONTEXT, copied(reference))
    new = staging.folder(CONTEXT) / "0004_create_smoke_writes.sql"
    content = new.read_bytes()
    new.unlink()
    staging.wrangler(CONTEXT, "apply")
    new.write_bytes(content)
    plays(staging, "From wrangler")
    assert staging.names(CONTEXT) == sorted(path.name for path in reference.iterdir())
