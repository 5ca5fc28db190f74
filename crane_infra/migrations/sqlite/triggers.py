"""Finds the tables in which triggers replace rows: the statements of their bodies, with the conflict clause that holds there (pure)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import apsw

from crane_infra.migrations.files.tokens import Token, code, unquoted
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.events import Event
from crane_infra.migrations.sqlite.overwrites import VERBS, clause_of, from_verb, repeats_keys
from crane_infra.migrations.sqlite.tables import Table, Tables

_WRITES = {apsw.SQLITE_INSERT, apsw.SQLITE_UPDATE}


def replaced_by(statement: str, events: Iterable[Event], tables: Tables, triggers: Mapping[str, str]) -> frozenset[str]:
    """The tables in which triggers that a statement sets off may replace rows; ``triggers`` are their texts by name, in lower case.

    A conflict clause of the statement itself holds in its triggers too, in place of theirs.
    """
    fired = {event.within.lower() for event in events if event.within and event.action in _WRITES and is_users(event.table)}
    bodies = [part for name in sorted(fired & triggers.keys()) for part in _statements(triggers[name])]
    outer = clause_of(from_verb(code(statement)) if bodies else [])
    written = ((_target(body), body) for body in bodies)
    return frozenset(
        name
        for name, body in written
        if name in tables and _replaces(tables[name], outer or clause_of(body)) and _repeats(tables[name], body)
    )


def _statements(trigger: str) -> Iterator[list[Token]]:
    """The writes in the body of a trigger, each from its verb on."""
    tokens = code(trigger)
    begin = next((index for index, token in enumerate(tokens) if token.keyword == "BEGIN"), len(tokens))
    part: list[Token] = []
    for token in tokens[begin + 1 :]:
        if token.text != ";":
            part.append(token)
        else:
            if part and part[0].keyword in VERBS:
                yield part
            part = []


def _target(write: Sequence[Token]) -> str:
    """The table that a write names, in lower case."""
    rest = [token for token in write[1:] if token.keyword != "INTO"]
    rest = rest[2:] if rest and rest[0].keyword == "OR" else rest
    return unquoted(rest[0].text).lower() if rest else ""


def _replaces(table: Table, clause: str) -> bool:
    return clause == "REPLACE" or (table.replaces and not clause)


def _repeats(table: Table, write: Sequence[Token]) -> bool:
    is_update = write[0].keyword == "UPDATE"
    return repeats_keys(table, write, frozenset(table.columns) if is_update else None)
