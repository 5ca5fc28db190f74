"""What every route works with: the state, the runtime and who we are, and the small questions all routes ask of a request."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from crane_infra.local.behaviour import Behaviour
from crane_infra.local.envelope import BAD_REQUEST, MALFORMED, NO_SUCH_WORKER, NOT_FOUND, Refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from crane_infra.local.faults.injector import Injector
    from crane_infra.local.store import Body, Store
    from crane_infra.local.workerd.runtime import Workerd


@dataclass
class Cloud:
    """One running local cloud."""

    instance: str
    token: str
    subdomain: str
    store: Store
    workerd: Workerd
    injector: Injector
    behaviour: Behaviour = field(default_factory=Behaviour)

    def worker(self, id_or_name: str) -> Body:
        """Give a worker by id or name; refuse an unknown one as Cloudflare does (404, 10007)."""
        found = self.store.get("worker", id_or_name) or self.store.named("worker", id_or_name)
        if found is None:
            raise Refusal(NOT_FOUND, NO_SUCH_WORKER, "This Worker does not exist on your account.")
        return found


Handler: TypeAlias = "Callable[[Cloud, Request], Awaitable[Response]]"


def stamp() -> str:
    """Give the time as Cloudflare writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def body_of(request: Request, kind: type[Any] = dict) -> Any:  # noqa: ANN401 (JSON)
    """Give the request's JSON body; refuse what is not JSON of this kind."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: {error}") from error
    if not isinstance(body, kind):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: unexpected type of body")
    return body
