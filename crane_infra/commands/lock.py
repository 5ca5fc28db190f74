"""Whether a stack is locked, since when and by whom. Frees nothing.

A bucket or a folder holds a file for each lock, and on every such backend only the engine reads it, when it is about to lock the stack itself.
Renaming a stack to the name that it has is the one command that locks it and then always fails ("already exists"), so the engine is asked for
that. Pulumi Cloud says in its list of stacks that an update is going on.
"""

import json
from collections.abc import Mapping
from typing import Any

from crane_infra.pulumi_cli import ask_pulumi, pulumi_failed

LOCKED = "the stack is currently locked by"
HOLDER = ": created by "
NOT_LOCKED = "already exists"


def locks_of(stack: str) -> list[str]:
    """Who holds a lock of the stack and since when, each in one line, as the engine says it; empty for one that is not locked.

    Raises SettingsError where Pulumi does not say.
    """
    listed = ask_pulumi(stack, "stack", "ls", "--json")
    if listed.returncode:
        raise pulumi_failed(stack, listed)
    for entry in json.loads(listed.stdout):
        if str(entry["name"]).rpartition("/")[2] == stack and entry.get("url"):
            return update_in(entry)
    tried = ask_pulumi(stack, "stack", "rename", stack)
    output = f"{tried.stdout}\n{tried.stderr}"
    if LOCKED in output:
        return [line.strip() for line in output.splitlines() if HOLDER in line]
    if NOT_LOCKED in output:
        return []
    raise pulumi_failed(stack, tried)


def update_in(listed: Mapping[str, Any]) -> list[str]:
    """The update that goes on in a stack on Pulumi Cloud, which shows on its page who runs it and since when; empty where none does."""
    return (
        [f"an update is in progress; its page says who runs it and since when: {listed['url']}"] if listed.get("updateInProgress") else []
    )
