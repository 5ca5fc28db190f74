"""The second story: the account as it is today. Both stacks adopt it; nothing is replaced, lost or reset, and no caller notices.

Then releases that come back, and an engine that is killed.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crane_infra.config.settings import ENVIRONMENTS, Environment
from crane_infra.rehearsal import project
from crane_infra.rehearsal.asking_client import Question, Seen, Traffic
from crane_infra.rehearsal.existing_account import STRAY, make_existing
from crane_infra.rehearsal.snapshot import Snapshot, lost, take
from crane_infra.rehearsal.stage import Json, Stage
from crane_infra.rehearsal.step import Step
from crane_infra.rehearsal.stories.comeback import Comeback
from crane_infra.rehearsal.stories.killed import Killed
from crane_infra.rehearsal.stories.moves import deployed, promoted, unchanged

HARMLESS = {"create", "import", "update", "same"}
_ASKED_SECONDS = 60.0


def story(stage: Stage) -> list[Step]:
    """Every step of the rehearsal on the existing account, in order."""
    return [*Adoption(stage).steps(), *Comeback(stage).steps(), *Killed(stage).steps()]


class Adoption:
    """From an account that nobody has adopted to one that both stacks have."""

    def __init__(self, stage: Stage) -> None:
        """Play on this stage."""
        self._stage = stage
        self._before = Snapshot({}, {})
        self._traffic: Traffic | None = None

    def steps(self) -> list[Step]:
        """The steps, in order."""
        return [
            Step("start a local cloud with the account as it is: deployed without Pulumi, full of data", self.start),
            Step("a client begins to ask production's workers", self.ask),
            Step("preview both stacks: what adoption changes is listed, nothing is replaced or deleted", self.preview),
            Step("update staging: adopted, the pending migrations applied once", lambda: self.adopt("staging")),
            Step("update production: adopted, the client sees no other answer", lambda: self.adopt("production")),
            Step("update staging again: nothing changes", lambda: unchanged(self._stage, "staging")),
            Step("adopt is taken away in production: refused", self.taken_away),
            Step("adopt is put back: nothing changes, nothing is replaced", self.put_back),
            Step("the client ends: not one failed or changed answer; no row lost, no setting reset", self.compare),
        ]

    def start(self) -> str:
        """The cloud, the project with its secrets, and the account."""
        stage = self._stage
        stage.begin()
        make_existing(stage.project, stage.account, stage.catalog, stage.environ)
        self._before = take(stage.account)
        return f"{len(self._before.workers)} workers, {len(self._before.databases)} databases, {self._before.rows} rows"

    def ask(self) -> str:
        """Health, what the key opens, and which version answers; until the last step."""
        questions = _questions(self._stage)
        self._traffic = Traffic(questions)
        self._stage.at_end(self._traffic.end)
        self._traffic.begin()
        return f"{len(questions)} addresses; {self._asked()}"

    def preview(self) -> str:
        """Both previews, side by side."""
        with ThreadPoolExecutor() as threads:
            seen = list(threads.map(self._preview, ENVIRONMENTS))
        self._require_steady(self._phase())
        return "; ".join(seen)

    def adopt(self, environment: Environment) -> str:
        """The update that adopts."""
        stage = self._stage
        self._phase()
        self._asked()
        seen = deployed(stage, environment) if environment == "staging" else promoted(stage)
        asked = self._asked()
        phase = self._phase()
        self._require_steady(phase)
        if environment == "production":
            stage.require(len(phase.versions) == 2 * len(stage.catalog.workers), "the client did not meet the old and the new versions")
        self._require_migrated(environment)
        return f"{seen}; {asked}"

    def taken_away(self) -> str:
        """What was adopted keeps its adopt."""
        stage = self._stage
        kept = project.config(stage.project, "production")
        for kind in ("databases", "workers"):
            own = kept[f"{project.PROJECT}:{kind}"]
            without = {name: {key: value for key, value in one.items() if key != "adopt"} for name, one in own.items()}
            project.configure(stage.project, "production", {kind: without})
        error = stage.up_refused("production")
        project.configure(stage.project, "production", {kind: kept[f"{project.PROJECT}:{kind}"] for kind in ("databases", "workers")})
        stage.require("adopt: was removed" in error, f"the refusal is another one: {error}")
        return error

    def put_back(self) -> str:
        """The second update of production."""
        return unchanged(self._stage, "production")

    def compare(self) -> str:
        """The account of the beginning against that of now."""
        asked = self._asked()
        if self._traffic is not None:
            self._traffic.end()
        self._require_steady(self._phase())
        gone = lost(self._before, take(self._stage.account))
        self._stage.require(not gone, ", ".join(gone))
        return f"{asked}; all {self._before.rows} rows are there"

    def _preview(self, environment: Environment) -> str:
        stage = self._stage
        said = stage.preview(environment)
        ops = count(said)
        harmful = sorted(set(ops) - HARMLESS)
        stage.require(not harmful, f"the preview of {environment} would {', '.join(harmful)}")
        known = len(stage.catalog.workers) + len(stage.catalog.databases)
        stage.require(ops.get("import") == known, f"the preview of {environment} imports {ops.get('import', 0)} of {known}")
        told = [line for line in messages(said) if line.startswith("adopts ")]
        stage.require(len(told) == known, f"the preview of {environment} tells of {len(told)} adoptions instead of {known}")
        stage.require(
            any(f"the plain_text binding {STRAY[0]} goes away" in line for line in told), f"nobody says that {STRAY[0]} goes away"
        )
        return f"{environment}: {ops['import']} to import, {ops.get('create', 0)} to create, {len(told)} adoptions told"

    def _require_migrated(self, environment: Environment) -> None:
        """Each file is in the ledger once, those of wrangler first; ours says which of them it took over."""
        stage = self._stage
        databases = project.config(stage.project, environment)[f"{project.PROJECT}:databases"]
        for name, database in stage.catalog.databases.items():
            own = databases[name]["name"]
            files = sorted(path.name for path in (stage.files.folder / database.migrations).iterdir())
            ledger = stage.account.ledger(own)
            stage.require(ledger == files, f"the ledger of {own} has {', '.join(ledger)}")
            rows = stage.account.rows(own, "SELECT origin FROM crane_migrations ORDER BY name")
            origins = [row["origin"] for row in rows]
            stage.require(origins == ["adopted"] * (len(files) - 1) + ["applied"], f"{own} says of its migrations: {', '.join(origins)}")

    def _asked(self) -> str:
        """Let the client ask everything once more, so that it has seen what is there now; how often it has asked in this phase."""
        answers = self._traffic.asked_anew(_ASKED_SECONDS) if self._traffic else 0
        self._stage.require(answers, "the client does not ask any more")
        return f"{answers} answers"

    def _phase(self) -> Seen:
        return self._traffic.phase() if self._traffic else Seen()

    def _require_steady(self, seen: Seen) -> None:
        self._stage.require(seen.answers, "the client did not ask")
        self._stage.require(not seen.faults, f"{len(seen.faults)} of {seen.answers} answers are wrong: {', '.join(seen.faults[:3])}")


def count(preview: Json) -> dict[str, int]:
    """How often a preview would do what."""
    found: dict[str, int] = {}
    for step in preview.get("steps", []):
        found[step["op"]] = found.get(step["op"], 0) + 1
    return found


def messages(preview: Json) -> list[str]:
    """What the program said in a preview."""
    return [str(one["message"]).strip() for one in preview.get("diagnostics", [])]


def _questions(stage: Stage) -> list[Question]:
    """Each worker's health, its version, and every address that is read with a key."""
    secrets = stage.secrets("production")
    found = []
    for name, worker in stage.catalog.workers.items():
        keys = {secret.binding: secrets[secret.key] for secret in worker.secrets if secret.key in secrets}
        for check in worker.checks:
            if check.method == "GET" and not check.mutating and check.status == 200:  # noqa: PLR2004
                headers: Mapping[str, Any] = {key: _value(value, keys) for key, value in check.headers.items()}
                found.append(Question(f"{stage.running.edge_url}/{name}{check.path}", headers, steady=check.version_at is None))
    return found


def _value(value: Any, keys: Mapping[str, str]) -> str:  # noqa: ANN401 (a text, or what names a secret)
    return value if isinstance(value, str) else keys[value.secret]
