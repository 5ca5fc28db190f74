"""The bindings of one environment: which kind of the catalog each one is, and what the environment sets of it. Pure.

Databases, variables, secrets and services have fields of their own in the catalog and in the stack files: see ``workers.py``.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from crane_infra.config import bindings as kinds
from crane_infra.errors import WranglerError
from crane_infra.frozen import first_fault
from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.keys import LOCAL, Keys, Table
from crane_infra.wrangler.read import Environment

BINDING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENCRYPTED = "secure"
"""Pulumi takes a map with this key for an encrypted value."""


@dataclass(frozen=True)
class Row:
    """How one key of wrangler becomes a kind. ``own`` and ``fixed`` map fields of the kind to keys; ``name`` is the key of the binding's name."""

    key: str
    kind: type[kinds.Binding]
    name: str = "binding"
    own: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> set[str]:
        """Every key of an entry that is translated, or counts for development alone."""
        used = {self.name, *self.own.values(), *(key.partition(".")[0] for key in self.fixed.values()), *LOCAL}
        return used | ({"script_name"} if self.kind.script_of else set())


_SIMPLE = {"limit": "simple.limit", "period": "simple.period"}
_ADDRESSES = ("destination_address", "allowed_destination_addresses", "allowed_sender_addresses")
ROWS = (
    Row("ai", kinds.Ai),
    Row("ai_search", kinds.AiSearch, own={"instance_name": "instance_name"}),
    Row("ai_search_namespaces", kinds.AiSearchNamespace, own={"namespace": "namespace"}),
    Row("analytics_engine_datasets", kinds.AnalyticsEngine, own={"dataset": "dataset"}),
    Row("browser", kinds.Browser),
    Row("dispatch_namespaces", kinds.DispatchNamespace, own={"namespace": "namespace"}),
    Row("durable_objects.bindings", kinds.DurableObject, "name", fixed={"class_name": "class_name"}),
    Row("flagship", kinds.Flagship, own={"app_id": "app_id"}),
    Row("hyperdrive", kinds.Hyperdrive, own={"id": "id"}),
    Row("images", kinds.Images),
    Row("kv_namespaces", kinds.KvNamespace, own={"namespace_id": "id"}),
    Row("media", kinds.Media),
    Row("mtls_certificates", kinds.MtlsCertificate, own={"certificate_id": "certificate_id"}),
    Row("pipelines", kinds.Pipeline, own={"pipeline": "stream"}),
    Row("queues.producers", kinds.Queue, own={"queue_name": "queue"}),
    Row("r2_buckets", kinds.R2Bucket, own={"bucket_name": "bucket_name"}, fixed={"jurisdiction": "jurisdiction"}),
    Row("ratelimits", kinds.RateLimit, "name", {"namespace_id": "namespace_id"}, _SIMPLE),
    Row("secrets_store_secrets", kinds.SecretsStoreSecret, own={"store_id": "store_id", "secret_name": "secret_name"}),
    Row("send_email", kinds.SendEmail, "name", fixed={name: name for name in _ADDRESSES}),
    Row("vectorize", kinds.Vectorize, own={"index_name": "index_name"}),
    Row("vpc_networks", kinds.VpcNetwork, own={"tunnel_id": "tunnel_id"}),
    Row("vpc_services", kinds.VpcService, own={"service_id": "service_id"}),
    Row("workflows", kinds.Workflow, own={"workflow_name": "name"}, fixed={"class_name": "class_name"}),
)


@dataclass(frozen=True)
class Bound:
    """A binding: what the catalog says of it, what the environment sets, and where it stands in the file."""

    binding: kinds.Binding
    own: Mapping[str, str]
    where: str


def bindings_in(environment: Environment, keys: Keys, scripts: Mapping[str, str], findings: Findings) -> dict[str, Bound]:
    """The bindings of an environment by name. ``scripts`` maps names at Cloudflare to those of the catalog."""
    bound: dict[str, Bound] = {}
    for row in ROWS:
        for where, entry in _entries(environment, keys, row.key):
            if row.key == "analytics_engine_datasets" and "dataset" not in entry:
                entry["dataset"] = entry.get("binding")
            if row.key == "pipelines" and "stream" not in entry and "pipeline" in entry:
                entry["stream"] = entry.pop("pipeline")
            _take(row, where, entry, (environment, scripts, findings), bound)
    for where, entry in _entries(environment, keys, "unsafe.bindings"):
        if entry.pop("type", None) == "ratelimit":
            _take(next(row for row in ROWS if row.key == "ratelimits"), where, entry, (environment, scripts, findings), bound)
        else:
            findings.note(where, "an unsafe binding cannot be declared", "Keep this worker with wrangler, or name it in give-up")
    return bound


def is_binding_name(name: object, where: str, findings: Findings) -> bool:
    """Whether a name is one that a binding may have here; else a note says so."""
    if isinstance(name, str) and BINDING_NAME.fullmatch(name) and name != _ENCRYPTED:
        return True
    what = f"'{name}' is a name that the stack file cannot have" if name == _ENCRYPTED else f"'{name}' is no name of a binding"
    findings.note(where, what, "Rename it, to letters, digits and _")
    return False


def _entries(environment: Environment, keys: Keys, key: str) -> Iterator[tuple[str, Table]]:
    """The entries below a key, each with its place; what is no list is one entry."""
    value: Any = keys
    for part in key.split("."):
        value = getattr(value, part)
    if isinstance(value, dict):
        yield environment.where(key), dict(value)
    for number, entry in enumerate(value or [] if not isinstance(value, dict) else []):
        yield environment.where(f"{key}[{number}]"), {name: inner for name, inner in entry.items() if inner is not None}


def _take(row: Row, where: str, entry: Table, context: tuple[Environment, Mapping[str, str], Findings], bound: dict[str, Bound]) -> None:
    environment, scripts, findings = context
    name = entry.get(row.name)
    if name is None:
        findings.faults.append(WranglerError(where, f"{row.name} is missing", "Add the name of the binding"))
        return
    if not is_binding_name(name, where, findings):
        return
    for key in sorted(set(entry) - row.keys):
        findings.note(f"{where}.{key}", "cannot be declared here", "Set it at Cloudflare, with wrangler or in the dashboard")
    fields = {target: value for target, key in row.fixed.items() if (value := _at(entry, key)) is not None}
    if row.kind.script_of and (script := entry.get("script_name")) not in (None, environment.script):
        if script not in scripts:
            findings.note(where, f"{name} is a class of {script}, which is not imported", f"Import the file of {script} with this one")
            return
        fields[row.kind.script_of] = scripts[str(script)]
    own = {target: entry.get(key) for target, key in row.own.items()}
    if wrong := [target for target, value in own.items() if not isinstance(value, str | None)]:
        findings.faults.append(WranglerError(f"{where}.{row.own[wrong[0]]}", "is not a text", "Write it in quotes"))
        return
    missing = [row.own[target] for target, value in own.items() if not value]
    if missing:
        findings.note(where, f"has no {missing[0]}", f"Set {name} in the stack file, as docs/bindings.md says")
    try:
        kind = row.kind.model_validate(fields)
    except ValidationError as error:
        path, what = first_fault(error)
        findings.faults.append(WranglerError(f"{where}.{row.fixed.get(path, path)}", what, "Correct it, as wrangler documents it"))
        return
    bound[str(name)] = Bound(kind, {} if missing else {target: str(value) for target, value in own.items()}, where)


def _at(entry: Table, path: str) -> object:
    value: object = entry
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
