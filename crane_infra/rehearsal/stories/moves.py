"""Moves that several stories share: a release to staging and to production, a second time, and a refused one; migrations that say that they ran.

The rehearsed releases change crane-context. A migration writes its own name into a table, so that it can be seen that it ran, and how often.
"""

from crane_infra.config.settings import Environment
from crane_infra.rehearsal import project
from crane_infra.rehearsal.stage import Json, Stage
from crane_infra.rehearsal.worker_files import WORKER


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


def closed(stage: Stage, *words: str) -> str:
    """Production refuses with these words and stays as it is; its error."""
    before = stage.account.serving(script("production"))
    error = stage.up_refused("production")
    for text in ("production gate closed", *words):
        stage.require(text in error, f"the refusal does not say '{text}', but: {error}")
    stage.require(stage.account.serving(script("production")) == before, "production changed")
    return error


def script(environment: Environment) -> str:
    """The name of the changed worker in an environment."""
    return WORKER if environment == "production" else f"{WORKER}-{environment}"


def database(stage: Stage, environment: Environment) -> str:
    """The name of that worker's database in an environment."""
    (own,) = stage.catalog.workers[WORKER].databases.values()
    return str(project.config(stage.project, environment)[f"{project.PROJECT}:databases"][own]["name"])


def add_migration(stage: Stage, name: str, *, before: str = "", after: str = "") -> str:
    """Add a migration that writes its own name down, between these statements; gives the name of its file."""
    path = stage.files.add_migration(name, "")
    path.write_text(f"{before}\nINSERT INTO rehearsed VALUES ('{path.name}');\n{after}\n".lstrip(), encoding="utf-8")
    return path.name


def require_once(stage: Stage, environment: Environment) -> None:
    """Each migration of the rehearsal that is in the ledger ran once, and no other ran."""
    name = database(stage, environment)
    ran = [row["migration"] for row in stage.account.rows(name, "SELECT migration FROM rehearsed")]
    first = ran[0] if ran else ""
    listed = [one for one in stage.account.ledger(name) if first and one >= first]
    stage.require(ran == listed, f"{name} ran {', '.join(ran) or 'nothing'}; its ledger has {', '.join(listed) or 'nothing'}")
