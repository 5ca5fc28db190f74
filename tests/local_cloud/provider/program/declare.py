"""Declares the resources of one recorded scenario, from its inputs."""

import base64
from typing import Any

import pulumi
import pulumi_cloudflare as cloudflare

RECORDED_ACCOUNT = "0" * 32
Inputs = dict[str, Any]


def declare(inputs: Inputs) -> None:
    """Everything that the scenario has."""
    account = inputs.get("account", RECORDED_ACCOUNT)
    database = (
        cloudflare.D1Database("db", account_id=account, **inputs["db"], opts=_adopting(inputs, "import_db")) if "db" in inputs else None
    )
    worker = cloudflare.Worker("worker", account_id=account, **inputs["worker"], opts=_adopting(inputs, "import_worker"))
    if "version" in inputs:
        _deploy(inputs, worker, _version(inputs, worker, database))
    if "cron" in inputs:
        schedules = [{"cron": cron} for cron in inputs["cron"]]
        cloudflare.WorkersCronTrigger("cron", account_id=account, script_name=worker.name, schedules=schedules)


def _version(inputs: Inputs, worker: cloudflare.Worker, database: cloudflare.D1Database | None) -> cloudflare.WorkerVersion:
    """The version, with the bindings in the order of the scenario."""
    declared = dict(inputs["version"])
    content = base64.b64encode(declared.pop("code").encode()).decode()
    bindings = [_binding(binding, database) for binding in declared.pop("bindings")]
    return cloudflare.WorkerVersion(
        "version",
        account_id=worker.account_id,
        worker_id=worker.id,
        modules=[{"name": declared["main_module"], "content_type": "application/javascript+module", "content_base64": content}],
        bindings=bindings,
        **declared,
        opts=pulumi.ResourceOptions(retain_on_delete=inputs.get("retain", True)),
    )


def _deploy(inputs: Inputs, worker: cloudflare.Worker, version: cloudflare.WorkerVersion) -> None:
    shares = [
        {"version_id": version.id if share["version"] == "new" else share["version"], "percentage": share["percentage"]}
        for share in inputs["deployment"]
    ]
    cloudflare.WorkersDeployment(
        "deployment", account_id=worker.account_id, script_name=worker.name, strategy="percentage", versions=shares
    )


def _binding(declared: Inputs, database: cloudflare.D1Database | None) -> Inputs:
    """A binding; the database's id and secrecy are added here."""
    if declared["type"] == "d1" and database:
        return {**declared, "database_id": database.id}
    if declared["type"] == "secret_text":
        return {**declared, "text": pulumi.Output.secret(declared["text"])}
    return declared


def _adopting(inputs: Inputs, option: str) -> pulumi.ResourceOptions:
    """The import option, and which changes are ignored, if the scenario says so."""
    return pulumi.ResourceOptions(import_=inputs.get(option), ignore_changes=inputs.get("ignore_changes"))
