"""Whatever the schema and the change: what plain SQLite then shows to be lost, lint or the counts of the run have said.

And few stops are false: of the files that lint refuses, hardly any changes nothing that rows or the version in traffic depend on.
"""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import product

import apsw
from hypothesis import HealthCheck, assume, example, given, note, settings

from crane_infra.migrations.lint.judge import Examined, examine
from crane_infra.migrations.lint.row_counts import Counted
from crane_infra.migrations.own_tables import CREATE
from crane_infra.migrations.requests import apply_request, loss_in
from tests.migrations.builders import file
from tests.migrations.faults.target import ROUNDS
from tests.migrations.lint.random_schemas import CHANGES, COLUMNS, ROWS, SCHEMA, TABLES

EXAMPLES = 20 * ROUNDS
ENOUGH = 500
"""Stops, for a share that means something."""
OF_FILES = {"mixes-columns", "name-becomes-text", "not-understood"}
"""Rules that name columns and no table."""
BY_TRIGGER = (
    (
        "CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)",
        "CREATE TABLE books (id INTEGER PRIMARY KEY, author INTEGER, title TEXT)",
        "CREATE TABLE marks (id INTEGER PRIMARY KEY, book INTEGER, note TEXT)",
        *ROWS,
        "CREATE TRIGGER no_marks AFTER DELETE ON books BEGIN DELETE FROM marks WHERE book = old.id; END",
    ),
    [("DELETE FROM books WHERE id = 1",)],
)
"""Rare among the random ones."""
Rows = dict[int, dict[str, object]]


@dataclass
class State:
    """What a database holds: the rows of each table, the triggers and unique keys, and the next id of each table that counts them."""

    rows: dict[str, Rows]
    objects: dict[str, set[str]]
    sequences: dict[str, int]
    accepted: dict[str, set[str]] = field(default_factory=dict)


@dataclass
class Tally:
    """How many files were stopped, and how many of them for nothing."""

    files: int = 0
    stops: int = 0
    false: list[str] = field(default_factory=list)


def test_nothing_is_lost_in_silence_and_few_stops_are_false() -> None:
    tally = Tally()

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @example(*BY_TRIGGER)
    @given(SCHEMA, CHANGES)
    def play(made: tuple[str, ...], groups: Sequence[tuple[str, ...]]) -> None:
        with closing(apsw.Connection(":memory:")) as db:
            for statement in made:
                db.execute(statement)
            before = state_of(db)
            taken = run(db, groups)
            assume(taken)
            after = state_of(db)
        note(";\n".join(taken))
        files = [file("1_a.sql", statements=made), file("2_b.sql", statements=tuple(taken))]
        (examined,) = examine(files, files[1:])
        note("\n".join(map(str, examined.findings)))
        refused = refused_by_counts(made, examined)
        note(refused)
        for table in lost(before, after, without=written_on_purpose(taken) | refilled(made, taken)):
            assert is_told(table, examined, refused), f"{table} loses something in silence"
        tally.files += 1
        if examined.errors:
            tally.stops += 1
            if not lost(before, after) and not narrowed(before, after):
                tally.false.append(f"{'; '.join(taken)}: {'; '.join(finding.rule for finding in examined.errors)}")

    play()
    share = len(tally.false) / max(tally.stops, 1)
    summary = f"{tally.files} files, {tally.stops} stopped, {len(tally.false)} of them for nothing ({share:.1%})"
    sys.stdout.write("\n".join([summary, *tally.false[:20], ""]))
    assert tally.stops < ENOUGH or share < 0.05


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


def state_of(db: apsw.Connection) -> State:
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")]
    objects: dict[str, set[str]] = {name: set() for name in names}
    for name, table in db.execute(
        "SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' OR (type = 'index' AND sql LIKE '%UNIQUE%')"
    ):
        objects.setdefault(table, set()).add(name)
    counting = "authors" in names and "AUTOINCREMENT" in db.execute("SELECT sql FROM sqlite_master WHERE name = 'authors'").get
    sequences = {"authors": db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'authors'").get or 0} if counting else {}
    return State(
        {name: _rows(db, name) for name in names}, objects, sequences, {name: _accepted(db, name) for name in TABLES if name in names}
    )


def _rows(db: apsw.Connection, table: str) -> Rows:
    columns = [column for (column,) in db.execute("SELECT name FROM pragma_table_xinfo(?)", (table,))]
    return {row[0]: dict(zip(columns, row[1:], strict=True)) for row in db.execute(f"SELECT rowid, * FROM {table}")}


def _accepted(db: apsw.Connection, table: str) -> set[str]:
    """The statements of a version in traffic that a table accepts."""
    return {statement for statement in _uses(table) if _is_accepted(db, statement)}


def _uses(table: str) -> Iterator[str]:
    first, second = COLUMNS[table]
    yield f"SELECT id, {first}, {second} FROM {table}"
    for values in product(["NULL", "1", "'ann'", "'q'"], ["NULL", "10", "50", "-1", "'x'"]):
        yield f"INSERT INTO {table} ({first}, {second}) VALUES ({', '.join(values)})"
    for column in ("id", first, second):
        yield f"INSERT INTO {table} ({column}) VALUES (NULL) ON CONFLICT ({column}) DO NOTHING"
    yield f"INSERT INTO {table} DEFAULT VALUES"
    yield f"DELETE FROM {table} WHERE id = 99"
    yield "SELECT * FROM names"


def _is_accepted(db: apsw.Connection, statement: str) -> bool:
    db.execute("SAVEPOINT of_a_use")
    try:
        db.execute(statement).fetchall()
    except apsw.Error:
        return False
    finally:
        db.execute("ROLLBACK TO of_a_use")
        db.execute("RELEASE of_a_use")
    return True


def lost(before: State, after: State, *, without: frozenset[str] = frozenset()) -> list[str]:
    """The tables of which something is gone: rows, columns, values, triggers, unique keys, or the highest id.

    ``without``: what happens to the rows of these tables was meant.
    """
    return [table for table in TABLES if _loses(table, before, after, rows_may_change=table in without)]


def _loses(table: str, before: State, after: State, *, rows_may_change: bool) -> bool:
    if table not in after.rows:
        return True
    gone = before.objects[table] - after.objects[table] or before.sequences.get(table, 0) > after.sequences.get(table, 0)
    now = after.rows[table]
    columns = set(next(iter(before.rows[table].values()))) - set(next(iter(now.values()), before.rows[table][1]))
    differs = any(now.get(key, {}).get(name, row) != value for key, row in before.rows[table].items() for name, value in row.items())
    return bool(gone or columns or (differs and not rows_may_change))


def written_on_purpose(statements: Sequence[str]) -> frozenset[str]:
    """The tables whose rows a statement with a WHERE changes or deletes by name."""
    matches = (re.match(r"(?:DELETE FROM|UPDATE) (\w+) .*WHERE", statement) for statement in statements)
    return frozenset(match[1] for match in matches if match)


def refilled(made: Sequence[str], statements: Sequence[str]) -> frozenset[str]:
    """A known limit: where a trigger deletes rows and the same file adds others, the sum does not fall, and the counts say nothing."""
    deletes = any("no_marks" in statement for statement in (*made, *statements))
    return frozenset({"marks"} if deletes and any(statement.startswith(("INSERT", "UPDATE")) for statement in statements) else ())


def narrowed(before: State, after: State) -> bool:
    """Whether the version in traffic can do something no more."""
    return any(uses - after.accepted.get(table, set()) for table, uses in before.accepted.items())


def refused_by_counts(made: Sequence[str], examined: Examined) -> str:
    """The losses that the request of a run would refuse, one after the other, as each is declared."""
    refused, counts = [], examined.counts
    while loss := _first_loss(made, examined, counts):
        refused.append(loss)
        counts = tuple(replace(count, may_fall=count.may_fall or loss.endswith(f" rows of {count.label}")) for count in counts)
    return "; ".join(refused)


def _first_loss(made: Sequence[str], examined: Examined, counts: Sequence[Counted]) -> str:
    """The loss that a request with these counts refuses; empty where it does not, or fails for another reason."""
    with closing(apsw.Connection(":memory:")) as db:
        for statement in (*CREATE, *made, "PRAGMA foreign_keys = ON", "BEGIN"):
            db.execute(statement)
        try:
            for sent in apply_request(examined.file, counts, token="t", release="r", bookmark="b", listed=0):
                db.execute(sent.sql, sent.params)
        except apsw.Error as error:
            return loss_in(str(error)) or ""
    return ""


def is_told(table: str, examined: Examined, refused: str) -> bool:
    named = re.compile(rf"\b{table}\b")
    told = (finding.rule in OF_FILES or named.search(finding.what) for finding in examined.findings)
    return any(told) or bool(named.search(refused))
