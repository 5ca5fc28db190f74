"""The D1 client: reads that are retried, writes that are never sent twice, replies that are never taken on trust.

Migrations know only ``Database``; ``D1`` is the one that talks to Cloudflare.
"""

from crane_infra.d1.client import D1
from crane_infra.d1.database import Database, Param, Result, Row, Statement
from crane_infra.d1.errors import NoAnswerError, PartialWriteError, RateLimitedError, RefusedError, WriteOutcomeUnknown

__all__ = [
    "D1",
    "Database",
    "NoAnswerError",
    "Param",
    "PartialWriteError",
    "RateLimitedError",
    "RefusedError",
    "Result",
    "Row",
    "Statement",
    "WriteOutcomeUnknown",
]
