"""A local project that runs: its cloud, both stacks, and what the engine runs with. Rehearsals, ``crane local`` and the tests all use this one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from crane_infra.config.catalog import Catalog
from crane_infra.rehearsal import engine, project
from crane_infra.rehearsal.project import Project
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.faults.client import Faults
from local_cloud.infisical import CLIENT, Infisical

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class LocalProject:
    """A project whose cloud runs. ``environ`` is what the engine runs with: it leads to this cloud and nowhere else."""

    project: Project
    cloud: daemon.Running
    environ: Mapping[str, str] = field(repr=False)

    @property
    def account(self) -> Account:
        """The account of the local cloud."""
        return Account(self.cloud)

    @property
    def faults(self) -> Faults:
        """What makes calls to the local cloud fail or wait."""
        return Faults(self.cloud)

    def secrets(self, environment: str) -> dict[str, str]:
        """The generated secrets of a stack, by key."""
        return project.secrets_of(self.project, self.environ, environment)


def begin(  # noqa: PLR0913 - most are keywords
    here: Project,
    catalog: Catalog,
    inherited: Mapping[str, str],
    *,
    port: int = 0,
    passphrases: Mapping[str, str] = NOTHING,
    in_infisical: bool = False,
    signs: bool = False,
) -> LocalProject:
    """Start the project's cloud unless it runs, write the project's files, and make both stacks with generated secrets.

    ``inherited`` is this process's environment; what leads to a real account is left out. ``passphrases`` are by environment; without one, a
    stack uses the project's own. ``in_infisical``: the secrets are in the cloud's Infisical, not in Pulumi's configuration.
    ``signs``: new stacks have keys, so that production takes only proofs that staging signed.

    Raises RehearsalError where the engine is missing or fails, LocalCloudError where the cloud does not start.
    """
    engine.find(here.root, inherited)
    project.make_folders(here)
    cloud = daemon.status(here.cloud) or daemon.start(
        here.cloud, port=port, runtime_cache=here.root / ".crane" / "runtime", program=here.program or here.root
    )
    environ = engine.environment(here, cloud, inherited)
    project.write(here, cloud)
    if in_infisical:
        environ = {**environ, "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID": CLIENT, "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET": cloud.token}
    project.make_stacks(here, catalog, environ, passphrases, Infisical(cloud) if in_infisical else None, signs=signs)
    return LocalProject(here, cloud, environ)


def end(here: Project) -> None:
    """Stop the project's cloud, if it runs; its state stays."""
    daemon.stop(here.cloud)
