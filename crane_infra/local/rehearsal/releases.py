"""Releases that fail, in staging and in production, and releases that come back.

Each changes crane-context. A migration writes its own name into a table, so that it can be seen that it ran, and how often.
"""

from crane_infra.local import project
from crane_infra.local.existing import deploy_by_hand
from crane_infra.local.rehearsal.files import WORKER
from crane_infra.local.rehearsal.moves import deployed, promoted, proven, told
from crane_infra.local.rehearsal.stage import Stage
from crane_infra.local.rehearsal.step import Step
from crane_infra.settings import Environment

OLDER, NEWER = "older", "newer"
BY_HAND = "export default { fetch: () => new Response('by hand') };"


class Releases:
    """From the second release to one that is brought back."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage
        self._older = self._newer = ""

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("a release with a new migration: production refuses what staging has not proven", self.unproven),
            Step("staging proves it", lambda: proven(self._stage)),
            Step("production takes it", lambda: promoted(self._stage)),
            Step("a migration that fails: staging names file and statement, production refuses", self.bad_migration),
            Step("the file is corrected: staging goes on and proves", self.corrected),
            Step("the next release: staging proves it", self.next_release),
            Step("a release whose smoke fails in staging: production refuses it", self.bad_in_staging),
            Step("production takes the older proven release, from its own files", self.older),
            Step("staging is deployed to by hand after its proof: production refuses", self.by_hand),
            Step("the next update of staging returns it to its release", self.returned),
            Step("a release whose smoke fails in production only: the error names the way back", self.bad_in_production),
            Step("rollback-to brings the older release back over the newer schema", self.rolled_back),
        ]

    def unproven(self) -> str:
        """The files change, and production is asked first."""
        add_migration(self._stage, "rehearsed", before="CREATE TABLE rehearsed (migration TEXT NOT NULL);")
        self._stage.files.change_code("the second release")
        return self._closed("is not proven by staging")

    def bad_migration(self) -> str:
        """The second statement of the new file cannot be applied."""
        stage = self._stage
        bad = add_migration(stage, "broken", after="SELECT abs(-9223372036854775808);")
        stage.files.change_code("the third release")
        serving = stage.account.serving(script("staging"))
        error = stage.up_refused("staging")
        for words in (bad, "at statement ", "integer overflow", "Nothing of it stays"):
            stage.require(words in error, f"the error does not say '{words}', but: {error}")
        stage.require(bad not in stage.account.ledger(database(stage, "staging")), f"{bad} is in the ledger")
        stage.require(stage.account.serving(script("staging")) == serving, "the old version does not serve any more")
        self._closed("is not proven by staging")
        return error[error.index(bad) :]

    def corrected(self) -> str:
        """Without the statement that fails, staging goes on with this very file."""
        stage = self._stage
        bad = max(stage.files.migrations.glob("*_broken.sql"))
        kept = [line for line in bad.read_text(encoding="utf-8").splitlines() if "abs(" not in line]
        bad.write_text("\n".join([*kept, ""]), encoding="utf-8")
        seen = proven(stage)
        require_once(stage, "staging")
        stage.files.keep(OLDER)
        self._older = stage.proofs("staging")[0]["digest"]
        return seen

    def next_release(self) -> str:
        """One that staging cannot find fault with: it fails in production only."""
        stage = self._stage
        add_migration(stage, "newer")
        stage.files.answer_500_in("production")
        seen = proven(stage)
        stage.files.keep(NEWER)
        self._newer = stage.proofs("staging")[0]["digest"]
        return seen

    def bad_in_staging(self) -> str:
        """A worker that answers its checks with 500."""
        stage = self._stage
        stage.files.answer_500_in("staging")
        with stage.impatient("staging"):
            error = stage.up_refused("staging")
        stage.require("expected" in error and "500" in error, f"the error does not tell the answer: {error}")
        stage.require(stage.proofs("staging")[0]["digest"] == self._newer, "staging has proven what failed")
        self._closed("is not proven by staging")
        return error

    def older(self) -> str:
        """Not the last release that staging proved, but the one before it."""
        stage = self._stage
        stage.files.use(OLDER)
        seen = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {told(live)}")
        return seen

    def by_hand(self) -> str:
        """The proven files again; then somebody deploys a version of his own, as wrangler and the dashboard do."""
        stage = self._stage
        stage.files.use(NEWER)
        deployed(stage, "staging")
        version = deploy_by_hand(stage.account, script("staging"), BY_HAND)
        return self._closed("staging is no longer what its proof says", version)

    def returned(self) -> str:
        """An update of staging, with the same files."""
        stage = self._stage
        said = stage.up("staging")
        version = stage.proofs("staging")[0]["workers"][WORKER]["version"]
        stage.require(stage.account.serving(script("staging")) == version, "staging does not serve its release")
        return stage.line(said, "deployed by hand", "it is returned to this release")

    def bad_in_production(self) -> str:
        """Staging could not know; production's own smoke does."""
        stage = self._stage
        before = stage.account.serving(script("production"))
        with stage.impatient("production"):
            error = stage.up_refused("production")
        way_back = f"wrangler rollback {before} --name {script('production')}"
        stage.require(way_back in error, f"the error does not name the way back, but: {error}")
        stage.require(stage.proofs("production")[0]["digest"] == self._older, "production has proven what failed")
        return error

    def rolled_back(self) -> str:
        """The older files with rollback-to; the database keeps what came since."""
        stage = self._stage
        stage.files.use(OLDER)
        before = stage.account.ledger(database(stage, "production"))
        project.configure(stage.project, "production", {"rollback-to": self._older})
        seen = deployed(stage, "production")
        live = stage.proofs("production")[0]
        stage.require(live["digest"] == self._older, f"production runs {told(live)}")
        stage.require(stage.account.ledger(database(stage, "production")) == before, "the rollback changed the ledger")
        require_once(stage, "production")
        stage.files.use(NEWER)
        return f"{seen}; the ledger still stands at {before[-1]}"

    def _closed(self, *words: str) -> str:
        """Production refuses and stays as it is."""
        before = self._stage.account.serving(script("production"))
        error = self._stage.up_refused("production")
        for text in ("production gate closed", *words):
            self._stage.require(text in error, f"the refusal does not say '{text}', but: {error}")
        self._stage.require(self._stage.account.serving(script("production")) == before, "production changed")
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
