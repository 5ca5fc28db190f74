"""Stacks with a past: of many releases, added to the state since proving twenty takes minutes; of two; or written by the version before."""

import copy
import json

from crane_infra.config.environments import ENVIRONMENTS
from crane_infra.release.exported import as_recorded, exported, plain_outputs
from tests.world.engine import Json
from tests.world.world import World, edit

OLD_TEXT, NEW_MIGRATION = "which agent sessions are alive", "0009_notes.sql"
"""What another release changes in crane-context, into capital letters, and the migration that it brings."""
RELEASE, ROOT = "pulumi:index:Stash::release", "pulumi:pulumi:Stack::"


def update(world: World, stack: str) -> None:
    """Update a stack, which has to succeed."""
    run = world.up(stack)
    assert run.exit == 0, run.output


def deploy_another_release(world: World) -> None:
    """Prove and promote a release that changes one worker and brings a migration; then both states get the form of the version before."""
    edit(world.workers / "crane-context" / "dist" / "index.js", OLD_TEXT, OLD_TEXT.upper())
    migration = world.workers / "crane-context" / "migrations" / NEW_MIGRATION
    migration.write_text("CREATE TABLE notes (text TEXT NOT NULL);\n", encoding="utf-8")
    for stack in ENVIRONMENTS:
        update(world, stack)
    for stack in ENVIRONMENTS:
        as_the_version_before_wrote_it(world, stack)


def add_history(world: World, stack: str, proofs: int) -> None:
    """Let a stack have proven this many releases, the one that it has as the newest."""
    plain = plain_outputs(world.exported(stack))
    newest = plain["proofs"][0]
    plain["proofs"] = [newest, *(_older(newest, number) for number in range(1, proofs))]
    plain["releases"] = {proof["digest"]: number for number, proof in enumerate(reversed(plain["proofs"]), 1)}
    change_state(world, stack, as_recorded(plain), exported(stack, plain))


def as_the_version_before_wrote_it(world: World, stack: str) -> Json:
    """Give the state of a stack the form in which the version before wrote it. Returns its outputs."""
    plain = plain_outputs(world.exported(stack))
    change_state(world, stack, plain, plain)
    return plain


def change_state(world: World, stack: str, record: Json, outputs: Json) -> None:
    """Replace what the release step holds and what the stack exports, where the engine keeps it."""
    path = world.state_file(stack)
    state = json.loads(path.read_text(encoding="utf-8"))
    for resource in state["checkpoint"]["latest"]["resources"]:
        if resource["urn"].endswith(RELEASE):
            resource["inputs"]["input"] = resource["outputs"]["input"] = resource["outputs"]["output"] = record
        elif ROOT in resource["urn"]:
            resource["outputs"] = outputs
    path.write_text(json.dumps(state), encoding="utf-8")


def _older(proof: Json, number: int) -> Json:
    """The proof of another release: other code, other versions, older."""
    older = copy.deepcopy(proof)
    older["digest"] = f"{number:02}{proof['digest'][2:]}"
    older["proven_at"] = f"2026-10-{30 - number:02}T08:00:00Z"
    for name, worker in older["workers"].items():
        worker["version"] = f"{number:08}-0000-4000-8000-000000000000"
        worker["tag"] = older["manifest"]["workers"][name]["digest"] = f"{number:02}{worker['tag'][2:]}"
    return older
