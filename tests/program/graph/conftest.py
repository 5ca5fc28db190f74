"""Runs the program of one environment under Pulumi's mocks and hands over what it declared."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]
import pulumi
import pytest
import yaml
from pulumi.runtime import mocks as pulumi_mocks

from crane_infra.release.exported import exported, plain_outputs
from tests.d1.fixtures import no_waiting
from tests.program.graph.account import Account, serving
from tests.repository import ROOT

__all__ = ["no_waiting"]

ACCOUNT = "0123456789abcdef0123456789abcdef"
PLANTED = {
    "CRANE_CONTEXT_KEY": "canary-relay",
    "CRANE_ADMIN_KEY": "canary-admin",
    "GEMINI_API_KEY": "canary-gemini",
    "GH_PRIVATE_KEY_PEM": "canary-pem",
    "GH_WEBHOOK_SECRET": "canary-hook",
}


class UnknownStack(grpc.RpcError):  # type: ignore[misc]
    """How the engine says that there is no such stack."""

    def code(self) -> grpc.StatusCode:
        """Say what kind of error this is."""
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        """Say it in the engine's words."""
        return f"unknown stack {self.args[0]!r}"


@dataclass
class Declared(pulumi.runtime.Mocks):
    """Every resource that was registered, with its inputs; and the outputs of other stacks, given by name."""

    stacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    resources: list[pulumi.runtime.MockResourceArgs] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    hooks: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    """The URNs of the components that the engine was told to be complete."""

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """Stand where the engine's callback server would: Pulumi's mocks have none, and never run a hook."""
        self.hooks.append(hook.name)

    def register_error_hook(self, hook: pulumi.ErrorHook) -> None:
        """The same for a hook that runs after a failure."""
        self.hooks.append(hook.name)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Register a resource; its id is the adopted one, else made of its name."""
        self.resources.append(args)
        found = (args.resource_id or "").rpartition("/")[2] or f"{args.name}-id"
        computed = {"uuid": found} if args.typ.endswith("D1Database") else {}
        return found, {**args.inputs, **computed}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:  # noqa: ANN401
        """Answer what the engine answers for the outputs of a stack."""
        name = args.args["name"]
        if name not in self.stacks:
            raise UnknownStack(name)
        return {"name": name, "outputs": self.stacks[name], "secretOutputNames": []}

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Inputs by name of every resource whose type ends so."""
        return {one.name: one.inputs for one in self.resources if one.typ.endswith(kind)}

    def request(self, kind: str, name: str) -> Any:  # noqa: ANN401
        """What was sent to register a resource: options included."""
        return next(one for one in self.requests if one.type.endswith(kind) and one.name == name)


class Monitor(pulumi_mocks.MockMonitor):
    """Pulumi's mock monitor, which keeps the requests: they hold the options that mocks are not shown."""

    def __init__(self, declared: Declared) -> None:
        super().__init__(declared)
        self.declared = declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: ANN401, N802 - named by the protocol
        """Keep the request and go on."""
        self.declared.requests.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]

    def Invoke(self, request: Any) -> Any:  # noqa: ANN401, N802 - named by the protocol
        """Go on, and close the event loop that Pulumi's mocks make for the thread that asks: this one ends soon."""
        try:
            return super().Invoke(request)  # type: ignore[no-untyped-call]
        finally:
            asyncio.get_event_loop().close()
            asyncio.set_event_loop(None)

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: ANN401, N802 - named by the protocol
        """Keep the URN and go on."""
        self.declared.ended.append(request.urn)
        return super().RegisterResourceOutputs(request)  # type: ignore[no-untyped-call]


Declare = Callable[..., Declared]


def recorded(declared: Declared) -> dict[str, Any]:
    """What the release step exports once it has passed, in plain form."""
    return plain_outputs(exported("staging", declared.of("Stash")["release"]["input"]))


def committed(environment: str) -> dict[str, Any]:
    """The committed configuration of an environment, with what a user adds."""
    config = yaml.safe_load((ROOT / f"Pulumi.{environment}.yaml").read_text(encoding="utf-8"))["config"]
    return {key.partition(":")[2]: value for key, value in config.items()} | {
        "workers-dir": str(ROOT / "workers"),
        "secrets": {key: f"{value}-{environment}" for key, value in PLANTED.items()},
        "fingerprint-key": "canary-fingerprint-key",
    }


@pytest.fixture(scope="session")
def loop() -> asyncio.AbstractEventLoop:
    """Give the one loop that Pulumi's mocks run on; never closed, since their threads keep loops of their own until the end."""
    return asyncio.new_event_loop()


@pytest.fixture(autouse=True)
def no_preview_afterwards() -> Iterator[None]:
    """A preview that a test pretends ends with the test: the code that other files test asks Pulumi for it too."""
    yield
    pulumi.runtime.settings.SETTINGS.dry_run = False


@pytest.fixture
def account() -> Iterator[Account]:
    """An account that has whatever is adopted."""
    with serving(Account()) as served:
        yield served


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch, loop: asyncio.AbstractEventLoop, account: Account) -> Iterator[Declare]:
    """Declare an environment, as a preview or an update; raises what the program raises."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "canary-token")
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", account.url)
    asyncio.set_event_loop(loop)

    def run(environment: str, stacks: dict[str, dict[str, Any]] | None = None, *, preview: bool = False, **changes: object) -> Declared:
        # Imported here: importing the provider's SDK takes two seconds, which the other tests need not wait for.
        from crane_infra import catalog  # noqa: PLC0415
        from crane_infra.program.announce import gate  # noqa: PLC0415
        from crane_infra.program.begin import begin  # noqa: PLC0415
        from crane_infra.program.environment import declare as declare_environment  # noqa: PLC0415
        from crane_infra.program.stacks import own_settings  # noqa: PLC0415

        monkeypatch.setattr(gate, "tags_of", lambda *_: {})  # there is no Pulumi CLI to ask
        values = committed(environment) | {key.replace("_", "-"): value for key, value in changes.items()}
        account.databases |= {one["adopt"]: one["name"] for one in values["databases"].values() if "adopt" in one}
        texts = {f"crane-infra:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
        pulumi.runtime.set_all_config(texts, ["crane-infra:secrets", "crane-infra:fingerprint-key"])
        declared = Declared({f"organization/crane-infra/{environment}": {}, **(stacks or {})})
        pulumi_mocks.set_mocks(
            declared,
            project="crane-infra",
            stack=environment,
            preview=preview,
            organization="organization",
            monitor=Monitor(declared),
        )
        pulumi.runtime.settings.SETTINGS.callbacks = declared
        pulumi.runtime.settings.SETTINGS.root_directory = str(ROOT)

        @pulumi.runtime.test  # type: ignore[untyped-decorator]
        def declaring() -> None:
            asked = begin()
            declare_environment(own_settings(), catalog.crane(), asked)

        declaring()
        return declared

    yield run
    pulumi.runtime.set_all_config({}, [])
    asyncio.set_event_loop(None)
