"""The base of all pydantic models here: frozen, and strict about unknown keys. Its validation errors become one line.

Pydantic's own report has several lines and shows the rejected value, which may be a secret.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

# Pydantic looks for plugins in every installed package when the first model is made: a tenth of the time of a short command, for nothing.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Frozen(BaseModel):
    """A value that cannot be changed. A key that it does not declare is an error, so a typo is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True, defer_build=True)


@dataclass
class Faults:
    """What was wrong in a block: the names and errors of the values, and the values themselves."""

    errors: list[tuple[str, ValidationError]] = field(default_factory=list)
    values: list[object] = field(default_factory=list)

    def lines(self) -> list[tuple[str, str, str]]:
        """For each fault the name of the value, the path in it and the text. A wrong value within another one is said once."""
        return [(name, *fault) for name, error in self.errors for fault in _faults_of(error, self.values)]


_faults: ContextVar[Faults | None] = ContextVar("faults", default=None)


class Declared(Frozen):
    """A value that a user writes as Python code. Within ``all_faults``, a wrong one is noted and not raised, so that the code goes on to the next."""

    if not TYPE_CHECKING:

        def __init__(self, **data: Any) -> None:  # noqa: ANN401 - the fields of the class, which pydantic judges
            try:
                super().__init__(**data)
            except ValidationError as error:
                if (faults := _faults.get()) is None:
                    raise
                faults.errors.append((f"{error.title}({data['name']})" if isinstance(data.get("name"), str) else error.title, error))
                faults.values.append(self)
                unjudged = type(self).model_construct(**data)
                for part in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
                    object.__setattr__(self, part, getattr(unjudged, part))

        # What pydantic makes itself, out of dictionaries, it makes as ever.
        __init__.__pydantic_base_init__ = True


@contextmanager
def all_faults() -> Iterator[Faults]:
    """Notes every ``Declared`` value that is wrong in this block, with the name to show. Whatever the block does with such a value must not be used."""
    faults = Faults()
    token = _faults.set(faults)
    try:
        yield faults
    finally:
        _faults.reset(token)


def first_fault(error: ValidationError) -> tuple[str, str]:
    """The path and the text of the first fault that pydantic found, without the rejected value."""
    return _fault(error.errors(include_url=False, include_input=False, include_context=False)[0])


def _faults_of(error: ValidationError, said: list[object]) -> list[tuple[str, str]]:
    """The path and the text of the first fault of each field, without the rejected values; not those of values that were said already."""
    details = [detail for detail in error.errors(include_url=False) if not any(detail["input"] is value for value in said)]
    first = {detail["loc"][:1]: detail for detail in reversed(details)}
    return [_fault(detail) for detail in details if first[detail["loc"][:1]] is detail]


def _fault(fault: "ErrorDetails") -> tuple[str, str]:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return path, "is not known"
    if fault["type"] == "missing":
        return path, "is missing"
    if fault["type"].startswith("union_tag"):  # pydantic would quote the value
        return path, "is of no known kind"
    return path, fault["msg"].removeprefix("Value error, ")
