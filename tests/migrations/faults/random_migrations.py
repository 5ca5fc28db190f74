"""Random migrations that are valid in their order: tables, columns, rows, changes, indexes and triggers.

Every statement that writes rows would be seen if it ran twice: it adds a row, or a number to one.
"""

# ruff: noqa: S608 - SQL of the tests themselves

from collections.abc import Mapping

from hypothesis import strategies as st

# Texts that a splitter, a quoting or an encoding could get wrong.
TEXTS = ("plain", "semi;colon", "it''s", "-- no comment", "表;", "a\r\nb", "?")


class Writer:
    """Writes statements for a schema that it keeps in mind."""

    def __init__(self, data: st.DataObject) -> None:
        self._data, self._number = data, 0
        self._columns: dict[str, int] = {}

    def statement(self) -> str:
        """One more statement that works after those before it."""
        kinds = (
            [self._table]
            if not self._columns
            else [self._table, self._column, self._row, self._row, self._change, self._index, self._trigger]
        )
        return self._data.draw(st.sampled_from(kinds))()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _some(self) -> str:
        return self._data.draw(st.sampled_from(sorted(self._columns)))

    def _text(self) -> str:
        return self._data.draw(st.sampled_from(TEXTS))

    def _table(self) -> str:
        name = f"t{self._next()}"
        self._columns[name] = 0
        return f"CREATE TABLE {name} (id INTEGER, n INTEGER NOT NULL DEFAULT 0, note TEXT)"

    def _column(self) -> str:
        name = self._some()
        self._columns[name] += 1
        return f"ALTER TABLE {name} ADD COLUMN c{self._columns[name]} TEXT DEFAULT '{self._text()}'"

    def _row(self) -> str:
        return f"INSERT INTO {self._some()} (id, note) VALUES ({self._next()}, '{self._text()}')"

    def _change(self) -> str:
        name, number = self._some(), self._next()
        return f"UPDATE {name} SET n = n + {number}, note = note || '{self._text()}' WHERE id < {number}"

    def _index(self) -> str:
        return f"CREATE INDEX i{self._next()} ON {self._some()} (note, id)"

    def _trigger(self) -> str:
        name, number = self._some(), self._next()
        body = f"UPDATE {name} SET n = n + CASE WHEN n < 1000 THEN {number} ELSE 1 END WHERE id = new.id; "
        return f"CREATE TRIGGER r{number} AFTER INSERT ON {name} BEGIN {body}END"


def migrations(data: st.DataObject) -> Mapping[str, str]:
    """Some files."""
    writer = Writer(data)
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5), label="statements of each file")
    files = {}
    for number, size in enumerate(sizes, 1):
        files[f"{number:04}_random.sql"] = "".join(f"{writer.statement()};\n" for _ in range(size))
    return files
