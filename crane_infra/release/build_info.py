"""Finds the commit in the modules of a bundle: with it, each commit is another release, although nothing else changed. Pure."""

import re

from crane_infra.release.bundle import Bundle

_SHORTEST = 7


def modules_with(bundle: Bundle, commit: str) -> list[str]:
    """The names of the modules that hold this commit, whole or shortened as git does it."""
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        return []
    beginning = re.compile(rb"(?<![0-9a-fA-F])" + commit[:_SHORTEST].encode() + rb"([0-9a-f]{0,33})(?![0-9a-fA-F])")
    rest = commit[_SHORTEST:].encode()
    return [module.name for module in bundle.modules if any(rest.startswith(match[1]) for match in beginning.finditer(module.content))]
