"""A D1 database, and the step that brings its schema up to date.

It knows no SQL. A rename or a removal never replaces a database, which would lose its data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from crane_infra.config.settings import DatabaseSettings
from crane_infra.data.seeds.files import Seed
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import head_of
from crane_infra.program.components.outputs import end
from crane_infra.program.provider import CloudflareAccount, CloudflareResource


@dataclass(frozen=True)
class DatabaseConfig:
    """Where the database is and what it is called there. ``created`` are the hooks around its creation."""

    account: CloudflareAccount
    settings: DatabaseSettings
    read_replication: str | None
    """What the files say, else what is live; None where that is unknown."""
    created: pulumi.ResourceHookBinding


class Database(pulumi.ComponentResource):
    """One D1 database of an environment: protected, adopted where the settings name an id."""

    def __init__(self, name: str, config: DatabaseConfig, opts: pulumi.ResourceOptions | None = None) -> None:
        """Declare the database ``name`` of the catalog."""
        super().__init__("crane:infra:Database", name, None, opts)
        self.catalog_name = name
        adopt = config.settings.adopted
        self.d1 = CloudflareResource(
            "d1Database:D1Database",
            name,
            config.account,
            {
                "name": config.settings.name,
                # Without it the provider shows a diff after every refresh.
                "readReplication": {"mode": config.read_replication or "disabled"},
            },
            # The option stays for good: taken away and put back, it would plan a replacement.
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=True,
                # The engine does not apply protect where an adoption replaces: it would delete the database it had.
                retain_on_delete=True,
                ignore_changes=["readReplication"] if config.read_replication is None else None,
                import_=f"{config.account.id}/{adopt}" if adopt else None,
                hooks=config.created,
            ),
        )
        end(self)


@dataclass(frozen=True)
class SchemaStep:
    """What the schema step of one database needs: its files, and the hook that applies them."""

    files: tuple[MigrationFile, ...]
    migrate: pulumi.ResourceHookBinding
    instead_of: str | None = None
    """The id of a deleted database whose place this one takes."""
    seeds: tuple[Seed, ...] = ()
    """The seeds that the hook runs after the migrations."""
    seeds_due: str | None = None
    """When seeds were due last, also where no file had changed."""


def declare_schema(database: Database, step: SchemaStep, after: Sequence[pulumi.Resource]) -> pulumi.Stash:
    """The schema step: a record of the migrations, written only once ``step.migrate`` has applied the pending ones."""
    head = head_of(step.files)
    return pulumi.Stash(
        f"{database.catalog_name}-schema",
        input={
            "database": database.catalog_name,
            # Where the state still has the deleted database, this runs the hook, which says so.
            **({"instead-of": step.instead_of} if step.instead_of else {}),
            "id": database.d1.id,
            "head": {"name": head.name, "count": head.count, "digest": head.digest},
            # The digests by name: the engine takes each value apart several times, and a list of both would have three times as many.
            "migrations": {file.name: file.sha256 for file in step.files},
            # A seed that is new or changed runs the hook.
            **({"seeds": {seed.name: seed.sha256 for seed in step.seeds}} if step.seeds else {}),
            # So does one that is due although it did not change, because the rows were replaced.
            **({"seeds-due": step.seeds_due} if step.seeds_due else {}),
        },
        opts=pulumi.ResourceOptions(
            parent=database,
            protect=True,
            depends_on=list(after),
            hooks=step.migrate,
            # The run says which files are pending, with their classes.
            hide_diffs=["input.migrations", "input.seeds", "input.seeds-due"],
        ),
    )
