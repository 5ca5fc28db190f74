"""The resources of test_provider.py as the provider's own SDK declares them. Importing it takes a second."""

from collections.abc import Callable

import pulumi
import pulumi_cloudflare as sdk

ACCOUNT = "0123456789abcdef0123456789abcdef"


def database(name: str) -> pulumi.CustomResource:
    return sdk.D1Database(name, account_id=ACCOUNT, name="db", read_replication={"mode": "disabled"})


def worker(name: str) -> pulumi.CustomResource:
    return sdk.Worker(name, account_id=ACCOUNT, name="w", subdomain={"enabled": True, "previews_enabled": False})


def worker_version(name: str) -> pulumi.CustomResource:
    return sdk.WorkerVersion(
        name,
        account_id=ACCOUNT,
        worker_id="id",
        main_module="index.js",
        modules=[{"name": "index.js", "content_type": "application/javascript+module", "content_file": ".crane/modules/abc"}],
        compatibility_date="2026-01-01",
        compatibility_flags=["nodejs_compat"],
        bindings=[
            {"name": "DB", "type": "d1", "database_id": "uuid"},
            {"name": "KEY", "type": "secret_text", "text": pulumi.Output.secret("canary")},
            {"name": "NEXT", "type": "service", "service": "other"},
        ],
        assets={
            "directory": ".crane/assets/abc",
            "config": {"html_handling": "none", "not_found_handling": "404-page", "run_worker_first": ["/api/*"]},
        },
        annotations={"workers_tag": "tag", "workers_message": "secrets none"},
    )


def deployment(name: str) -> pulumi.CustomResource:
    versions: list[sdk.WorkersDeploymentVersionArgsDict] = [{"version_id": "id", "percentage": 100}]
    return sdk.WorkersDeployment(name, account_id=ACCOUNT, script_name="w", strategy="percentage", versions=versions)


def crons(name: str) -> pulumi.CustomResource:
    return sdk.WorkersCronTrigger(name, account_id=ACCOUNT, script_name="w", schedules=[{"cron": "* * * * *"}])


BY_THE_SDK: dict[str, Callable[[str], pulumi.CustomResource]] = {
    "d1Database:D1Database": database,
    "worker:Worker": worker,
    "workerVersion:WorkerVersion": worker_version,
    "workersDeployment:WorkersDeployment": deployment,
    "workersCronTrigger:WorkersCronTrigger": crons,
}
