"""The errors of a run whose file was not applied: which statement failed, what is applied, what is pending, and what to do."""

from crane_infra.d1.errors import DeniedError, NotFoundError, PartialWriteError, RateLimitedError, RefusedError, RolledBackError
from crane_infra.errors import ApiError, MigrationError
from crane_infra.migrations.files.read import MigrationFile, from_empty
from crane_infra.migrations.requests import loss_in, statement_at
from crane_infra.migrations.run.state import Run
from crane_infra.migrations.sqlite.failing_statement import describe, find_statements

RUN_AGAIN = "Run the same `pulumi up` again: it reads the ledger first and continues from there"


def failure(run: Run, file: MigrationFile, error: ApiError) -> MigrationError:
    """The error for a file that the ledger, read after ``error``, does not have."""
    if lost := loss_in(error.what):
        return _loss(run, file, lost)
    where = " at ".join(filter(None, (f"not applied to {run.db.name}", describe(file, _statements(run, file, error)))))
    effect = (
        "It was rolled back"
        if isinstance(error, RolledBackError)
        else "Nothing of it ran"
        if isinstance(error, DeniedError | NotFoundError | RateLimitedError)
        else "The ledger has no record of it"
    )
    return MigrationError(file.path, f"{where}: {error.what}. {effect}. {run.progress}", _todo(error))


def _todo(error: ApiError) -> str:
    if not isinstance(error, RefusedError):
        return RUN_AGAIN
    first = "Wait, then" if isinstance(error, RateLimitedError) else f"{error.todo}; then"
    return f"{first} run the same `pulumi up` again, which continues with this file"


def require_recorded(run: Run) -> None:
    """Require of the ledger, as it was just read, a record of every file that the API reported as applied or imported.

    Raises MigrationError: a reply that reports success proves nothing.
    """
    if (file := run.unrecorded) is None:
        return
    missing = {pending.name for pending in run.plan.pending}
    run.applied = [name for name in run.applied if name not in missing]
    what = f"not applied to {run.db.name}: D1 reported success, but the ledger has no record of it"
    if file in run.plan.adopt:
        what = f"not imported from wrangler's ledger in {run.db.name}: D1 reported success, but ours has no record of it"
    raise MigrationError(file.path, f"{what}. {run.progress}", RUN_AGAIN)


def _statements(run: Run, file: MigrationFile, error: ApiError) -> tuple[int, ...]:
    """The indexes of the statements that can be the one that failed."""
    if isinstance(error, PartialWriteError):
        index = statement_at(file, run.counts_around(file), error.statement)
        return () if index is None else (index,)
    if isinstance(error, RefusedError):
        earlier = () if file is run.schema.base else from_empty(run.schema.files, run.schema.base)
        return find_statements(earlier, file, error.what)
    return ()


def _loss(run: Run, file: MigrationFile, lost: str) -> MigrationError:
    what = f"not applied to {run.db.name}: it would lose {lost} without declaring it. It was rolled back. {run.progress}"
    todo = (
        "Copy the tables that refer to a table before you drop it. If these rows may go, declare it with -- crane: loses-rows, or accept it "
        "in the stack file (accept-findings: loses-rows). docs/lint.md shows how"
    )
    return MigrationError(file.path, what, todo)
