"""The rules of the catalog for production's rows in staging: which rows of a table staging gets, and what becomes of each column."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from crane_infra.frozen import Declared

How = Literal["keep", "null", "hash", "email", "name", "token"]
Masking = Literal["hash", "email", "name", "token"]
_PATH = re.compile(r"\$(\.[A-Za-z_][\w-]*|\.\*|\[\d+\]|\[\*\])*")


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        message = f"'{text}' is not a path; write it as $.user.email, $.items[*].name or $.labels.*"
        raise ValueError(message)
    return text


class Mask(Declared):
    """Mask the values of a column, with ``kind`` as part of the key: equal values of one kind look alike in every table.

    Without a kind it is the name of the mask itself, so that all e-mail addresses are one kind.
    """

    how: Masking
    kind: Annotated[str, Field(min_length=1)]


class Constant(Declared):
    """Put one value in place of every value of a column that is not NULL."""

    value: str | int


class Json(Declared):
    """Mask a column of JSON by path. ``rest`` is what becomes of the values that no path names: they turn to null, or stay."""

    paths: dict[Annotated[str, AfterValidator(_path)], How | Mask] = {}
    rest: Literal["null", "keep"] = "null"


class Sample(Declared):
    """Keep this share of a table's rows, chosen by key, the same ones each time."""

    percent: Annotated[float, Field(gt=0, lt=100)]


class Where(Declared):
    """Keep the rows for which a condition in SQL holds."""

    condition: Annotated[str, Field(min_length=1)]


ColumnRule = How | Mask | Constant | Json
Rows = Literal["keep", "none"] | Sample | Where


class TableRule(Declared):
    """What staging gets of a table. A column that refers to another table may be left out: it follows the column that it refers to."""

    rows: Rows = "keep"
    columns: dict[str, ColumnRule] = {}


def mask_of(rule: How | Mask) -> Mask | None:
    """The mask that a short form stands for; None for keep and null."""
    if isinstance(rule, Mask):
        return rule
    return None if rule in ("keep", "null") else Mask(how=rule, kind=rule)
