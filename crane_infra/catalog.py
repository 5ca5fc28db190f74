"""The workers and databases of crane: what each worker binds and how it is checked. The same in every environment.

This is the one Python file that you edit. It holds data only; the types are in ``config/catalog.py``. What differs between environments
(names, ids, some variables) is in the stack files, and the values of secrets are in Pulumi's configuration or in environment variables.
"""

from crane_infra.checks.model import Check, SecretHeader, SignatureHeader
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Secret, faults_in_one_line
from crane_infra.config.data_rules import TableRule


@faults_in_one_line()
def crane() -> Catalog:
    """The catalog of crane.

    Raises SettingsError with the path of the first fault in the data below.
    """
    return Catalog(
        workers={"crane-context": _context(), "crane-classifier": _classifier()},
        databases={
            "crane-context-db": CatalogDatabase(
                migrations="crane-context/migrations",
                seeds="crane-context/seeds",
                staging_rows={
                    "sessions": TableRule(
                        columns={"id": "token", "agent": "keep", "started_at": "keep", "last_heartbeat_at": "keep", "host": "hash"}
                    ),
                    "smoke_writes": TableRule(rows="none"),
                },
            ),
            "crane-classifier-db": CatalogDatabase(
                migrations="crane-classifier/migrations",
                staging_rows={
                    "deliveries": TableRule(columns={"id": "token", "event": "keep", "received_at": "keep", "repository": "hash"})
                },
            ),
        },
    )


def _context() -> CatalogWorker:
    return CatalogWorker(
        bundle="crane-context/dist",
        compatibility_date="2024-01-01",
        databases={"DB": "crane-context-db"},
        variables={
            "CONTEXT_SESSION_STALE_MINUTES": "45",
            "IDEMPOTENCY_TTL_SECONDS": "3600",
            "HEARTBEAT_INTERVAL_SECONDS": "600",
            "HEARTBEAT_JITTER_SECONDS": "120",
        },
        environment_variables=("ENVIRONMENT",),
        secrets=(
            Secret(binding="CONTEXT_RELAY_KEY", key="CRANE_CONTEXT_KEY", distinct=True),
            Secret(binding="CONTEXT_ADMIN_KEY", key="CRANE_ADMIN_KEY", distinct=True),
        ),
        checks=(
            Check(name="health", path="/health", json_includes={"status": "ok"}),
            Check(name="version", path="/version", version_at="id"),
            Check(
                name="reads D1 with its key",
                path="/active",
                headers={"X-Relay-Key": SecretHeader(secret="CONTEXT_RELAY_KEY")},
            ),
            Check(name="refuses without a key", path="/active", status=401),
            Check(
                name="writes D1",
                method="POST",
                path="/smoke",
                headers={"X-Relay-Key": SecretHeader(secret="CONTEXT_RELAY_KEY")},
                status=201,
                json_includes={"written": True},
                mutating=True,
            ),
        ),
    )


def _classifier() -> CatalogWorker:
    return CatalogWorker(
        bundle="crane-classifier/dist",
        compatibility_date="2025-12-15",
        compatibility_flags=("nodejs_compat",),
        databases={"DB": "crane-classifier-db"},
        variables={"GH_APP_ID": "2619905", "GH_INSTALLATIONS_JSON": '{"venturecrane":"104223482"}'},
        environment_variables=("ENVIRONMENT",),
        secrets=(
            Secret(binding="GEMINI_API_KEY", key="GEMINI_API_KEY"),
            Secret(binding="GH_PRIVATE_KEY_PEM", key="GH_PRIVATE_KEY_PEM"),
            Secret(binding="GH_WEBHOOK_SECRET", key="GH_WEBHOOK_SECRET"),
            Secret(binding="CLASSIFIER_API_KEY", key="CLASSIFIER_API_KEY", required=False),
        ),
        checks=(
            Check(name="health", path="/health", json_includes={"status": "ok"}),
            Check(name="version", path="/version", version_at="id"),
            Check(
                name="refuses a bad signature",
                method="POST",
                path="/webhook",
                headers={"X-Hub-Signature-256": "sha256=00", "X-GitHub-Delivery": "crane-smoke"},
                body={"zen": "smoke"},
                status=401,
            ),
            Check(
                name="stores a signed delivery",
                method="POST",
                path="/webhook",
                headers={
                    "X-Hub-Signature-256": SignatureHeader(hmac_sha256="GH_WEBHOOK_SECRET"),
                    "X-GitHub-Delivery": "crane-smoke",
                    "X-GitHub-Event": "ping",
                },
                body={"zen": "smoke"},
                status=202,
                mutating=True,
            ),
        ),
    )
