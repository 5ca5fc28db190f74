"""Counts in the live database what the pending files would cost, in one read: rows that go, and rows that a new constraint would refuse.

Nothing but counts is asked for. A table with many rows is not counted, because D1 bills each row that is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import apsw

from crane_infra.counted import counted
from crane_infra.d1.database import DatabaseClient
from crane_infra.errors import ApiError
from crane_infra.migrations.files.tokens import quoted
from crane_infra.migrations.judgement import Judgement
from crane_infra.migrations.ledger import Ledger
from crane_infra.migrations.lint.costs import Question
from crane_infra.migrations.sqlite.engine import FAILURES, compile_only, empty_database
from crane_infra.migrations.table_costs import TableCosts

MOST_ROWS = 100_000
"""Rows of a table that is still counted."""
_TWICE = 2
"""A read also counts its own rows, which takes the sizes once more."""
MOST_QUESTIONS = 20
"""Of one database: the read has two columns for each, and D1 takes at most 100."""


class _Answer(NamedTuple):
    """How many rows a question counted, and how many the table has, at most one more than are counted; None for what was not counted."""

    file: str
    question: Question
    rows: int
    size: int


async def with_costs(db: DatabaseClient, judgement: Judgement) -> Judgement:
    """Add to a judgement what its pending files would cost, by file and table and as lines, or why that could not be counted."""
    asked = [(file.file.name, question) for file in judgement.examined for question in file.questions]
    usable = [pair for pair in asked if pair[1] in _compiling([question for _, question in asked], judgement.ledger)]
    if not usable:
        return judgement
    try:
        answers = await _answers(db, usable[:MOST_QUESTIONS])
    except ApiError as error:
        return replace(judgement, costs=(f"what the pending files cost could not be counted: {error.what}",))
    left_out = len(asked) - len(answers)
    counted = tuple(_by_file_and_table(answers))
    return replace(judgement, costs=(_heading(answers, left_out), *_lines(counted)), counted=counted)


async def _answers(db: DatabaseClient, asked: Sequence[tuple[str, Question]]) -> list[_Answer]:
    sizes = {table: f"size_{number}" for number, table in enumerate(dict.fromkeys(question.table for _, question in asked))}
    row = (await db.read(_select(sizes, [question for _, question in asked])))[0]
    return [_Answer(*pair, _number(row, f"rows_{number}"), _number(row, sizes[pair[1].table])) for number, pair in enumerate(asked)]


def _select(sizes: Mapping[str, str], asked: Sequence[Question]) -> str:
    """One SELECT: the size of each table, as far as it is read, and each count, which is not begun in a larger table."""
    # DISTINCT makes SQLite look at each size once.
    inner = [f"(SELECT COUNT(*) FROM (SELECT 1 FROM {quoted(table)} LIMIT {MOST_ROWS + 1})) AS {size}" for table, size in sizes.items()]  # noqa: S608
    counts = [
        f"CASE WHEN {sizes[question.table]} <= {MOST_ROWS} THEN ({question.select}) END AS rows_{number}"
        for number, question in enumerate(asked)
    ]
    return f"SELECT {', '.join([*sizes.values(), *counts])} FROM (SELECT DISTINCT {', '.join(inner)})"  # noqa: S608


def _number(row: dict[str, object], name: str) -> int:
    value = row.get(name)
    return value if isinstance(value, int) else 0


def _compiling(asked: Sequence[Question], ledger: Ledger) -> set[Question]:
    """The questions that fit the live schema, which was read with the ledger: one that does not would fail the whole read."""
    with empty_database() as db:
        for _, _, sql in sorted(ledger.objects, key=lambda each: each[0] != "table"):
            _try(db, sql)
        return {question for question in asked if _compiles(db, question.select)}


def _compiles(db: apsw.Connection, select: str) -> bool:
    try:
        compile_only(db, select)
    except FAILURES:
        return False
    return True


def _try(db: apsw.Connection, sql: str) -> None:
    try:
        db.execute(sql)
    except FAILURES:
        return  # a table of SQLite itself


def _heading(answers: Sequence[_Answer], left_out: int) -> str:
    sizes = {answer.question.table: answer.size for answer in answers}
    read = _TWICE * sum(sizes.values()) + sum(answer.size for answer in answers if answer.size <= MOST_ROWS)
    more = f", and {left_out} more were not counted" if left_out else ""
    return f"counted what the pending files cost: {counted(len(answers), 'count')}, which read about {counted(read, 'row')}{more}"


def _by_file_and_table(answers: Sequence[_Answer]) -> Iterator[TableCosts]:
    for (file, table), group in groupby(sorted(answers, key=_by_table), key=_by_table):
        listed = list(group)
        is_counted = listed[0].size <= MOST_ROWS
        effects = tuple((answer.question.what, answer.rows if is_counted else None) for answer in listed)
        yield TableCosts(file, table, listed[0].size if is_counted else None, effects)


def _lines(costs: Sequence[TableCosts]) -> Iterator[str]:
    for each in costs:
        if each.size is None:
            left = "; ".join(what for what, _ in each.effects)
            yield f"{each.file}: {each.table} has more than {MOST_ROWS:,} rows, so these were not counted: {left}"
        elif told := [f"{rows:,} {what}" for what, rows in each.effects if rows]:
            yield f"{each.file}: of the {counted(each.size, 'row')} of {each.table}: {'; '.join(told)}"


def _by_table(answer: _Answer) -> tuple[str, str]:
    return answer.file, answer.question.table
