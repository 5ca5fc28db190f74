"""Reads what D1 answers: the rows of each statement, a bookmark, how far an import is. Pure.

``answer`` decides whether there is a result at all. Under ``success: true`` a statement may have failed, results may be missing and rows
unreadable: none of that means "no rows".
"""

from dataclasses import replace
from typing import Annotated, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from crane_infra.counted import counted
from crane_infra.d1.answer import Answer, Call, Missing, fault_of, read_result
from crane_infra.d1.database import Result, Row
from crane_infra.d1.errors import RERUN, NoAnswerError, PartialWriteError

NO_SUCH_DATABASE = "7404"


class _Bookmark(BaseModel):
    bookmark: Annotated[str, Field(min_length=1)]


class _Import(BaseModel):
    success: bool | None = None
    status: str | None = None
    filename: str | None = None
    upload_url: str | None = None
    at_bookmark: str | None = None
    error: str | None = None


_ITEMS, _ROWS = TypeAdapter(list[object]), TypeAdapter(list[Row])
_BOOKMARK, _IMPORT = TypeAdapter(_Bookmark), TypeAdapter(_Import)


class Import(NamedTuple):
    """A reply of the import endpoint: where to upload the file, or how far the import is. ``error`` is why it failed, if it did."""

    status: str
    filename: str
    upload_url: str
    bookmark: str
    error: str


def missing_database(account_id: str, database_id: str) -> Missing:
    """How the API says that an account has no such database."""
    what = f"account {account_id} has no database {database_id}"
    return Missing(frozenset({NO_SUCH_DATABASE}), what, "Check the account id and the database id in the settings")


def read_results(call: Call, answer: Answer, statements: int) -> list[Result]:
    """Return the result of every statement of a query; a write has no rows.

    Raises as ``read_result`` does, and PartialWriteError where a statement of a write failed or has no result.
    """
    items = read_result(call, answer, _ITEMS)
    results = [_statement_result(call, index, item) for index, item in enumerate(items)]
    if len(results) < statements or (len(results) > statements and not call.is_write):
        raise _partial(call, f"{len(results)} results for {statements} statements", len(results))
    return results


def read_counted(call: Call, number: Result, selected: Result) -> list[Row]:
    """Return the rows of a SELECT, which ``number`` counts; raises NoAnswerError where there are more or fewer."""
    if number.rows != ({"counted": len(selected.rows)},):
        raise call.unanswered(f"its answer has {counted(len(selected.rows), 'row')}, and counts another number of them")
    return list(selected.rows)


def read_write_and_rows(call: Call, answer: Answer, statements: int) -> list[Row] | None:
    """Return the rows of a SELECT at the end of a write, which a statement before it counts; None where the reply does not have them all.

    Raises as ``read_results`` does for the write. A reply that has only one of the two last results lacks some result, and so does one that
    ends with rows where the write ends, whose last statement has none: which one is unknown, so nothing is known of the write.
    """
    items = read_result(call, answer, _ITEMS)
    sent = statements + 2
    for index, item in enumerate(items[: max(statements, len(items) - 2)]):
        _statement_result(call, index, item)
    if len(items) < statements:
        raise _partial(call, f"{len(items)} results for {statements} statements", len(items))
    if len(items) < sent and (len(items) > statements or _has_rows(items[-1])):
        raise _partial(call, f"{len(items)} results for {sent} statements", len(items))
    if len(items) != sent:
        return None
    reading = replace(call, is_write=False)
    try:
        number, selected = (_statement_result(reading, index, items[index]) for index in (statements, statements + 1))
        return read_counted(reading, number, selected)
    except NoAnswerError:
        return None


def read_bookmark(call: Call, answer: Answer) -> str:
    """Return the bookmark in a Time Travel reply; raises as ``read_result`` does."""
    return read_result(call, answer, _BOOKMARK).bookmark


def read_import(call: Call, answer: Answer) -> Import:
    """Return the content of a reply of the import endpoint; raises as ``read_result`` does."""
    result = read_result(call, answer, _IMPORT)
    failed = result.success is not True or result.status == "error"
    error = call.clean(result.error or "no reason given") if failed else ""
    return Import(result.status or "", result.filename or "", result.upload_url or "", result.at_bookmark or "", error)


def _statement_result(call: Call, index: int, item: object) -> Result:
    if not isinstance(item, dict) or item.get("success") is not True:
        reason = item.get("error") if isinstance(item, dict) else None
        raise _partial(call, f"statement {index + 1} failed: {call.clean(str(reason or 'no reason given'))}", index)
    meta = item.get("meta")
    changes = meta.get("changes") if isinstance(meta, dict) else None
    rows = () if call.is_write else _rows(call, index, item.get("results"))
    return Result(rows, changes if isinstance(changes, int) else 0)


def _has_rows(item: object) -> bool:
    return isinstance(item, dict) and bool(item.get("results"))


def _rows(call: Call, index: int, results: object) -> tuple[Row, ...]:
    try:
        return tuple(_ROWS.validate_python(results, strict=True))
    except ValidationError as error:
        raise call.unanswered(f"the rows of statement {index + 1} cannot be read ({call.clean(fault_of(error, 'results'))})") from None


def _partial(call: Call, what: str, statement: int) -> PartialWriteError | NoAnswerError:
    if not call.is_write:
        return call.unanswered(what)
    return PartialWriteError(call.where, f"the reply says success, but {what}", RERUN, statement)
