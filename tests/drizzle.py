"""The real drizzle-kit, pinned, in both of its layouts: it writes the migrations of a schema into a folder, as a user runs it."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_cloud.workerd.install import ensure_modules, node
from tests.repository import ROOT

FILES, FOLDERS = ROOT / "tools" / "drizzle" / "files", ROOT / "tools" / "drizzle" / "folders"
"""What writes ``0000_name.sql`` (0.31), and what writes ``<time>_name/migration.sql`` (1.0)."""
SECONDS = 600

FIRST = """
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

export const users = sqliteTable("users", {
  id: integer("id").primaryKey({ autoIncrement: true }),
  name: text("name").notNull(),
});
export const posts = sqliteTable("posts", {
  id: integer("id").primaryKey(),
  author: integer("author").notNull().references(() => users.id, { onDelete: "cascade" }),
  title: text("title"),
});
"""
STEPS = {
    "init": (),
    # A column more; 1.0 makes the table again, since the column is unique.
    "emails": (('name: text("name").notNull(),', 'name: text("name").notNull(), email: text("email").unique(),'),),
    # A constraint of a column that is there: SQLite can only make the table again.
    "titles": (('title: text("title")', 'title: text("title").notNull().default("untitled")'),),
    # A new column beside such a change: 0.31 copies it from the old table, which lacks it, and so takes its name for a text.
    "bios": (('name: text("name").notNull(),', 'name: text("name").notNull().default("nobody"), bio: text("bio"),'),),
}
"""How the schema goes on, each time as edits of what it was."""


@dataclass(frozen=True)
class DrizzleKit:
    """Call it with drizzle-kit's arguments; it works in ``home``, which gets its modules."""

    package: Path
    home: Path

    def __call__(self, *arguments: str) -> str:
        """Run one command and give what it printed; one that fails fails the test. What it generates comes after what was there."""
        out = self.home / arguments[arguments.index("--out") + 1] if "--out" in arguments else self.home / "migrations"
        older = _folders(out)
        modules = ensure_modules(ROOT / ".crane" / "runtime", self.package) / "node_modules"
        link = self.home / "node_modules"
        link.unlink(missing_ok=True)
        link.symlink_to(modules)
        done = subprocess.run(
            [str(node()), str(modules / "drizzle-kit" / "bin.cjs"), *arguments],
            cwd=self.home,
            env={
                **{name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ},
                "HOME": str(self.home),
                "NODE_COMPILE_CACHE": str(ROOT / ".crane" / "runtime" / "compiled"),  # else its JavaScript is compiled at each start
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"drizzle-kit {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
        _put_last(set(_folders(out)) - set(older), older)
        return done.stdout

    def generate(self, name: str, schema: str) -> None:
        """Let it write the migration that leads to a schema."""
        (self.home / "schema.ts").write_text(schema, encoding="utf-8")
        said = self("generate", "--dialect", "sqlite", "--schema", "schema.ts", "--out", "migrations", "--name", name)
        assert "Your SQL migration" in said, said


def _folders(out: Path) -> list[Path]:
    return sorted(path.parent for path in out.glob("*/migration.sql"))


def _put_last(new: set[Path], older: list[Path]) -> None:
    """It names a folder by the second: two of one second, or a clock that is put back, would turn their order round. No user is that fast."""
    last = max((path.name.partition("_")[0] for path in older), default="")
    for path in new:
        written, _, name = path.name.partition("_")
        if written <= last:
            path.rename(path.with_name(f"{int(last) + 1}_{name}"))


def schemas(steps: Sequence[str]) -> dict[str, str]:
    """The schema after each of these steps."""
    schema, after = FIRST, dict[str, str]()
    for step in steps:
        for old, new in STEPS[step]:
            assert schema.count(old) == 1, old
            schema = schema.replace(old, new)
        after[step] = schema
    return after


def folder_of(package: Path, home: Path, steps: Sequence[str] = tuple(STEPS)) -> Path:
    """The folder of migrations that drizzle-kit writes for these steps, in ``home``."""
    home.mkdir(parents=True, exist_ok=True)
    kit = DrizzleKit(package, home)
    for step, schema in schemas(steps).items():
        kit.generate(step, schema)
    return home / "migrations"
