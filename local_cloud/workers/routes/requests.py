"""What a request to the Workers routes says: its script, its client, its flags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.workers.worker_record import no_such_worker

if TYPE_CHECKING:
    from starlette.requests import Request

    from local_cloud.cloud import Cloud
    from local_cloud.store import Body


def worker_of(cloud: Cloud, request: Request) -> Body:
    """Give the worker of a workers route, by id or name; refuse an unknown one (404, 10007)."""
    return cloud.worker(request.path_params["id"])


def script_of(cloud: Cloud, request: Request) -> Body:
    """Give the worker of a scripts route, by name; refuse an unknown one (404, 10007)."""
    worker = cloud.store.named("worker", request.path_params["name"])
    if worker is None:
        raise no_such_worker()
    return worker


def source(request: Request) -> str:
    """Give the ``source`` of a change: ``wrangler`` for a client whose User-Agent begins so, ``api`` for any other."""
    return "wrangler" if request.headers.get("user-agent", "").startswith("wrangler/") else "api"


def flag(request: Request, name: str) -> bool:
    """Whether a query parameter is ``true``."""
    return request.query_params.get(name, "false").lower() == "true"


def inherits_strictly(request: Request) -> bool:
    """Whether a binding that cannot be inherited is refused (``?bindings_inherit=strict``)."""
    return request.query_params.get("bindings_inherit") == "strict"
