"""What became of the rows of a database: added, changed, deleted, by primary key and exactly, between two states of it in one SQLite.

The state before stands in an attached file. Tables are compared by name; one that was renamed is compared with what it was.
"""

# ruff: noqa: S608 - names are quoted

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import apsw

from crane_infra.data.shapes import Shape, is_copied, shapes_of
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.own_tables import is_users
from crane_infra.migrations.sqlite.engine import rows

WAS = "_cf_crane_was"
"""The name of the attached state before: one that D1 lets nobody use, so no statement means it."""
MOST_KEYS = 20
"""Keys of each kind that are kept for those who ask."""
Key = tuple[object, ...]


@dataclass(frozen=True)
class TableChange:
    """What became of the rows of one table. ``overwritten`` are rows that an INSERT replaced, and count neither as changed nor as deleted.

    ``before`` and ``after`` are None where the table did not exist. Without a key, rows are compared as a whole. ``keys`` are the first of each kind.
    """

    table: str
    before: int | None
    after: int | None
    added: int = 0
    changed: int = 0
    deleted: int = 0
    overwritten: int = 0
    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        """Whether all rows are as they were."""
        return self.before == self.after and not (self.added or self.changed or self.deleted or self.overwritten)


def objects_of(db: apsw.Connection, schema: str = "main") -> set[tuple[str, str]]:
    """Kind and name of each table, index, view and trigger of the user."""
    listed = rows(db, f"SELECT type, name FROM {schema}.sqlite_master WHERE sql IS NOT NULL")
    return {(kind, name) for kind, name in listed if is_users(name) and is_copied(name)}


def differences(db: apsw.Connection, renamed: Mapping[str, str], *, keys: bool) -> list[TableChange]:
    """The tables whose rows are other ones than in the attached state; ``renamed`` maps new names to old ones, in lower case."""
    now = {shape.name.lower(): shape for shape in shapes_of(db, "copy") if shape.kind == "rows" and is_users(shape.name)}
    was = {name.lower(): name for kind, name in objects_of(db, WAS) if kind == "table" and _has_rows(db, name)}
    olds = {name: renamed.get(name, name) for name in now}
    changes = [_compared(db, shape, was.get(olds[name]), keys=keys) for name, shape in now.items()]
    gone = [name for lower, name in was.items() if lower not in olds.values()]
    changes += [TableChange(name, count := _count(db, WAS, name), None, deleted=count) for name in gone]
    return sorted((change for change in changes if not change.is_nothing), key=lambda change: change.table)


def _has_rows(db: apsw.Connection, name: str) -> bool:
    """Whether it is a table with rows of its own: no shadow of a virtual table, no index of another table's texts."""
    kinds = rows(db, f"SELECT type FROM pragma_table_list WHERE schema = '{WAS}' AND name = ?", name)
    if not kinds or kinds[0][0] == "shadow":
        return False
    if kinds[0][0] == "table":
        return True
    sql = str(rows(db, f"SELECT sql FROM {WAS}.sqlite_master WHERE name = ?", name)[0][0]).lower()
    return "content=" not in "".join(sql.split()) and "fts5vocab" not in sql


def _count(db: apsw.Connection, schema: str, table: str) -> int:
    return int(rows(db, f"SELECT COUNT(*) FROM {schema}.{quoted(table)}")[0][0])


def _compared(db: apsw.Connection, shape: Shape, old: str | None, *, keys: bool) -> TableChange:
    after = _count(db, "main", shape.name)
    if old is None:
        return TableChange(shape.name, None, after, added=after)
    before = _count(db, WAS, old)
    pair = (f"main.{shape.sql}", f"{WAS}.{quoted(old)}")
    columns = _common(db, shape.name, old)
    if not (key := _key(db, shape, old, columns)):
        return _as_whole(db, shape.name, pair, columns, (before, after))
    return by_key(db, shape.name, pair, key, columns, (before, after), keys=keys)


def by_key(  # noqa: PLR0913 - two tables, how they are told apart, and their counts
    db: apsw.Connection,
    name: str,
    pair: tuple[str, str],
    key: Sequence[str],
    columns: Sequence[str],
    counts: tuple[int, int],
    *,
    keys: bool,
) -> TableChange:
    """Compare two tables by their key: the one after, the one before. Rows without a key, NULL in it, make it a comparison of whole rows."""
    if any(_has_null(db, table, key) for table in pair):
        return _as_whole(db, name, pair, columns, counts)
    new, old = pair
    same_key = " AND ".join(f"n.{column} IS o.{column}" for column in key)
    same_row = " AND ".join(map(_same, columns))
    questions = {
        "added": f"FROM {new} AS n WHERE NOT EXISTS (SELECT 1 FROM {old} AS o WHERE {same_key})",
        "changed": f"FROM {new} AS n JOIN {old} AS o ON {same_key} WHERE NOT ({same_row})",
        "deleted": f"FROM {old} AS o WHERE NOT EXISTS (SELECT 1 FROM {new} AS n WHERE {same_key})",
    }
    found = {kind: int(rows(db, f"SELECT COUNT(*) {question}")[0][0]) for kind, question in questions.items()}
    shown = dict[str, tuple[Key, ...]]()
    for kind, question in questions.items() if keys else ():
        alias = "o" if kind == "deleted" else "n"
        listed = ", ".join(f"{alias}.{column}" for column in key)
        shown[kind] = tuple(rows(db, f"SELECT {listed} {question} LIMIT {MOST_KEYS}"))
    return TableChange(name, counts[0], counts[1], **found, keys={kind: values for kind, values in shown.items() if values})


def _same(column: str) -> str:
    return f"(n.{column} IS o.{column} COLLATE BINARY AND typeof(n.{column}) = typeof(o.{column}))"


def _as_whole(db: apsw.Connection, name: str, pair: tuple[str, str], columns: Sequence[str], counts: tuple[int, int]) -> TableChange:
    """Compare two tables whose rows have no key: which rows there are more often, and which less."""
    listed = ", ".join(f"{part} COLLATE BINARY" for column in columns for part in (f"typeof({column})", column))
    marked = (f"SELECT {', '.join(columns)}, {sign} AS sign FROM {table}" for table, sign in zip(pair, (1, -1), strict=True))
    balance = f"SELECT SUM(sign) AS more FROM ({' UNION ALL '.join(marked)}) GROUP BY {listed}"
    ((added, deleted),) = rows(db, f"SELECT COALESCE(SUM(MAX(more, 0)), 0), COALESCE(SUM(MAX(-more, 0)), 0) FROM ({balance})")
    return TableChange(name, counts[0], counts[1], added=int(added), deleted=int(deleted))


def _common(db: apsw.Connection, new: str, old: str) -> list[str]:
    """The columns that both tables have, quoted."""
    olds = {name.lower() for (name,) in rows(db, f"SELECT name FROM pragma_table_xinfo(?, '{WAS}') WHERE hidden <> 1", old)}
    return [quoted(name) for (name,) in rows(db, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", new) if name.lower() in olds]


def _key(db: apsw.Connection, shape: Shape, old: str, columns: Sequence[str]) -> list[str]:
    """The columns that tell a row before from others, where the new table has them and its own key is the same; a virtual table's row id."""
    if shape.is_virtual:
        return [shape.cells[shape.key[0].cell]]
    before, after = _primary_key(db, WAS, old), _primary_key(db, "main", shape.name)
    named = {column.lower(): column for column in columns}
    return [named[name] for name in before] if before == after and set(before) <= set(named) else []


def _has_null(db: apsw.Connection, table: str, key: Sequence[str]) -> bool:
    """Whether a row has no key: SQLite takes NULL into most primary keys, for any number of rows."""
    return bool(rows(db, f"SELECT 1 FROM {table} WHERE {' OR '.join(f'{column} IS NULL' for column in key)} LIMIT 1"))


def _primary_key(db: apsw.Connection, schema: str, table: str) -> list[str]:
    """The columns of the primary key, quoted and in lower case."""
    columns = rows(db, f"SELECT name FROM pragma_table_xinfo(?, '{schema}') WHERE pk > 0 ORDER BY pk", table)
    return [quoted(name).lower() for (name,) in columns]
