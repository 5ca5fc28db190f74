"""Whatever the schema and the change: what plain SQLite then shows to be lost, lint or the counts of the run have said, by the right rule.

And few alarms are false: nearly everything that a finding claims is so, with these rows or with others in the same schema.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import apsw
import pytest
from hypothesis import HealthCheck, assume, example, given, settings

from crane_infra.migrations.lint import rules
from crane_infra.migrations.lint.finding import Finding
from crane_infra.migrations.lint.judge import Examined, examine
from crane_infra.migrations.lint.naming import finding
from crane_infra.migrations.sqlite.effects import FileTrace
from tests.migrations.builders import file
from tests.migrations.faults.target import ROUNDS
from tests.migrations.lint.claims import CLAIMS, is_true
from tests.migrations.lint.counting import refused_by_counts
from tests.migrations.lint.random_schemas import CHANGES, ROWS, SCHEMA, TABLES
from tests.migrations.lint.random_states import MORE_ROWS, ODD_ROWS, State, replay

EXAMPLES = 20 * ROUNDS
ENOUGH = 500
"""Alarms, for a share that means something."""
OF_FILES = {"mixes-columns", "name-becomes-text", "not-understood"}
"""Rules that name columns and no table."""
OF_TABLES = {"drops-table", "renames-table", "replaces-table"}
OF_ROWS = OF_TABLES | {
    "rebuilds-referenced-table", "drops-referenced-table", "deletes-referenced-rows", "overwrites-rows", "hides-lost-rows",
    "drops-column", "renames-column", "update-or-delete-without-where",
}  # fmt: skip
TELLING = {
    "rows": OF_ROWS,
    "triggers": OF_TABLES | {"drops-trigger", "rebuild-loses-objects"},
    "keys": OF_TABLES | {"drops-unique-key", "rebuild-loses-objects", "drops-column", "renames-column"},
    "ids": OF_TABLES | {"reuses-ids"},
}
"""The rules that tell a loss, by what is lost."""
BARE = (
    "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)",
    "CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER, title TEXT)",
    "CREATE TABLE marks (id INTEGER PRIMARY KEY, book INTEGER, note TEXT)",
    *ROWS,
)
NO_MARKS = "CREATE TRIGGER no_marks AFTER DELETE ON books BEGIN DELETE FROM marks WHERE book = old.id; END"
LATEST = "CREATE TRIGGER latest AFTER INSERT ON marks BEGIN DELETE FROM marks WHERE id < new.id - 2; END"
SWAP = "CREATE TRIGGER swap AFTER UPDATE ON books BEGIN DELETE FROM marks WHERE book = old.id; INSERT INTO marks (note) VALUES (new.title); END"
ADD_MARKS = ("INSERT INTO marks (note) VALUES ('n')", "INSERT INTO marks (note) VALUES ('o')")


@dataclass
class Tally:
    """How many files were stopped, how many alarms there were, and which of them were false."""

    files: int = 0
    stops: int = 0
    stopped_for_nothing: int = 0
    alarms: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The part of the alarms that are false."""
        return self.false.total() / max(self.alarms.total(), 1)

    def __str__(self) -> str:
        """The sums, and some examples."""
        return "\n".join(
            [
                f"{self.files} files, {self.stops} stopped, {self.stopped_for_nothing} of them for nothing",
                f"{self.alarms.total()} alarms, {self.false.total()} false ({self.share:.1%}): {dict(self.false)}",
                *self.examples[:20],
                "",
            ]
        )


def test_nothing_is_lost_in_silence_and_few_alarms_are_false() -> None:
    tally = play(EXAMPLES)
    sys.stdout.write(f"{tally}")
    assert tally.alarms.total() < ENOUGH or tally.share < 0.05


def test_a_rule_that_says_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "_RULES", (*rules._RULES, _every_insert_overwrites))
    assert play(40).share > 0.05


def test_a_rule_that_is_silent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tuple(rule for rule in rules._RULES if rule.__name__ != "overwritten_rows")
    monkeypatch.setattr(rules, "_RULES", kept)
    monkeypatch.setattr("crane_infra.migrations.lint.row_counts._overwritten", lambda _: ())
    with pytest.raises(AssertionError, match="authors loses rows in silence"):
        judge((*BARE,), ["INSERT OR REPLACE INTO authors (id, name) VALUES (1, 'eve')"], Tally())


def _every_insert_overwrites(trace: FileTrace) -> Iterator[Finding]:
    for statement in trace.statements:
        for table in sorted(statement.effect.targets) if statement.effect.verb == "insert" else ():
            yield finding(trace, statement.number, "overwrites-rows", "error", f"REPLACE deletes each row of {table}", "")


def play(examples: int) -> Tally:
    """Judge random changes of random schemas, and count."""
    tally = Tally()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @example((*BARE, NO_MARKS), [("DELETE FROM books WHERE id = 1",)])
    @example((*BARE, NO_MARKS), [("DELETE FROM books WHERE id = 1", *ADD_MARKS)])
    @example((*BARE, NO_MARKS), [(*ADD_MARKS, "DELETE FROM books WHERE id = 1", *ADD_MARKS, "DELETE FROM books WHERE id = 2")])
    @example((*BARE, NO_MARKS), [("DELETE FROM books WHERE id = 1", *ADD_MARKS, "ALTER TABLE marks RENAME TO things")])
    @example((*BARE, NO_MARKS), [("DELETE FROM marks WHERE id = 3", "DELETE FROM books WHERE id = 1")])
    @example((*BARE, LATEST), [("INSERT INTO marks (note) VALUES ('n')",)])
    @example((*BARE, SWAP), [("UPDATE books SET title = 'w' WHERE id = 1",)])
    @given(SCHEMA, CHANGES)
    def each(made: tuple[str, ...], groups: Sequence[tuple[str, ...]]) -> None:
        with closing(apsw.Connection(":memory:")) as db:
            for statement in made:
                db.execute(statement)
            taken = run(db, groups)
        assume(taken)
        judge(made, taken, tally)

    each()
    return tally


def judge(made: tuple[str, ...], taken: Sequence[str], tally: Tally) -> None:
    """Compare what lint and the counts say about a file with what SQLite shows."""
    files = [file("1_a.sql", statements=made), file("2_b.sql", statements=tuple(taken))]
    (examined,) = examine(files, files[1:])
    refused = refused_by_counts(made, examined)
    played = replay(made, (), taken)
    for table, what in lost(played.before, played.after, meant=meant(made, taken)):
        assert is_told(table, what, examined, refused), f"{table} loses {what} in silence: {taken}, {examined.findings}, {refused}"
    tally.files += 1
    tally.stops += bool(examined.errors)
    replays = [played, replay(made, MORE_ROWS, taken), replay(made, ODD_ROWS, taken)]
    judged = [each for each in examined.findings if each.level == "error" or each.rule in CLAIMS]
    false = [each for each in judged if not is_true(each, replays)]
    tally.alarms.update(each.rule for each in judged)
    tally.false.update(each.rule for each in false)
    tally.stopped_for_nothing += bool(examined.errors) and set(examined.errors) <= set(false)
    tally.examples += [f"{'; '.join((*made, '--', *taken))}: {each}" for each in false]


def run(db: apsw.Connection, groups: Sequence[tuple[str, ...]]) -> list[str]:
    """Run the groups that SQLite takes, as one transaction with foreign keys on, and return their statements; none where its end fails."""
    taken: list[str] = []
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("BEGIN")
    for group in groups:
        db.execute("SAVEPOINT of_a_group")
        try:
            for statement in group:
                db.execute(statement)
            taken += group
        except apsw.Error:
            db.execute("ROLLBACK TO of_a_group")
        db.execute("RELEASE of_a_group")
    try:
        db.execute("COMMIT")
    except apsw.Error:
        db.execute("ROLLBACK")
        return []
    return taken


def meant(made: Sequence[str], statements: Sequence[str]) -> dict[str, set[int]]:
    """The rows that a statement with a WHERE changes or deletes by name."""
    rows: dict[str, set[int]] = {}
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (*made, "PRAGMA foreign_keys = ON", "BEGIN"):
            db.execute(statement)
        for statement in statements:
            if match := re.match(r"(?:DELETE FROM|UPDATE OR REPLACE|UPDATE) (\w+) .*(WHERE .*)", statement):
                selected = db.execute(f"SELECT rowid FROM {match[1]} {match[2]}")  # noqa: S608 - made by the tests themselves
                rows.setdefault(match[1], set()).update(row for (row,) in selected)
            db.execute(statement)
    return rows


def lost(before: State, after: State, *, meant: dict[str, set[int]]) -> Iterator[tuple[str, str]]:
    """The tables of which something is gone, and what: rows or values other than ``meant``, triggers, unique keys, or the highest id."""
    for table in TABLES:
        if table not in after.rows:
            yield table, "rows"
            continue
        now = after.rows[table]
        rows = {key: row for key, row in before.rows[table].items() if key not in meant.get(table, set())}
        if any(now.get(key, {}).get(name, row) != value for key, row in rows.items() for name, value in row.items()):
            yield table, "rows"
        if before.triggers.get(table, set()) - after.triggers.get(table, set()):
            yield table, "triggers"
        if before.keys[table] - after.keys[table]:
            yield table, "keys"
        if before.sequences.get(table, 0) > after.sequences.get(table, 0):
            yield table, "ids"


def is_told(table: str, what: str, examined: Examined, refused: str) -> bool:
    """Whether a finding about such a loss names the table, or the counts refuse it."""
    by_name = re.compile(rf"\b{table}\b")
    told = (each.rule in OF_FILES or (each.rule in TELLING[what] and by_name.search(each.what)) for each in examined.findings)
    return any(told) or (what == "rows" and bool(by_name.search(refused)))
