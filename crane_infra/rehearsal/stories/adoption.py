"""The second story: both stacks adopt the account as it is today. Nothing is replaced, lost or reset, and no caller notices.

Then come a rollback (comeback) and an engine that is killed (killed).
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from crane_infra.checks.model import Check
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.counted import counted
from crane_infra.rehearsal import project
from crane_infra.rehearsal.asking_client import Answers, Question, Traffic
from crane_infra.rehearsal.existing_account import STRAY, make_existing
from crane_infra.rehearsal.snapshot import Snapshot, lost, take
from crane_infra.rehearsal.stage import Json, Stage
from crane_infra.rehearsal.step import StoryStep
from crane_infra.rehearsal.stories.comeback import Comeback
from crane_infra.rehearsal.stories.killed import Killed
from crane_infra.rehearsal.stories.moves import deployed, promoted, unchanged

HARMLESS = {"create", "import", "update", "same"}
_ASKED_SECONDS = 60.0
_PAUSE_SECONDS = 0.1  # asking three times as often took a fifth of a core, on a machine that runs the engine beside it


def story(stage: Stage) -> list[StoryStep]:
    """Every step of the rehearsal on the existing account, in order."""
    return [*Adoption(stage).steps(), *Comeback(stage).steps(), *Killed(stage).steps()]


class Adoption:
    """From an account that no stack manages to one that both stacks have adopted."""

    def __init__(self, stage: Stage) -> None:
        """Run on this stage."""
        self._stage = stage
        self._before = Snapshot({}, {})
        self._traffic: Traffic | None = None

    def steps(self) -> list[StoryStep]:
        """The steps, in order."""
        return [
            StoryStep("start a local cloud with the account as it is today: deployed without Pulumi, full of data", self.start),
            StoryStep("let crane adopt find both environments: the stack files get ids and settings, nothing is changed", self.find),
            StoryStep("start a client that keeps calling production's workers", self.ask),
            StoryStep("preview both stacks: the changes by adoption are listed, nothing is replaced or deleted", self.preview),
            StoryStep("update staging: everything is adopted, and the pending migrations are applied once", lambda: self.adopt("staging")),
            StoryStep("update production: everything is adopted, and the client sees no other answer", lambda: self.adopt("production")),
            StoryStep("update staging again: nothing changes", lambda: unchanged(self._stage, "staging")),
            StoryStep("remove adopt in production: the update is refused", self.adopt_removed),
            StoryStep("restore adopt: nothing changes, nothing is replaced", self.adopt_restored),
            StoryStep("stop the client: no answer failed or changed, no row was lost, no setting was reset", self.compare),
        ]

    def start(self) -> str:
        """Start the cloud, and set up the project, its secrets and the account."""
        stage = self._stage
        stage.begin()
        make_existing(stage.project, stage.account, stage.catalog, stage.environ)
        self._before = take(stage.account)
        before = self._before
        return f"{counted(len(before.workers), 'worker')}, {counted(len(before.databases), 'database')}, {counted(before.rows, 'row')}"

    def find(self) -> str:
        """Let ``crane adopt`` write both stack files, at the same time."""
        stage = self._stage
        with ThreadPoolExecutor() as threads:
            results = list(threads.map(self._find, ENVIRONMENTS))
        stage.require(not (losses := lost(self._before, take(stage.account))), ", ".join(losses))
        return f"{results.count(0)} stack files written"

    def _find(self, environment: Environment) -> int:
        ended = self._stage.crane("adopt", "--stack", environment, "--give-up", STRAY[0], "--write")
        self._stage.require(ended.exit == 0, f"crane adopt found what stops the adoption of {environment}: {ended.output}")
        return ended.exit

    def ask(self) -> str:
        """Ask for health, for what needs a key, and for the version, until the last step."""
        questions = _questions(self._stage)
        self._traffic = Traffic(questions, _PAUSE_SECONDS)
        self._stage.at_end(self._traffic.end)
        self._traffic.begin()
        return f"{len(questions)} addresses; {self._wait_for_answers()}"

    def preview(self) -> str:
        """Preview both stacks at the same time."""
        with ThreadPoolExecutor() as threads:
            summaries = list(threads.map(self._preview, ENVIRONMENTS))
        self._require_steady(self._phase())
        return "; ".join(summaries)

    def adopt(self, environment: Environment) -> str:
        """Update a stack, which adopts its workers and databases."""
        stage = self._stage
        self._phase()
        self._wait_for_answers()
        summary = deployed(stage, environment) if environment == "staging" else promoted(stage)
        answers = self._wait_for_answers()
        phase = self._phase()
        self._require_steady(phase)
        if environment == "production":
            stage.require(
                len(phase.versions) == 2 * len(stage.catalog.workers),
                "the client did not get answers from both the old and the new version of each worker",
            )
        self._require_migrated(environment)
        return f"{summary}; {answers}"

    def adopt_removed(self) -> str:
        """A resource that was adopted must keep its adopt."""
        stage = self._stage
        kept = project.config(stage.project, "production")
        for kind in ("databases", "workers"):
            resources = kept[f"{project.PROJECT}:{kind}"]
            without = {name: {key: value for key, value in resource.items() if key != "adopt"} for name, resource in resources.items()}
            project.configure(stage.project, "production", {kind: without})
        error = stage.up_refused("production")
        project.configure(stage.project, "production", {kind: kept[f"{project.PROJECT}:{kind}"] for kind in ("databases", "workers")})
        stage.require("adopt: was removed" in error, f"expected 'adopt: was removed' in the error, got: {error}")
        return error

    def adopt_restored(self) -> str:
        """Update production a second time."""
        return unchanged(self._stage, "production")

    def compare(self) -> str:
        """Compare the account with what it was at the start."""
        answers = self._wait_for_answers()
        if self._traffic is not None:
            self._traffic.end()
        self._require_steady(self._phase())
        losses = lost(self._before, take(self._stage.account))
        self._stage.require(not losses, ", ".join(losses))
        return f"{answers}; nothing is missing of {counted(self._before.rows, 'row')}"

    def _preview(self, environment: Environment) -> str:
        stage = self._stage
        preview = stage.preview(environment)
        ops = count(preview)
        harmful = sorted(set(ops) - HARMLESS)
        stage.require(not harmful, f"the preview of {environment} would {', '.join(harmful)}")
        expected = len(stage.catalog.workers) + len(stage.catalog.databases)
        stage.require(ops.get("import") == expected, f"the preview of {environment} imports {ops.get('import', 0)} of {expected}")
        adoptions = [line for line in messages(preview) if line.startswith("adopts ")]
        stage.require(len(adoptions) == expected, f"the preview of {environment} lists {len(adoptions)} of {expected} adoptions")
        stage.require(
            any(f"the plain_text binding {STRAY[0]} goes away" in line for line in adoptions),
            f"the preview of {environment} does not list that {STRAY[0]} goes away",
        )
        return f"{environment}: {ops['import']} to import, {ops.get('create', 0)} to create, {len(adoptions)} adoptions listed"

    def _require_migrated(self, environment: Environment) -> None:
        """Each file is in the ledger once, those that wrangler applied first. crane's table says which rows were imported."""
        stage = self._stage
        databases = project.config(stage.project, environment)[f"{project.PROJECT}:databases"]
        for name, database in stage.catalog.databases.items():
            database_name = databases[name]["name"]
            files = sorted(path.name for path in (stage.files.folder / database.migrations).iterdir())
            ledger = stage.account.ledger(database_name)
            stage.require(ledger == files, f"the ledger of {database_name} has {', '.join(ledger)}")
            rows = stage.account.rows(database_name, "SELECT origin FROM crane_migrations ORDER BY name")
            origins = [row["origin"] for row in rows]
            stage.require(
                origins == ["adopted"] * (len(files) - 1) + ["applied"], f"the origins in {database_name} are {', '.join(origins)}"
            )

    def _wait_for_answers(self) -> str:
        """Wait until the client has asked everything once more. Returns how many answers this phase has so far."""
        answers = self._traffic.asked_again(_ASKED_SECONDS) if self._traffic else 0
        self._stage.require(answers, "the client no longer gets answers")
        return f"{answers} answers"

    def _phase(self) -> Answers:
        return self._traffic.phase() if self._traffic else Answers()

    def _require_steady(self, answers: Answers) -> None:
        self._stage.require(answers.count, "the client got no answers")
        self._stage.require(
            not answers.faults, f"{len(answers.faults)} of {answers.count} answers are wrong: {', '.join(answers.faults[:3])}"
        )


def count(preview: Json) -> dict[str, int]:
    """The number of steps in a preview by what they do."""
    counts: dict[str, int] = {}
    for step in preview.get("steps", []):
        counts[step["op"]] = counts.get(step["op"], 0) + 1
    return counts


def messages(preview: Json) -> list[str]:
    """The messages of the program in a preview."""
    return [str(diagnostic["message"]).strip() for diagnostic in preview.get("diagnostics", [])]


def _questions(stage: Stage) -> list[Question]:
    """The health and the version of each worker, and every address that needs a key."""
    secrets = stage.secrets("production")
    questions = []
    for name, worker in stage.catalog.workers.items():
        keys = {secret.binding: secrets[secret.key] for secret in worker.secrets if secret.key in secrets}
        for check in worker.checks:
            if isinstance(check, Check) and check.method == "GET" and not check.mutating and check.status == 200:  # noqa: PLR2004
                headers: Mapping[str, Any] = {key: _value(value, keys) for key, value in check.headers.items()}
                questions.append(Question(f"{stage.running.edge_url}/{name}{check.path}", headers, steady=check.version_at is None))
    return questions


def _value(value: Any, keys: Mapping[str, str]) -> str:  # noqa: ANN401 (a text, or what names a secret)
    return value if isinstance(value, str) else keys[value.secret]
