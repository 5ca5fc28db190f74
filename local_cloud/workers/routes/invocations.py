"""The dataset ``workersInvocationsAdaptive`` of the GraphQL API: requests and errors of a script, by version and status.

Answers what crane asks: the variables of the query say which script and which time; the fields are always the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_cloud.envelope import BAD_REQUEST, MALFORMED, Refusal
from local_cloud.tokens import Permission, may
from local_cloud.workers.invocations import EXCEPTION

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body

DATASET, VERSION = "workersInvocationsAdaptive", "scriptVersion"
NOT_ALLOWED, UNKNOWN_FIELD = "not authorized for that account", f'unknown field "{VERSION}"'


def answer(cloud: Cloud, request: Request, body: Body) -> Body:
    """Give the reply of the GraphQL API to a query of this dataset."""
    if not may(request, Permission.ANALYTICS_READ):
        return _refused(NOT_ALLOWED)
    if VERSION in str(body["query"]) and not cloud.behaviour.invocations_by_version:
        return _refused(UNKNOWN_FIELD)
    variables = body.get("variables") or {}
    groups = [] if cloud.behaviour.invocations_missing else _groups(cloud, variables)
    return {"data": {"viewer": {"accounts": [{DATASET: groups}]}}, "errors": None}


def _groups(cloud: Cloud, variables: dict[str, Any]) -> list[Body]:
    try:
        script, since, until = str(variables["script"]), _moment(variables["since"]), _moment(variables["until"])
    except (KeyError, TypeError, ValueError) as error:
        raise Refusal(BAD_REQUEST, MALFORMED, "The query needs the variables script, since and until") from error
    lag, one_in = cloud.behaviour.invocations_lag_seconds, cloud.behaviour.invocations_one_in
    counted = cloud.invocations.groups(script, since, until, lag=lag, one_in=one_in)
    return [
        {
            "dimensions": {VERSION: version, "status": status},
            "sum": {"requests": count, "errors": count if status == EXCEPTION else 0},
        }
        for (version, status), count in sorted(counted.items())
    ]


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _refused(message: str) -> Body:
    return {"data": None, "errors": [{"message": message}]}
