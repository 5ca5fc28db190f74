"""Freezes production and lifts the freeze, by a tag of its stack. Whoever may write the state may do either."""

from datetime import UTC, datetime

from crane_infra.commands.tags import remove_tag, set_tag, somebody
from crane_infra.errors import SettingsError
from crane_infra.pulumi_cli import tags_of
from crane_infra.release.freeze import TAG, Freeze, read_freeze


def freeze(stack: str, reason: str, by: str = "") -> Freeze:
    """Freeze a stack, and return the freeze as it can be read back.

    Raises SettingsError for another stack than production, without a reason, and for one that is frozen already.
    """
    _require_production(stack)
    if not reason.strip():
        raise SettingsError("--reason", "gives no reason", "Say why, for whoever meets the freeze")
    if present := freeze_of(stack):
        raise SettingsError(f"stack {stack}", f"is frozen already: {present.summary}", f"Lift that one first: crane unfreeze -s {stack}")
    made = Freeze(by or somebody(), f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", reason)
    set_tag(stack, TAG, made.tag)
    if (seen := freeze_of(stack)) is None:
        raise SettingsError(f"stack {stack}", "its state backend did not keep the tag", "Use a state backend that keeps tags of stacks")
    return seen


def unfreeze(stack: str) -> Freeze:
    """Lift the freeze of a stack, and return what it was. Raises SettingsError where there is none."""
    _require_production(stack)
    if (present := freeze_of(stack)) is None:
        raise SettingsError(f"stack {stack}", "is not frozen", "There is nothing to lift")
    remove_tag(stack, TAG)
    return present


def freeze_of(stack: str) -> Freeze | None:
    """The freeze of a stack; None where it has none. Raises SettingsError where Pulumi does not say."""
    return read_freeze(tags_of(stack))


def _require_production(stack: str) -> None:
    if stack != "production":
        raise SettingsError(f"stack {stack}", "cannot be frozen: only production has a gate that a freeze could close", "Use -s production")
