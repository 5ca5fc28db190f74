"""The kinds of bindings that a worker can have besides databases, variables, secrets and services, and what each environment sets of them.

The names of kinds and fields are those of Cloudflare's API. What is the same in every environment stands in the catalog; ``own`` are the fields
that each environment sets in its stack file, since the resource is another one there.
"""

import json
from typing import Annotated, Any, ClassVar

from pydantic import Field, JsonValue

from crane_infra.frozen import Declared

WorkerName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,52}[a-z0-9])?$")]


class Binding(Declared):
    """What all kinds have."""

    kind: ClassVar[str]
    own: ClassVar[tuple[str, ...]] = ()
    script_of: ClassVar[str | None] = None
    """The field of the catalog that names a worker, which the API wants as ``script_name``."""

    shared: bool = False
    """Whether both environments may bind the same resource."""

    @property
    def fields(self) -> dict[str, Any]:
        """What the catalog says of the binding, with the names of Cloudflare's API; a worker of the catalog is left out."""
        return self.model_dump(exclude={"shared", *([self.script_of] if self.script_of else [])}, exclude_none=True)

    def worker(self) -> str | None:
        """The catalog name of the worker that it refers to, if it does."""
        return getattr(self, self.script_of) if self.script_of else None

    def form(self) -> str:
        """The kind and what the catalog says, as a manifest has it."""
        said = {**self.fields, **({self.script_of: self.worker()} if self.script_of and self.worker() else {})}
        return f"{self.kind}:{_text(said)}" if said else self.kind


class Ai(Binding):
    """Workers AI."""

    kind = "ai"


class AiSearch(Binding):
    """An instance of AI Search, in the namespace ``default`` unless it says another one."""

    kind, own = "ai_search", ("instance_name",)
    namespace: str | None = None


class AiSearchNamespace(Binding):
    """All instances of AI Search in a namespace."""

    kind, own = "ai_search_namespace", ("namespace",)


class AnalyticsEngine(Binding):
    """A dataset of Workers Analytics Engine."""

    kind, own = "analytics_engine", ("dataset",)


class Browser(Binding):
    """Browser Rendering."""

    kind = "browser"


class DispatchNamespace(Binding):
    """A namespace of Workers for Platforms."""

    kind, own = "dispatch_namespace", ("namespace",)


class DurableObject(Binding):
    """A Durable Object class of this worker, or of ``in_worker`` of the catalog. The class exists already: see docs/settings.md."""

    kind, script_of = "durable_object_namespace", "in_worker"
    class_name: str
    in_worker: WorkerName | None = None


class Flagship(Binding):
    """The flags of an app of Flagship."""

    kind, own = "flagship", ("app_id",)


class Hyperdrive(Binding):
    """A Hyperdrive configuration."""

    kind, own = "hyperdrive", ("id",)


class Images(Binding):
    """Cloudflare Images."""

    kind = "images"


class Json(Binding):
    """A value that the worker gets parsed."""

    kind = "json"
    value: JsonValue

    @property
    def fields(self) -> dict[str, Any]:
        """The value as the provider has it: a text."""
        return {"json": _text(self.value)}


class KvNamespace(Binding):
    """A KV namespace."""

    kind, own = "kv_namespace", ("namespace_id",)


class Media(Binding):
    """Media transformations."""

    kind = "media"


class MtlsCertificate(Binding):
    """A client certificate."""

    kind, own = "mtls_certificate", ("certificate_id",)


class Pipeline(Binding):
    """A pipeline."""

    kind, own = "pipelines", ("pipeline",)


class Queue(Binding):
    """The producer of a queue."""

    kind, own = "queue", ("queue_name",)


class R2Bucket(Binding):
    """An R2 bucket."""

    kind, own = "r2_bucket", ("bucket_name",)
    jurisdiction: str | None = None


class RateLimit(Binding):
    """A rate limit: so many calls (``limit``) in ``period`` seconds, which is 10 or 60."""

    kind, own = "ratelimit", ("namespace_id",)
    limit: Annotated[int, Field(gt=0)]
    period: Annotated[int, Field(gt=0)]

    @property
    def fields(self) -> dict[str, Any]:
        """As the API has it."""
        return {"simple": {"limit": self.limit, "period": self.period}}


class SecretsStoreSecret(Binding):
    """A secret of a Secrets Store."""

    kind, own = "secrets_store_secret", ("store_id", "secret_name")


class SendEmail(Binding):
    """E-mail to verified addresses."""

    kind = "send_email"
    destination_address: str | None = None
    allowed_destination_addresses: tuple[str, ...] | None = None
    allowed_sender_addresses: tuple[str, ...] | None = None


class Vectorize(Binding):
    """A Vectorize index."""

    kind, own = "vectorize", ("index_name",)


class VpcNetwork(Binding):
    """A private network behind a Cloudflare Tunnel."""

    kind, own = "vpc_network", ("tunnel_id",)


class VpcService(Binding):
    """A service in a private network."""

    kind, own = "vpc_service", ("service_id",)


class Workflow(Binding):
    """A workflow, whose class is in this worker or in ``in_worker`` of the catalog."""

    kind, own, script_of = "workflow", ("workflow_name",), "in_worker"
    class_name: str
    in_worker: WorkerName | None = None


def _text(value: JsonValue) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
