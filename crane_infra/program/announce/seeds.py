"""What a preview of staging says about seeds: which of them will run, and which run again because they changed."""

from collections.abc import Mapping
from concurrent.futures import Future

from crane_infra.at_once import all_at_once
from crane_infra.data.seeds.run import DueSeed, due_seeds, read_ran
from crane_infra.errors import ApiError
from crane_infra.live.account import Account, open_account
from crane_infra.migrations.files.names import listed
from crane_infra.program.announce.lines import Line, log
from crane_infra.program.preparation import Prepared

Due = Mapping[str, tuple[DueSeed, ...]]


async def look_at_seeds(prepared: Prepared) -> Due:
    """The seeds of each database that an update will run. Raises ApiError."""
    if not prepared.seeds:
        return {}
    async with open_account(prepared.settings) as account:
        due = await all_at_once(_look_at(account, prepared, name) for name in prepared.seeds)
    return dict(zip(prepared.seeds, due, strict=True))


def announce_seeds(prepared: Prepared, due: Future[Due] | None) -> None:
    """Log in a preview which seeds will run, and which folder of them does not exist. A database that does not answer is said by others."""
    if due is None:
        return
    log(
        Line(f"{database.seeds}: the folder does not exist, so {prepared.settings.databases[name].name} gets no seeds")
        for name, database in prepared.catalog.databases.items()
        if database.seeds and name not in prepared.seeds and prepared.settings.environment == "staging"
    )
    try:
        databases = due.result()
    except ApiError:
        return
    log(
        Line(f"{prepared.settings.databases[name].name}: seeds that will run: {listed([each.text for each in seeds])}")
        for name, seeds in databases.items()
        if seeds
    )


async def _look_at(account: Account, prepared: Prepared, name: str) -> tuple[DueSeed, ...]:
    database_id = prepared.database_id(name)
    ran = await read_ran(account.database(database_id, prepared.settings.databases[name].name)) if database_id else {}
    return due_seeds(prepared.seeds[name], ran)
