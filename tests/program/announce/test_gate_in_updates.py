"""Production takes what staging has proven and nothing else, however it is asked.

One story on one local cloud: each fixture goes on from the one that it names, and the tests look at what became of it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.world import key_manager
from tests.world.copies import fresh_world
from tests.world.engine import Json, Result
from tests.world.world import World, edited

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

ASKED = {
    "skip_preview": (),
    "target": ("--target", "**release**"),
    "exclude": ("--exclude", "**deployment**"),
}
NEVER_PROVEN = "production gate closed: staging has not proven any release. Run pulumi up -s staging with the same files, then try again."
NO_STACK = "production gate closed: there is no stack staging. Run pulumi up -s staging with the same files, then try again."


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    assert "Traceback" not in run.output
    (line,) = run.errors
    return line


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An empty account; both stacks exist, and neither ever ran."""
    with fresh_world(tmp_path_factory) as world:
        yield world


@pytest.fixture(scope="module")
def alone(empty: World) -> dict[str, str]:
    """A state backend on which there is a production stack and no other."""
    backend = empty.project.folder / "alone"
    backend.mkdir()
    variables = {"PULUMI_BACKEND_URL": backend.as_uri()}
    empty.engine.well("stack", "select", "production", "--create", "--secrets-provider", key_manager.PROVIDER, **variables)
    return variables


class TestWithoutAnyProof:
    @pytest.mark.parametrize("words", ASKED.values(), ids=ASKED)
    def test_an_update_is_refused_where_there_is_no_staging(self, empty: World, alone: dict[str, str], words: tuple[str, ...]) -> None:
        empty.faults.reset()
        assert refused(empty.up("production", *words, **alone)) == NO_STACK
        assert empty.changes() == []
        assert empty.resources("production", empty.project.folder / "alone") == set()

    def test_an_update_is_refused_where_staging_never_ran(self, empty: World) -> None:
        empty.faults.reset()
        assert refused(empty.up("production")) == NEVER_PROVEN
        assert empty.changes() == []
        assert empty.resources("production") == set()

    def test_a_preview_shows_the_whole_diff_and_warns(self, empty: World) -> None:
        empty.faults.reset()
        preview = empty.engine.run("preview", "--stack", "production")
        assert (preview.exit, preview.errors) == (0, [])
        assert f"    warning: {NEVER_PROVEN} An update would be refused.\n" in preview.output
        created = re.findall(r"^ \+ +(\S+) (\S+) create *$", preview.output, re.MULTILINE)
        assert {name for kind, name in created if kind == "pulumi:index:Stash"} == {
            "crane-context-db-schema",
            "crane-classifier-db-schema",
            "all-versions",
            "all-schemas",
            "release",
        }
        for kind in ("D1Database", "Worker", "WorkerVersion", "WorkersDeployment"):
            assert [each for each, _ in created].count(f"cloudflare:index:{kind}") == 2
        assert empty.changes() == []


@pytest.fixture(scope="module")
def proven(empty: World) -> World:
    """Staging has proven its release."""
    run = empty.up("staging")
    assert run.exit == 0, run.errors
    return empty


@dataclass(frozen=True)
class ByHand:
    """What became of a version that somebody deployed to staging by hand: how production took it, and how it was put back."""

    proven: str
    deployed: str
    production: Result
    put_back: Result
    answered: str


@pytest.fixture(scope="module")
def by_hand(proven: World) -> ByHand:
    """Somebody deploys a version of his own to staging, production is tried, and staging is put back."""
    was = proven.answering("crane-classifier-staging")
    version = proven.upload("crane-classifier-staging", "export default { fetch: () => new Response('by hand') };")
    proven.deploy("crane-classifier-staging", version)
    production = proven.up("production")
    put_back = proven.up("staging")
    return ByHand(was, version, production, put_back, proven.answering("crane-classifier-staging"))


class TestWithAProofThatNoLongerHolds:
    def test_an_update_is_refused_while_staging_serves_something_else(self, by_hand: ByHand) -> None:
        assert refused(by_hand.production).startswith(
            "production gate closed: staging has changed since its proof: worker crane-classifier-staging: "
            f"serves {by_hand.deployed} at 100% instead of {by_hand.proven} at 100%. "
        )

    def test_the_refusal_names_the_way_back(self, by_hand: ByHand) -> None:
        assert "pulumi up -s staging --replace '**WorkerVersion::crane-classifier'" in refused(by_hand.production)

    def test_the_next_update_of_staging_returns_it_to_the_proven_release(self, proven: World, by_hand: ByHand) -> None:
        assert by_hand.put_back.exit == 0, by_hand.put_back.errors
        newest, first = proven.proofs("staging")
        assert newest["digest"] == first["digest"]
        assert by_hand.answered == newest["workers"]["crane-classifier"]["version"] != by_hand.proven


@dataclass(frozen=True)
class Changed:
    """Staging after an edited bundle was partly deployed: the proofs before it, and how each run ended."""

    before: list[Json]
    served: str
    target: Result
    exclude: Result
    production: Result


@pytest.fixture(scope="module")
def changed(proven: World, by_hand: ByHand) -> Changed:  # noqa: ARG001 - it has to come first
    """The bundle of one worker is edited for a while, and the release step runs without the deployment that it speaks of."""
    before, served = proven.proofs("staging"), proven.answering("crane-classifier-staging")
    with edited(proven.workers / "crane-classifier" / "dist" / "index.js", "takes GitHub's deliveries", "takes deliveries"):
        return Changed(
            before,
            served,
            proven.up("staging", "--target", "**release**"),
            proven.up("staging", "--exclude", "**WorkersDeployment**"),
            proven.up("production"),
        )


class TestWithAProofOfAnotherRelease:
    def test_a_second_update_of_staging_changes_nothing(self, proven: World) -> None:
        again = proven.up("staging", "--expect-no-changes")
        assert again.exit == 0, again.errors
        assert again.line("unchanged") == "20 unchanged"

    def test_a_release_step_alone_does_not_prove_what_was_not_uploaded(self, proven: World, changed: Changed) -> None:
        tag = changed.before[0]["workers"]["crane-classifier"]["tag"]
        output = f"worker crane-classifier-staging: version {changed.served} has the tag {tag}, not "
        assert output in refused(changed.target)
        assert proven.proofs("staging") == changed.before

    def test_a_release_step_does_not_prove_what_does_not_serve(self, proven: World, changed: Changed) -> None:
        uploaded = proven.versions("crane-classifier-staging")[0]
        output = f"worker crane-classifier-staging: serves {changed.served} at 100% instead of {uploaded} at 100%."
        assert output in refused(changed.exclude)
        assert proven.proofs("staging") == changed.before
        assert proven.answering("crane-classifier-staging") == changed.served

    def test_an_update_is_refused_by_digest(self, proven: World, changed: Changed) -> None:
        output = refused(changed.production)
        assert output.startswith("production gate closed: release ")
        assert f" is not proven by staging, whose newest proof is {changed.before[0]['digest'][:12]}. " in output
        assert proven.resources("production") == set()


@pytest.fixture(scope="module")
def promoted(proven: World, changed: Changed) -> Result:  # noqa: ARG001 - it has to come first
    """The proven files again: production takes them."""
    return proven.up("production")


class TestWithAProofOfThisRelease:
    def test_the_proven_release_is_accepted(self, proven: World, promoted: Result) -> None:
        assert promoted.exit == 0, promoted.errors
        staging, production = proven.proofs("staging"), proven.proofs("production")
        assert [proof["digest"] for proof in production] == [staging[0]["digest"]]
        assert promoted.line("production gate open: ").endswith(" UTC")

    def test_production_serves_versions_and_databases_of_its_own(self, proven: World, promoted: Result) -> None:  # noqa: ARG002
        staging, production = proven.proofs("staging")[0], proven.proofs("production")[0]
        for name, worker in production["workers"].items():
            assert worker["script"] == name
            assert worker["version"] == proven.answering(name) != staging["workers"][name]["version"]
            assert worker["tag"] == staging["workers"][name]["tag"]
        for name, database in production["databases"].items():
            assert database["id"] != staging["databases"][name]["id"]
            assert database["head"] == staging["databases"][name]["head"]
