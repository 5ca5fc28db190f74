"""A local project whose catalog lost a worker and a database, and calls another database by another name."""

import os
import subprocess
from unittest import mock

import yaml

from crane_infra import catalog
from tests import command_line
from tests.program.retire.catalog_after import NEW_NAME, OLD_NAME, full, smaller
from tests.repository import ROOT
from tests.world.engine import Json
from tests.world.world import SETTINGS, World

CLASSIFIER, ITS_DATABASE = "crane-classifier", "crane-classifier-db"
SUFFIXES = {"staging": "-staging", "production": "-prod"}
Ended = subprocess.CompletedProcess[str]


def use_smaller_catalog(world: World) -> None:
    """Let the engine run the program with the smaller catalog, and take out of both stack files what it does not have."""
    program = world.project.folder / "program"
    program.mkdir()
    main = f"import os, sys\nos.chdir({str(ROOT)!r})\nsys.path.insert(0, {str(ROOT)!r})\nimport runpy\nrunpy.run_module('tests.program.retire.catalog_after', run_name='__main__')\n"
    (program / "__main__.py").write_text(main, encoding="utf-8")
    file = world.project.folder / "Pulumi.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text(encoding="utf-8")), "main": os.path.relpath(program, file.parent)}))
    for stack in ("staging", "production"):
        content = world.stack_file(stack)
        del content["config"][f"{SETTINGS}:workers"][CLASSIFIER]
        databases = content["config"][f"{SETTINGS}:databases"]
        del databases[ITS_DATABASE]
        databases[NEW_NAME] = databases.pop(OLD_NAME)
        world.write_stack_file(stack, content)


def adopt_renamed(world: World, stack: str) -> None:
    """Let a stack adopt the database under its new name."""
    content = world.stack_file(stack)
    content["config"][f"{SETTINGS}:databases"][NEW_NAME]["adopt"] = there(world)["databases"][database(stack)]
    world.write_stack_file(stack, content)


def database(stack: str) -> str:
    """What the renamed database is called at Cloudflare."""
    return f"{OLD_NAME}{SUFFIXES[stack]}"


def crane(world: World, stack: str, *words: str, whole: bool = False) -> Ended:
    """Run a command of crane on a stack, with the smaller catalog or the whole one."""
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder)}
    with mock.patch.object(catalog, "crane", full if whole else smaller):
        return command_line.crane(*words, "-s", stack, environ=environ, cwd=ROOT)


def retired(world: World, stack: str) -> list[Ended]:
    """Let a stack go of all that the smaller catalog does not have."""
    return [crane(world, stack, "retire", name, "--yes") for name in (CLASSIFIER, ITS_DATABASE, OLD_NAME)]


def there(world: World) -> Json:
    """What the account has: databases and workers by name, with their ids."""
    return {
        "databases": {one["name"]: one["uuid"] for one in world.api("GET", "/d1/database")["result"]},
        "workers": {one["name"]: one["id"] for one in world.api("GET", "/workers/workers")["result"]},
    }
