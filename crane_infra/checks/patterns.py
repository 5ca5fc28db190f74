"""Regular expressions that a check looks for in what a worker sent.

They are those of Rust, which pydantic has: no answer can make one of them take longer than its length. Python's may run for hours on one line.
"""

from functools import cache
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import SchemaError, SchemaValidator, core_schema


@cache
def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found anywhere in the text."""
    return _compiled(pattern).isinstance_python(text)


def _pattern(text: str) -> str:
    try:
        _compiled(text)
    except SchemaError:
        message = f"'{text}' is not a regular expression that a check can use; look-around and backreferences are not known"
        raise ValueError(message) from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
