"""Creates the tables of the ledger and imports the rows that wrangler recorded."""

from uuid import uuid4

from crane_infra.migrations.requests import base_record, prepare_request
from crane_infra.migrations.run.failure import require_recorded
from crane_infra.migrations.run.send import send_repeatable
from crane_infra.migrations.run.state import Run


async def prepare(run: Run) -> None:
    """Create the ledger's tables and import wrangler's rows, then plan again if there were some.

    Raises ApiError, and MigrationError as ``make_plan`` does or where nothing was imported.
    """
    names = [file.name for file in run.plan.adopt]
    request = prepare_request(run.plan.adopt, run.token, run.release)
    if run.base_to_record:
        request.append(base_record(run.base_to_record, uuid4().hex, run.release))
    await send_repeatable(run, request)
    run.tables_exist()
    run.adopted += names
    if names:
        await run.read_again()
        require_recorded(run)
        run.log(f"imported from wrangler's ledger: {', '.join(names)}")
