"""Gathers what ``crane secrets audit`` compares: names in the source, names on the workers, fingerprints of the last releases.

Reads names and dates only: no value is decrypted or fetched. One part that cannot be read hides nothing else.
"""

import asyncio
import os
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from crane_infra.commands.attempts import attempt, lines_of, look
from crane_infra.commands.stack import outputs_of, settings_of
from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import Settings
from crane_infra.config.stackfile import stack_config
from crane_infra.errors import CraneError
from crane_infra.live.account import Account, open_account
from crane_infra.live.secret_names import live_secret_names
from crane_infra.pulumi_cli import ask_for_text
from crane_infra.release.outputs import StackOutputs
from crane_infra.secrets.audit import Audit, Side, audit
from crane_infra.secrets.infisical import list_secrets
from crane_infra.secrets.login import LOGIN, login_of, place_of

T = TypeVar("T")


@dataclass(frozen=True)
class Audited:
    """The audit, and why parts of it could not be seen."""

    audit: Audit
    unseen: tuple[str, ...]


@dataclass
class _Unseen:
    lines: list[str] = field(default_factory=list)

    def part(self, result: T | CraneError) -> T | None:
        """A part that was read; None, and its reason among the lines, for one that was not."""
        if isinstance(result, CraneError):
            self.lines += lines_of(result)
            return None
        return result


def audit_of(environments: Collection[Environment], catalog: Catalog, root: Path) -> Audited:
    """Audit the secrets of these environments. Values are compared with both, by what their stacks exported."""
    unseen = _Unseen()
    with ThreadPoolExecutor() as threads:
        settings = {stack: threads.submit(attempt, lambda stack=stack: settings_of(stack, root)) for stack in environments}
        outputs = {stack: threads.submit(attempt, lambda stack=stack: outputs_of(stack)) for stack in ENVIRONMENTS}
        known = {stack: unseen.part(result.result()) or StackOutputs(exists=False) for stack, result in outputs.items()}
        read = {stack: found for stack, result in settings.items() if (found := unseen.part(result.result())) is not None}
        sides = list(threads.map(lambda stack: _side(stack, read[stack], catalog, unseen), read))
    fingerprints = {stack: output.fingerprints for stack, output in known.items()}
    return Audited(audit(catalog, sides, fingerprints, datetime.now(UTC)), tuple(dict.fromkeys(unseen.lines)))


def _side(stack: Environment, settings: Settings, catalog: Catalog, unseen: _Unseen) -> Side:
    return Side(
        stack,
        {name: settings.script(name) for name in catalog.workers},
        _source(settings),
        unseen.part(attempt(lambda: names_in_source(settings, [secret.key for secret in catalog.secrets]))),
        asyncio.run(_on_workers(settings, catalog, unseen)),
        settings.shared_secrets,
    )


def _source(settings: Settings) -> str:
    match settings.secret_source:
        case "infisical":
            return f"Infisical {settings.infisical.place if settings.infisical else ''}".strip()
        case "environment":
            return "environment variables"
        case _:
            return f"{settings.file} secrets"


def names_in_source(settings: Settings, keys: Collection[str], environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """Those of ``keys`` that the source of a stack has, each with the moment of its last change where the source says it.

    Raises SettingsError or SecretError where the source cannot be asked.
    """
    match settings.secret_source:
        case "environment":
            return {key: None for key in keys if environ.get(key, "").strip()}
        case "infisical":
            place = place_of(settings)
            listed = list_secrets(place, login_of(place, {**environ, **_stored_login(settings)}))
            return {key: listed[place.name_of(key)].changed_on for key in keys if place.name_of(key) in listed}
        case _:
            stored = stack_config(settings.root, settings.environment).get(f"{settings.project}:secrets")
            return {key: None for key in keys if isinstance(stored, dict) and key in stored}


def _stored_login(settings: Settings) -> dict[str, str]:
    """The login that the stack file has; only these two settings are decrypted."""
    config = stack_config(settings.root, settings.environment)
    return {
        variable: ask_for_text(settings.environment, "config", "get", f"{settings.project}:{setting}").strip()
        for variable, setting in LOGIN.items()
        if f"{settings.project}:{setting}" in config
    }


async def _on_workers(settings: Settings, catalog: Catalog, unseen: _Unseen) -> dict[str, frozenset[str] | None]:
    async with open_account(settings) as account:
        looks = [_on_worker(account, settings.script(name)) for name in catalog.workers]
        found = await asyncio.gather(*looks)
    return {name: unseen.part(names) for name, names in zip(catalog.workers, found, strict=True)}


async def _on_worker(account: Account, script: str) -> frozenset[str] | CraneError | None:
    async def names() -> frozenset[str] | None:
        live = await account.worker(script)
        return None if live is None or not live.version else frozenset(live_secret_names(live.version))

    return await look(f"worker {script}", names())
