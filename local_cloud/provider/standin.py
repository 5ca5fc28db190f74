"""Answers the engine's requests: finds the resource type, converts values to plain ones, makes the calls, and marks secrets again.

It has no rules of a resource type. All providers of a run share one configuration, the last one set. Every reply marks the secrets of
its request.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
from pulumi.provider.experimental import provider
from pulumi.provider.experimental.property_value import PropertyValue

from local_cloud.errors import LocalCloudError
from local_cloud.provider.api import Api, RequestError, local_base_url, official_pauses
from local_cloud.provider.cron import WorkersCronTrigger
from local_cloud.provider.database import D1Database
from local_cloud.provider.deployment import WorkersDeployment
from local_cloud.provider.engine_log import log
from local_cloud.provider.inputs import imported, refreshed
from local_cloud.provider.json_values import ignoring
from local_cloud.provider.resource import Difference, Resource
from local_cloud.provider.values import UNKNOWN, Properties, checked, confidential, marked, plain, secret_keys
from local_cloud.provider.version import WorkerVersion
from local_cloud.provider.worker import Worker

_Kind = provider.PropertyDiffKind
_Values = dict[str, PropertyValue]
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,80}")
_NO_TOKEN = "cloudflare:apiToken is not an API token: a token has 40 to 80 letters, digits, hyphens and underscores"  # noqa: S105 (a message)
_GONE = "It does not exist at Cloudflare any more, so it leaves the state"


class StandIn(provider.Provider):
    """The stand-in for the Cloudflare provider."""

    def __init__(
        self,
        base_url: str,
        token: str,
        http: httpx.AsyncClient,
        pause_factor: Callable[[], float] = official_pauses,
        folder: Path | None = None,
    ) -> None:
        """``folder`` is that of the programs, as the folder in which the engine starts the official provider; by default this process's."""
        self._started_with = Api(local_base_url(base_url), token, http, pause_factor)
        self._api = self._started_with
        self._types: dict[str, Resource] = {
            resource.token: resource
            for resource in (Worker(), WorkerVersion(folder or Path()), WorkersDeployment(), WorkersCronTrigger(), D1Database())
        }

    async def check_config(self, request: provider.CheckRequest) -> provider.CheckResponse:
        """Refuse a token in the configuration that does not have the form of one."""
        token = plain(request.new_inputs).get("apiToken")
        wrong = isinstance(token, str) and token != UNKNOWN and not _TOKEN.fullmatch(token)
        return provider.CheckResponse(request.new_inputs, [provider.CheckFailure("", _NO_TOKEN)] if wrong else [])

    async def configure(self, request: provider.ConfigureRequest) -> provider.ConfigureResponse:
        """Use the base URL and the token of the configuration, if it has them."""
        settings = plain(request.args)
        base_url = settings.get("baseUrl", self._started_with.base_url)
        token = settings.get("apiToken", self._started_with.token)
        self._api = replace(self._started_with, base_url=local_base_url(base_url), token=token)
        return provider.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: provider.CheckRequest) -> provider.CheckResponse:
        """Refuse inputs that are missing or not supported; a property that contains a secret becomes secret."""
        inputs = plain(request.new_inputs)
        problems = self._type(request.type).problems(inputs)
        failures = [provider.CheckFailure(key, reason) for key, reason in problems.items()]
        return provider.CheckResponse(inputs=checked(inputs, secret_keys(request.new_inputs)), failures=failures)

    async def diff(self, request: provider.DiffRequest) -> provider.DiffResponse:
        """Compare the new inputs with the last outputs."""
        resource, prior = self._type(request.type), plain(request.old_state)
        inputs = ignoring(plain(request.new_inputs), prior, request.ignore_changes)
        difference = resource.difference(resource.planned(inputs, prior), prior)
        return provider.DiffResponse(
            changes=bool(difference.changed),
            replaces=list(difference.replaces),
            diffs=list(difference.shown),
            detailed_diff={key: _detail(key, difference, prior, inputs) for key in difference.changed},
        )

    async def create(self, request: provider.CreateRequest) -> provider.CreateResponse:
        """Create a resource, or predict its outputs in a preview."""
        resource, inputs = self._type(request.type), plain(request.properties)
        planned = resource.planned(inputs, {})
        secret = secret_keys(request.properties)
        if resource.creation_warning:
            await log("warning", request.urn, f"[WARNING] {resource.creation_warning}")
        if request.preview:
            return provider.CreateResponse(properties=marked(resource.foreseen(planned), secret))
        async with _printing_refusals(request.urn):
            outputs = await resource.create(self._hiding(request.properties), planned)
        return provider.CreateResponse(resource_id=outputs["id"], properties=marked(outputs, secret))

    async def update(self, request: provider.UpdateRequest) -> provider.UpdateResponse:
        """Change a resource, or predict its outputs in a preview."""
        resource, prior = self._type(request.type), plain(request.olds)
        planned = resource.planned(ignoring(plain(request.news), prior, request.ignore_changes), prior)
        if request.preview:
            outputs = {**prior, **planned, **dict.fromkeys(resource.after_update, UNKNOWN)}
        else:
            async with _printing_refusals(request.urn):
                outputs = await resource.update(self._hiding(request.olds, request.news), planned, prior)
        return provider.UpdateResponse(properties=marked(outputs, secret_keys(request.olds) | secret_keys(request.news)))

    async def read(self, request: provider.ReadRequest) -> provider.ReadResponse:
        """Refresh a resource, or find one to import: an import reads twice, the second time by the real id."""
        resource, state = self._type(request.type), plain(request.properties)
        api = self._hiding(request.properties, request.inputs)
        async with _printing_refusals(request.urn):
            outputs = await (resource.read(api, state) if state else _find(resource, api, request.resource_id))
        if outputs is None:
            await log("warning", request.urn, f"[WARNING] {_GONE}")
            return provider.ReadResponse(resource_id="")
        inputs = refreshed(plain(request.inputs), outputs) if state else imported(resource, outputs)
        secret = secret_keys(request.properties) | secret_keys(request.inputs)
        return provider.ReadResponse(resource_id=outputs["id"], properties=marked(outputs, secret), inputs=marked(inputs, secret))

    async def delete(self, request: provider.DeleteRequest) -> None:
        """Delete a resource."""
        async with _printing_refusals(request.urn):
            await self._type(request.type).delete(self._hiding(request.properties), plain(request.properties))

    def _type(self, urn_type: str) -> Resource:
        """Give a resource type; below a component the parents' types come first, separated by dollar signs."""
        token = urn_type.rpartition("$")[2]
        if token not in self._types:
            todo = "Install the official Cloudflare provider, or use only: " + ", ".join(sorted(self._types))
            raise LocalCloudError(token, "the stand-in provider does not support this type", todo)
        return self._types[token]

    def _hiding(self, *values: _Values) -> Api:
        return self._api.hiding(confidential(*values))


@asynccontextmanager
async def _printing_refusals(urn: str) -> AsyncIterator[None]:
    """Print a refusal besides the error that ends the call: the official provider reports each one twice."""
    try:
        yield
    except RequestError as refused:
        await log("error", urn, f"[ERROR] {refused.what}: {refused.where}")
        raise


async def _find(resource: Resource, api: Api, import_id: str) -> Properties | None:
    outputs = await resource.read(api, resource.located(import_id))
    return None if outputs is None else await resource.read(api, outputs)


def _detail(key: str, difference: Difference, prior: Properties, inputs: Properties) -> provider.PropertyDiff:
    replaces = key in difference.replaces
    if key not in prior:
        kind = _Kind.ADD_REPLACE if replaces else _Kind.ADD
    elif key not in inputs:
        kind = _Kind.DELETE_REPLACE if replaces else _Kind.DELETE
    else:
        kind = _Kind.UPDATE_REPLACE if replaces else _Kind.UPDATE
    return provider.PropertyDiff(kind, input_diff=True)
