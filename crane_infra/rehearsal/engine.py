"""What ``pulumi`` runs with on the local cloud: the engine on PATH, and an environment without any credentials of a real account.

tools/engine.py installs the engine; this module only finds it.
"""

import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from crane_infra.errors import RehearsalError
from crane_infra.rehearsal import plugin
from crane_infra.rehearsal.project import Project
from local_cloud.daemon import Running

# Whatever identifies someone at Cloudflare, or tells Pulumi where its state is or how to behave: a rehearsal must not see any of it.
FOREIGN = (
    "CLOUDFLARE_",
    "CF_",
    "PULUMI_",
    "INFISICAL_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)

NO_LOG = "The engine writes no logs here, because this is a file. Make a folder of this name in its place to have them."


def foreign(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The variables of an environment that a rehearsal must not see."""
    return tuple(sorted(name for name in environ if name.startswith(FOREIGN)))


def exports(project: Project, running: Running, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that make plain ``pulumi``, wrangler and the SDKs work on the local cloud, and nowhere else.

    Raises RehearsalError where the engine is missing.
    """
    home = project.own / "home"
    _keep_no_log(home)
    variables = {
        "PATH": find(project.root, environ),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": project.backend.as_uri(),
        "PULUMI_OPTION_CWD": str(project.folder),
        "PULUMI_CONFIG_PASSPHRASE": _passphrase(project.own / "passphrase"),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        # The engine collects less of its memory, which takes up to an eighth of its processor time.
        "GOGC": environ.get("GOGC", "400"),
        # Without it, a run that is not in a terminal prints a line of dots for each pause of a second.
        "PULUMI_OPTION_SUPPRESS_PROGRESS": "true",
        # The stand-in or an installed plugin is used; without this the engine downloads the official one at every run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "CLOUDFLARE_BASE_URL": running.api_url,
        "CLOUDFLARE_API_BASE_URL": running.api_url,
        "CLOUDFLARE_API_TOKEN": running.token,
        "CLOUDFLARE_ACCOUNT_ID": running.account_id,
    }
    if plugin.use_installed(home, environ):
        return variables
    return {**variables, "PULUMI_DEBUG_PROVIDERS": f"cloudflare:{running.provider_port}"}


def environment(project: Project, running: Running, environ: Mapping[str, str]) -> dict[str, str]:
    """A whole environment for a child process: ours without what is unset, with the exports."""
    return {name: value for name, value in environ.items() if name not in foreign(environ)} | exports(project, running, environ)


def find(root: Path, environ: Mapping[str, str]) -> str:
    """A PATH that has the engine: first Python's folder, since the language host starts whatever ``python`` it meets.

    Raises RehearsalError where the engine is missing.
    """
    folders = [str(Path(sys.executable).parent), str(root / ".crane" / "engine" / "bin")]
    path = os.pathsep.join([*folders, *(one for one in environ.get("PATH", "").split(os.pathsep) if one not in folders)])
    for program in ("pulumi", "pulumi-language-python"):
        if shutil.which(program, path=path) is None:
            raise RehearsalError(program, "is neither on PATH nor in .crane/engine", "Run make engine")
    return path


def _keep_no_log(home: Path) -> None:
    """Put a file where the engine would make the folder of its logs, for which it has no setting. A folder that is there stays.

    Engines of July 2026 and later log all that they do there, which takes up to a third of their processor time (docs/decisions/0060).
    """
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "logs").exists():
        (home / "logs").write_text(f"{NO_LOG}\n", encoding="utf-8")


def _passphrase(path: Path) -> str:
    """Encrypts the local stacks' secrets; made once, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return path.read_text(encoding="ascii")
