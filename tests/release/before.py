"""The stacks that commit d6bb6c6 exported, and the files, settings and secrets that it exported them from.

``state_of_before`` was recorded by running d6bb6c6's own record.py: staging ran releases 1 to 23 and keeps twenty proofs; production ran
15, 18 and 21, and rolled back to 18. As in a state that the engine wrote, values that are None are left
out and keys are sorted. Ids, secrets and the account are made up.
"""

import json
from pathlib import Path
from typing import Any

from crane_infra.config.catalog import Catalog
from crane_infra.config.environments import Environment
from crane_infra.config.settings import KEY_NAME, Settings, parse
from crane_infra.release.manifest import Release, read_release
from crane_infra.secrets.fingerprints import fingerprint
from tests.samples import as_pulumi, known

FOLDER = Path(__file__).parent / "state_of_before"
NEWEST, ROLLED_BACK_TO = 23, 18
FINGERPRINT_KEY = "a made-up fingerprint key"


def outputs(environment: Environment, *, floats: bool = False) -> dict[str, Any]:
    """The recorded outputs of a stack; with ``floats`` every number comes as one, as the engine's protocol hands it over."""
    text = (FOLDER / f"{environment}.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text, parse_int=float if floats else int)
    return loaded


def recipe() -> dict[str, Any]:
    """The catalog, the settings by environment, the account and the database ids of the recording."""
    loaded: dict[str, Any] = json.loads((FOLDER / "before.json").read_text(encoding="utf-8"))
    return loaded


def catalog() -> Catalog:
    """The catalog of the recording."""
    return Catalog.model_validate(recipe()["catalog"])


def settings(environment: Environment, root: Path, **changes: object) -> Settings:
    """The settings of the recording, with some keys replaced."""
    values = recipe()["settings"][environment] | {key.replace("_", "-"): value for key, value in changes.items()}
    environ = {"CLOUDFLARE_ACCOUNT_ID": recipe()["account"], "CLOUDFLARE_API_TOKEN": "made-up"}
    return parse(known(environment, root), as_pulumi(values), environ)


def secrets(environment: Environment) -> dict[str, str]:
    """The secret values of the recording by key."""
    return {
        secret.key: f"made-up-{secret.key}-{environment if secret.distinct else 'both'}" for secret in catalog().secrets if secret.required
    }


def fingerprints(environment: Environment) -> dict[str, str]:
    """The fingerprints of these secrets, computed by today's code."""
    return {name: fingerprint(value, FINGERPRINT_KEY) for name, value in {**secrets(environment), KEY_NAME: FINGERPRINT_KEY}.items()}


def release(number: int, folder: Path) -> Release:
    """Write the files of a release of the recording into ``folder``, and read them."""
    for name, worker in catalog().workers.items():
        module = f"export default {{ fetch: () => new Response('{name} {number}') }};\n"
        _write(folder / worker.bundle / worker.main_module, module)
    for database in catalog().databases.values():
        for migration in range(1, number // 4 + 2):
            path = folder / database.migrations / f"{migration:04}_table_{migration}.sql"
            _write(path, f"CREATE TABLE t{migration} (id INTEGER);\n")
        if database.base:
            _write(folder / database.base, "CREATE TABLE t1 (id INTEGER);\n")
    return read_release(catalog(), folder)


def through_the_engine(value: object) -> Any:  # noqa: ANN401 - JSON
    """A value as it comes back from a state: without what is None, lists for tuples."""
    if isinstance(value, dict):
        return {key: through_the_engine(item) for key, item in value.items() if item is not None}
    return [through_the_engine(item) for item in value] if isinstance(value, list | tuple) else value


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
