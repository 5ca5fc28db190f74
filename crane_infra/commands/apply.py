"""Applies pending migrations beside Pulumi, as ``crane migrations apply``: the same runner, and for production the same gate.

Prevents a way around the gate, and another way to apply a file.
"""

from collections.abc import Callable, Mapping
from typing import Any

from crane_infra.commands.databases import managed
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.live.promotion import require_open
from crane_infra.migrations.apply import bring_up_to
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import read_release

BESIDE = "crane migrations apply"


async def apply_to(
    settings: Settings, catalog: Catalog, outputs_of: Callable[[str], Mapping[str, Any]], only: str | None, log: Callable[[str], None]
) -> list[str]:
    """Bring the databases of a stack, or the one called ``only``, up to their files, and say where each stands then.

    ``outputs_of`` gives the outputs of a stack. Raises GateError where production may not take these files, else as ``bring_up_to`` does.
    """
    outputs = outputs_of(settings.environment)
    release = BESIDE
    if settings.environment == "production":
        files = read_release(catalog, settings.workers_dir)
        await require_open(settings, verdict_for(settings, files, outputs_of("staging")))
        release = files.digest
    told = []
    async with managed(settings, catalog, outputs, only) as databases:
        for one in databases:
            outcome = await bring_up_to(one.db, one.wanted, release=release, log=log)
            told.append(f"{one.db.name}: {len(outcome.applied)} applied, stands at {outcome.head.name or 'nothing'}")
    return told
