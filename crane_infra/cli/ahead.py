"""Asks Pulumi before a command is imported what the command will ask: the engine takes as long to answer as Python to import.

The command asks with the same words and takes the answer. One that is not listed here, or whose words read in another way, waits a little longer.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from crane_infra.cli.clone import root
from crane_infra.errors import RehearsalError
from crane_infra.pulumi_cli import CONFIG, OUTPUTS, TAGS, begin_to_ask

Words = tuple[str, ...]
OF_STACK: dict[Words, tuple[Words, ...]] = {
    ("migrations", "status"): (CONFIG, OUTPUTS),
    ("migrations", "plan"): (CONFIG, OUTPUTS),
    ("migrations", "verify"): (CONFIG, OUTPUTS),
    ("migrations", "apply"): (CONFIG, OUTPUTS),
    ("migrations", "baseline"): (CONFIG, OUTPUTS),
    ("migrations", "accept-edit"): (CONFIG, OUTPUTS),
    ("verify",): (CONFIG, OUTPUTS, TAGS),
    ("rollback",): (CONFIG, OUTPUTS),
    ("history",): (CONFIG, OUTPUTS),
}
"""What a command asks about the stack that it is given."""
OF_BOTH: dict[Words, tuple[Words, ...]] = {("status",): (CONFIG, OUTPUTS)}
"""What a command asks about both stacks."""
OF_PRODUCTION: dict[Words, tuple[tuple[str, Words], ...]] = {("migrations", "apply"): (("staging", OUTPUTS), ("production", TAGS))}
"""What a command asks besides where it is given production: the proofs of staging, and the freeze."""


def ask_ahead(words: Sequence[str]) -> None:
    """Put the questions of the command that these words name, if it is in a clone."""
    try:
        root()
    except RehearsalError:  # the command says so
        return
    for stack, question in questions(words):
        begin_to_ask(stack, *question)


def questions(words: Sequence[str]) -> Iterator[tuple[str, Words]]:
    """What the command that these words name asks Pulumi before anything else, each with its stack."""
    if "--help" in words:
        return
    command = next((tuple(words[:many]) for many in (1, 2) if tuple(words[:many]) in OF_BOTH | OF_STACK), ())
    stack = _stack(words)
    for each in ("staging", "production"):
        yield from ((each, question) for question in OF_BOTH.get(command, ()))
    if stack:
        yield from ((stack, question) for question in OF_STACK.get(command, ()))
    if stack == "production":
        yield from OF_PRODUCTION.get(command, ())


def _stack(words: Sequence[str]) -> str:
    """The stack that these words name; "" where they name none."""
    return next((value for option, value in pairwise(words) if option in {"-s", "--stack"}), "")
