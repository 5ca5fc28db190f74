"""What every route works with: the state and the runtime of one cloud, and a request's JSON body."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from local_cloud.behaviour import Behaviour
from local_cloud.d1.open_databases import OpenDatabases
from local_cloud.envelope import BAD_REQUEST, MALFORMED, NO_SUCH_WORKER, NOT_FOUND, Refusal
from local_cloud.tokens import Tokens
from local_cloud.workerd.paths import assets_of
from local_cloud.workers.asset_files import AssetFiles
from local_cloud.workers.invocations import Invocations
from local_cloud.workers.previews import Previews
from local_cloud.workers.propagation import Propagation
from local_cloud.workers.runtime_options import what_runs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from local_cloud.faults.injector import Injector
    from local_cloud.faults.log import CallLog
    from local_cloud.store import Body, Store
    from local_cloud.workerd.runtime import Workerd


@dataclass
class Cloud:
    """One running local cloud."""

    instance: str
    token: str
    subdomain: str
    store: Store
    workerd: Workerd
    injector: Injector
    log: CallLog
    behaviour: Behaviour = field(default_factory=Behaviour)
    open_databases: OpenDatabases = field(default_factory=OpenDatabases)
    propagation: Propagation = field(default_factory=Propagation)
    previews: Previews = field(default_factory=Previews)
    invocations: Invocations = field(default_factory=Invocations)
    shipping: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the one call that changes workers, so that none builds on a version that another is replacing."""

    def __post_init__(self) -> None:
        """Let the runtime also run what the edge still serves, and the previews."""
        self.workerd.describe = lambda: what_runs(self.store, self.propagation, self.previews.ids)

    @property
    def assets(self) -> AssetFiles:
        """The static assets of all versions."""
        return AssetFiles(assets_of(self.workerd.databases.parent))

    @property
    def tokens(self) -> Tokens:
        """The tokens that this cloud accepts."""
        return Tokens(self.store, self.token)

    def worker(self, id_or_name: str) -> Body:
        """Give a worker by id or name; refuse an unknown one as Cloudflare does (404, 10007)."""
        worker = self.store.get("worker", id_or_name) or self.store.named("worker", id_or_name)
        if worker is None:
            raise Refusal(NOT_FOUND, NO_SUCH_WORKER, "This Worker does not exist on your account.")
        return worker

    def settle(self) -> None:
        """Bring to the edge the deployments that have waited long enough."""
        if self.propagation.settle(self.behaviour.propagation_seconds):
            self.workerd.touch()

    def seen(self, worker: str) -> Body | None:
        """Give the deployment of a worker that the edge serves to the next request."""
        newest = self.store.last_child("deployment", worker)
        former = self.propagation.seen(worker, newest)
        return random.choice([former, newest]) if self.behaviour.propagation_mixes else former  # noqa: S311 (no secret)

    def serving(self, worker: Body) -> list[Body]:
        """Give the deployments of a worker whose versions the edge needs: the newest one, and earlier ones that it still serves."""
        newest = self.store.last_child("deployment", worker["id"])
        return [*self.propagation.formers(worker["id"]), *([newest] if newest else [])]

    @contextmanager
    def propagating(self, worker: str, deployment: str, former: Body | None) -> Iterator[None]:
        """Bring a deployment that was just stored to the edge; the former one stays there for the lag, or for good if the block raises."""
        self.settle()
        if self.behaviour.propagation_seconds > 0:
            self.propagation.begin(worker, deployment, former)
        self.workerd.touch()
        try:
            yield
        except BaseException:
            self.propagation.forget(worker, deployment)
            raise


Handler: TypeAlias = "Callable[[Cloud, Request], Awaitable[Response]]"


async def body_of(request: Request, kind: type[Any] = dict) -> Any:  # noqa: ANN401 (JSON)
    """Give the request's JSON body; refuse a body that is not JSON of this type."""
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(BAD_REQUEST, MALFORMED, f"The request is malformed: {error}") from error
    if not isinstance(body, kind):
        raise Refusal(BAD_REQUEST, MALFORMED, "The request is malformed: unexpected type of body")
    return body
