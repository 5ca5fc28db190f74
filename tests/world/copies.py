"""Worlds that are copied: stacks are made, and a release is proven and promoted, once in a run of the tests; each story gets a copy.

The copy has everything: the state of both stacks, the folder of the cloud, passphrase, stack files. Only addresses and paths differ. A key manager
encrypts their secrets (``key_manager.py``).
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock

from crane_infra import catalog
from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.rehearsal import local_project
from crane_infra.rehearsal.project import Project
from tests.ports import free_port
from tests.repository import ROOT
from tests.world import key_manager, warm
from tests.world.engine import Engine, managed_environment
from tests.world.existing import exist
from tests.world.history import deploy_another_release, update
from tests.world.world import World, new_world, try_briefly

MADE_OF: dict[str, tuple[str, Callable[[World], None]]] = {
    "existing": ("fresh", exist),
    "proven": ("fresh", lambda world: update(world, "staging")),
    "promoted": ("proven", lambda world: update(world, "production")),
    "promoted twice": ("promoted", deploy_another_release),
}
"""How a world comes of another: of which one, and by what is done there."""


@contextmanager
def fresh_world(factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world with both stacks and their secrets; nothing is deployed."""
    with _copy(factory, "fresh") as world:
        yield world


@contextmanager
def proven_world(factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose staging has proven the release of the reference workers; production is empty."""
    with _copy(factory, "proven") as world:
        yield world


@contextmanager
def promoted_world(factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world in which both environments run the release of the reference workers."""
    with _copy(factory, "promoted") as world:
        yield world


@contextmanager
def existing_world(factory: pytest.TempPathFactory) -> Iterator[World]:
    """A world whose account has workers and databases of both environments that were deployed without Pulumi."""
    with _copy(factory, "existing") as world:
        yield world


@contextmanager
def promoted_twice_world(factory: pytest.TempPathFactory) -> Iterator[World]:
    """A promoted world in which both environments then took another release; the states of both stacks are those of the version before."""
    with _copy(factory, "promoted twice") as world:
        yield world


@contextmanager
def _copy(factory: pytest.TempPathFactory, name: str) -> Iterator[World]:
    with _begin_as(_made_once(factory, name), factory.mktemp(name.replace(" ", "-"))) as world:
        yield world


@contextmanager
def _begin_as(source: Path, folder: Path) -> Iterator[World]:
    """A world in ``folder`` that is as the one in ``source`` was when its cloud stopped."""
    shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("home", "made"))
    here = Project(ROOT, folder, workers=folder / "workers")
    old = json.loads((source / "cloud" / "cloud.json").read_text(encoding="utf-8"))["port"]
    try:
        local = local_project.begin(here, catalog.crane(), managed_environment(), port=free_port())
        try_briefly(here)
        for path in here.backend.rglob("*.json"):
            text = path.read_text(encoding="utf-8").replace(f"127.0.0.1:{old}", f"127.0.0.1:{local.cloud.port}")
            path.write_text(text.replace(str(source), str(folder)), encoding="utf-8")
        yield World(local, Engine(folder, local.environ, warm=warm.variables()))
    finally:
        local_project.end(here)


def _made_once(factory: pytest.TempPathFactory, name: str) -> Path:
    """The folder of a world whose cloud has stopped. All workers of xdist share it."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "worlds"
    shared.mkdir(exist_ok=True)
    folder = shared / name
    with FileLock(shared / f"{name}.lock"):
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(factory, name, folder)
            (folder / "made").touch()
    return folder


def _make(factory: pytest.TempPathFactory, name: str, folder: Path) -> None:
    if name not in MADE_OF:
        with new_world(folder) as made:
            for environment in ENVIRONMENTS:
                made.engine.well("stack", "change-secrets-provider", key_manager.PROVIDER, "--stack", environment)
            return
    before, change = MADE_OF[name]
    with _begin_as(_made_once(factory, before), folder) as world:
        change(world)
