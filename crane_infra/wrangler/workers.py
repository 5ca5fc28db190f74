"""One worker in both environments becomes an entry of the catalog and an entry of each stack file. Pure.

What the two environments share is in the catalog, as production has it; what differs is set by each stack, or noted where it cannot be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

from pydantic import JsonValue, ValidationError

from crane_infra.checks.model import Check
from crane_infra.config.assets import Assets
from crane_infra.config.bindings import Json
from crane_infra.config.catalog import CatalogWorker, Limits, Placement, Secret
from crane_infra.config.settings import Service
from crane_infra.errors import WranglerError
from crane_infra.frozen import first_fault
from crane_infra.wrangler.bindings import Bound, bindings_in, is_binding_name
from crane_infra.wrangler.class_migrations import class_migrations
from crane_infra.wrangler.findings import Findings, printable
from crane_infra.wrangler.keys import Keys
from crane_infra.wrangler.read import Environment
from crane_infra.wrangler.script import is_hidden, script_settings

_Model = TypeVar("_Model", Placement, Limits)
CHECK = Check(name="answers", path="/")
_GIVE_UP = "Keep this worker with wrangler, or name the binding in give-up"


@dataclass(frozen=True)
class Half:
    """A worker in one environment."""

    environment: Environment
    keys: Keys
    bindings: dict[str, Bound]
    variables: dict[str, str]
    services: dict[str, Service]
    scripts: Mapping[str, str]
    settings: dict[str, Any]


def half(environment: Environment, keys: Keys, scripts: Mapping[str, str], findings: Findings) -> Half:
    """Translate one environment. ``scripts`` maps the names at Cloudflare of the imported workers to those of the catalog."""
    bindings = bindings_in(environment, keys, scripts, findings)
    variables: dict[str, str] = {}
    for name, value in keys.variables.items():
        where = environment.where(f"vars.{name}")
        if not is_binding_name(name, where, findings):
            continue
        if isinstance(value, str):
            variables[name] = value
        elif value is not None:
            bindings[name] = Bound(Json(value=value), {}, where)
    services = _services(environment, keys, scripts, findings)
    return Half(environment, keys, bindings, variables, services, scripts, script_settings(environment, keys, findings))


def _services(environment: Environment, keys: Keys, scripts: Mapping[str, str], findings: Findings) -> dict[str, Service]:
    services: dict[str, Service] = {}
    for number, service in enumerate(keys.services):
        where = environment.where(f"services[{number}]")
        if not is_binding_name(service.binding, where, findings):
            continue
        if service.props:
            findings.note(where, f"{service.binding} has properties, which the provider does not know", _GIVE_UP)
        elif service.service not in scripts:
            what = f"{service.binding} calls {service.service}, which is not among the imported workers of this environment"
            findings.note(where, what, f"Import the file of {service.service} with this one")
        else:
            services[service.binding] = Service(worker=scripts[service.service], entrypoint=service.entrypoint)
    return services


def catalog_worker(
    live: Half, stage: Half | None, bundle: str, assets: Assets | None, databases: Mapping[str, str], findings: Findings
) -> tuple[CatalogWorker, dict[str, dict[str, Any]]] | None:
    """The entry of the catalog, and the entries of the stack files by environment. None where a fault is found."""
    where = live.environment.where
    if stage is not None:
        _note_differences(live, stage, findings)
    bindings, own = _bindings(live, stage, findings)
    shared, each = _variables(live, stage, findings)
    taken = {assets.binding if assets else None, *databases, *bindings, *shared, *each["production"], *each["staging"]}
    metadata = live.keys.version_metadata.binding if live.keys.version_metadata else "CF_VERSION_METADATA"
    required = [*live.keys.secrets.required, *(stage.keys.secrets.required if stage else ())]
    secrets = [
        Secret(binding=name, key=name) for name in dict.fromkeys(required) if is_binding_name(name, where("secrets.required"), findings)
    ]
    main = live.keys.main or ""
    fields: dict[str, Any] = {
        "bundle": bundle,
        "main_module": PurePosixPath(main).name if live.environment.keys.get("no_bundle") else f"{PurePosixPath(main).stem}.js",
        "compatibility_date": live.keys.compatibility_date,
        "compatibility_flags": tuple(live.keys.compatibility_flags),
        "placement": _placement(live, findings),
        "limits": _limits(live, findings),
        "databases": dict(databases),
        "variables": shared,
        "environment_variables": tuple(dict.fromkeys([*each["production"], *each["staging"]])),
        "secrets": tuple(secret for secret in secrets if secret.binding not in taken),
        "bindings": bindings,
        "class_migrations": class_migrations(live.environment, live.keys.migrations, live.scripts, findings),
        "assets": assets,
        "version_metadata": metadata,
        "reports_version": False,
        "checks": (CHECK,),
    }
    defaults = {"main_module": "index.js", "version_metadata": "CF_VERSION_METADATA"}
    said = {name: value for name, value in fields.items() if value not in (None, (), {}) and defaults.get(name) != value}
    if not main:
        findings.faults.append(WranglerError(where("main"), "is missing", "A worker without code stays with wrangler: leave its file out"))
        return None
    if "compatibility_date" not in said:
        findings.faults.append(WranglerError(where("compatibility_date"), "is missing", "Add the date with which the worker runs"))
        return None
    try:
        worker = CatalogWorker(**said)
    except ValidationError as error:
        path, what = first_fault(error)
        findings.faults.append(WranglerError(where(path) if path else live.environment.file, printable(what), "Correct it there"))
        return None
    return worker, {
        "production": _entry(live, each["production"], own["production"], worker, findings),
        "staging": _entry(stage or live, each["staging"], own["staging"], worker, findings, of_none=stage is None),
    }


def _entry(
    side: Half, variables: Mapping[str, str], own: Mapping[str, Any], worker: CatalogWorker, findings: Findings, *, of_none: bool = False
) -> dict[str, Any]:
    """What a stack file says of a worker; of an environment that wrangler does not have, only what a worker needs."""
    services = {name: called.form for name, called in side.services.items() if name not in worker.binding_names}
    for name in side.services.keys() - services.keys():
        findings.note(side.environment.where("services"), f"{name} is another binding too", "Rename one of them")
    entry = {"variables": variables, "services": services, "bindings": own}
    said = {name: dict(value) for name, value in entry.items() if value}
    if not of_none:
        return {**said, **side.settings}
    return {**said, "workers-dev": False, "url": f"https://{side.environment.script}-staging.invalid"} if is_hidden(side.settings) else said


def _note_differences(live: Half, stage: Half, findings: Findings) -> None:
    """What the catalog has once, and the two environments have differently."""
    for key in ("main", "compatibility_date", "compatibility_flags", "placement", "limits", "version_metadata", "assets"):
        if getattr(live.keys, key) != getattr(stage.keys, key):
            what = "differs between staging and production, which share it here"
            findings.note(stage.environment.where(key), what, "The catalog has production's: check that it suits staging")
    if live.keys.migrations != stage.keys.migrations:
        what = "differs between staging and production, which share it here"
        findings.note(
            stage.environment.where("migrations"), what, "The catalog has production's: staging needs each step that it has taken, too"
        )
    if live.environment.keys.get("define") != stage.environment.keys.get("define"):
        what = "differs between staging and production, which get the same build here"
        findings.note(stage.environment.where("define"), what, "Use variables for what differs")


def _bindings(live: Half, stage: Half | None, findings: Findings) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The bindings of the catalog, and what each environment sets of them."""
    bindings: dict[str, Any] = {}
    own: dict[str, dict[str, Any]] = {"production": {}, "staging": {}}
    for name in dict.fromkeys([*live.bindings, *(stage.bindings if stage else {})]):
        in_live, in_stage = live.bindings.get(name), stage.bindings.get(name) if stage else None
        first = in_live or in_stage
        if first is None:
            continue
        bindings[name] = first.binding
        if in_live and in_stage and in_live.binding != in_stage.binding:
            what = f"{name} is another one in production ({in_live.binding.form()})"
            findings.note(in_stage.where, what, "The catalog has production's: check that it suits staging")
            in_stage = in_stage if in_stage.binding.kind == in_live.binding.kind else None
        for place, side in (("production", in_live), ("staging", in_stage)):
            if side is not None and side.own:
                own[place][name] = dict(side.own) if len(side.own) > 1 else next(iter(side.own.values()))
            elif side is None and first.binding.own and (place == "production" or stage is not None):
                _note_one_sided(place, name, first, findings)
        if stage is None and first.binding.own:
            findings.note(first.where, f"staging has no {name} yet", f"Create it, and set bindings.{name} in Pulumi.staging.yaml")
    return bindings, own


def _note_one_sided(place: str, name: str, bound: Bound, findings: Findings) -> None:
    findings.note(bound.where, f"{place} has no {name}, which the catalog wants there too", f"Set it in Pulumi.{place}.yaml")


def _variables(live: Half, stage: Half | None, findings: Findings) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The variables that are the same in both environments, and those that each sets."""
    if stage is None:
        return dict(live.variables), {"production": {}, "staging": {}}
    json_names = live.bindings.keys() | stage.bindings.keys()
    first, second = ({name: text for name, text in side.variables.items() if name not in json_names} for side in (live, stage))
    for side in (live, stage):
        for name in side.variables.keys() & json_names:
            what = f"{name} is a text in one environment and another binding in the other"
            findings.note(side.environment.where(f"vars.{name}"), what, "Write it the same way in both")
    shared = {name: text for name, text in first.items() if second.get(name) == text}
    each = {"production": first, "staging": second}
    for place, other in (("production", second), ("staging", first)):
        for name in other.keys() - each[place].keys():
            file, side = f"Pulumi.{place}.yaml", stage if place == "production" else live
            findings.note(side.environment.where(f"vars.{name}"), f"{place} has no {name}", f"Set variables.{name} in {file}")
    return shared, {place: {name: text for name, text in texts.items() if name not in shared} for place, texts in each.items()}


def _placement(live: Half, findings: Findings) -> Placement | None:
    table: Mapping[str, JsonValue] = live.keys.placement
    where = live.environment.where("placement")
    if table.get("hint") is not None:
        findings.note(f"{where}.hint", "cannot be declared here", "Declare a region in the catalog, or leave it out")
    places = {name: table[name] for name in ("region", "hostname", "host") if table.get(name) is not None}
    if not places and table.get("mode") == "smart":
        places = {"mode": "smart"}
    if not places:
        return None
    return _made(Placement, places, where, findings)


def _limits(live: Half, findings: Findings) -> Limits | None:
    table = {name: value for name, value in live.keys.limits.items() if value is not None}
    for name in sorted(table.keys() - Limits.model_fields.keys()):
        findings.note(live.environment.where(f"limits.{name}"), "is no limit that is known here", "Correct its name")
    known = {name: value for name, value in table.items() if name in Limits.model_fields}
    return _made(Limits, known, live.environment.where("limits"), findings) if known else None


def _made(model: type[_Model], fields: Mapping[str, JsonValue], where: str, findings: Findings) -> _Model | None:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        path, what = first_fault(error)
        findings.faults.append(WranglerError(f"{where}.{path}" if path else where, what, "Correct it, as wrangler documents it"))
        return None
