"""Moves that several stories share: deploy to staging, promote to production, update again, be refused, add a migration.

The rehearsed releases change crane-context. Each migration writes its own name into a table, which shows whether it ran, and how often.
"""

from crane_infra.config.environments import Environment
from crane_infra.counted import counted
from crane_infra.rehearsal import project
from crane_infra.rehearsal.stage import Json, Stage
from crane_infra.rehearsal.worker_files import WORKER
from crane_infra.release.signature import key_id


def deployed(stage: Stage, environment: Environment) -> str:
    """Update a stack, and check that every version in its newest proof serves."""
    stage.up(environment)
    proof = stage.proofs(environment)[0]
    for worker in proof["workers"].values():
        stage.require(
            stage.account.serving(worker["script"]) == worker["version"], f"{worker['script']} does not serve the version that was proven"
        )
    checks = sum(len(names) for names in proof["checks"].values())
    applied = sum(int(database["head"]["count"]) for database in proof["databases"].values())
    return f"{release_name(proof)}: {counted(len(proof['workers']), 'worker')} live, {counted(applied, 'migration')}, {counted(checks, 'check')} passed"


def proven(stage: Stage) -> str:
    """Update staging, and check that it proves a release that is new to it, and signs the proof with the key that production trusts."""
    before = {proof["digest"] for proof in stage.proofs("staging")}
    summary = deployed(stage, "staging")
    newest = stage.proofs("staging")[0]
    stage.require(newest["digest"] not in before, "staging has no new proof")
    (trusted,) = project.config(stage.project, "production")[f"{project.PROJECT}:proof-keys"]
    stage.require(newest.get("seal", {}).get("key") == key_id(trusted), "staging did not sign its proof")
    return f"{summary}, signed"


def promoted(stage: Stage) -> str:
    """Update production, and check that it runs the release that staging proved last."""
    summary = deployed(stage, "production")
    staging, production = (stage.proofs(environment)[0] for environment in ("staging", "production"))
    stage.require(
        staging["digest"] == production["digest"], f"production runs {release_name(production)}, staging has proven {release_name(staging)}"
    )
    return summary


def unchanged(stage: Stage, environment: Environment) -> str:
    """Update a stack again, and check that nothing changes."""
    stage.up(environment, "--expect-no-changes")
    return "unchanged"


def release_name(proof: Json) -> str:
    """The release of a proof, as messages name it."""
    return f"release {proof['digest'][:12]}"


def refused(stage: Stage, *words: str) -> str:
    """Update production, and check that it is refused with these words and changes nothing. Returns the error."""
    before = stage.account.serving(script("production"))
    error = stage.up_refused("production")
    for text in ("production gate closed", *words):
        stage.require(text in error, f"expected '{text}' in the error, got: {error}")
    stage.require(stage.account.serving(script("production")) == before, "production changed")
    return error


def script(environment: Environment) -> str:
    """The name at Cloudflare of the worker that the releases change."""
    return WORKER if environment == "production" else f"{WORKER}-{environment}"


def database(stage: Stage, environment: Environment) -> str:
    """The name at Cloudflare of that worker's database."""
    (catalog_name,) = stage.catalog.workers[WORKER].databases.values()
    return str(project.config(stage.project, environment)[f"{project.PROJECT}:databases"][catalog_name]["name"])


def add_migration(stage: Stage, name: str, *, before: str = "", after: str = "") -> str:
    """Add a migration that records its own name, between these statements. Returns the name of its file."""
    path = stage.files.add_migration(name, "")
    path.write_text(f"{before}\nINSERT INTO rehearsed VALUES ('{path.name}');\n{after}\n".lstrip(), encoding="utf-8")
    return path.name


def require_once(stage: Stage, environment: Environment) -> None:
    """Check that every migration of the rehearsal in the ledger ran once, and that no other ran."""
    name = database(stage, environment)
    ran = [row["migration"] for row in stage.account.rows(name, "SELECT migration FROM rehearsed")]
    first = ran[0] if ran else ""
    listed = [file for file in stage.account.ledger(name) if first and file >= first]
    stage.require(ran == listed, f"{name} ran {', '.join(ran) or 'nothing'}; its ledger has {', '.join(listed) or 'nothing'}")
