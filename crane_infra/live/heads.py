"""Reads where the ledgers of a stack's databases stand."""

from crane_infra.at_once import all_at_once
from crane_infra.config.settings import Settings
from crane_infra.live.account import open_account
from crane_infra.migrations.ledger import LedgerHead, read_ledger
from crane_infra.release.outputs import StackOutputs


async def ledger_heads(settings: Settings, outputs: StackOutputs) -> dict[str, LedgerHead]:
    """The head of each database that exists, by its name in the catalog. Raises ApiError."""
    ids = {name: outputs.database_id(name) or database.adopted for name, database in settings.databases.items()}
    known = {name: database_id for name, database_id in ids.items() if database_id}
    async with open_account(settings) as account:
        ledgers = await all_at_once([read_ledger(account.database(database_id, name)) for name, database_id in known.items()])
    return {name: ledger.head for name, ledger in zip(known, ledgers, strict=True)}
