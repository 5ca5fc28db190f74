"""At the start of a run: looks for deployments made by hand, says them, and refuses or returns what handmade.py decides.

Changes nothing itself: what is returned makes a worker's version be uploaded and deployed anew. The old version would not do: Cloudflare
takes none back whose secrets differ from those that serve (10220), and the provider has no way to insist. Prevents a run that says "unchanged" over
a worker that serves something else.
"""

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future

import pulumi
from cloudflare import AsyncCloudflare

from crane_infra.errors import ApiError
from crane_infra.live.account import connect, deployments, tag_of
from crane_infra.live.manual import Deployed, Handmade, answer_to, made_by_hand
from crane_infra.program.preparation import Prepared
from crane_infra.release.proof import readable


def returned(prepared: Prepared, looked: Future[list[Handmade]]) -> dict[str, str]:
    """The workers whose version is to be uploaded anew, with the mark of the deployment that it is to replace.

    A mark stays for good: where it went away again, the engine would upload the version once more. In preview what is found is
    said and the diff goes on; in an update raises LiveError for a deployment that the run must not undo, ApiError where the API does not
    answer.
    """
    marks = _marks_of(prepared.last)
    try:
        found = looked.result()
    except ApiError as error:
        if not pulumi.runtime.is_dry_run():
            raise
        pulumi.log.warn(f"Deployments made by hand would go unseen here: {error}")
        return marks
    for one in found:
        _say(one, prepared)
    return marks | {one.worker: one.mark for one in found if one.answer == "redeploys"}


def _say(found: Handmade, prepared: Prepared) -> None:
    settings = prepared.settings
    if found.answer == "refuses" and not pulumi.runtime.is_dry_run():
        raise found.error(settings.environment)
    pulumi.log.warn(str(found.error(settings.environment)) if found.answer == "refuses" else f"{found.told}.")


def _last(prepared: Prepared) -> dict[str, Deployed]:
    """What this stack deployed last, of the workers that it still has."""
    proofs = [proof for entry in prepared.last.get("proofs") or [] if (proof := readable(entry))]
    if not proofs:
        return {}
    newest, *older = proofs
    return {
        name: Deployed(
            one.script, one.version, one.tag, {proof.workers[name].version for proof in older if name in proof.workers} - {one.version}
        )
        for name, one in newest.workers.items()
        if name in prepared.catalog.workers
    }


def _marks_of(last: Mapping[str, object]) -> dict[str, str]:
    environment = last.get("environment")
    workers = environment.get("workers") if isinstance(environment, Mapping) else None
    return {name: str(one["uploaded-anew-for"]) for name, one in (workers or {}).items() if "uploaded-anew-for" in one}


async def look_at_deployments(prepared: Prepared) -> list[Handmade]:
    """The deployments that this stack did not make, of the workers that it deployed last. Raises ApiError."""
    if not (last := _last(prepared)):
        return []
    async with connect(prepared.settings) as client:
        found = await asyncio.gather(*(_look_at(client, prepared, name, one) for name, one in last.items()))
    return [one for one in found if one is not None]


async def _look_at(client: AsyncCloudflare, prepared: Prepared, name: str, last: Deployed) -> Handmade | None:
    settings = prepared.settings
    found = await deployments(client, settings.account_id, last.script)
    if not found:
        return Handmade(name, last.script, None, "redeploys")
    (version, *others) = found[0].shares
    known = others or version == last.version
    tag = None if known else await tag_of(client, settings.account_id, last.script, version)
    if (active := made_by_hand(found, last, tag)) is None:
        return None
    consent = settings.workers[name].replace_deployment
    return Handmade(name, last.script, active, answer_to(active, last, prepared.release.tag(name), settings.environment, consent))
