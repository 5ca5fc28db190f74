"""The one kind of pydantic model here: frozen, unknown keys refused; and its errors as one line.

Does not know what is modelled. Prevents a typo in a stack file from being ignored, and a pydantic report of ten lines
(with the offending value in it, which may be a secret) from reaching the user.
"""

from pydantic import BaseModel, ConfigDict, ValidationError


class Frozen(BaseModel):
    """A value that cannot be changed and takes no key that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, hide_input_in_errors=True, defer_build=True)


def first_fault(error: ValidationError) -> tuple[str, str]:
    """The path and the text of the first fault that pydantic found; the offending value is never part of it."""
    fault = error.errors(include_url=False, include_input=False, include_context=False)[0]
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return path, "is not known"
    if fault["type"] == "missing":
        return path, "is missing"
    return path, fault["msg"].removeprefix("Value error, ")
