"""The keys of wrangler's files that are translated, with their types, and what is said of the others."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from crane_infra.config.settings import Entrypoint
from crane_infra.errors import WranglerError
from crane_infra.wrangler.findings import Findings
from crane_infra.wrangler.read import Environment

Table = dict[str, JsonValue]


class Part(BaseModel):
    """A table of the file. Keys that it does not declare are kept, and reported."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, hide_input_in_errors=True, defer_build=True)

    @property
    def unknown(self) -> list[str]:
        """The keys that are neither declared nor only for development."""
        return [key for key, value in (self.model_extra or {}).items() if key not in LOCAL and value is not None]


class D1(Part):
    """A binding of a D1 database."""

    binding: str
    database_name: str | None = None
    database_id: str | None = None
    migrations_dir: str | None = None
    migrations_pattern: str | None = None
    migrations_table: str | None = None


class Service(Part):
    """A service binding."""

    binding: str
    service: str
    entrypoint: Entrypoint | None = None
    props: Table | None = None


class Tail(Part):
    """A worker that gets the logs."""

    service: str


class StaticAssets(Part):
    """The files that Cloudflare serves itself."""

    directory: str | None = None
    binding: str | None = None
    html_handling: str | None = None
    not_found_handling: str | None = None
    run_worker_first: bool | list[str] | None = None


class Named(Part):
    """A binding that has only a name."""

    binding: str


class Triggers(Part):
    """What starts the worker."""

    crons: list[str] | None = None


class RequiredSecrets(Part):
    """The names of secrets, in newer files."""

    required: list[str] = []


class DurableObjects(Part):
    """The bindings of Durable Objects."""

    bindings: list[Table] = []


class RenamedClass(Part):
    """A Durable Object class with another name."""

    old: str = Field(alias="from")
    new: str = Field(alias="to")


class TransferredClass(RenamedClass):
    """A Durable Object class that comes from another worker."""

    from_script: str


class Migration(Part):
    """A step of the migrations of Durable Object classes."""

    tag: str
    new_classes: list[str] = []
    new_sqlite_classes: list[str] = []
    renamed_classes: list[RenamedClass] = []
    deleted_classes: list[str] = []
    transferred_classes: list[TransferredClass] = []


class Queues(Part):
    """The producers and consumers of queues."""

    producers: list[Table] = []
    consumers: list[Table] = []


class Unsafe(Part):
    """Bindings that wrangler passes on unread."""

    bindings: list[Table] = []


class Keys(Part):
    """The keys of one environment."""

    main: str | None = None
    account_id: str | None = None
    compatibility_date: str | None = None
    compatibility_flags: list[str] = []
    workers_dev: bool | None = None
    preview_urls: bool = False
    route: str | Table | None = None
    routes: list[str | Table] | None = None
    triggers: Triggers = Triggers()
    limits: Table = {}
    placement: Table = {}
    observability: Table | None = None
    logpush: bool | None = None
    tail_consumers: list[Tail] = []
    variables: dict[str, JsonValue] = Field({}, alias="vars")
    secrets: RequiredSecrets = RequiredSecrets()
    d1_databases: list[D1] = []
    services: list[Service] = []
    version_metadata: Named | None = None
    assets: StaticAssets | None = None
    durable_objects: DurableObjects = DurableObjects()
    migrations: list[Migration] = []
    queues: Queues = Queues()
    unsafe: Unsafe = Unsafe()
    kv_namespaces: list[Table] = []
    r2_buckets: list[Table] = []
    vectorize: list[Table] = []
    ai_search: list[Table] = []
    flagship: list[Table] = []
    ai_search_namespaces: list[Table] = []
    vpc_networks: list[Table] = []
    vpc_services: list[Table] = []
    hyperdrive: list[Table] = []
    analytics_engine_datasets: list[Table] = []
    mtls_certificates: list[Table] = []
    dispatch_namespaces: list[Table] = []
    pipelines: list[Table] = []
    secrets_store_secrets: list[Table] = []
    ratelimits: list[Table] = []
    workflows: list[Table] = []
    send_email: list[Table] = []
    ai: Table | None = None
    browser: Table | None = None
    images: Table | None = None
    media: Table | None = None


_LOCAL_KEYS = """remote preview_id preview_database_id preview_bucket_name local_dev localConnectionString database_internal_env staging"""
LOCAL = frozenset(_LOCAL_KEYS.split())
"""What counts for development alone."""
_BUILD_KEYS = """$schema alias base_dir build define dependencies_instrumentation dev env find_additional_modules jsx_factory jsx_fragment keep_names
    minify name no_bundle preserve_file_names python_modules rules send_metrics tsconfig upload_source_maps"""
_BUILD = frozenset(_BUILD_KEYS.split())
"""What counts for the build and for development: both stay with wrangler."""
_GIVE_UP = "The worker would lose it: keep this worker with wrangler, or name it in give-up"
_STAYS = "It stays as it is at Cloudflare; an update of this program leaves it alone"
_BY_HAND = {
    "site": ("Workers Sites cannot be declared", "Move to static assets with wrangler, then import the file again"),
    "exports": ("exports are not declared here", "Deploy a new, renamed or deleted class with wrangler once"),
    "wasm_modules": ("the binding of a module is not declared here", "Import the module in the code"),
    "text_blobs": ("the binding of a text is not declared here", "Import the file in the code"),
    "data_blobs": ("the binding of data is not declared here", "Import the file in the code"),
    "keep_vars": ("variables set in the dashboard are not kept", "Declare them; an adoption stops at each that is not declared"),
    "containers": ("containers are not declared here", "Keep this worker with wrangler"),
    "previews": ("previews of branches are not declared here", _STAYS),
    "access": ("Cloudflare Access is not declared here", _STAYS),
    "cache": ("settings of the cache are not declared here", _STAYS),
    "addresses": ("addresses for e-mail are not declared here", _STAYS),
    "streaming_tail_consumers": ("these consumers of logs are not declared here", _STAYS),
    "logfwdr": ("these bindings cannot be declared", _GIVE_UP),
    "compliance_region": ("the region is not declared here", "Keep this worker with wrangler"),
    "first_party_worker": ("is not declared here", "Keep this worker with wrangler"),
}
_OLD = frozenset(("legacy_env", "node_compat", "type", "usage_model", "webpack_config", "zone_id"))
"""What earlier versions of wrangler read."""
_BINDINGS_KEYS = """agent_memory analytics artifacts cloudchamber connect k2 stream unsafe_hello_world worker_loaders"""
_BINDINGS = frozenset(_BINDINGS_KEYS.split())


def keys_of(environment: Environment, findings: Findings) -> Keys | None:
    """The keys of an environment, typed; None where a fault is found. Keys that are not translated are noted."""
    try:
        keys = Keys.model_validate(dict(environment.keys))
    except ValidationError as error:
        findings.faults += [_fault(environment, fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)]
        return None
    if "pages_build_output_dir" in environment.keys:
        where = environment.where("pages_build_output_dir")
        findings.faults.append(WranglerError(where, "this is a project of Pages, not a worker", "Leave the file out"))
    for key in keys.unknown:
        if key not in _BUILD:
            findings.note(environment.where(key), *_reason(key))
    for place, part in _parts(keys):
        for key in part.unknown:
            findings.note(environment.where(f"{place}.{key}"), "cannot be declared here", "It stays as it is at Cloudflare")
    return keys


def _parts(keys: Keys) -> Iterator[tuple[str, Part]]:
    """The tables inside, each with its place."""
    for name in Keys.model_fields:
        value = getattr(keys, name)
        if isinstance(value, Part):
            yield name, value
        elif isinstance(value, list):
            yield from ((f"{name}[{number}]", part) for number, part in enumerate(value) if isinstance(part, Part))


def _reason(key: str) -> tuple[str, str]:
    if key in _BINDINGS:
        return "this kind of binding cannot be declared", _GIVE_UP
    if key in _OLD:
        return "is an old key, which wrangler no longer reads", "Remove it"
    return _BY_HAND.get(key, ("is no key of wrangler that is known here", "Correct its name, or declare by hand what it means"))


def _fault(environment: Environment, place: tuple[int | str, ...], said: str) -> WranglerError:
    """Pydantic's words, at the place in the file; a union adds the names of its types to the place, which are left out."""
    path = ""
    value: Any = environment.keys
    for part in place:
        if isinstance(value, list) and isinstance(part, int):
            path, value = f"{path}[{part}]", value[part]
        elif isinstance(value, dict):
            path, value = f"{path}.{part}", value.get(part)
    return WranglerError(environment.where(path.removeprefix(".")), said, "Correct it, as wrangler documents it")
