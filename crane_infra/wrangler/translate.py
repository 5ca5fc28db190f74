"""The files of wrangler together become one catalog and one stack file for each environment. Pure apart from paths."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from crane_infra.config.bound import resources_of
from crane_infra.config.catalog import Catalog, CatalogDatabase
from crane_infra.config.settings import DatabaseSettings, WorkerSettings
from crane_infra.errors import WranglerError
from crane_infra.frozen import first_fault
from crane_infra.wrangler.assets import assets_folder, assets_in, bundle_folder
from crane_infra.wrangler.databases import Databases
from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import Keys, keys_of
from crane_infra.wrangler.read import Environment, WranglerFile
from crane_infra.wrangler.workers import catalog_worker, half

Sides = dict[str, tuple[Environment, Keys]]


@dataclass(frozen=True)
class Translated:
    """The catalog, and by environment what its stack file says: the keys below ``config``, without the name of the project.

    ``derived`` are the workers that wrangler has in production alone: their entries for staging yield to what its stack file says.
    """

    catalog: Catalog
    stacks: Mapping[str, dict[str, Any]]
    derived: frozenset[str]


def translate(files: Sequence[WranglerFile], findings: Findings) -> Translated:
    """Translate files; raises WranglerError with every fault in them."""
    sides = {file.production.script: _sides(file, findings) for file in files}
    for script in {file.production.script for file in files}:
        same = [file for file in files if file.production.script == script]
        if len(same) > 1:
            what = f"{script} is the worker of {same[0].shown} too"
            findings.faults.append(WranglerError(same[1].shown, what, "Import one of the two"))
    findings.stop_at_faults()
    databases, workers, stacks = Databases(), {}, dict[str, dict[str, Any]](production={}, staging={})
    bindings = {file.production.script: databases.bind(file.folder, sides[file.production.script], findings) for file in files}
    beside = [folder for file in files if (folder := assets_folder(file.folder, sides[file.production.script]["production"][1]))]
    top = _workers_dir(
        [file.folder for file in files], [*beside, *(entry.migrations for entry in databases.by_name.values())], files[0].shown
    )
    scripts = _scripts(files)
    for file in files:
        name, both = file.production.script, sides[file.production.script]
        halves = {place: half(*both[place], scripts[place], findings) for place in both}
        live = both["production"]
        folder = assets_folder(file.folder, live[1])
        assets = assets_in(*live, _below(folder, top) if folder else None, findings)
        bundle = _below(file.folder, top, bundle_folder(live[1]))
        made = catalog_worker(halves["production"], halves.get("staging"), bundle, assets, bindings[name], findings)
        if made is not None:
            workers[name] = made[0]
            for place, entry in made[1].items():
                stacks[place][name] = {**_adopted(file, place, findings), **entry}
        for other in file.others:
            todo = f"Give --staging {other} or --production {other}, if it is one of the two"
            findings.note(f"{file.shown} env.{other}", "is neither staging nor production here", todo)
    findings.stop_at_faults()
    catalog = _catalog(workers, {name: _below(entry.migrations, top) for name, entry in databases.by_name.items()}, files[0].shown)
    _without_those_of_production(catalog, stacks, findings)
    whole = {place: {"databases": databases.stack(place, findings), "workers": stacks[place]} for place in stacks}
    _require_valid(whole, findings)
    account = _account(sides, findings)
    return Translated(
        catalog,
        {place: {**account, **said, "workers-dir": str(top)} for place, said in whole.items()},
        frozenset(file.production.script for file in files if file.staging is None),
    )


def _sides(file: WranglerFile, findings: Findings) -> Sides:
    by_place = {"production": file.production, **({"staging": file.staging} if file.staging else {})}
    typed = {place: (environment, keys_of(environment, findings)) for place, environment in by_place.items()}
    return {place: (environment, keys) for place, (environment, keys) in typed.items() if keys is not None}


def _scripts(files: Sequence[WranglerFile]) -> dict[str, dict[str, str]]:
    """By environment, the name in the catalog of each worker by its name at Cloudflare."""
    return {
        "production": {file.production.script: file.production.script for file in files},
        "staging": {file.staging.script: file.production.script for file in files if file.staging},
    }


def _adopted(file: WranglerFile, place: str, findings: Findings) -> dict[str, Any]:
    """Whether the stack adopts the worker: in staging only where wrangler's name is the one that crane gives it."""
    if place == "production":
        return {"adopt": True}
    name = f"{file.production.script}-staging"
    if file.staging is None:
        what = "has no environment for staging: the catalog's variables there are those of production"
        findings.note(file.shown, what, f"Set in Pulumi.staging.yaml what must differ; the first pulumi up makes {name}")
        return {}
    if file.staging.script == name:
        return {"adopt": True}
    what = f"staging is {file.staging.script} with wrangler, and {name} here"
    findings.note(file.staging.where("name"), what, f"The first update creates {name}; delete {file.staging.script} when nothing calls it")
    return {}


def _workers_dir(folders: Sequence[Path], migrations: Sequence[Path], where: str) -> Path:
    """The folder around the workers and their migrations."""
    try:
        return Path(os.path.commonpath([os.path.abspath(folder) for folder in (*folders, *migrations)]))  # noqa: PTH100 - keeps links as they are
    except ValueError:
        raise WranglerError(where, "a path in it cannot be used", "Correct migrations_dir and migrations_pattern") from None


def _below(folder: Path, top: Path, name: str = "") -> str:
    return Path(os.path.normpath(os.path.relpath(folder / name, top))).as_posix()


def _catalog(workers: dict[str, Any], migrations: Mapping[str, str], where: str) -> Catalog:
    try:
        databases = {name: CatalogDatabase(migrations=folder) for name, folder in migrations.items()}
        return Catalog(workers=workers, databases=databases)
    except ValidationError as error:
        path, what = first_fault(error)
        todo = "The names of workers are of a to z, 0 to 9 and -, and have at most 54 characters"
        raise WranglerError(" ".join(filter(None, (where, path.removesuffix(".[key]")))), what, todo) from None


def _without_those_of_production(catalog: Catalog, stacks: dict[str, dict[str, Any]], findings: Findings) -> None:
    """Take out of staging what production binds as well: a test would write there."""
    taken = {
        resource for worker, said in stacks["production"].items() for resource in resources_of(catalog, worker, said.get("bindings", {}))
    }
    for worker, said in stacks["staging"].items():
        for resource, binding in resources_of(catalog, worker, said.get("bindings", {})).items():
            if resource in taken:
                what = f"staging binds the {resource[0]} of production ({', '.join(resource[1:])}) as {binding}"
                todo = f"Set its own in Pulumi.staging.yaml, or mark {binding} with shared=True in crane_infra/catalog.py"
                findings.note(f"worker {worker}", what, todo)
        kept = {
            name: value
            for name, value in said.get("bindings", {}).items()
            if not resources_of(catalog, worker, {name: value}).keys() & taken
        }
        if "bindings" in said:
            said["bindings"] = kept


def _require_valid(stacks: Mapping[str, dict[str, Any]], findings: Findings) -> None:
    for place, said in stacks.items():
        for kind, model in (("databases", DatabaseSettings), ("workers", WorkerSettings)):
            for name, entry in said[kind].items():
                try:
                    model.model_validate(entry)
                except ValidationError as error:
                    path, what = first_fault(error)
                    findings.faults.append(WranglerError(f"{kind} {name} in {place}: {path}", what, "Correct it in the file of wrangler"))
    findings.stop_at_faults()


def _account(sides: Mapping[str, Sides], findings: Findings) -> dict[str, str]:
    accounts = {keys.account_id: environment for both in sides.values() for environment, keys in both.values() if keys.account_id}
    if len(accounts) > 1:
        where = list(accounts.values())[1].where("account_id")
        findings.note(where, "the files name several accounts", "Set crane-infra:account-id in each stack file")
    return {"account-id": next(iter(accounts))} if len(accounts) == 1 else {}
