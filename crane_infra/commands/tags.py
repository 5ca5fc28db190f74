"""Writes the tags of a stack, and knows who does: what a command leaves for every machine without a commit."""

import os
from getpass import getuser

from crane_infra.pulumi_cli import ask_pulumi, pulumi_failed


def set_tag(stack: str, name: str, value: str) -> None:
    """Set a tag of a stack. Raises SettingsError."""
    _tag(stack, "set", name, value)


def remove_tag(stack: str, name: str) -> None:
    """Remove a tag of a stack. Raises SettingsError."""
    _tag(stack, "rm", name)


def somebody() -> str:
    """Who runs this: the person behind a job of GitHub, else the user of this machine; empty where nobody knows."""
    try:
        return os.environ.get("GITHUB_ACTOR") or getuser()
    except (OSError, KeyError):
        return ""


def _tag(stack: str, *words: str) -> None:
    ended = ask_pulumi(stack, "stack", "tag", *words)
    if ended.returncode:
        raise pulumi_failed(stack, ended)
