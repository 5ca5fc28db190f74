"""The account as it is today in a world, and its stacks set to adopt it: by ``crane adopt``, with a token that may only read."""

import subprocess

from crane_infra import catalog
from crane_infra.rehearsal.existing_account import STRAY, make_existing
from local_cloud.client import Account
from local_cloud.tokens import Permission
from tests import command_line
from tests.repository import ROOT
from tests.world.world import World

READS = (Permission.D1_READ, Permission.WORKERS_READ)


def exist(world: World) -> None:
    """Deploy workers and databases of both environments without Pulumi."""
    make_existing(world.project, Account(world.cloud), catalog.crane(), world.engine.environ)


def adopt(world: World, stack: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run ``crane adopt`` on a stack."""
    token = world.faults.token(*READS)
    environ = {**world.engine.environ, "PULUMI_OPTION_CWD": str(world.project.folder), "CLOUDFLARE_API_TOKEN": token}
    return command_line.crane("adopt", "-s", stack, *words, environ=environ, cwd=ROOT)


def let_adopt(world: World, stack: str) -> None:
    """Let ``crane adopt`` write a stack file; what no file declares is given up."""
    done = adopt(world, stack, "--give-up", STRAY[0], "--write")
    assert done.returncode == 0, done.stdout + done.stderr
