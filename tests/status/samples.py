"""Five situations of two environments, put together as the command puts them together, but for the looks: times and names stay the same."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from crane_infra.status.events import AppliedMigration, Event, LiveDeployment, ProvenRelease, Records, events_of
from crane_infra.status.model import DatabaseStatus, EnvironmentStatus, PendingFile, Promotion, ReleaseStatus, Status, WorkerStatus
from crane_infra.status.updates import Update

NOW = datetime(2026, 11, 28, 21, 30, tzinfo=UTC)
OLD, NEW, NEWER = "867afae273fc" + "0" * 52, "4a8326e4d8ea" + "1" * 52, "7b8b70624db4" + "2" * 52
COMMIT = {OLD: "8b889e3" + "a" * 33, NEW: "93f216d" + "b" * 33, NEWER: "c0ffee5" + "c" * 33}
RUN = "https://github.com/example/crane-infra/actions/runs/{number}"
MIGRATIONS = ("0001_create_sessions.sql", "0002_index_sessions.sql", "0003_add_host.sql")
CONTRACT = "0004_drop_host.sql"


def at(days: float) -> datetime:
    """So many days before now."""
    return NOW - timedelta(days=days)


def update(days: float, digest: str, *, result: str = "succeeded", changes: Mapping[str, int] | None = None, **more: Any) -> Update:  # noqa: ANN401
    """A run of a workflow."""
    given = {
        "kind": "update",
        "result": result,
        "startTime": at(days).isoformat(),
        "endTime": (at(days) + timedelta(seconds=48)).isoformat(),
        "message": f"release {digest} by octocat",
        "environment": {"git.head": COMMIT[digest], "git.author": "Ana", "ci.build.url": RUN.format(number=int(days * 1000))},
        "resourceChanges": {"update": 4, "same": 14} if changes is None else changes,
    }
    return Update.model_validate({**given, **more})


def proof(days: float, digest: str, stack: str, migrations: Sequence[str] = MIGRATIONS) -> ProvenRelease:
    """The proof of such a run."""
    return ProvenRelease(
        at(days) + timedelta(seconds=20), digest, COMMIT[digest], {script(stack): version(digest)}, {shown(stack): frozenset(migrations)}
    )


def script(stack: str) -> str:
    """The worker in an environment."""
    return "crane-context" if stack == "production" else "crane-context-staging"


def shown(stack: str) -> str:
    """The database in an environment."""
    return "crane-context-db" if stack == "production" else "crane-context-db-staging"


def version(digest: str) -> str:
    """The version of a release."""
    return f"{digest[:8]}-0000-4000-8000-000000000000"


def deployment(days: float, stack: str, digest: str, by: str = "api deploy@example.com", seconds: int = 30) -> LiveDeployment:
    """A deployment of the version of a release."""
    return LiveDeployment(at(days) + timedelta(seconds=seconds), script(stack), version(digest), f"{version(digest)} at 100%", by)


def environment(stack: str, digest: str, records: Records, **more: Any) -> EnvironmentStatus:  # noqa: ANN401
    """An environment that runs a release and in which all is well, but for ``more``."""
    events = tuple(events_of(records, NOW))
    newest = records.proofs[0]
    worker = WorkerStatus(
        "crane-context",
        script(stack),
        f"https://{script(stack)}.example.workers.dev",
        version(digest),
        {version(digest): 100.0},
        newest.at.isoformat(),
        "api deploy@example.com",
        "ok",
        as_expected=True,
    )
    names = newest.migrations[shown(stack)]
    database = DatabaseStatus("crane-context-db", shown(stack), "0" * 8, max(names), len(names), (), (), as_expected=True)
    release = ReleaseStatus(digest, COMMIT[digest], newest.at, "octocat")
    status = EnvironmentStatus(stack, "runs a release", release, (worker,), (database,), events)
    return replace(status, **more)


def records(
    stack: str,
    updates: Sequence[Update],
    proofs: Sequence[ProvenRelease],
    deployments: Sequence[LiveDeployment] = (),
    *,
    applied: Sequence[AppliedMigration] = (),
) -> Records:
    """What others recorded of an environment."""
    began = min(update.started for update in updates)
    first = (AppliedMigration(began + timedelta(seconds=number), shown(stack), name, OLD) for number, name in enumerate(MIGRATIONS))
    rows = (*first, *applied)
    return Records(stack, "crane-infra", updates, proofs, rows, {shown(stack): frozenset(row.name for row in rows)}, deployments)


def _both() -> dict[str, tuple[list[Update], list[ProvenRelease], list[LiveDeployment]]]:
    return {
        stack: (
            [update(9 - late, OLD), update(2 - late, NEW)],
            [proof(2 - late, NEW, stack), proof(9 - late, OLD, stack)],
            [deployment(2 - late, stack, NEW), deployment(9 - late, stack, OLD)],
        )
        for stack, late in (("staging", 0.0), ("production", 0.5))
    }


OPEN = Promotion(is_open=True, verdict=f"production gate open: release {NEW[:12]} was proven by staging at 2026-11-26 21:30 UTC")


def all_well() -> Status:
    """Both environments run the same release."""
    both = _both()
    return Status(NOW, tuple(environment(stack, NEW, records(stack, *both[stack])) for stack in both), OPEN)


def staging_ahead() -> Status:
    """Staging has proven a release that takes a column away."""
    both = _both()
    updates, proofs, deployments = both["staging"]
    applied = [AppliedMigration(at(0.2) + timedelta(seconds=10), shown("staging"), CONTRACT, NEWER)]
    ahead = records(
        "staging",
        [*updates, update(0.2, NEWER)],
        [proof(0.2, NEWER, "staging", (*MIGRATIONS, CONTRACT)), *proofs],
        [deployment(0.2, "staging", NEWER), *deployments],
        applied=applied,
    )
    production = environment("production", NEW, records("production", *both["production"]))
    behind = replace(production.databases[0], pending=(PendingFile(CONTRACT, "contract"),))
    promotion = Promotion(
        is_open=True,
        verdict=f"production gate open: release {NEWER[:12]} was proven by staging at 2026-11-28 16:42 UTC",
        changes=("worker crane-context: a new version", f"database crane-context-db: applies {CONTRACT} (contract)"),
    )
    return Status(NOW, (environment("staging", NEWER, ahead), replace(production, databases=(behind,))), promotion)


def failed_release() -> Status:
    """The last release in staging failed its checks: its version serves, and is not proven."""
    both = _both()
    updates, proofs, deployments = both["staging"]
    failed = update(0.1, NEWER, result="failed", changes={"create": 1, "same": 12})
    seen = records("staging", [*updates, failed], proofs, [deployment(0.1, "staging", NEWER), *deployments])
    what = f"worker {script('staging')}: serves {version(NEWER)} at 100% instead of {version(NEW)} at 100%. If this is a manual deployment, return to the release: pulumi up -s staging --replace '**WorkerVersion::crane-context'."
    last = f"the last run, a release at 2026-11-28 19:06 UTC, failed: {RUN.format(number=100)}"
    staging = environment("staging", NEW, seen, problems=(last, what))
    worker = replace(staging.workers[0], traffic={version(NEWER): 100.0}, as_expected=False, health="fails")
    production = environment("production", NEW, records("production", *both["production"]))
    return Status(NOW, (replace(staging, workers=(worker,)), production), OPEN)


def manual_deployment() -> Status:
    """Somebody deployed the version before with wrangler, in production."""
    both = _both()
    updates, proofs, deployments = both["production"]
    by_hand = deployment(0.05, "production", OLD, "wrangler sam@example.com")
    seen = records("production", updates, proofs, [by_hand, *deployments])
    what = f"worker crane-context: serves {version(OLD)} at 100% instead of {version(NEW)} at 100%. If this is a manual deployment, return to the release: pulumi config set -s production --path workers.crane-context.replace-deployment 0b1c, then pulumi up -s production."
    production = environment("production", NEW, seen, problems=(what,))
    worker = replace(
        production.workers[0], traffic={version(OLD): 100.0}, deployed_on=by_hand.at.isoformat(), deployed_by=by_hand.by, as_expected=False
    )
    return Status(NOW, (environment("staging", NEW, records("staging", *both["staging"])), replace(production, workers=(worker,))), OPEN)


def rollback() -> Status:
    """Production went back to the release before, and a promotion was refused since."""
    both = _both()
    updates, proofs, deployments = both["production"]
    back = update(0.3, OLD, config={"crane-infra:rollback-to": {"value": OLD, "secret": False}})
    refused = update(0.02, OLD, result="failed", changes={"same": 1})
    seen = records(
        "production",
        [*updates, back, refused],
        [proof(0.3, OLD, "production"), *proofs],
        [deployment(0.3, "production", OLD), *deployments],
    )
    last = f"the last run, a promotion at 2026-11-28 21:01 UTC, was refused before it changed anything: {RUN.format(number=20)}"
    production = environment("production", OLD, seen, problems=(last,))
    promotion = replace(OPEN, changes=("worker crane-context: a new version",))
    return Status(NOW, (environment("staging", NEW, records("staging", *both["staging"])), production), promotion)


def hostile(text: str) -> Status:
    """All is well, but every text of others is ``text``."""
    well = all_well()
    events = tuple(
        Event("staging", "release", "failed", at(1), 5, text, "message", text, text, {text: text}, (text,), "", text) for _ in range(2)
    )
    worker = replace(well.environments[0].workers[0], address=text, deployed_by=text, traffic={text: 100.0}, script=text, name=text)
    database = replace(well.environments[0].databases[0], shown=text, head=text, pending=(PendingFile(text, "expand"),), name=text)
    release = ReleaseStatus(text, text, NOW, text)
    staging = EnvironmentStatus("staging", "runs a release", release, (worker,), (database,), events, (text,), (text,), (text,))
    return Status(NOW, (staging, well.environments[1]), Promotion(is_open=False, verdict=text, note=text, risk=text, changes=(text,)))


SITUATIONS = {
    "all-well": all_well,
    "staging-ahead": staging_ahead,
    "failed-release": failed_release,
    "manual-deployment": manual_deployment,
    "rollback": rollback,
}
"""By name, as the pictures are called."""
