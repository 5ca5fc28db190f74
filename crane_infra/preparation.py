"""Everything that is read and can be refused before the first resource: files, secrets, other stacks, the gate.

Registers nothing. Prevents a deployment that stops halfway for a reason that was known at its start.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pulumi

from crane_infra.catalog import Catalog
from crane_infra.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.errors import WOULD_REFUSE, SettingsError
from crane_infra.gate import Verdict
from crane_infra.promotion import require_open, verdict_for
from crane_infra.proof import readable
from crane_infra.redact import Redactor
from crane_infra.release import Release, read_release
from crane_infra.secrets.rules import KEY_NAME, fetch, fingerprint, refuse_shared, require_same_key
from crane_infra.secrets.sources import fingerprint_key, source_of
from crane_infra.settings import ENVIRONMENTS, Settings
from crane_infra.stacks import outputs_of

Result = TypeVar("Result")


@dataclass(frozen=True)
class Prepared:
    """One environment, read and found consistent. ``secrets`` and ``fingerprints`` are by key, ``last`` are own outputs."""

    settings: Settings
    catalog: Catalog
    release: Release
    secrets: Mapping[str, str] = field(repr=False)
    fingerprints: Mapping[str, str]
    last: Mapping[str, Any]
    staging: Mapping[str, Any] | None
    redact: Redactor

    def secrets_of(self, worker: str) -> dict[str, str]:
        """The secret values of a worker by binding; an optional one that is not set is left out."""
        wanted = self.catalog.workers[worker].secrets
        return {secret.binding: self.secrets[secret.key] for secret in wanted if secret.key in self.secrets}


def prepare(settings: Settings, catalog: Catalog) -> Prepared:
    """Read everything that an environment is declared from.

    Raises a CraneError for the first thing that is wrong.
    """
    outputs: dict[str, dict[str, Any] | None] = {environment: outputs_of(settings.stack(environment)) for environment in ENVIRONMENTS}
    last = outputs[settings.environment] or {}
    require_consistent(catalog, settings, neighbours(settings, outputs))
    require_nothing_lost(last.get("environment") or {}, settings)
    release = read_release(catalog, settings.workers_dir)
    require_meant(settings, release, outputs["staging"] or {})
    key = fingerprint_key(settings)
    secrets = fetch(source_of(settings), catalog.secrets)
    fingerprints = {name: fingerprint(value, key) for name, value in {**secrets, KEY_NAME: key}.items()}
    _require_distinct(settings, catalog, fingerprints, outputs)
    redact = Redactor({**secrets, KEY_NAME: key, "CLOUDFLARE_API_TOKEN": settings.api_token.get_secret_value()})
    return Prepared(settings, catalog, release, secrets, fingerprints, last, outputs["staging"], redact)


def require_meant(settings: Settings, release: Release, staging: Mapping[str, Any]) -> None:
    """Make sure that ``rollback-to``, where it is set, names these files.

    Raises SettingsError with the commit of the release that it names, where a proof tells it.
    """
    wanted, where = settings.rollback_to, f"Pulumi.{settings.environment}.yaml rollback-to"
    if wanted is None:
        return
    if settings.environment != "production":
        raise SettingsError(where, f"{settings.environment} proves releases, it does not go back to one", "Remove it, and deploy the files")
    if not release.digest.startswith(wanted):
        proofs = [proof for entry in staging.get("proofs") or [] if (proof := readable(entry))]
        commit = next((proof.commit for proof in proofs if proof.digest.startswith(wanted) and proof.commit), None)
        todo = f"Check out {commit or 'the commit of its proof'} with the bundles of then, or remove rollback-to"
        raise SettingsError(where, f"names {wanted[:12]}, but these files are release {release.digest[:12]}", todo)


def _require_distinct(
    settings: Settings, catalog: Catalog, fingerprints: Mapping[str, str], outputs: Mapping[str, Mapping[str, Any] | None]
) -> None:
    for environment in ENVIRONMENTS:
        if environment != settings.environment:
            theirs = ((outputs[environment] or {}).get("environment") or {}).get("secrets") or {}
            if settings.environment == "production":
                require_same_key(fingerprints, theirs, environment)
            refuse_shared(catalog.secrets, fingerprints, theirs, environment)


def pass_gate(prepared: Prepared) -> Verdict | None:
    """Let a production run go on only with a release that staging has proven; returns the verdict, None where there is no gate.

    In preview the verdict is said and the diff goes on. In an update a closed gate raises GateError; so does, for the newest
    release, a staging that no longer is what its proof says.
    """
    if prepared.settings.environment != "production":
        return None
    verdict = verdict_on(prepared)
    if pulumi.runtime.is_dry_run():
        _say(verdict)
        return verdict
    blocking(require_open(prepared.settings, verdict))
    pulumi.log.info(f"production gate open: {verdict.reason}")
    return verdict


def verdict_on(prepared: Prepared) -> Verdict:
    """What the gate says of the prepared release."""
    return verdict_for(prepared.settings, prepared.release, prepared.staging)


def _say(verdict: Verdict) -> None:
    if verdict.is_open:
        pulumi.log.info(f"production gate open: {verdict.reason}")
    else:
        pulumi.log.warn(f"{verdict.error()} {WOULD_REFUSE}")


def begin(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Run a coroutine beside the program, which itself runs on Pulumi's event loop; ``result()`` waits for its end."""
    thread = ThreadPoolExecutor(max_workers=1)
    begun = thread.submit(asyncio.run, work)
    thread.shutdown(wait=False)
    return begun


def blocking(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end from the program."""
    return begin(work).result()
