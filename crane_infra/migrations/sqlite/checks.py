"""CHECK constraints as lint compares them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from crane_infra.migrations.files.tokens import Token, code, normal, written


@dataclass(frozen=True)
class Check:
    """The condition of a CHECK. ``form`` is the same however it is written; ``sql`` is how it is written."""

    form: str
    sql: str = field(compare=False)

    @property
    def text(self) -> str:
        """The condition as it is written, on one line and without comments."""
        return written(code(self.sql))


def checks_in(sql: str) -> frozenset[Check]:
    """The CHECKs in a CREATE TABLE."""
    tokens = code(sql)
    return frozenset(_check(sql, tokens, index + 1) for index, token in enumerate(tokens) if token.keyword == "CHECK")


def _check(sql: str, tokens: Sequence[Token], opening: int) -> Check:
    """The CHECK whose parentheses open at a token."""
    depth = tokens[opening].depth
    inner = list(takewhile(lambda token: token.text != ")" or token.depth > depth, tokens[opening + 1 :]))
    end = inner[-1].start + len(inner[-1].text) if inner else 0
    return Check(" ".join(normal(inner)), sql[inner[0].start : end] if inner else "")
