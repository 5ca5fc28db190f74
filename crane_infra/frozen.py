"""The base of all pydantic models here: frozen, and strict about unknown keys. Its validation errors become one line.

Pydantic's own report has several lines and shows the rejected value, which may be a secret.
"""

import os

# Pydantic looks for plugins in every installed package when the first model is made: a tenth of the time of a short command, for nothing.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from pydantic import BaseModel, ConfigDict, ValidationError


class Frozen(BaseModel):
    """A value that cannot be changed. A key that it does not declare is an error, so a typo is not ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True, defer_build=True)


def first_fault(error: ValidationError) -> tuple[str, str]:
    """The path and the text of the first fault that pydantic found, without the rejected value."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return path, "is not known"
    if fault["type"] == "missing":
        return path, "is missing"
    if fault["type"].startswith("union_tag"):  # pydantic would quote the value
        return path, "is of no known kind"
    return path, fault["msg"].removeprefix("Value error, ")
