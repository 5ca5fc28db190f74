"""Creates a D1 database."""

from typing import Annotated
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter

from crane_infra.d1.answer import Call, read_result
from crane_infra.d1.api import Api
from crane_infra.d1.client import WRITE


class _Created(BaseModel):
    uuid: Annotated[str, Field(min_length=1)]


_CREATED = TypeAdapter(_Created)


async def create_database(api: Api, account_id: str, name: str) -> str:
    """Create an empty database and return its id; sent once. Raises RefusedError, or WriteOutcomeUnknown: then look for its name."""
    call = Call(f"D1 database {name}", WRITE, account_id, is_write=True, hidden=api.credentials, server="D1")
    path = f"/accounts/{quote(account_id, safe='')}/d1/database"
    return read_result(call, await api.send(call, "POST", path, {"name": name}), _CREATED).uuid
