"""A copy of a database, to which migrations are applied as D1 would: foreign keys on, one request one transaction, D1's limits and refusals.

It is what ``migrate`` takes for a database at Cloudflare. An observer sees each request before it ends, and each statement before and after it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import apsw

from crane_infra.d1.database import BoundStatement, Result, Row
from crane_infra.d1.errors import RolledBackError
from crane_infra.data.disk import DISK_FAULTS
from crane_infra.data.source import LocalSource
from crane_infra.migrations.files.split import is_transaction, split_statements
from crane_infra.migrations.files.tokens import code
from crane_infra.migrations.requests import claims_in, loss_in
from crane_infra.migrations.sqlite.d1 import LIMITS, LONGEST_VALUE, Refusal, limit_exceeded, refusal_at_run
from crane_infra.migrations.sqlite.engine import FAILURES, split_limit, target_of
from crane_infra.migrations.sqlite.events import Event, watched_as_d1

BOOKMARK = "the copy"
_QUOTED = re.compile("'.*'", re.DOTALL)
_TRANSACTION = "cannot start a transaction within a transaction"


class Observer(Protocol):
    """Who looks at what a request does to the copy."""

    def request(self, statements: Sequence[BoundStatement]) -> None:
        """A request begins."""

    def before(self, statement: BoundStatement) -> None:
        """A statement is about to run, inside of the transaction."""

    def after(self, statement: BoundStatement) -> None:
        """The statement has run."""

    def failed(self, statement: BoundStatement | None, message: str) -> None:
        """A statement failed, or the end of the transaction (None). All before it is still there to be seen."""

    def done(self) -> None:
        """The request is committed."""

    def detach(self) -> None:
        """The transaction has ended."""


class LocalD1(LocalSource):
    """A database on this machine that takes what D1 takes (a ``DatabaseClient``)."""

    def __init__(self, db: apsw.Connection, name: str, observer: Observer) -> None:
        super().__init__(db, name)
        self.db, self._observer = db, observer
        self._usual = {limit: db.limit(limit) for limit in (*LIMITS, apsw.SQLITE_LIMIT_LENGTH)}
        for switch, value in ((apsw.SQLITE_DBCONFIG_ENABLE_FKEY, 1), (apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)):
            db.config(switch, value)

    async def write(self, statements: Sequence[BoundStatement]) -> list[Result]:
        """Run the statements as one transaction. Raises RolledBackError where one fails, as D1 would.

        A request of several files is given up at once: the run then sends them one by one, and each has its own report.
        """
        if claims_in(statements) > 1:
            raise RolledBackError(f"copy of {self.name}", "a copy takes one file at a time", "Send them one by one")
        self._observer.request(statements)
        self.db.execute("PRAGMA legacy_alter_table = OFF").fetchall()
        self.db.execute("BEGIN IMMEDIATE")
        try:
            results = [self._run(statement) for statement in statements]
            self._commit()
        finally:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            self._observer.detach()
        self._observer.done()
        return results

    async def write_and_read(self, statements: Sequence[BoundStatement], select: str) -> list[Row] | None:
        """Run the statements as ``write`` does, then read."""
        await self.write(statements)
        return await self.read(select)

    async def run_file(self, sql: str) -> None:
        """Run a file as D1's import does: as one transaction."""
        statements, rest = split_statements(sql)
        await self.write([BoundStatement(statement) for statement in (*statements, *filter(None, [rest]))])

    async def bookmark(self) -> str:
        """A copy has no Time Travel: it is its own way back."""
        return BOOKMARK

    def _run(self, statement: BoundStatement) -> Result:
        self._observer.before(statement)
        changes = self.db.total_changes()
        denials: list[Refusal] = []
        events: list[Event] = []
        try:
            refusal = refusal_at_run(statement.sql)
            if refusal or is_transaction(statement.sql):
                self._refuse(statement, refusal.message if refusal else _TRANSACTION)
            with watched_as_d1(self.db, events, denials), self._limits():
                rows = self.db.execute(runnable(statement.sql), tuple(statement.params), can_cache=False).fetchall()
        except DISK_FAULTS:
            raise
        except FAILURES as error:
            self._refuse(statement, denials[0].message if denials else _message(error))
        del rows
        self._observer.after(statement)
        return Result((), self.db.total_changes() - changes)

    def _commit(self) -> None:
        try:
            self.db.execute("COMMIT")
        except apsw.ConstraintError as error:
            self._refuse(None, _message(error))

    def _refuse(self, statement: BoundStatement | None, message: str) -> None:
        message = without_values(message)
        self._observer.failed(statement, message)
        raise RolledBackError(f"copy of {self.name}", f"D1 refuses it: {message}", "Fix what the message names")

    @contextmanager
    def _limits(self) -> Iterator[None]:
        for limit, value in {**LIMITS, apsw.SQLITE_LIMIT_LENGTH: LONGEST_VALUE}.items():
            self.db.limit(limit, value)
        try:
            yield
        finally:
            for limit, value in self._usual.items():
                self.db.limit(limit, value)


def without_values(message: str) -> str:
    """SQLite's message without what it quotes, which may be a value of a row; but for a loss of rows, which quotes a text of ours."""
    return message if loss_in(message) else _QUOTED.sub("'…'", message)


def runnable(statement: str) -> str:
    """The statement as this SQLite takes it: a DELETE or UPDATE with ORDER BY and LIMIT names the rows that it would take."""
    body, check = split_limit(statement)
    if not check:
        return statement
    where = next((token.start for token in code(body) if token.depth == 0 and token.keyword == "WHERE"), len(body))
    tail = statement[len(body) :]
    return f"{body[:where]} WHERE rowid IN (SELECT rowid FROM {target_of(statement)} {body[where:]} {tail})"  # noqa: S608


def _message(error: Exception) -> str:
    return str(error) if isinstance(error, apsw.Error) and not isinstance(error, apsw.TooBigError) else limit_exceeded(str(error)).message
