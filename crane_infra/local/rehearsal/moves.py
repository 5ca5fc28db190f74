"""Moves that several stories share: a release to staging, to production, and a second time."""

from crane_infra.local.rehearsal.stage import Json, Stage
from crane_infra.settings import Environment


def deployed(stage: Stage, environment: Environment) -> str:
    """Update a stack, and see that what it has proven is what serves."""
    stage.up(environment)
    proof = stage.proofs(environment)[0]
    for worker in proof["workers"].values():
        stage.require(stage.account.serving(worker["script"]) == worker["version"], f"{worker['script']} does not serve what was proven")
    checks = sum(len(names) for names in proof["checks"].values())
    applied = sum(int(database["head"]["count"]) for database in proof["databases"].values())
    return f"{told(proof)}: {len(proof['workers'])} workers live, {applied} migrations, {checks} checks passed"


def proven(stage: Stage) -> str:
    """Staging proves a release that it had not proven."""
    before = {proof["digest"] for proof in stage.proofs("staging")}
    seen = deployed(stage, "staging")
    stage.require(stage.proofs("staging")[0]["digest"] not in before, "staging has proven nothing new")
    return seen


def promoted(stage: Stage) -> str:
    """Production takes what staging has proven last."""
    seen = deployed(stage, "production")
    staging, production = (stage.proofs(environment)[0] for environment in ("staging", "production"))
    stage.require(staging["digest"] == production["digest"], f"production runs {told(production)}, staging has proven {told(staging)}")
    return seen


def unchanged(stage: Stage, environment: Environment) -> str:
    """A second update has nothing to do."""
    stage.up(environment, "--expect-no-changes")
    return "unchanged"


def told(proof: Json) -> str:
    """A release, as people name it."""
    return f"release {proof['digest'][:12]}"
