"""Which statements a read-only token may run: decided for each statement before any of them runs.

The SQLite that would run a statement compiles it (EXPLAIN), and the compiled program shows whether it opens a write transaction, so
names, comments and CTEs cannot hide a write. A PRAGMA takes effect while it is compiled, so its text is judged instead; so is
``pragma_optimize``, which writes from inside a SELECT, directly or through a view. Production closed this hole in ``/query`` too
(Cloudflare's changelog of 2025-02-04).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from local_cloud.d1.split_sql import uncommented, words
from local_cloud.envelope import BAD_REQUEST, SQL_ERROR, Refusal
from local_cloud.tokens import denied
from local_cloud.workerd.runtime import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_cloud.cloud import Cloud
    from local_cloud.d1.query_body import BoundStatement

_READS = {"SELECT", "VALUES", "WITH"}
_EXPLAINED = {*_READS, "INSERT", "REPLACE", "UPDATE", "DELETE"}
_READING_PRAGMAS = {"TABLE_INFO", "TABLE_XINFO", "TABLE_LIST", "INDEX_LIST", "INDEX_INFO", "INDEX_XINFO", "FOREIGN_KEY_LIST"}
_READING_PRAGMAS |= {"FOREIGN_KEY_CHECK", "QUICK_CHECK"}
_PREFIX = "EXPLAIN "
_PRAGMA = re.compile(
    r"(?:EXPLAIN\s+(?:QUERY\s+PLAN\s+)?)?PRAGMA\s+(?:(?:MAIN|TEMP)\s*\.\s*)?(\w+)\s*(?:([=(]).*|[;\s]*)", re.IGNORECASE | re.DOTALL
)
_VIEWS = "SELECT 1 FROM sqlite_master WHERE type = 'view' AND instr(lower(sql), 'pragma_optimize')"


async def refuse_writes(cloud: Cloud, uuid: str, statements: Iterable[BoundStatement]) -> None:
    """Refuse if any statement would write (403, 10000) or does not compile (400, with D1's text); runs none of them."""
    for statement in statements:
        statement_words = [*words(statement.sql), "", ""]
        first = next((word for word in statement_words if word not in {"EXPLAIN", "QUERY", "PLAN"}), "")
        if first == "PRAGMA":
            _judge_pragma(uncommented(statement.sql).strip())
        elif statement_words[0] == "EXPLAIN":
            if first not in _EXPLAINED:
                raise denied()
        elif first not in _READS or await _writes(cloud, uuid, statement):
            raise denied()


def _judge_pragma(sql: str) -> None:
    """Refuse a PRAGMA that is not known to be read-only; one with a quoted name is not understood and so refused."""
    pragma = _PRAGMA.fullmatch(sql)
    name = pragma[1].upper() if pragma else "OPTIMIZE"
    if name == "OPTIMIZE" or (name not in _READING_PRAGMAS and pragma and pragma[2]):
        raise denied()


async def _writes(cloud: Cloud, uuid: str, statement: BoundStatement) -> bool:
    try:
        (program,) = await cloud.workerd.query(uuid, [{"sql": _PREFIX + statement.sql, "params": statement.params}])
    except QueryError as error:
        message = re.sub(r"(?<=at offset )\d+", lambda offset: str(max(int(offset[0]) - len(_PREFIX), 0)), str(error))
        raise Refusal(BAD_REQUEST, SQL_ERROR, message) from error
    columns = program["results"]["columns"]
    steps = [dict(zip(columns, row, strict=True)) for row in program["results"]["rows"]]
    if any(step["opcode"] == "Transaction" and step["p2"] for step in steps):
        return True
    return any(step["opcode"] == "VOpen" for step in steps) and await _optimizes(cloud, uuid, statement.sql)


async def _optimizes(cloud: Cloud, uuid: str, sql: str) -> bool:
    """Whether a statement, or any view that it might read, could run ``PRAGMA optimize`` as a table."""
    (views,) = await cloud.workerd.query(uuid, [{"sql": _VIEWS}])
    return "pragma_optimize" in sql.lower() or bool(views["results"]["rows"])
