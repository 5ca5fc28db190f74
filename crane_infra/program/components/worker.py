"""A worker: the script with the settings that we declare, and a version of it that gets no traffic yet.

The provider changes a script with one call that names every setting, and Cloudflare sets back what is missing. So this declares all of them:
what the files say, and what is live. Routing is a component of its own, since schema steps stand between the two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from crane_infra.config.catalog import CatalogWorker
from crane_infra.program.casing import camel
from crane_infra.program.components.outputs import end
from crane_infra.program.provider import CloudflareAccount, CloudflareResource
from crane_infra.release.bundle import Bundle, Module
from crane_infra.release.staged_modules import path_of

# From no trigger at all to one the engine would not upload again (measured). The value stands in state.
NEVER_REUPLOADED = "never"
# What is left out where the live settings are unknown, which only happens in previews.
UNKNOWN = ["observability", "tags", "logpush", "tailConsumers"]


@dataclass(frozen=True)
class UploadedAssets:
    """The static assets of a version: the folder that the provider uploads, their configuration, and the rules, which are modules."""

    folder: str
    config: Mapping[str, Any]
    rules: tuple[Module, ...]

    @property
    def inputs(self) -> dict[str, Any]:
        """What the provider takes."""
        return {"directory": self.folder, **({"config": camel(self.config)} if self.config else {})}


@dataclass(frozen=True)
class WorkerConfig:
    """One worker in one environment.

    ``secrets`` are values by binding; ``services`` are the fields of each binding. ``created`` are the hooks around the creation of the script.
    """

    account: CloudflareAccount
    script: str
    adopt: bool
    addresses: Mapping[str, bool]
    """The settings ``enabled`` and ``previews_enabled`` of the subdomain."""
    settings: Mapping[str, Any] | None
    """Every setting of the script with the names of Cloudflare's API, the addresses too; None where they are unknown."""
    keep: pulumi.ResourceHookBinding | None
    """Runs around an update of the script's settings."""
    catalog: CatalogWorker
    bundle: Bundle
    assets: UploadedAssets | None
    tag: str
    message: str
    """Tells versions with different secrets apart: with the same tag and message, two versions are one upload."""
    variables: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)
    databases: Mapping[str, pulumi.Input[str]]
    services: Mapping[str, Mapping[str, str]]
    others: Mapping[str, Mapping[str, Any]]
    """Every other binding by name: type and fields with the names of Cloudflare's API."""
    class_migrations: Mapping[str, Any] | None
    """The Durable Object migrations that the version carries, with the names of Cloudflare's API."""
    reupload: str | None
    """Another value than the last one uploads the version again, although nothing of it changed."""
    created: pulumi.ResourceHookBinding


class Worker(pulumi.ComponentResource):
    """The script and its newest version, tagged with the worker digest so that only changed workers get a new one."""

    def __init__(
        self, name: str, config: WorkerConfig, after: Sequence[pulumi.Resource] = (), opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the worker ``name`` of the catalog; its version is uploaded once everything in ``after`` is done."""
        super().__init__("crane:infra:Worker", name, None, opts)
        self.script = CloudflareResource(
            "worker:Worker",
            name,
            config.account,
            {
                "name": config.script,
                **camel(config.settings or {"subdomain": config.addresses}),
            },
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=True,
                retain_on_delete=True,
                ignore_changes=UNKNOWN if config.settings is None else None,
                import_=f"{config.account.id}/{config.script}" if config.adopt else None,
                hooks=pulumi.ResourceHookBinding.merge(config.created, config.keep),
            ),
        )
        self.version = CloudflareResource(
            "workerVersion:WorkerVersion",
            name,
            config.account,
            {
                "workerId": self.script.id,
                "mainModule": config.bundle.main_module,
                "modules": [
                    {"name": module.name, "contentType": module.content_type, "contentFile": path_of(module)}
                    for module in (*config.bundle.modules, *(config.assets.rules if config.assets else ()))
                ],
                "compatibilityDate": config.catalog.compatibility_date,
                "compatibilityFlags": list(config.catalog.compatibility_flags),
                "bindings": bindings(config),
                **camel(config.catalog.version_settings),
                **({"migrations": camel(config.class_migrations)} if config.class_migrations else {}),
                **({"assets": config.assets.inputs} if config.assets else {}),
                "annotations": {"workersTag": config.tag, "workersMessage": config.message},
            },
            # The tag shows that code changed. Where the state still has contents, the engine would compare megabytes letter by letter.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(after), replacement_trigger=config.reupload or NEVER_REUPLOADED, hide_diffs=["modules"]
            ),
        )
        end(self)


def bindings(config: WorkerConfig) -> list[dict[str, Any]]:
    """All bindings of a version, sorted by name: another order would show as a change."""
    declared: list[dict[str, Any]] = [{"name": config.catalog.version_metadata, "type": "version_metadata"}]
    declared += [{"name": name, "type": "plain_text", "text": text} for name, text in config.variables.items()]
    declared += [{"name": name, "type": "secret_text", "text": pulumi.Output.secret(value)} for name, value in config.secrets.items()]
    declared += [{"name": name, "type": "d1", "databaseId": database} for name, database in config.databases.items()]
    # Without the environment the provider shows a new version after every refresh: Cloudflare answers with its default.
    declared += [{"name": name, "type": "service", "environment": "production", **fields} for name, fields in config.services.items()]
    declared += [{"name": name, **camel(fields)} for name, fields in config.others.items()]
    return sorted(declared, key=lambda binding: str(binding["name"]))
