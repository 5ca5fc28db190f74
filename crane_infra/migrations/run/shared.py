"""Several files in one request: those that only change the schema, each with its own token and done mark.

The request is one transaction, so either all of them are applied or none. Where it fails the ledger decides as it does for a single file, and
what it has no record of goes one by one, so an error names the file. Files that change data, that create triggers or that declare a loss never
share a request.
"""

from collections.abc import Sequence
from itertools import islice
from time import monotonic

from crane_infra.d1.errors import DeniedError, NotFoundError, RateLimitedError
from crane_infra.errors import ApiError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.files.split import words
from crane_infra.migrations.files.tokens import code
from crane_infra.migrations.run.failure import failure, require_recorded
from crane_infra.migrations.run.send import asks_too_long, send_files, wait_for
from crane_infra.migrations.run.settle import settle_all
from crane_infra.migrations.run.state import Run

MOST_STATEMENTS, MOST_BYTES = 250, 100_000
"""Of one request, with those that write to the ledger. A single file may have more."""
STATEMENTS_OF_LEDGER, STATEMENTS_OF_LOOK = 3, 2
SLOW_SECONDS = 5.0
"""D1 ends a request after 30 s. Once one took this long, the files after it go alone."""
ATTEMPTS = 2
_CHANGES_SCHEMA = (
    ("CREATE", "TABLE"),
    ("CREATE", "INDEX"),
    ("CREATE", "UNIQUE", "INDEX"),
    ("CREATE", "VIEW"),
    ("DROP", "INDEX"),
    ("DROP", "VIEW"),
    ("ALTER", "TABLE"),
)


def next_to_send(run: Run, files: Sequence[MigrationFile]) -> Sequence[MigrationFile]:
    """The files that go in the next request: the first one, with those after it that may share its request."""
    statements, size = STATEMENTS_OF_LOOK, 0
    for place, file in enumerate(files):
        statements += len(file.statements) + STATEMENTS_OF_LEDGER
        size += sum(len(statement.encode()) for statement in file.statements)
        if run.sends_alone or not may_share(file, run) or statements > MOST_STATEMENTS or size > MOST_BYTES:
            return files[: max(place, 1)]
    return files


def may_share(file: MigrationFile, run: Run) -> bool:
    """Whether a file only changes the schema, loses nothing, and has only statements that D1's query endpoint cannot cut."""
    declares_a_loss = file.header.loses_rows or file.header.overwrites_rows or run.schema.accepted.get(file.name)
    if declares_a_loss or run.counts_around(file) or file.name in run.cut:
        return False
    return all(map(only_changes_schema, file.statements))


def only_changes_schema(statement: str) -> bool:
    """Whether a statement creates, extends or renames something and touches no row; one with a semicolon does not count, D1 may cut it."""
    head = tuple(islice(words(statement), 3))
    if ";" in statement or not any(head[: len(form)] == form for form in _CHANGES_SCHEMA):
        return False
    keywords = {token.keyword for token in code(statement) if not token.depth}
    if head[0] == "ALTER":
        return "DROP" not in keywords
    return head[:2] != ("CREATE", "TABLE") or "AS" not in keywords


async def apply_together(run: Run, files: Sequence[MigrationFile]) -> None:
    """Send files in one request. What the ledger has no record of afterwards is left to be sent one by one.

    Raises MigrationError where none of them can be applied, and as ``settle`` does.
    """
    for attempt in range(1, ATTEMPTS + 1):
        began = monotonic()
        try:
            ledger = await send_files(run, files)
        except ApiError as error:
            if asks_too_long(error):
                raise failure(run, files[0], error) from None
            recorded = await settle_all(run, files, error)
            require_recorded(run)
            may_be_sent_again = isinstance(error, RateLimitedError) and attempt < ATTEMPTS
            if not recorded and isinstance(error, DeniedError | NotFoundError | RateLimitedError) and not may_be_sent_again:
                raise failure(run, files[0], error) from None
            await wait_for(run, error)
            if recorded or not may_be_sent_again:
                return
        else:
            run.sends_alone = monotonic() - began > SLOW_SECONDS
            run.record(files, ledger)
            return
