"""Smoke checks: what a deployed worker must do. Data only. docs/checks.md has every field.

Holds no secret values, only the names of the bindings whose values a check needs. Checks are data and not code so that they are the same
in both environments: their definitions are part of the release and of its digest.
"""

from pydantic import JsonValue

from crane_infra.checks.command import CommandCheck
from crane_infra.checks.expected import Expected, Name, Seconds
from crane_infra.checks.headers import SecretHeader, SignatureHeader
from crane_infra.checks.question import Question
from crane_infra.checks.steps import Step, StepsCheck

__all__ = ["AnyCheck", "Check", "CommandCheck", "Expected", "SecretHeader", "SignatureHeader", "Step", "StepsCheck"]

_LATER = ("exact_url", "json_has", "json_at_least", "json_matches", "body_matches", "by_environment", "rehearsable")
"""Fields that a check did not always have. Their defaults are left out of definitions, so that they give no older release another digest."""


class Check(Question):
    """One request, and the answer that the worker must give before the deadline.

    The request is repeated until it passes, so a check that writes must be idempotent.
    """

    name: Name
    deadline: Seconds = 60
    """Seconds from the first try."""
    mutating: bool = False
    """Whether the check writes. Such a check never runs in production."""
    rehearsable: bool = True
    """Whether it can pass on the local cloud, where secrets are placeholders and much of what a worker binds is empty. Else a rehearsal leaves it out."""

    @property
    def names_version(self) -> bool:
        """Whether a right answer tells which version gave it."""
        return self.version_at is not None

    @property
    def is_for_candidates(self) -> bool:
        """Whether it can run while the version has no traffic."""
        return not self.mutating

    def definition(self) -> dict[str, JsonValue]:
        """Everything that defines the check, as plain JSON to hash: with defaults, without secret values."""
        left_out = {field for field in _LATER if getattr(self, field) == type(self).model_fields[field].default}
        return {**self.model_dump(mode="json", exclude=left_out), **self.instead()}


AnyCheck = Check | StepsCheck | CommandCheck
