"""Makes a deployment: gives the traffic of a worker to one or two of its versions.

The provider's resource cannot: it refuses a share of 0 %, and a version whose secrets differ from those that serve.
"""

from collections.abc import Iterable, Mapping

from crane_infra.d1.answer import Call, read_result
from crane_infra.d1.errors import WriteOutcomeUnknown
from crane_infra.live.account import Account, Deployment, deployment_of
from crane_infra.live.answers import DEPLOYMENT
from crane_infra.live.mark import Mark
from crane_infra.live.reads import path_of

WRITE = "Workers Scripts Write"


async def deploy(
    account: Account,
    script: str,
    shares: Mapping[str, float],
    mark: Mark,
    *,
    force: bool = False,
    listed: Iterable[Deployment] | None = None,
) -> Deployment:
    """Give ``script`` these shares of traffic, in percent by version id, and return the deployment.

    ``force`` deploys a version even where a secret of the worker has changed since it served (10220). ``listed`` are the deployments of the script
    that the caller has just read; None: they are read here. After a lost reply the account decides: the deployment is not sent twice where it was
    made. Raises ApiError.
    """
    call = Call(f"deployment of {script}", WRITE, account.id, is_write=True, hidden=account.api.credentials)
    body = {
        "strategy": "percentage",
        "versions": [{"version_id": version, "percentage": share} for version, share in shares.items()],
        "annotations": {"workers/message": mark.message},
    }
    path = path_of(account.id, "workers", "scripts", script, "deployments") + ("?force=true" if force else "")
    before = {deployment.id for deployment in (await account.deployments(script) if listed is None else listed)}
    try:
        return deployment_of(read_result(call, await account.api.send(call, "POST", path, body), DEPLOYMENT))
    except WriteOutcomeUnknown:
        active = next(iter(await account.deployments(script)), None)
        if active is None or active.id in before or active.shares != dict(shares) or active.message != mark.message:
            raise
        return active
