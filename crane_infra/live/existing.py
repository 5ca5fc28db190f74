"""Looks whether the account already has what a stack is about to create, and says what to do about it.

Cloudflare refuses a second database or worker of one name, also in every later run. One that is there may be somebody's, or it may come from
a creation whose reply was lost: the provider sends it again, and the second request is refused. Changes nothing.
"""

from dataclasses import dataclass

from crane_infra.errors import LiveError
from crane_infra.live.account import Account

AGAIN = "then run the same command again"
_TABLES = "SELECT name FROM sqlite_schema"


@dataclass(frozen=True)
class Wanted:
    """What a stack is about to create: its name in the catalog and at Cloudflare. ``replaces``: the stack had one before, which is gone."""

    stack: str
    catalog_name: str
    name: str
    replaces: bool = False


async def existing_database(account: Account, wanted: Wanted) -> LiveError | None:
    """The refusal if the account has a database of this name. Raises ApiError."""
    database = await account.database_named(wanted.name)
    if database is None:
        return None
    tables = {None: "", 0: " without tables", 1: " with 1 table"}.get(database.tables, f" with {database.tables} tables")
    look = f"Look what is in it: wrangler d1 execute {wanted.name} --remote --command '{_TABLES}'. "
    adopt = f"pulumi config set -s {wanted.stack} --path databases.{wanted.catalog_name}.adopt {database.id}"
    todo = _todo(wanted, adopt, f"wrangler d1 delete {wanted.name}", if_new="it is empty")
    return _refusal(f"database {wanted.name}", f"already exists as {database.id}{tables}", todo if database.tables == 0 else look + todo)


async def existing_worker(account: Account, wanted: Wanted) -> LiveError | None:
    """The refusal if the account has a worker of this name. Raises ApiError."""
    if not await account.has_worker(wanted.name):
        return None
    is_deployed = bool(await account.deployments(wanted.name))
    look = f"Look what it serves: wrangler deployments list --name {wanted.name}. "
    adopt = f"pulumi config set -s {wanted.stack} --path workers.{wanted.catalog_name}.adopt true"
    todo = _todo(wanted, adopt, f"wrangler delete --name {wanted.name}", if_new="nobody needs it")
    what = "already exists" if is_deployed else "already exists and was never deployed"
    return _refusal(f"worker {wanted.name}", what, look + todo if is_deployed else todo)


def _todo(wanted: Wanted, adopt: str, delete: str, *, if_new: str) -> str:
    """Adopt it; not where the stack has had one that it created, since it would then have both (``config/consistency.py``)."""
    if wanted.replaces:
        return f"If {if_new}, delete it: {delete}, {AGAIN}"
    return f"If it belongs to this environment, adopt it: {adopt}, {AGAIN}"


def _refusal(where: str, what: str, todo: str) -> LiveError:
    return LiveError(where, f"{what}, and this stack neither created nor adopted it", todo)
