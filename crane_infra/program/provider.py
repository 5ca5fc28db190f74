"""Resources of the official Cloudflare provider, declared by their type tokens.

The provider's own SDK does the same with one class for each of 300 resources, whose shared modules take about a second to import in every
preview and update. This program declares five resources. Tests hold each to what the SDK's class would register. See docs/decisions/0024.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

import pulumi

from crane_infra.live.provider_error import refusal_in
from crane_infra.live.trouble import Service
from crane_infra.program.waiting import Watch

VERSION = version("pulumi-cloudflare")
"""The plugin has the version of its SDK, which pyproject.toml pins."""
_NOUNS = {
    "d1Database:D1Database": "database",
    "worker:Worker": "worker",
    "workerVersion:WorkerVersion": "new version of worker",
    "workersDeployment:WorkersDeployment": "deployment of worker",
    "workersCronTrigger:WorkersCronTrigger": "schedules of worker",
}
_PACKAGE = "cloudflare:index/"
_EXPLAINED = ("d1Database:D1Database", "worker:Worker")


@dataclass(frozen=True)
class CloudflareAccount:
    """The account of all resources. ``trouble`` asks it why a call may take long (``live/trouble.py``); ``redact`` hides secrets that an API echoes."""

    id: str
    trouble: Callable[[Service], Awaitable[str | None]]
    redact: Callable[[str], str]
    _declared: dict[tuple[str, str], pulumi.Resource] = field(default_factory=dict)
    """By kind and name."""
    _watches: set[asyncio.Task[None]] = field(default_factory=set)
    """Those under way: the event loop itself keeps only weak references to its tasks."""

    def add(self, kind: str, name: str, resource: pulumi.Resource) -> pulumi.ResourceHookBinding | None:
        """Watch the provider's calls for a resource; returns the hooks that do, which all resources share. None in a preview, which calls nothing."""
        if pulumi.runtime.is_dry_run():
            return None
        self._declared[kind, name] = resource
        begins, failed = self._hooks
        return pulumi.ResourceHookBinding(before_create=[begins], before_update=[begins], on_error=[failed])

    @cached_property
    def _hooks(self) -> tuple[pulumi.ResourceHook, pulumi.ErrorHook]:
        async def begins(args: pulumi.ResourceHookArgs) -> None:
            """The last hook before the provider's call."""
            kind = args.type.removeprefix(_PACKAGE)
            ended = asyncio.ensure_future(_end_of(self._declared[kind, args.name]))
            watch = Watch(pulumi.log.info).over(ended, f"{kind.partition(':')[2]} {args.name}", lambda: self.trouble(_service(kind)))
            task = asyncio.ensure_future(watch)
            self._watches.add(task)
            task.add_done_callback(self._watches.discard)

        async def failed(args: pulumi.ErrorHookArgs) -> bool:
            """After a call of the provider that failed. It cannot change the failure."""
            with contextlib.suppress(Exception):
                _say_cause(self, args)
            return False  # the provider has tried often enough

        return pulumi.ResourceHook("call-begins", begins), pulumi.ErrorHook("call-failed", failed)


class CloudflareResource(pulumi.CustomResource):
    """One resource. ``kind`` is its token without the package, for example ``worker:Worker``; inputs have the provider's names, in camelCase.

    Where Cloudflare refuses a call, the cause is logged too: the provider's own text is a page of JSON. While the provider creates or updates it, an update says now and then what it waits for. Not while it is imported: the engine runs no
    hook before that, so nobody knows when it begins.
    """

    def __init__(self, kind: str, name: str, account: CloudflareAccount, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
        """Register the resource with the provider at the version of the installed SDK."""
        own = pulumi.ResourceOptions(version=VERSION, hooks=account.add(kind, name, self))
        super().__init__(f"{_PACKAGE}{kind}", name, {"accountId": account.id, **inputs}, pulumi.ResourceOptions.merge(opts, own))


def _say_cause(account: CloudflareAccount, args: pulumi.ErrorHookArgs) -> None:
    """Log why Cloudflare refused a call, where the provider's text says so. What already exists is explained by another hook."""
    kind = args.type.removeprefix(_PACKAGE)
    text = next(iter(args.errors), "")
    is_taken = args.failed_operation == "create" and kind in _EXPLAINED and "exist" in text
    error = None if is_taken else refusal_in(text, f"{_NOUNS[kind]} {args.name}", _service(kind), account.id)
    if error:
        pulumi.log.error(account.redact(str(error)))


def _service(kind: str) -> Service:
    return "d1" if kind.startswith("d1") else "workers"


async def _end_of(resource: pulumi.Resource) -> None:
    """Wait until the engine has registered a resource, or failed to."""
    with contextlib.suppress(Exception):
        await resource.urn.future()
