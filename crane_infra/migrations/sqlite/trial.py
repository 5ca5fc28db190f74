"""Compiles statements in an empty SQLite in memory and finds out what each would do: which tables change, are written, or lose rows.

SQLite itself is asked: its schema before and after, and its authorizer while it compiles a statement once with foreign keys and once without.
What is deleted only with them is what D1 would delete on its own. Statements that write rows are compiled and never run, so there are no rows
and nothing depends on any. One database goes on from file to file, and after a statement only what it changed is read again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import apsw

from crane_infra.migrations.files.split import words
from crane_infra.migrations.files.tokens import code, quoted, unquoted
from crane_infra.migrations.own_tables import CREATE, is_users
from crane_infra.migrations.sqlite.already_there import difference_from
from crane_infra.migrations.sqlite.attached import NO_EXCHANGE, AttachedObjects, Exchange
from crane_infra.migrations.sqlite.compiler import Compiled, Compiler
from crane_infra.migrations.sqlite.copies import Copy, copy_in
from crane_infra.migrations.sqlite.dependents import Dependents, Unsound
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database, execute, rows
from crane_infra.migrations.sqlite.events import DROP_ACTIONS, ON_TABLE_ACTIONS, ROW_ACTIONS, SCHEMA_ACTIONS, Event
from crane_infra.migrations.sqlite.snapshots import TableHistory
from crane_infra.migrations.sqlite.soundness import Dependent
from crane_infra.migrations.sqlite.statement_effect import Effect
from crane_infra.migrations.sqlite.tables import Table, Tables, read_table
from crane_infra.migrations.sqlite.texts import QuotedText
from crane_infra.migrations.sqlite.triggers import replaced_by

_UNSTEADY = {"random", "randomblob", "changes", "total_changes", "last_insert_rowid", "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time", "current_timestamp"}  # fmt: skip
"""Functions that give something else in another database or at another time."""
_TABLE = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"


class Trial:
    """A database to try statements on. At first it is empty, apart from the tables of the ledger."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db, self._compiler = db, Compiler(db)
        self._history, self._dependents = TableHistory(), Dependents(self._compiler)
        self._attached = AttachedObjects(db)
        self._is_judged = True
        for statement in CREATE:
            db.execute(statement)

    @property
    def tables(self) -> Tables:
        """The user's tables and views now."""
        return self._history.now

    @property
    def dependents(self) -> int:
        """How many views, triggers and tables with foreign keys were ever created."""
        return self._dependents.count

    @property
    def attached(self) -> int:
        """How many triggers and indexes were ever made."""
        return self._attached.count

    @property
    def broken(self) -> frozenset[Dependent]:
        """The views, triggers and tables with foreign keys that do not compile after the last file."""
        return self._dependents.broken

    def objects(self) -> list[tuple[str, str, str]]:
        """Kind, name and SQL of each object that has SQL."""
        return [(kind, name, sql) for kind, name, sql in rows(self._db, "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")]

    def begin_file(self, *, judged: bool) -> None:
        """Reset the PRAGMAs of the previous file: in D1 they last for one call.

        What D1 refuses and what is not sound counts only in files that are ``judged``: others run as SQLite takes them.
        """
        self._is_judged = judged
        self._db.execute("PRAGMA legacy_alter_table = OFF")
        if judged:
            self._dependents.settle(self.tables)

    def end_file(self) -> tuple[Unsound, ...]:
        """What does not work, or not as written, after the file; only what the file may have changed is checked."""
        return self._dependents.settle(self.tables)

    def run(self, statement: str) -> Effect:
        """Apply a statement's schema changes and return what it would do; never raises, a refusal is in the effect."""
        before = self.tables
        try:
            verb = next(words(statement), "")
            if verb == "PRAGMA":
                return self._pragma(statement, before)
            if verb == "EXPLAIN":
                return Effect(statement, before, before)
            if self._is_judged:
                return self._run_judged(statement, before)
            return self._run(statement, before, self._compiler.compile(statement))
        except apsw.BindingsError:
            return Effect(statement, before, before, refused="it has a parameter (?, :name), and a migration gives no values")
        except FAILURES as error:
            return Effect(statement, before, before, refused=str(error) or "no reason given")

    def _run_judged(self, statement: str, before: Tables) -> Effect:
        compiled, refusal = self._compiler.compile_as_d1(statement)
        difference = difference_from(self._db, statement)
        texts, copy = self._compiler.texts(statement), copy_in(self._db, statement, before)
        effect = self._run(statement, before, compiled)
        return replace(
            effect,
            refused_by_d1=refusal or effect.refused_by_d1,
            texts=texts or self._texts_of_alter(effect),
            already_there=difference,
            copy=copy,
            gives_no_rows=self._gives_no_rows(effect, copy),
        )

    def _gives_no_rows(self, effect: Effect, copy: Copy | None) -> bool:
        """Whether a SELECT that fills a table gives no row here, where all tables are empty, and depends on nothing but tables."""
        if any(
            (event.action == apsw.SQLITE_READ and not is_users(event.table))
            or (event.action == apsw.SQLITE_FUNCTION and event.argument in _UNSTEADY)
            for event in effect.events
        ):
            return False
        if effect.changes_schema:
            return all(not rows(self._db, f"SELECT 1 FROM {quoted(name)} LIMIT 1") for name in effect.fills)  # noqa: S608
        return copy is not None and not copy.gives_rows

    def _run(self, statement: str, before: Tables, compiled: Compiled) -> Effect:
        children = self._history.children({event.table for event in compiled.events if event.action in ROW_ACTIONS | DROP_ACTIONS})
        changed, exchange, refusal = frozenset[str](), NO_EXCHANGE, None
        if any(event.action in SCHEMA_ACTIONS for event in compiled.events):
            refusal = self._compiler.execute_as_d1(statement)
            changed, exchange = self._read_again(statement, compiled.events)
        fires = any(event.within and event.action in ROW_ACTIONS for event in compiled.events)
        return Effect(
            statement,
            before,
            self.tables,
            compiled.events,
            compiled.cascades,
            replaced_by_triggers=replaced_by(statement, compiled.events, before, self._attached.triggers) if fires else frozenset(),
            changed=changed,
            children=children,
            exchange=exchange,
            refused_by_d1=refusal if self._is_judged else None,
        )

    def _read_again(self, statement: str, events: tuple[Event, ...]) -> tuple[frozenset[str], Exchange]:
        """Read what a change of the schema may have changed: return the names of the tables that did, and the triggers and indexes."""
        named = {event.argument if event.action in ON_TABLE_ACTIONS else event.table for event in events if event.action in SCHEMA_ACTIONS}
        if any(event.action == apsw.SQLITE_ALTER_TABLE for event in events):
            named |= {_last_name(statement), *self._history.children(named)}
        named |= self._dependents.views_of(named)
        read = {name: read_table(self._db, name) for name in named if is_users(name)}
        changed = self._history.record(read)
        self._dependents.follow(events, read, changed)
        return changed, self._attached.read_again(read)

    def _texts_of_alter(self, effect: Effect) -> tuple[QuotedText, ...]:
        """The names that ALTER TABLE adds to a table and SQLite takes for texts: it compiles them only with the whole table."""
        if '"' not in effect.sql or not any(event.action == apsw.SQLITE_ALTER_TABLE for event in effect.events):
            return ()
        definitions = [sql for name in effect.changed for (sql,) in rows(self._db, _TABLE, name)]
        names = {text.name for sql in definitions for text in self._compiler.texts(_renamed(sql))}
        return tuple(
            QuotedText(unquoted(token.text), token.start)
            for token in code(effect.sql)
            if token.text[:1] == '"' and unquoted(token.text) in names
        )

    def _pragma(self, statement: str, before: Tables) -> Effect:
        name, refusal = self._compiler.pragma(statement)
        if name == "legacy_alter_table":  # the next RENAME depends on it
            self._db.execute(statement, can_cache=False).close()
        return Effect(statement, before, before, pragma=name, refused_by_d1=refusal if self._is_judged else None)


@contextmanager
def trial() -> Iterator[Trial]:
    """Open an empty database in memory."""
    with empty_database() as db:
        yield Trial(db)


def refusal_with_a_row(statement: str, table: Table) -> str:
    """Why SQLite refuses an ALTER TABLE once the table has a row; empty where it accepts it."""
    names = ", ".join(quoted(column.name) for column in table.columns.values())
    with empty_database() as db:
        try:
            db.execute(f"CREATE TABLE {quoted(table.name)} ({names})")
            db.execute(f"INSERT INTO {quoted(table.name)} DEFAULT VALUES")
            db.config(apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1)
            execute(db, statement)
        except FAILURES as error:
            return str(error)
    return ""


def _last_name(statement: str) -> str:
    """The last word of a statement: the new name in ALTER TABLE … RENAME TO."""
    tokens = code(statement)
    return unquoted(tokens[-1].text).lower() if tokens else ""


def _renamed(table_sql: str) -> str:
    """A CREATE TABLE with another name, so that it can be compiled beside the table itself."""
    name = code(table_sql)[2]
    return f'{table_sql[: name.start]}"a trial of its own"{table_sql[name.start + len(name.text) :]}'
