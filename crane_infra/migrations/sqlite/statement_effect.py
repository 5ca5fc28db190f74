"""The effect of one statement, as SQLite's authorizer reports it while it compiles the statement. Pure data."""

from dataclasses import dataclass

import apsw

from crane_infra.migrations.files.tokens import code, unquoted
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.attached import NO_EXCHANGE, Attached, Exchange
from crane_infra.migrations.sqlite.copies import Copy
from crane_infra.migrations.sqlite.d1 import Refusal
from crane_infra.migrations.sqlite.events import DROP_ACTIONS, INDEX_ACTIONS, ROW_ACTIONS, SCHEMA_ACTIONS, Event, ledger_of
from crane_infra.migrations.sqlite.soundness import Dependent
from crane_infra.migrations.sqlite.tables import Tables
from crane_infra.migrations.sqlite.texts import QuotedText

_CREATES = {apsw.SQLITE_CREATE_TABLE, apsw.SQLITE_CREATE_VTABLE}
_DROP_ATTACHED = {apsw.SQLITE_DROP_TRIGGER, apsw.SQLITE_DROP_INDEX}
_VERBS = ((apsw.SQLITE_INSERT, "insert"), (apsw.SQLITE_UPDATE, "update"), (apsw.SQLITE_DELETE, "delete"))


@dataclass(frozen=True)
class Effect:
    """What one statement does. Names are in lower case.

    ``changed`` are the tables that are not the same in ``before`` and ``after``, and ``children`` those that refer to a table which it drops or
    writes to. ``already_there`` is how what exists differs from a CREATE … IF NOT EXISTS, and ``exchange`` are the triggers and indexes that come and go with it. ``cascades`` are the tables that lose rows or references only because foreign keys are enforced. ``refused`` is SQLite's
    reason to refuse the statement, ``refused_by_d1`` D1's reason where SQLite takes it. ``pragma`` is the name of a PRAGMA, ``texts`` are the
    names that SQLite takes for texts. ``copy`` is what an INSERT … SELECT puts where, and ``gives_no_rows`` tells that a SELECT, which fills a
    table, gives no row as long as the tables that it reads have none.
    """

    sql: str
    before: Tables
    after: Tables
    events: tuple[Event, ...] = ()
    cascades: frozenset[str] = frozenset()
    changed: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    already_there: str = ""
    exchange: Exchange = NO_EXCHANGE
    refused: str = ""
    refused_by_d1: Refusal | None = None
    pragma: str = ""
    texts: tuple[QuotedText, ...] = ()
    copy: Copy | None = None
    gives_no_rows: bool = False
    replaced_by_triggers: frozenset[str] = frozenset()
    """The tables in which triggers may replace rows."""

    @property
    def verb(self) -> str:
        """What the statement itself does to rows: insert, update or delete; empty for nothing."""
        if self.changes_schema:
            return ""
        actions = {event.action for event in self.events if not event.within}
        return next((name for action, name in _VERBS if action in actions), "")

    @property
    def changes_schema(self) -> bool:
        """Whether it creates, alters or drops something."""
        return any(event.action in SCHEMA_ACTIONS for event in self.events)

    @property
    def targets(self) -> frozenset[str]:
        """The tables that the statement itself writes to."""
        return frozenset() if self.changes_schema else self._tables(ROW_ACTIONS, direct=True)

    @property
    def reads(self) -> frozenset[str]:
        """The tables that it reads."""
        return self._tables({apsw.SQLITE_READ})

    @property
    def sources(self) -> frozenset[str]:
        """The tables whose rows it reads, also the one that SQLite copies whole (INSERT … SELECT * FROM …) without asking the authorizer."""
        reads = self.reads
        if reads or self.verb != "insert":
            return reads
        tokens = [token for token in code(self.sql) if token.depth == 0]
        after = next((tokens[index + 1 :] for index, token in enumerate(tokens) if token.keyword == "FROM"), [])
        named = after[2:3] if len(after) > 1 and after[1].text == "." else after[:1]
        return frozenset(name for token in named if (name := unquoted(token.text).lower()) in self.before)

    @property
    def fills(self) -> frozenset[str]:
        """The tables that get rows, by triggers too."""
        created = self._tables(_CREATES) if any(event.action == apsw.SQLITE_SELECT for event in self.events) else frozenset()
        return created if self.changes_schema else self._tables({apsw.SQLITE_INSERT})

    @property
    def updates(self) -> frozenset[tuple[str, str]]:
        """The columns that an UPDATE itself sets, each with its table."""
        return frozenset((event.table, event.argument) for event in self.events if event.action == apsw.SQLITE_UPDATE and not event.within)

    @property
    def deleted_by_triggers(self) -> frozenset[str]:
        """The tables from which triggers delete rows; not those behind a view that it writes to."""
        return self._by_triggers(apsw.SQLITE_DELETE)

    @property
    def filled_by_triggers(self) -> frozenset[str]:
        """The tables to which triggers add rows; not those behind a view that it writes to."""
        return self._by_triggers(apsw.SQLITE_INSERT)

    @property
    def writes_sequence(self) -> bool:
        """Whether it writes to the table in which SQLite keeps the highest id of each AUTOINCREMENT."""
        return any(event.action in ROW_ACTIONS and event.table == "sqlite_sequence" and not event.within for event in self.events)

    @property
    def drops(self) -> frozenset[str]:
        """The tables that it drops."""
        return self._tables(DROP_ACTIONS)

    @property
    def renames(self) -> tuple[str, str] | None:
        """The old and the new name of a table that it renames."""
        altered = next((event.table for event in self.events if event.action == apsw.SQLITE_ALTER_TABLE), "")
        new = [name for name in self.changed if name not in self.before]
        return (altered, new[0]) if altered in self.before and altered not in self.after and len(new) == 1 else None

    @property
    def touches(self) -> frozenset[str]:
        """The tables that it creates, changes, drops or writes to, by triggers and foreign keys too."""
        indexed = {event.argument for event in self.events if event.action in INDEX_ACTIONS and is_users(event.argument)}
        written = frozenset() if self.changes_schema else self._tables(ROW_ACTIONS)
        return self.changed | indexed | written | self.cascades

    def creates(self, dependent: Dependent) -> bool:
        """Whether it creates this view or trigger."""
        action = {"view": apsw.SQLITE_CREATE_VIEW, "trigger": apsw.SQLITE_CREATE_TRIGGER}.get(dependent.kind)
        return any(event.action == action and event.table == dependent.name for event in self.events)

    def drops_by_name(self, attached: Attached) -> bool:
        """Whether it names this trigger or index, and does not drop it with its table."""
        dropped = {(event.action, event.table) for event in self.events}
        # A table or view that is dropped drops its triggers one by one.
        with_host = any(action in {*DROP_ACTIONS, apsw.SQLITE_DROP_VIEW} for action, _ in dropped)
        return not with_host and bool(dropped & {(action, attached.name.lower()) for action in _DROP_ATTACHED})

    @property
    def ledger(self) -> frozenset[str]:
        """The tables of the ledger that it writes to, changes, or puts a trigger or an index on."""
        return ledger_of(self.events)

    def _by_triggers(self, action: int) -> frozenset[str]:
        if self.changes_schema or any(self.before[name].kind == "view" for name in self.targets if name in self.before):
            return frozenset()
        return frozenset(event.table for event in self.events if event.action == action and event.within and is_users(event.table))

    def _tables(self, actions: set[int], *, direct: bool = False) -> frozenset[str]:
        """The user's tables of some actions; ``direct`` leaves out those within triggers and views."""
        events = (event for event in self.events if event.action in actions and not (direct and event.within))
        return frozenset(event.table for event in events if is_users(event.table))
