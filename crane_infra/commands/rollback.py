"""Puts the versions of an earlier proven release of production back, without the engine: look, say, ask, move, check.

The mark in the message of the deployments is the record (``live/mark.py``): who and when Cloudflare adds itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from crane_infra.at_once import all_at_once
from crane_infra.commands.health import look_at_health
from crane_infra.config.catalog import Catalog
from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError, LiveError, SettingsError
from crane_infra.live.account import Account, open_account
from crane_infra.live.expected import expected_versions, look_at_version
from crane_infra.live.mark import mark
from crane_infra.migrations.lint.judge import classes
from crane_infra.redact import Redactor
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.proof import Proof
from crane_infra.release.schemas import read_schema_files
from crane_infra.traffic.differences import RISKS
from crane_infra.traffic.move import move_all
from crane_infra.traffic.rollback import Kinds, Rollback, look


@dataclass(frozen=True)
class Wish:
    """What somebody asked for: a digest or the beginning of one (None: the release before), what they accept, and why."""

    digest: str | None
    accepted: Sequence[str] = ()
    reason: str = ""


@dataclass(frozen=True)
class Stack:
    """The stack: its settings, the catalog, its last outputs, and those of staging, which are rarely needed."""

    settings: Settings
    catalog: Catalog
    outputs: StackOutputs
    staging: Callable[[], StackOutputs]


def roll_back(stack: Stack, wish: Wish, say: Callable[[str], None], agreed: Callable[[], bool]) -> bool:
    """Put an earlier release back, all workers together; False where ``agreed`` says no, and then nothing was changed.

    Raises LiveError where that cannot be done or was not accepted, or where the release serves and fails a check; ApiError where the API fails.
    """
    return asyncio.run(_roll_back(stack, wish, say, agreed))


async def _roll_back(stack: Stack, wish: Wish, say: Callable[[str], None], agreed: Callable[[], bool]) -> bool:
    if (environment := stack.settings.environment) != "production":
        what = f"only production rolls back; {environment} proves releases"
        raise SettingsError(f"stack {environment}", what, "Run pulumi up -s staging with the files of the older release")
    if unknown := sorted(set(wish.accepted) - set(RISKS)):
        raise SettingsError(f"--accept {unknown[0]}", "is nothing that can be accepted", f"Use one of {', '.join(RISKS)}")
    stack.outputs.require_newest(environment)
    async with open_account(stack.settings) as account:
        rollback = await look(account, stack.outputs, stack.staging, wish.digest, lambda proof: kinds_at_hand(stack, proof))
        # A variable of a version may hold what should be a secret; the token is the only one that this command knows.
        redact = Redactor({"CLOUDFLARE_API_TOKEN": stack.settings.api_token.get_secret_value()})
        for line in _summary(rollback):
            say(redact(line))
        if refusal := rollback.differences.refusal(rollback.target.digest, wish.accepted):
            raise refusal
        if not rollback.moves:
            say(f"Nothing to do: release {rollback.target.digest[:12]} serves.")
            return True
        if not agreed():
            return False
        made = mark("rollback", rollback.target.digest, left=rollback.left, reason=wish.reason)
        try:
            await move_all(account, rollback.moves, made, force="secrets" in wish.accepted)
            await _check(stack, account, rollback.target, say)
        except asyncio.CancelledError:
            raise interrupted(rollback.target) from None
    return True


def interrupted(proof: Proof) -> LiveError:
    """The error where Ctrl-C or SIGTERM ends the command after it has begun to move workers: nobody knows how many have moved."""
    digest = proof.digest[:12]
    what = "was interrupted while its workers moved, so two releases may serve side by side"
    return LiveError(f"rollback to {digest}", what, f"Run crane rollback -s production {digest} again: it goes on from there")


async def _check(stack: Stack, account: Account, proof: Proof, say: Callable[[str], None]) -> None:
    """Look what serves, and run the checks of the release. It stays where a check fails: what served before was worse."""
    served = await all_at_once(look_at_version(account, expected) for expected in expected_versions(proof))
    say(f"Production serves release {proof.digest[:12]}:")
    for worker in served:
        say(f"  {worker.summary if worker.fault is None else worker.fault}")
    known = [worker for worker in served if {worker.expected.worker} <= stack.catalog.workers.keys() & stack.settings.workers.keys()]
    faults: list[CraneError] = [worker.fault for worker in served if worker.fault]
    for health in await all_at_once(look_at_health(stack.settings, stack.catalog, proof, worker) for worker in known):
        for line in (*health.seen, *health.notes):
            say(f"  {line}")
        faults += [health.fault] if health.fault else []
    if faults:
        what = f"release {proof.digest[:12]} serves again, and does not do what it did: {'; '.join(f'{one.where}: {one.what}' for one in faults)}"
        raise LiveError("stack production", what, "Look at the logs of its workers; crane verify -s production looks again")


def kinds_at_hand(stack: Stack, proof: Proof) -> Kinds:
    """The classes of the migration files that lie here, for the databases of a release; nothing of files that cannot be read."""
    kinds = {}
    for name in proof.databases.keys() & stack.catalog.databases.keys():
        try:
            files, base = read_schema_files(stack.catalog.databases[name], stack.settings.workers_dir)
        except CraneError:
            continue
        classed = classes(files, base)
        kinds[name] = {(file.name, file.sha256): classed[file.name] for file in files}
    return kinds


def _summary(rollback: Rollback) -> list[str]:
    target, serving = rollback.target, rollback.serving
    commit = f" of commit {target.commit}" if target.commit else ""
    serves = f"release {serving.digest[:12]}" if serving else "no single release that it proved"
    lines = [
        f"Production serves {serves}. This puts back release {target.digest[:12]}{commit}, proven at {target.proven_at:%Y-%m-%d %H:%M} UTC."
    ]
    befores = [(move, move.before.summary if move.before else "nothing") for move in rollback.moves]
    lines += [f"  worker {move.script}: {before} becomes {move.version} at 100%" for move, before in befores]
    lines += [f"  {line}" for line in rollback.differences.lines]
    return [*lines, "  Schedules, addresses and databases stay as they are."]
