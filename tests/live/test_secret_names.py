"""The names of secrets on a worker are those that its release declares; values are never looked at."""

from collections.abc import Callable

from crane_infra.catalog import crane
from crane_infra.commands.verify import verify
from crane_infra.config.settings import Settings
from crane_infra.live.secret_names import live_secret_names, secret_names, secret_names_fault
from crane_infra.release.outputs import StackOutputs, WorkerOutput
from crane_infra.release.proof import Proof
from tests.program.graph.account import Account, serving

VERSION = {
    "bindings": [
        {"name": "RELAY", "type": "secret_text", "text": "canary-value"},
        {"name": "LEFT_OVER", "type": "secret_text"},
        {"name": "MODE", "type": "plain_text", "text": "x"},
    ]
}


def test_a_secret_that_nobody_declared_and_a_required_one_that_is_missing_are_named_without_values() -> None:
    declared = secret_names({"RELAY": "secret_text", "HOOK": "secret_text", "EXTRA": "secret_text", "MODE": "plain_text"})
    fault = secret_names_fault("context", "production", live_secret_names(VERSION), declared, {"RELAY", "HOOK", "OF_NEWER_FILES"})
    assert str(fault) == (
        "worker context: the names of its secrets differ from its release: LEFT_OVER not declared; HOOK missing. Declare a secret that is "
        "needed in crane_infra/catalog.py. pulumi up -s production sets the declared ones; see docs/secrets.md."
    )


def test_the_declared_ones_with_or_without_optional_ones_are_as_released() -> None:
    for live in ({"RELAY"}, {"RELAY", "EXTRA"}):
        assert secret_names_fault("context", "staging", live, {"RELAY", "EXTRA"}, {"RELAY"}) is None


def test_a_version_without_bindings_has_none() -> None:
    assert live_secret_names({}) == live_secret_names({"bindings": None}) == set()


async def test_verify_names_them(make_settings: Callable[..., Settings], make_proof: Callable[..., Proof]) -> None:
    manifest = {"schema": 1, "workers": {"crane-context": {"digest": "t1", "bindings": {"RELAY": "secret_text"}}}, "databases": {}}
    proof = make_proof(manifest=manifest, databases={})
    outputs = StackOutputs(workers={"crane-context": WorkerOutput(script="crane-context-staging")}, proofs=(proof,))
    with serving(Account()) as account:
        account.serving["crane-context-staging"] = {"id": "v1", **VERSION}
        settings = make_settings().model_copy(update={"api_url": account.url})
        report = await verify(settings, crane(), outputs)
    (fault,) = [fault for fault in report.findings if "the names of its secrets" in fault.what]
    assert fault.what.endswith("LEFT_OVER not declared")
    assert "canary" not in f"{report!r}{report.findings}"
