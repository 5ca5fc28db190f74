"""A stack that the version before wrote (commit d6bb6c6) is read, judged and continued without a change."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from crane_infra.config.consistency import neighbours, require_consistent, require_nothing_lost
from crane_infra.config.environments import ENVIRONMENTS, Environment
from crane_infra.config.settings import KEY_NAME
from crane_infra.errors import SettingsError
from crane_infra.migrations.ledger import head_of
from crane_infra.program import exports
from crane_infra.program.announce.plan import Plan
from crane_infra.program.announce.settings import LiveSettings, SettingsPlan
from crane_infra.program.preparation import Prepared
from crane_infra.redact import Redactor
from crane_infra.release.choice import Choice, chosen
from crane_infra.release.gate import verdict_for
from crane_infra.release.manifest import Release
from crane_infra.release.outputs import read_outputs
from crane_infra.release.rollback import ExpectedMigrations, expected_after_rollback, migrations_after, require_meant
from crane_infra.secrets.fingerprints import fingerprint
from crane_infra.secrets.rules import require_same_key, shared_faults
from tests.release import before

MARK = "f00df00d-0000-4000-8000-000000000001"
EITHER = pytest.mark.parametrize("environment", ENVIRONMENTS)
NUMBERS = pytest.mark.parametrize("floats", [False, True], ids=["integers", "floats"])
UNCHANGED = SettingsPlan(LiveSettings({}, {}))
LAST_PROOF = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)


@pytest.fixture
def newest(tmp_path: Path) -> Release:
    """The files of the release that staging proved last."""
    return before.release(before.NEWEST, tmp_path / "newest")


@pytest.fixture
def rolled_back(tmp_path: Path) -> Release:
    """The files of the release that production serves since its rollback."""
    return before.release(before.ROLLED_BACK_TO, tmp_path / "rolled-back")


def migration_names(last: int) -> list[str]:
    return [f"{number:04}_table_{number}.sql" for number in range(1, last + 1)]


class TestReading:
    @NUMBERS
    def test_all_twenty_proofs_are_readable_and_the_newest_is_the_first(self, newest: Release, floats: bool) -> None:  # noqa: FBT001
        raw = before.outputs("staging", floats=floats)
        staging = read_outputs(raw)
        assert len(raw["proofs"]) == len(staging.proofs) == 20
        assert staging.newest is not None
        assert (staging.newest.digest, staging.newest.proven_at) == (newest.digest, LAST_PROOF)
        assert staging.manifest == newest.manifest
        assert [proof.proven_at for proof in staging.proofs] == [LAST_PROOF - timedelta(days=2 * age) for age in range(20)]

    def test_production_keeps_its_four_proofs(self) -> None:
        assert len(read_outputs(before.outputs("production")).proofs) == 4

    @EITHER
    def test_databases_and_fingerprints_are_as_they_were(self, environment: Environment) -> None:
        outputs = read_outputs(before.outputs(environment))
        assert {name: outputs.database_id(name) for name in outputs.databases} == before.recipe()["ids"][environment]
        assert {name: database.adopted for name, database in outputs.databases.items()} == {
            "crane-context-db": True,
            "crane-classifier-db": False,
        }
        assert outputs.fingerprints == before.fingerprints(environment)

    def test_workers_are_as_they_were(self) -> None:
        workers = read_outputs(before.outputs("production")).workers
        context, classifier = workers["crane-context"], workers["crane-classifier"]
        assert (context.script, context.url) == ("crane-context", "https://crane-context.example.workers.dev")
        assert (context.adopted, context.crons, context.services, context.replaced_deployment) == (True, None, {}, None)
        assert context.variables["IDEMPOTENCY_TTL_SECONDS"] == "7200"
        assert (classifier.url, classifier.adopted) == ("https://classifier.example.com", False)
        assert (classifier.crons, classifier.services) == (("*/15 * * * *",), {"CONTEXT": "crane-context"})
        assert classifier.replaced_deployment == MARK

    def test_the_ledger_of_staging_holds_the_migrations_of_its_newest_release(self, newest: Release) -> None:
        staging = read_outputs(before.outputs("staging"))
        assert staging.newest is not None
        for database, files in newest.migrations.items():
            assert staging.migrations(database) == {file.name: file.sha256 for file in files}
            assert [entry.name for entry in staging.ledger(database).entries] == migration_names(6)
            assert staging.newest.databases[database].head.digest == head_of(files).digest

    def test_the_ledger_of_production_is_ahead_of_the_release_it_rolled_back_to(self) -> None:
        production = read_outputs(before.outputs("production"))
        assert list(production.migrations("crane-context-db")) == migration_names(5)
        assert [entry.name for entry in production.ledger("crane-context-db").entries] == migration_names(6)


class TestTheGate:
    @NUMBERS
    def test_it_opens_for_the_newest_proof(self, newest: Release, tmp_path: Path, floats: bool) -> None:  # noqa: FBT001
        verdict = verdict_for(before.settings("production", tmp_path), newest, *both(floats=floats), LAST_PROOF)
        assert (verdict.is_open, verdict.newest) == (True, True)
        assert verdict.reason == f"release {newest.digest[:12]} was proven by staging at 2026-11-16 09:30 UTC"

    def test_it_opens_for_the_oldest_of_the_twenty_and_knows_that_it_is_not_the_newest(self, tmp_path: Path) -> None:
        oldest = before.release(4, tmp_path / "oldest")
        verdict = verdict_for(before.settings("production", tmp_path), oldest, before.outputs("staging"), None, LAST_PROOF)
        assert (verdict.is_open, verdict.newest) == (True, False)

    @NUMBERS
    def test_going_back_takes_the_setting(self, rolled_back: Release, tmp_path: Path, floats: bool) -> None:  # noqa: FBT001
        oldest, settings = before.release(4, tmp_path / "oldest"), before.settings("production", tmp_path)
        refused = verdict_for(settings, oldest, *both(floats=floats), LAST_PROOF)
        assert refused.reason == (
            f"production runs a newer release, {rolled_back.digest[:12]}, which was first proven after {oldest.digest[:12]}"
        )
        meant = before.settings("production", tmp_path, rollback_to=oldest.digest[:12])
        allowed = verdict_for(meant, oldest, *both(floats=floats), LAST_PROOF)
        assert allowed.is_open
        assert allowed.note == (
            f"production runs a newer release, {rolled_back.digest[:12]}: this goes back to {oldest.digest[:12]}, as rollback-to says"
        )

    def test_going_forward_after_a_rollback_takes_none(self, rolled_back: Release, tmp_path: Path) -> None:
        for number in (19, 21, 23):
            later = before.release(number, tmp_path / str(number))
            verdict = verdict_for(before.settings("production", tmp_path), later, *both(), LAST_PROOF)
            assert (verdict.is_open, verdict.note) == (True, ""), rolled_back.digest

    @pytest.mark.parametrize("number", [3, 24], ids=["older than the twenty", "never proven"])
    def test_it_stays_closed_for_a_release_without_a_proof(self, number: int, newest: Release, tmp_path: Path) -> None:
        unproven = before.release(number, tmp_path / "unproven")
        verdict = verdict_for(before.settings("production", tmp_path), unproven, *both(), LAST_PROOF)
        assert not verdict.is_open
        assert verdict.reason == (f"release {unproven.digest[:12]} is not proven by staging, whose newest proof is {newest.digest[:12]}")

    def test_it_stays_closed_where_the_proof_is_older_than_the_stack_allows(self, newest: Release, tmp_path: Path) -> None:
        production = before.settings("production", tmp_path, proof_max_age_days="7")
        verdict = verdict_for(production, newest, *both(), LAST_PROOF + timedelta(days=8))
        assert verdict.reason == f"the proof of release {newest.digest[:12]} is older than 7 days"

    def test_it_stays_closed_for_proofs_of_production(self, rolled_back: Release, tmp_path: Path) -> None:
        verdict = verdict_for(before.settings("production", tmp_path), rolled_back, before.outputs("production"), None, LAST_PROOF)
        assert verdict.reason == f"the proof of release {rolled_back.digest[:12]} is for environment production, not staging"


class TestChoosing:
    def test_a_release_is_found_by_its_commit(self, rolled_back: Release) -> None:
        proof = chosen(before.outputs("staging"), Choice("staging", commit=f"{before.ROLLED_BACK_TO:040x}"))
        assert proof.digest == rolled_back.digest

    def test_a_release_from_changed_files_and_one_of_no_commit_are_still_in_the_list(self) -> None:
        commits = [proof.commit for proof in read_outputs(before.outputs("staging")).proofs]
        assert f"{11:040x}+changes" in commits
        assert commits.count(None) == 1


class TestRollingBack:
    def test_an_older_release_is_found_and_its_databases_keep_what_came_later(self, rolled_back: Release, tmp_path: Path) -> None:
        production = before.settings("production", tmp_path, rollback_to=rolled_back.digest[:12])
        staging = before.outputs("staging")
        require_meant(production, rolled_back, staging)
        expected = expected_in_production(rolled_back, staging, tmp_path)
        assert {name: [file.name for file in files] for name, files in expected.items()} == dict.fromkeys(expected, migration_names(6))

    def test_other_files_are_refused_with_the_commit_to_check_out(self, newest: Release, rolled_back: Release, tmp_path: Path) -> None:
        production = before.settings("production", tmp_path, rollback_to=rolled_back.digest[:12])
        with pytest.raises(SettingsError, match=f"names {rolled_back.digest[:12]}, but .* {18:040x} "):
            require_meant(production, newest, before.outputs("staging"))


class TestGoingOn:
    @EITHER
    def test_settings_and_secrets_of_before_fit_what_was_exported(self, environment: Environment, tmp_path: Path) -> None:
        settings = before.settings(environment, tmp_path)
        raw: dict[str, dict[str, Any] | None] = {name: before.outputs(name) for name in ENVIRONMENTS}
        require_consistent(before.catalog(), settings, neighbours(settings, raw))
        require_nothing_lost(read_outputs(raw[environment]).declared, settings)
        (other,) = set(ENVIRONMENTS) - {environment}
        theirs = read_outputs(raw[other]).fingerprints
        require_same_key(before.fingerprints(environment), theirs, other)
        assert shared_faults(before.catalog().secrets, before.fingerprints(environment), theirs, other, {}) == []

    def test_a_secret_that_was_staging_s_is_refused_in_production(self) -> None:
        theirs = read_outputs(before.outputs("staging")).fingerprints
        faults = shared_faults(before.catalog().secrets, before.fingerprints("staging"), theirs, "staging", {})
        assert faults
        assert all("has the same value as in staging" in str(fault) for fault in faults)

    def test_staging_exports_the_same_again_for_the_same_release(self, newest: Release, tmp_path: Path) -> None:
        run = prepared("staging", newest, tmp_path)
        assert exported(run, Plan(newest.migrations, {}, UNCHANGED)) == before.outputs("staging")

    def test_production_exports_the_same_again_for_the_release_it_rolled_back_to(self, rolled_back: Release, tmp_path: Path) -> None:
        run = prepared("production", rolled_back, tmp_path)
        migrations = expected_in_production(rolled_back, before.outputs("staging"), tmp_path)
        assert exported(run, Plan(migrations, {"crane-classifier": MARK}, UNCHANGED)) == before.outputs("production")

    def test_a_new_release_is_added_in_front_and_the_oldest_proof_is_dropped(self, tmp_path: Path) -> None:
        release = before.release(24, tmp_path / "next")
        run = prepared("staging", release, tmp_path)
        now = exported(run, Plan(release.migrations, {}, UNCHANGED))
        assert now["proofs"][0]["digest"] == release.digest
        assert now["proofs"][1:] == before.outputs("staging")["proofs"][:-1]
        assert now["environment"] == before.outputs("staging")["environment"]

    def test_its_proof_tells_secrets_apart_and_has_none_of_them(self, tmp_path: Path) -> None:
        """Neither a value nor anything that somebody without the key could compute from one."""
        release = before.release(24, tmp_path / "next")
        now = exported(prepared("staging", release, tmp_path), Plan(release.migrations, {}, UNCHANGED))["proofs"][0]
        fingerprints, text = before.fingerprints("staging"), json.dumps(now)
        assert now["fingerprint_key"] == fingerprints[KEY_NAME]
        for name, worker in before.catalog().workers.items():
            assert now["workers"][name]["secrets"] == {
                secret.binding: fingerprints[secret.key] for secret in worker.secrets if secret.required
            }
        for value in (*before.secrets("staging").values(), before.FINGERPRINT_KEY):
            guesses = [value, *(hashlib.new(kind, value.encode()).hexdigest()[:16] for kind in ("md5", "sha1", "sha256", "sha512"))]
            guesses.append(fingerprint(value, ""))
            assert not [guess for guess in guesses if guess in text]

    def test_the_next_release_begins_the_order_of_releases(self, newest: Release, tmp_path: Path) -> None:
        release = before.release(24, tmp_path / "next")
        now = exported(prepared("staging", release, tmp_path), Plan(release.migrations, {}, UNCHANGED))
        assert (len(now["releases"]), now["releases"][newest.digest], now["releases"][release.digest]) == (21, 20, 21)

    def test_a_change_of_one_variable_is_the_only_difference(self, newest: Release, tmp_path: Path) -> None:
        run = prepared("staging", newest, tmp_path)
        workers = dict(run.settings.workers)
        context = workers["crane-context"]
        workers["crane-context"] = context.model_copy(update={"variables": {**context.variables, "IDEMPOTENCY_TTL_SECONDS": "60"}})
        changed = replace(run, settings=run.settings.model_copy(update={"workers": workers}))
        expected = before.outputs("staging")
        expected["environment"]["workers"]["crane-context"]["variables"]["IDEMPOTENCY_TTL_SECONDS"] = "60"
        assert exported(changed, Plan(newest.migrations, {}, UNCHANGED)) == expected


def both(*, floats: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """The recorded outputs of staging and of production."""
    return before.outputs("staging", floats=floats), before.outputs("production", floats=floats)


def prepared(environment: Environment, release: Release, root: Path) -> Prepared:
    """Today's run of a release, after the recording."""
    return Prepared(
        before.settings(environment, root),
        before.catalog(),
        release,
        before.secrets(environment),
        before.fingerprints(environment),
        read_outputs(before.outputs(environment)),
        read_outputs(before.outputs("staging")),
        Redactor({}),
        {},
    )


def exported(run: Prepared, plan: Plan) -> dict[str, Any]:
    """What today's run exports, with the versions and the databases of the recording."""
    assert run.last.newest is not None
    versions = {name: worker.version for name, worker in run.last.newest.workers.items()}
    ids = before.recipe()["ids"][run.settings.environment]
    record = {
        "proofs": exports.proofs_with_claim(run, plan, versions, ids),
        "environment": exports.environment_record(run, plan, ids),
        **exports.releases_record(run),
    }
    return dict(before.through_the_engine(record))


def expected_in_production(release: Release, staging: dict[str, Any], root: Path) -> ExpectedMigrations:
    """The migrations that each database keeps, by the ledgers that production had before its rollback."""
    verdict = verdict_for(before.settings("production", root), release, staging, None, LAST_PROOF)
    assert verdict.proof is not None
    later = migrations_after(staging, verdict.proof)
    production = read_outputs(before.outputs("production"))
    return {name: expected_after_rollback(files, later[name], production.ledger(name), name) for name, files in release.migrations.items()}
