"""How many requests the versions of a worker had, and how many of them ended in an exception, as Cloudflare's GraphQL API counts them.

It is late by about a minute and sampled, and an answer with status 500 is no error there. The field ``scriptVersion`` is not documented, and the token
may not read analytics. So "nothing" is always possible and never means that all is well.
"""

import json
from datetime import datetime
from typing import Annotated, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crane_infra.d1.answer import Call
from crane_infra.errors import ApiError
from crane_infra.live.account import Account

READ = "Account Analytics Read"
_QUERY = """query ($account: string!, $script: string!, $since: Time!, $until: Time!) {
  viewer { accounts(filter: {accountTag: $account}) {
    workersInvocationsAdaptive(limit: 1000, filter: {scriptName: $script, datetime_geq: $since, datetime_leq: $until}) {
      dimensions { scriptVersion status } sum { requests errors }
} } } }"""


class Invocations(NamedTuple):
    """The requests and exceptions of one version."""

    requests: int = 0
    errors: int = 0


class Unknown(NamedTuple):
    """Why nobody knows."""

    reason: str


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, defer_build=True)


class _Dimensions(_Part):
    scriptVersion: str  # noqa: N815 (the API's name)


class _Sum(_Part):
    requests: Annotated[int, Field(ge=0)]
    errors: Annotated[int, Field(ge=0)]


class _Group(_Part):
    dimensions: _Dimensions
    sum: _Sum


class _Of(_Part):
    workersInvocationsAdaptive: list[_Group]  # noqa: N815 (the API's name)


class _Viewer(_Part):
    accounts: Annotated[list[_Of], Field(min_length=1)]


class _Data(_Part):
    viewer: _Viewer


class _Answer(_Part):
    data: _Data


async def invocations(account: Account, script: str, since: datetime, until: datetime) -> dict[str, Invocations] | Unknown:
    """What the versions of a worker answered between two moments, by version; or why nobody knows. Raises nothing."""
    call = Call(f"analytics of {script}", READ, account.id, hidden=account.api.credentials)
    variables = {"account": account.id, "script": script, "since": since.isoformat(), "until": until.isoformat()}
    try:
        answer = await account.api.send(call, "POST", "/graphql", {"query": _QUERY, "variables": variables})
    except ApiError as error:
        return Unknown(error.what)
    try:
        groups = _Answer.model_validate_json(answer.body).data.viewer.accounts[0].workersInvocationsAdaptive
    except ValidationError:
        return Unknown(_reason(call, answer.status, answer.body))
    counted: dict[str, Invocations] = {}
    for group in groups:
        before = counted.get(group.dimensions.scriptVersion, Invocations())
        counted[group.dimensions.scriptVersion] = Invocations(before.requests + group.sum.requests, before.errors + group.sum.errors)
    return counted or Unknown("there are no numbers yet")


def _reason(call: Call, status: int, body: bytes) -> str:
    try:
        messages = [str(error["message"]) for error in json.loads(body)["errors"]]
    except (ValueError, TypeError, KeyError):
        messages = []
    return call.clean(f"{'; '.join(messages) or f'status {status}'} (the token needs {READ})")
