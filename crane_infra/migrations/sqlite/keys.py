"""Unique keys as lint compares them: columns, expressions, and the condition of a partial index."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from crane_infra.migrations.files.tokens import Token, code, normal, quoted, written
from crane_infra.migrations.sqlite.engine import FAILURES, empty_database

_ORDER = {"ASC", "DESC"}


@dataclass(frozen=True)
class UniqueKey:
    """A unique key. ``columns`` are in lower case; ``expressions`` and ``conditions`` have one form however they are written.

    ``conditions`` are what all rows of a partial index meet, at once. ``text`` is the key as messages show it.
    """

    columns: frozenset[str]
    expressions: frozenset[str] = frozenset()
    conditions: frozenset[str] = frozenset()
    text: str = field(default="", compare=False)

    def follows_from(self, other: "UniqueKey") -> bool:
        """Whether rows that meet the other key always meet this one."""
        return other.columns <= self.columns and other.expressions <= self.expressions and other.conditions <= self.conditions


def key_of_columns(columns: Sequence[str]) -> UniqueKey:
    """The key of some columns, given as they are written."""
    return UniqueKey(frozenset(column.lower() for column in columns), text=", ".join(columns))


def key_of_index(sql: str, columns: Sequence[str | None]) -> UniqueKey:
    """The key of a CREATE UNIQUE INDEX whose terms are these columns, None for an expression."""
    tokens = code(sql)
    opening = next(index for index, token in enumerate(tokens) if token.text == "(")
    closing = next(index for index, token in enumerate(tokens) if index > opening and token.text == ")" and token.depth == 0)
    terms = list(_split(tokens[opening + 1 : closing], 1, ","))
    expressions = [_without_order(term) for term, column in zip(terms, columns, strict=True) if column is None]
    condition = tokens[closing + 2 :]
    return UniqueKey(
        frozenset(column.lower() for column in columns if column is not None),
        frozenset(" ".join(normal(expression)) for expression in expressions),
        frozenset(" ".join(normal(part)) for part in _conjuncts(condition)),
        _shown(terms, condition),
    )


def keeps_apart(key: UniqueKey, empty: frozenset[str]) -> bool:
    """Whether rows that have NULL in the ``empty`` columns can never break a key: NULLs are never equal, or the rows are not in the index."""
    return bool(key.columns & empty) or _gives(key.expressions, empty, "IS NULL") or _gives(key.conditions, empty, "IS NOT TRUE")


def _gives(expressions: Iterable[str], empty: frozenset[str], result: str) -> bool:
    """Whether one of some expressions names no column but the ``empty`` ones, and gives this where they are NULL."""
    columns = ", ".join(f"NULL AS {quoted(column)}" for column in sorted(empty))
    with empty_database() as db:
        for expression in expressions if columns else ():
            try:
                ((holds,),) = db.execute(f"SELECT ({expression}) {result} FROM (SELECT {columns})").fetchall()  # noqa: S608 - in memory
            except FAILURES:
                continue  # it names another column
            if holds:
                return True
    return False


def _shown(terms: Sequence[Sequence[Token]], condition: Sequence[Token]) -> str:
    listed = ", ".join(written(_without_order(term)) for term in terms)
    return f"{listed} (where {written(condition)})" if condition else listed


def _without_order(term: Sequence[Token]) -> Sequence[Token]:
    return term[:-1] if term and term[-1].keyword in _ORDER else term


def _conjuncts(condition: Sequence[Token]) -> Iterator[Sequence[Token]]:
    if any(token.keyword in {"BETWEEN", "OR", "CASE"} for token in condition):
        return iter([condition])
    return _split(condition, 0, "AND")


def _split(tokens: Sequence[Token], depth: int, separator: str) -> Iterator[Sequence[Token]]:
    """The parts of some tokens between those signs or keywords of a depth."""
    start = 0
    for index, token in enumerate(tokens):
        if token.depth == depth and separator in {token.text, token.keyword}:
            yield tokens[start:index]
            start = index + 1
    if tokens[start:]:
        yield tokens[start:]
