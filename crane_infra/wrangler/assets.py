"""The static assets of a worker, as wrangler's file has them, become those of the catalog. Pure apart from paths."""

import os
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from crane_infra.config.assets import Assets
from crane_infra.errors import WranglerError
from crane_infra.frozen import first_fault
from crane_infra.wrangler.bindings import is_binding_name
from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import Keys
from crane_infra.wrangler.read import Environment

BUNDLE, OTHER_BUNDLE = "dist", "dist-worker"


def assets_folder(folder: Path, keys: Keys) -> Path | None:
    """The folder of the files of a worker whose configuration is in ``folder``."""
    return folder / keys.assets.directory if keys.assets and keys.assets.directory else None


def assets_in(environment: Environment, keys: Keys, directory: str | None, findings: Findings) -> Assets | None:
    """The static assets of an environment; ``directory`` is their folder below the workers folder. None where there are none, or a fault is found."""
    given, where = keys.assets, environment.where("assets")
    if given is None:
        return None
    if directory is None:
        findings.note(
            f"{where}.directory", "is missing, so nobody can tell which files are served", "Declare assets in crane_infra/catalog.py"
        )
        return None
    named = given.binding is not None and is_binding_name(given.binding, f"{where}.binding", findings)
    fields = {"directory": directory, **({"binding": given.binding} if named else {}), **given.model_dump(include={"html_handling"})}
    fields |= {"not_found_handling": given.not_found_handling, "run_worker_first": given.run_worker_first}
    try:
        return Assets.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        path, what = first_fault(error)
        findings.faults.append(WranglerError(f"{where}.{path}", what, "Correct it, as wrangler documents it"))
        return None


def bundle_folder(keys: Keys) -> str:
    """The folder in which a worker is built, beside its file: not one that holds, or is within, its static assets."""
    directory = PurePosixPath(os.path.normpath(keys.assets.directory or "")) if keys.assets else PurePosixPath()
    within = directory.is_relative_to(BUNDLE) if directory.parts else False
    return OTHER_BUNDLE if within else BUNDLE
