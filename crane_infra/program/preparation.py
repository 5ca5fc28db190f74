"""Everything that is read and can be refused before the first resource: files, secrets, other stacks, the gate.

Registers nothing. Prevents a deployment that stops halfway for a reason that was known at its start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.config.settings import ENVIRONMENTS, Settings
from crane_infra.program.stacks import outputs_of
from crane_infra.redact import Redactor
from crane_infra.release.manifest import Release, read_release
from crane_infra.release.rollback import require_meant
from crane_infra.secrets.rules import KEY_NAME, fetch, fingerprint, refuse_shared, require_same_key
from crane_infra.secrets.sources import fingerprint_key, source_of


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


def _require_distinct(
    settings: Settings, catalog: Catalog, fingerprints: Mapping[str, str], outputs: Mapping[str, Mapping[str, Any] | None]
) -> None:
    for environment in ENVIRONMENTS:
        if environment != settings.environment:
            theirs = ((outputs[environment] or {}).get("environment") or {}).get("secrets") or {}
            if settings.environment == "production":
                require_same_key(fingerprints, theirs, environment)
            refuse_shared(catalog.secrets, fingerprints, theirs, environment)
