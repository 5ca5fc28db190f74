"""Looks whether the version that serves is a twin: the same upload as the version that the stack knows, sent twice.

The provider sends a request again when its reply is lost, and a killed run is started again. Both leave two versions of one upload, and a
call that arrives late can give the traffic to the one that the stack does not know. See docs/decisions/0027.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from crane_infra.at_once import all_at_once
from crane_infra.live.account import Account, Deployment
from crane_infra.live.reads import contradiction
from crane_infra.live.version import are_one_upload


class Comparison(NamedTuple):
    """The version that serves, compared with the one that the stack knows: its tag, and whether it is a twin, or another one from before.

    ``made_anew``: the worker has no version that the stack knows, because somebody deleted it and created it again under its name.
    """

    tag: str | None
    is_twin: bool = False
    is_older: bool = False
    made_anew: bool = False


async def compare(
    account: Account, script: str, serving: str, known: str, earlier: Collection[str], deployments: Iterable[Deployment] = ()
) -> Comparison:
    """Compare two different versions of ``script``. The ``earlier`` ones, which older proofs name, are never twins.

    ``deployments`` are the last ones of the script: one that is listed there exists. Raises ApiError where the API fails.
    """
    live, own = await all_at_once([account.version(script, serving), account.version(script, known)])
    if live is None:
        raise contradiction(f"version {serving} of {script}", "it lists a deployment of it, but says that there is no such version")
    if own is None:
        if any(known in deployment.shares for deployment in deployments):
            raise contradiction(f"version {known} of {script}", "it lists a deployment of it, but says that there is no such version")
        return Comparison(live.tag, made_anew=True)
    is_twin = serving not in earlier and are_one_upload(live, own) and await _have_the_same_modules(account, script, serving, known)
    return Comparison(live.tag, is_twin, is_older=not is_twin and live.uploaded_on < own.uploaded_on)


def twin_summary(script: str, serving: str, known: str) -> str:
    """What is logged where a twin serves."""
    return f"worker {script} serves {serving}, the twin of {known}: the same upload, sent twice"


async def _have_the_same_modules(account: Account, script: str, one: str, other: str) -> bool:
    versions = await all_at_once(account.version(script, version, with_modules=True) for version in (one, other))
    return len({version.contents if version else None for version in versions} | {None}) == 2  # noqa: PLR2004
