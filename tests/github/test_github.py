"""One comment, one issue, the right archive: whatever else exists, and however often a workflow runs."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from crane_infra.cli.app import make_app
from crane_infra.errors import GithubError
from tests.workflows.github import REPOSITORY, TOKEN, Hub, github

DIGEST, COMMIT = "d" * 64, "c" * 40
NAME = f"release-{DIGEST}"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with github() as running:
        yield running


@pytest.fixture(autouse=True)
def _in_a_workflow(hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"GITHUB_API_URL": hub.address, "GITHUB_REPOSITORY": REPOSITORY, "GITHUB_TOKEN": TOKEN}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


def run(*words: str) -> Result:
    return CliRunner().invoke(make_app("github"), ["github", *words], catch_exceptions=True)


def well(*words: str) -> str:
    result = run(*words)
    assert result.exit_code == 0, result.output + repr(result.exception)
    return result.output


def refused(*words: str) -> str:
    result = run(*words)
    assert isinstance(result.exception, GithubError), result.output
    assert TOKEN not in str(result.exception)
    return str(result.exception)


def written(name: str, text: str) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return name


class TestTheComment:
    def test_is_written_once_and_then_in_place(self, hub: Hub) -> None:
        for number in range(5):
            hub.add(7, f"a person says {number}", "somebody")
        well("comment", written("one.md", "# First"), "--pull", "7")
        well("comment", written("two.md", "# Second"), "--pull", "7")
        bodies = [one["body"] for one in hub.comments[7]]
        assert len(bodies) == 6
        assert bodies[-1] == "<!-- crane preview-report -->\n# Second\n"

    def test_of_a_stranger_who_copied_the_mark_is_left_alone(self, hub: Hub) -> None:
        planted = "<!-- crane preview-report -->\nNothing to see here."
        hub.add(7, planted, "stranger")
        well("comment", written("one.md", "# First"), "--pull", "7")
        assert [(one["user"]["login"], one["body"]) for one in hub.comments[7]] == [
            ("stranger", planted),
            ("github-actions[bot]", "<!-- crane preview-report -->\n# First\n"),
        ]

    def test_that_is_too_long_is_cut_and_says_so(self, hub: Hub) -> None:
        well("comment", written("long.md", "x" * 70_000), "--pull", "7")
        (comment,) = hub.comments[7]
        assert len(comment["body"]) < 65_536
        assert comment["body"].endswith("… cut here. The log of the run has the rest.")

    def test_that_may_not_be_written_fails_with_the_permission_as_the_reason(self, hub: Hub) -> None:
        hub.refuses = 403
        assert refused("comment", written("one.md", "x"), "--pull", "7") == (
            f"GitHub POST /repos/{REPOSITORY}/issues/7/comments: answered 403 (Resource not accessible by integration). "
            "Give the job's token the permission."
        )

    def test_without_its_file_is_refused(self) -> None:
        assert refused("comment", "absent.md", "--pull", "7") == (
            "absent.md: cannot be read (No such file or directory). Name the file that the step before wrote."
        )


class TestTheIssue:
    TITLE = "What is live differs"

    def test_is_opened_once_written_again_and_closed(self, hub: Hub) -> None:
        for number in range(3):
            hub.open(f"another {number}", "something else")
        written("looked/staging/verify.txt", "differs worker x")
        written("looked/production/verify.txt", "ok")
        written("looked/production/release.txt", "")
        well("issue", "looked", "--title", self.TITLE)
        written("looked/staging/verify.txt", "differs worker y")
        well("issue", "looked", "--title", self.TITLE)
        (issue,) = [one for one in hub.issues if one["title"] == self.TITLE]
        assert issue["body"] == (
            f"<!-- crane issue: {self.TITLE} -->\n### production: verify\n\n```text\nok\n```\n\n### staging: verify\n\n```text\ndiffers worker y\n```\n"
        )
        well("issue", "looked", "--title", self.TITLE, "--settled")
        assert issue["state"] == "closed"
        assert "no issue is open" in well("issue", "looked", "--title", self.TITLE, "--settled")
        assert len(hub.issues) == 4

    def test_that_was_closed_is_followed_by_a_new_one(self, hub: Hub) -> None:
        written("looked/staging/verify.txt", "differs")
        well("issue", "looked", "--title", self.TITLE)
        well("issue", "looked", "--title", self.TITLE, "--settled")
        well("issue", "looked", "--title", self.TITLE)
        assert [one["state"] for one in hub.issues] == ["closed", "open"]

    def test_quotes_what_was_printed_so_that_it_cannot_leave_its_fence(self, hub: Hub) -> None:
        written("looked/staging/verify.txt", "\x1b[31mred\x1b[0m\n````\n@everyone <script>")
        well("issue", "looked", "--title", self.TITLE)
        assert "`````text\nred\n````\n@everyone <script>\n`````" in hub.issues[0]["body"]

    def test_without_anything_printed_is_refused(self) -> None:
        assert refused("issue", "looked", "--title", self.TITLE) == (
            "looked: cannot be read (No such file or directory). Name the file that the step before wrote."
        )
        written("looked/staging/verify.txt", " \n")
        assert refused("issue", "looked", "--title", self.TITLE) == (
            "looked: holds no output of any command. Look at the log of the job that should have run the commands."
        )


class TestTheHeadOfABranch:
    def test_is_what_github_says_now(self, hub: Hub) -> None:
        hub.heads = {"main": COMMIT}.get
        assert well("require-head", COMMIT) == ""

    def test_is_not_an_older_commit(self, hub: Hub) -> None:
        hub.heads = {"main": COMMIT}.get
        assert refused("require-head", "a" * 40) == (
            "commit aaaaaaaaaaaa: is not the head of main, which is cccccccccccc: deploying it would take the stack back. Nothing was changed. "
            "The newest run on main deploys cccccccccccc; if there is none, start one there."
        )

    def test_is_that_of_the_branch_that_is_named(self, hub: Hub) -> None:
        hub.heads = {"main": "a" * 40, "release/1": COMMIT}.get
        assert well("require-head", COMMIT, "--branch", "release/1") == ""
        assert hub.calls[-1].endswith("/branches/release%2F1")

    def test_of_a_branch_that_does_not_exist_is_nothing(self) -> None:
        assert refused("require-head", COMMIT, "--branch", "gone") == (
            f"GitHub GET /repos/{REPOSITORY}/branches/gone: answered 404 (Not Found). Check that it exists."
        )


class TestASummary:
    def test_is_printed_and_the_whole_is_written_for_the_artifact_in_place(self) -> None:
        name = written("preview.txt", 'contentBase64: "Y2FuYXJ5"\nend\n')
        assert well("summary", name, "--artifact", "preview", "--whole", name) == "```text\ncontentBase64: (left out)\nend\n```\n"
        assert Path(name).read_text(encoding="utf-8") == "contentBase64: (left out)\nend\n"


class TestAStoredRelease:
    def test_is_the_artifact_of_its_commit_in_this_repository(self, hub: Hub) -> None:
        hub.store(NAME, b"right", COMMIT)
        hub.store(NAME, b"expired", COMMIT, expired=True)
        hub.store(NAME, b"of another commit", "b" * 40)
        hub.store(NAME, b"of a fork", COMMIT, repository=2)
        well("fetch", DIGEST, "release.tar", "--commit", COMMIT)
        assert Path("release.tar").read_bytes() == b"right"

    def test_is_downloaded_without_showing_the_token_to_the_other_host(self, hub: Hub) -> None:
        hub.store(NAME, b"right", COMMIT)
        well("fetch", DIGEST, "release.tar", "--commit", COMMIT)
        assert hub.seen_elsewhere == [None]

    def test_of_a_tag_outlives_its_artifact_and_is_kept_once(self, hub: Hub) -> None:
        for number in range(3):
            hub.make_release({}, {"tag_name": f"v0.{number}"})
        written("release.tar", "right")
        for _ in range(2):
            assert well("keep", DIGEST, "release.tar", "--tag", "v1/a").strip() == f"{NAME}.tar"
        assert [asset["name"] for asset in hub.releases[-1]["assets"]] == [f"{NAME}.tar"]
        well("fetch", DIGEST, "fetched.tar", "--commit", COMMIT)
        assert Path("fetched.tar").read_bytes() == b"right"

    def test_that_is_nowhere_is_refused(self, hub: Hub) -> None:
        hub.store(NAME, b"expired", COMMIT, expired=True)
        assert refused("fetch", DIGEST, "release.tar", "--commit", COMMIT) == (
            "release-dddddddddddd: no artifact and no tagged release holds its archive. "
            f"Run the staging workflow at commit {COMMIT} again to store it, or promote a newer release."
        )
        assert not Path("release.tar").exists()

    def test_whose_artifact_is_not_an_archive_is_refused(self, hub: Hub) -> None:
        hub.store(NAME, b"right", COMMIT)
        hub.files[1] = b"nonsense"
        assert refused("fetch", DIGEST, "release.tar", "--commit", COMMIT).startswith(
            "release-dddddddddddd: the artifact is not a zip archive of one file."
        )


class TestWithoutAccess:
    @pytest.mark.parametrize("name", ["GITHUB_TOKEN", "GITHUB_REPOSITORY"])
    def test_a_variable_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.delenv(name)
        assert refused("comment", written("one.md", "x"), "--pull", "7") == (
            f"{name}: is not set. A workflow sets it. On a laptop, set it to owner/name, or to a token."
        )

    def test_a_token_that_is_not_valid_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_TOKEN", "canary-wrong-token")
        printed = refused("comment", written("one.md", "x"), "--pull", "7")
        assert printed == (
            f"GitHub GET /repos/{REPOSITORY}/issues/7/comments: answered 401 (Bad credentials). Set GITHUB_TOKEN to a valid token."
        )

    def test_a_host_that_does_not_answer_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITHUB_API_URL", "http://127.0.0.1:9")
        assert refused("comment", written("one.md", "x"), "--pull", "7").endswith("did not answer (ConnectError). Run it again.")
