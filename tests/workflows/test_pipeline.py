"""A pull request, its merge, its promotion; six bad pull requests; nights with a change by hand and with backups. Told by the workflows themselves.

Every ``run:`` line is that of the workflow's file. One story on one local cloud: each fixture goes on from the one that it names. A comment is
compared with a file below golden/; ``CRANE_GOLDEN=write`` writes these files anew.
"""

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.workflows.backup_nights import BACKUP_ISSUE, Backups, three_nights
from tests.workflows.bad_changes import BAD
from tests.workflows.misfit import (
    CONTEXT,
    DATABASE,
    a_row_that_fails_health,
    add_migration,
    many_rows,
    production,
    read_hosts_in_health,
    rows_that_do_not_fit,
)
from tests.workflows.place import Place, change_stack_file, place, stack_setting
from tests.workflows.runner import Json, Run
from tests.workflows.told import comment, golden, well
from tests.world import warm
from tests.world.engine import SURE, Engine, Result, search_path

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

GOOD = 7
DATABASES = ("crane-context-db", "crane-classifier-db")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A repository whose first release is in production; a table of it is referenced by another."""
    with place(tmp_path_factory.mktemp("pipeline"), **warm.in_checkouts(tmp_path_factory.mktemp("commands"), search_path())) as made:
        add_migration(
            made, "0005_create_notes.sql", "CREATE TABLE notes (id INTEGER PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions (id));"
        )
        made.commit("The first release")
        well(made.pushed(), "build", "deploy")
        well(made.promoted(), "choose", "preview", "rehearse", "deploy")
        yield made


# From a pull request to production


@dataclass(frozen=True)
class Shipped:
    """One change on its way: what each workflow did."""

    pull: Run
    merged: Run
    failed: Run
    """A promotion while production has a row over which a check fails."""
    left: tuple[Json, Json]
    """What production served and held before it, and after it."""
    promoted: Run
    ledger_before: list[str]
    state_was_left: bool
    """Whether the preview left the state as it was."""


@pytest.fixture(scope="module")
def shipped(hub: Place) -> Shipped:
    """A pull request with a migration, code and a variable; it is merged, and main is tagged."""
    hub.branch("good")
    add_migration(hub, "0006_add_note_to_sessions.sql", "-- crane: expand\nALTER TABLE sessions ADD COLUMN note TEXT;")
    read_hosts_in_health(hub)
    workers = stack_setting(hub.origin, "staging", "workers")
    workers[CONTEXT]["variables"]["IDEMPOTENCY_TTL_SECONDS"] = "60"
    change_stack_file(hub.origin, "staging", {"workers": workers})
    hub.commit("Notes")
    before, state = hub.account.ledger(DATABASE), hub.state()
    pull = hub.pull_request("preview", "good", GOOD)
    left = hub.state() == state
    hub.merge("good")
    merged = hub.pushed()
    with a_row_that_fails_health(hub):
        held = production(hub)
        failed = hub.promoted()
        after = production(hub)
    return Shipped(pull, merged, failed, (held, after), hub.tagged("v1.0.0"), before, left)


class TestAPullRequest:
    def test_is_told_in_one_comment(self, hub: Place, shipped: Shipped) -> None:
        well(shipped.pull, "preview", "comment")
        golden("good", comment(hub, GOOD), hub)

    def test_has_the_same_text_in_the_summary(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.pull.jobs["preview"].summary.strip() == comment(hub, GOOD).strip()

    def test_is_previewed_with_credentials_that_only_read(self, shipped: Shipped) -> None:
        """The token is one that may not write; what the state backend holds is not touched either."""
        assert shipped.state_was_left

    def test_passes_the_lint_of_its_migrations_without_any_credential(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.pull.jobs
        well(hub.pull_request("verify", "good", GOOD, only="migrations"), "migrations")

    def test_is_merged_to_staging_which_proves_it(self, shipped: Shipped) -> None:
        well(shipped.merged, "build", "deploy")
        assert shipped.merged.jobs["build"].outputs["digest"] in shipped.merged.jobs["deploy"].summary

    def test_is_stopped_before_the_approval_while_a_check_fails_over_productions_rows(self, shipped: Shipped) -> None:
        summary = shipped.failed.jobs["rehearse"].summary
        assert shipped.failed.results == {
            "choose": "success",
            "preview": "success",
            "rehearse": "failure",
            "deploy": "skipped",
            "keep": "skipped",
        }
        assert '- `crane-context: check health: failed: expected 200, JSON with {"status": "ok"}; came: status 500`' in summary
        assert "canary-row" not in shipped.failed.output
        assert shipped.left[0] == shipped.left[1]

    def test_is_promoted_by_its_tag_with_the_bytes_that_staging_ran(self, hub: Place, shipped: Shipped) -> None:
        well(shipped.promoted, "choose", "preview", "rehearse", "deploy", "keep")
        digest = shipped.merged.jobs["build"].outputs["digest"]
        assert shipped.promoted.jobs["choose"].outputs == {"digest": digest, "commit": hub.head("v1.0.0")}
        assert "production gate open" in shipped.promoted.jobs["preview"].summary
        rehearsed = shipped.promoted.jobs["rehearse"]
        assert "Rehearsal on the rows of `production`" in rehearsed.summary
        assert "checks of the release on the local cloud: 7 of 7 passed" in rehearsed.summary
        assert re.fullmatch("[0-9a-f]{64}", rehearsed.outputs["rehearsed"])
        assert not shipped.failed.jobs["rehearse"].outputs["rehearsed"]
        assert "all as the stack says" in shipped.promoted.jobs["deploy"].summary
        assert hub.account.ledger(DATABASE) == [*shipped.ledger_before, "0006_add_note_to_sessions.sql"]

    def test_leaves_its_release_with_the_tag(self, hub: Place, shipped: Shipped) -> None:
        (release,) = hub.hub.releases
        (asset,) = release["assets"]
        assert (release["tag_name"], asset["name"]) == ("v1.0.0", f"release-{shipped.merged.jobs['build'].outputs['digest']}.tar")
        assert hub.hub.files[asset["id"]] == (shipped.merged.jobs["build"].folder / "release.tar").read_bytes()


class TestAPullRequestThatCannotBeBuilt:
    def test_has_a_comment_that_says_so_instead_of_an_old_one(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.merged.jobs
        hub.hub.add(9, "<!-- crane preview-report -->\nAll was well with the commit before.")
        hub.branch("unbuilt")
        shutil.rmtree(hub.workers)
        commit = hub.commit("unbuilt")
        assert hub.pull_request("preview", "unbuilt", 9).results == {"preview": "failure", "comment": "success"}
        assert comment(hub, 9) == (
            f"<!-- crane preview-report -->\n**No preview of {commit}.** The job failed before it could report. Its log has the reason.\n"
        )


class TestAForksPullRequest:
    def test_gets_no_preview_and_no_credential(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.pull.jobs
        ran = hub.pull_request("preview", "good", 8, repository="stranger/crane")
        assert set(ran.results.values()) == {"skipped"}
        assert 8 not in hub.hub.comments


# What is refused


@dataclass(frozen=True)
class Refused:
    """A bad pull request: its preview, and what a run of the same files says."""

    pull: int
    preview: Run
    run: Result


@pytest.fixture(scope="module")
def bad(hub: Place, shipped: Shipped) -> dict[str, Refused]:
    """Each bad pull request: previewed, and tried for real from the very folder that was previewed."""
    assert shipped.promoted.results
    for name, (spoil, _) in BAD.items():
        hub.branch(name)
        spoil(hub)
        hub.commit(name)

    pulls = dict(zip(BAD, range(20, 20 + len(BAD)), strict=True))
    with ThreadPoolExecutor(2) as threads:
        previews = list(threads.map(lambda name: hub.pull_request("preview", name, pulls[name]), BAD))
    environ = {**hub.runner.environ, **hub.runner.variables, **hub.runner.secrets["staging"]}
    up = ("up", "--stack", "staging", *SURE, "--suppress-progress")
    return {
        name: Refused(pulls[name], preview, Engine(preview.jobs["preview"].folder, environ).run(*up))
        for name, preview in zip(BAD, previews, strict=True)
    }


@pytest.mark.parametrize("name", BAD)
class TestABadPullRequest:
    def test_fails_its_check_and_is_told_in_its_comment(self, hub: Place, bad: dict[str, Refused], name: str) -> None:
        assert bad[name].preview.results == {"preview": "failure", "comment": "success"}, bad[name].preview.output
        assert BAD[name][1] in comment(hub, bad[name].pull)

    def test_is_told_with_the_words_of_the_run_itself(self, hub: Place, bad: dict[str, Refused], name: str) -> None:
        assert bad[name].run.exit != 0
        assert bad[name].run.errors
        assert [error for error in bad[name].run.errors if error not in comment(hub, bad[name].pull)] == []

    def test_has_the_comment_that_is_expected(self, hub: Place, bad: dict[str, Refused], name: str) -> None:
        golden(name, comment(hub, bad[name].pull), hub)


def test_a_table_that_others_refer_to_is_found_by_lint_without_any_credential(hub: Place, bad: dict[str, Refused]) -> None:
    ran = hub.pull_request("verify", "dropped-table", bad["dropped-table"].pull, only="migrations")
    assert ran.results == {"migrations": "failure"}
    assert "0007_drop_sessions.sql" in ran.output


class TestAPromotion:
    def test_of_a_release_whose_archive_is_another_one_is_refused(self, hub: Place, shipped: Shipped) -> None:
        was, kept = hub.hub.artifacts.copy(), hub.hub.files[hub.hub.releases[0]["assets"][0]["id"]]
        hub.hub.store(
            f"release-{shipped.merged.jobs['build'].outputs['digest']}", kept.replace(b"CREATE TABLE", b"create table"), hub.head("main")
        )
        ran = hub.promoted()
        hub.hub.artifacts = was
        assert ran.results == {"choose": "success", "preview": "failure", "rehearse": "failure", "deploy": "skipped", "keep": "skipped"}
        assert "error: release.tar: is release " in ran.output

    def test_of_a_release_whose_archive_is_gone_is_refused(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.merged.jobs
        artifacts, releases = hub.hub.artifacts, hub.hub.releases
        hub.hub.artifacts, hub.hub.releases = [], []
        ran = hub.promoted()
        hub.hub.artifacts, hub.hub.releases = artifacts, releases
        assert ran.results == {"choose": "success", "preview": "failure", "rehearse": "failure", "deploy": "skipped", "keep": "skipped"}
        assert "no artifact and no tagged release holds its archive" in ran.output

    def test_of_what_staging_has_not_proven_is_refused(self, hub: Place, shipped: Shipped) -> None:
        assert shipped.merged.jobs
        ran = hub.promoted(digest="a" * 64)
        assert ran.results == {"choose": "failure", "preview": "skipped", "rehearse": "skipped", "deploy": "skipped", "keep": "skipped"}
        assert "error: stack staging: has not proven release aaaaaaaaaaaa" in ran.output


# At night


@dataclass(frozen=True)
class Nights:
    """One after somebody changed production by hand, and one after it was put back; what the issue was in between."""

    changed: Run
    issue: Json
    mended: Run
    state_was_left: bool


@pytest.fixture(scope="module")
def nights(hub: Place, bad: dict[str, Refused]) -> Nights:
    """Two nights."""
    assert bad
    state, query = hub.state(), f"/d1/database/{hub.account.database(DATABASE)}/query"
    hub.account.ask("POST", query, {"sql": "CREATE TABLE by_hand (id INTEGER)"})
    changed = hub.night()
    (issue,) = (dict(one) for one in hub.hub.issues)
    hub.account.ask("POST", query, {"sql": "DROP TABLE by_hand"})
    return Nights(changed, issue, hub.night(), hub.state() == state)


class TestANight:
    def test_after_a_change_by_hand_opens_one_issue_that_says_where(self, nights: Nights) -> None:
        assert nights.changed.results == {"look staging": "success", "look production": "failure", "report": "success"}, looked(
            nights.changed
        )
        assert nights.issue["title"] == "What is live differs from what was deployed"
        assert "by_hand" in nights.issue["body"]
        assert "### production: verify" in nights.issue["body"]

    def test_keeps_the_page_of_both_environments(self, nights: Nights) -> None:
        changed, mended = ((run.artifacts["status"] / "status.html").read_text(encoding="utf-8") for run in (nights.changed, nights.mended))
        assert "by_hand" in changed
        assert "by_hand" not in mended
        assert all("by</dt><dd>octocat</dd>" in page and "Not seen:" not in page for page in (changed, mended))

    def test_in_which_all_is_as_it_was_deployed_closes_it(self, hub: Place, nights: Nights) -> None:
        assert set(nights.mended.results.values()) == {"success"}, looked(nights.mended)
        assert [one["state"] for one in hub.hub.issues if one["title"] != BACKUP_ISSUE] == ["closed"]

    def test_changes_nothing(self, nights: Nights) -> None:
        assert nights.state_was_left


@dataclass(frozen=True)
class Tried:
    """A release that staging takes and production's rows do not: what the promotion did."""

    merged: Run
    promoted: Run
    before: Json
    after: Json


@pytest.fixture(scope="module")
def tried(hub: Place, nights: Nights) -> Tried:
    """Production has rows that staging has not: three files of one release overwrite some, lose one, and refuse two."""
    assert nights.state_was_left
    hub.branch("rows")
    rows_that_do_not_fit(hub)
    hub.commit("Rows")
    hub.merge("rows")
    merged = hub.pushed()
    with many_rows(hub):
        before = production(hub)
        return Tried(merged, hub.promoted(), before, production(hub))


class TestAReleaseThatProductionsRowsDoNotFit:
    def test_is_taken_by_staging_which_has_no_such_rows(self, tried: Tried) -> None:
        well(tried.merged, "build", "deploy")

    def test_is_stopped_before_the_approval_and_production_stays_as_it_was(self, tried: Tried) -> None:
        assert tried.promoted.results == {
            "choose": "success",
            "preview": "success",
            "rehearse": "failure",
            "deploy": "skipped",
            "keep": "skipped",
        }
        assert tried.after == tried.before

    def test_is_told_by_file_and_table_with_exact_counts_and_no_value(self, tried: Tried) -> None:
        summary = tried.promoted.jobs["rehearse"].summary
        assert "| `0007_agents.sql` | `sessions` | 4 | 4 | 0 | 0 | 3 | 0 |" in summary
        assert "| `0008_smoke_writes.sql` | `smoke_writes` | 300,000 | 299,999 | 0 | 0 | 0 | 1 |" in summary
        assert "`0008_smoke_writes.sql` would fail: `it would lose 1 of 300000 rows of smoke_writes without declaring it`" in summary
        assert "- `crane-classifier-db`: 2 rows of `deliveries` `have a value that another row has too`" in summary
        assert "canary-row-agent" not in summary


@pytest.fixture(scope="module")
def backups(hub: Place, tried: Tried) -> Backups:
    """The rows of production that did not fit are backed up."""
    assert tried.promoted.results
    return three_nights(hub)


class TestANightlyBackup:
    def test_whose_files_cannot_be_written_opens_an_issue_that_says_why(self, backups: Backups) -> None:
        assert backups.nights[0].results == {"back-up": "failure", "report": "success"}
        (issue,) = backups.issues[0]
        assert issue["state"] == "open"
        assert "### production: backup" in issue["body"]
        assert "backups: it cannot be written" in issue["body"]

    def test_that_cannot_be_restored_fails_too_and_replaces_the_text_of_the_issue_that_is_open(self, backups: Backups) -> None:
        """The newest file is damaged, while the copy of this night was made."""
        assert backups.nights[1].results == {"back-up": "failure", "report": "success"}
        (issue,) = backups.issues[1]
        assert (issue["number"], issue["state"]) == (backups.issues[0][0]["number"], "open")
        assert "its bytes are not those that were written" in issue["body"]
        assert "it cannot be written" not in issue["body"]
        assert f"{DATABASES[1]}-restored: every row was compared with the backup, and all are equal" in issue["body"]

    def test_that_is_restored_row_by_row_closes_the_issue(self, backups: Backups) -> None:
        night = backups.nights[2]
        assert set(night.results.values()) == {"success"}, looked(night)
        backup, restore = ((night.artifacts["backed"] / "production" / f"{name}.txt").read_text("utf-8") for name in ("backup", "restore"))
        assert backup.count(" rows of ") >= len(DATABASES)
        for name in DATABASES:
            assert f"{name}-restored: every row was compared with the backup, and all are equal" in restore
        assert [issue["state"] for issue in backups.issues[2]] == ["closed"]

    def test_leaves_a_file_for_each_database_and_each_night_in_which_it_was_written(self, backups: Backups) -> None:
        assert backups.kept == sorted([*DATABASES, *DATABASES])

    def test_changes_nothing(self, backups: Backups) -> None:
        assert backups.was_left


def looked(run: Run) -> str:
    """What the commands of a night printed."""
    files = (file for folder in run.artifacts.values() for file in sorted(folder.rglob("*.txt")))
    return "\n".join(f"{file}\n{file.read_text(encoding='utf-8')}" for file in files)


def test_no_secret_is_in_any_comment_issue_summary_log_or_artifact(hub: Place, nights: Nights, backups: Backups) -> None:
    assert nights.mended.results
    assert backups.kept
    texts = [one["body"] for there in hub.hub.comments.values() for one in there] + [one["body"] for one in hub.hub.issues]
    kept = (path for path in hub.runner.folder.rglob("*") if path.is_file() and ".git" not in path.parts and path.suffix != ".pyc")
    seen = "\n".join([*texts, *hub.runner.output]).encode() + b"\n".join(path.read_bytes() for path in kept)
    assert len(hub.hidden) > 10
    assert [value for value in hub.hidden if value.encode() in seen] == []
