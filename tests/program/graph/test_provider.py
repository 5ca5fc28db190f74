"""What this program registers is what the provider's own SDK registers: the same token, version and inputs, so that no diff comes from either."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from pulumi.runtime import mocks

from crane_infra.imports import without_collector
from crane_infra.program.provider import CloudflareAccount, CloudflareResource
from tests.program.graph.conftest import Declared, Monitor
from tests.repository import ROOT

ACCOUNT = "0123456789abcdef0123456789abcdef"
# Where in the code a resource was registered; the hook that says what a run waits for; and an older name of the cron trigger, which no stack
# of this project ever used.
NOT_COMPARED = {"sourcePosition", "stackTrace", "packageRef", "hooks", "aliases"}
Declare = Callable[[str], pulumi.CustomResource]


async def no_trouble(_: str) -> None:
    """An account whose API answers."""


QUIET = CloudflareAccount(ACCOUNT, no_trouble, str)


OURS: dict[str, Callable[[], dict[str, Any]]] = {
    "d1Database:D1Database": lambda: {"name": "db", "readReplication": {"mode": "disabled"}},
    "worker:Worker": lambda: {"name": "w", "subdomain": {"enabled": True, "previewsEnabled": False}},
    "workerVersion:WorkerVersion": lambda: {
        "workerId": "id",
        "mainModule": "index.js",
        "modules": [{"name": "index.js", "contentType": "application/javascript+module", "contentFile": ".crane/modules/abc"}],
        "compatibilityDate": "2026-01-01",
        "compatibilityFlags": ["nodejs_compat"],
        "bindings": [
            {"name": "DB", "type": "d1", "databaseId": "uuid"},
            {"name": "KEY", "type": "secret_text", "text": pulumi.Output.secret("canary")},
            {"name": "NEXT", "type": "service", "service": "other"},
        ],
        "assets": {
            "directory": ".crane/assets/abc",
            "config": {"htmlHandling": "none", "notFoundHandling": "404-page", "runWorkerFirst": ["/api/*"]},
        },
        "annotations": {"workersTag": "tag", "workersMessage": "secrets none"},
    },
    "workersDeployment:WorkersDeployment": lambda: {
        "scriptName": "w",
        "strategy": "percentage",
        "versions": [{"versionId": "id", "percentage": 100}],
    },
    "workersCronTrigger:WorkersCronTrigger": lambda: {"scriptName": "w", "schedules": [{"cron": "* * * * *"}]},
}


@pytest.fixture
def registered(loop: asyncio.AbstractEventLoop) -> Iterator[Callable[[Declare], dict[str, Any]]]:
    """Register a resource and give the request, as the engine gets it."""
    asyncio.set_event_loop(loop)

    def register(declare: Declare) -> dict[str, Any]:
        declared = Declared()
        mocks.set_mocks(declared, project="crane-infra", stack="staging", monitor=Monitor(declared))
        pulumi.runtime.settings.SETTINGS.callbacks = declared

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def declaring() -> None:
            declare("resource")

        declaring()
        request = MessageToDict(next(each for each in declared.requests if each.type.startswith("cloudflare:")))
        return {key: value for key, value in request.items() if key not in NOT_COMPARED}

    yield register
    asyncio.set_event_loop(None)


@pytest.mark.parametrize("kind", OURS)
def test_a_resource_is_registered_as_the_sdk_registers_it(registered: Callable[[Declare], dict[str, Any]], kind: str) -> None:
    with without_collector():
        from tests.program.graph.by_the_sdk import BY_THE_SDK  # noqa: PLC0415 (it takes a second, which only this test needs)
    ours = registered(lambda name: CloudflareResource(kind, name, QUIET, OURS[kind](), pulumi.ResourceOptions()))
    assert ours == registered(BY_THE_SDK[kind])
    assert ours["type"] == f"cloudflare:index/{kind}"


def test_the_program_declares_these_kinds_and_no_other() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "crane_infra" / "program" / "components").glob("*.py"))
    assert code.count("CloudflareResource(") == len(OURS)
    assert [kind for kind in OURS if f'"{kind}"' not in code] == []
