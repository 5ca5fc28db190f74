"""A deployment whose run was killed and which lands once a newer release serves: every run sees it, staging returns to its release, production refuses.

One story on one local cloud, in which a client asks production all the while.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from crane_infra.rehearsal.asking_client import Answers, Question, Traffic, asking
from local_cloud.faults.client import Fault
from local_cloud.faults.model import Hold
from tests.world.copies import promoted_world
from tests.world.engine import Result
from tests.world.started import started, until
from tests.world.world import World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

WORKER, STAGING = "crane-classifier", "crane-classifier-staging"
DEPLOY = "POST /accounts/{a}/workers/scripts/{name}/deployments"
PATIENCE = 60.0


def well(run: Result) -> Result:
    """A run that has to succeed."""
    assert run.exit == 0, run.output
    return run


def deployed(world: World, script: str) -> list[str]:
    """The versions of a script's deployments, the active one first."""
    listed = world.api("GET", f"/workers/scripts/{script}/deployments")["result"]["deployments"]
    return [str(deployment["versions"][0]["version_id"]) for deployment in listed]


@contextmanager
def killed_while_it_deploys(world: World, stack: str) -> Iterator[Fault]:
    """An update whose call to deploy is on its way until the fault ends, and that is killed before. The call before it let the candidate join."""
    with world.faults.fault(DEPLOY, Hold(), nth=2) as fault:
        with started(world, stack) as run:
            run.reaches(fault)
            run.kill()
        world.engine.well("cancel", "--yes", "--stack", stack)
        yield fault


@dataclass(frozen=True)
class Story:
    """How each run ended. ``late`` and ``newer`` are versions of production; the client's answers are those of each phase."""

    late: str
    newer: str
    promoted: Answers
    preview: Result
    refused: Result
    during_refusal: Answers
    returned: Result
    staging_serves: str
    consented: Result
    afterwards: Answers
    serves: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging proven and promoted."""
    with promoted_world(tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def traffic(world: World) -> Iterator[Traffic]:
    """A client that asks production which version answers."""
    with asking(Question(f"{world.cloud.edge_url}/{WORKER}/version", steady=False), pause=0.1) as client:
        yield client


@pytest.fixture(scope="module")
def story(world: World, traffic: Traffic) -> Story:
    """Of one release the deployments are late in both environments; the next one is proven and promoted; then they land."""
    source = world.workers / WORKER / "dist" / "index.js"
    edit(source, "export default {", "// release A\nexport default {")
    with killed_while_it_deploys(world, "staging") as in_staging:
        well(world.up("staging"))
        with killed_while_it_deploys(world, "production") as in_production:
            edit(source, "// release A", "// release B")
            well(world.up("staging"))
            well(world.up("production"))
            late, newer = world.versions(WORKER)[1], world.answering(WORKER)
            assert traffic.asked_again(PATIENCE)
            promoted = traffic.phase()
            in_production.end()
        in_staging.end()
    until(lambda: all(deployed(world, script)[0] != world.versions(script)[0] for script in (WORKER, STAGING)), "the late deployments")
    until(lambda: world.answering(WORKER) == late, "the late version")
    assert traffic.asked_again(PATIENCE)
    traffic.phase()
    returned = world.up("staging")
    preview, refused = world.preview_and_up("production")
    assert traffic.asked_again(PATIENCE)
    during_refusal = traffic.phase()
    (line,) = refused.errors
    world.engine.well(*shlex.split(line.partition("pulumi ")[2].partition(", then")[0]))
    consented = world.up("production")
    traffic.phase()
    assert traffic.asked_again(PATIENCE)
    return Story(
        late,
        newer,
        promoted,
        preview,
        refused,
        during_refusal,
        returned,
        world.answering(STAGING),
        consented,
        traffic.phase(),
        world.answering(WORKER),
    )


class TestADeploymentThatLandsLate:
    def test_is_never_served_before_it_lands(self, story: Story) -> None:
        assert story.promoted.wrong == []
        assert any(story.newer in body for body in story.promoted.versions)
        assert not any(story.late in body for body in story.promoted.versions)

    def test_is_no_unchanged_production(self, story: Story) -> None:
        (line,) = story.refused.errors
        assert line.startswith(f"worker {WORKER}: serves {story.late} at 100% (manual deployment ")
        assert "which this stack did not deploy" in line
        assert story.preview.exit == 0, story.preview.output
        assert f"warning: worker {WORKER}: serves {story.late} at 100%" in story.preview.output

    def test_stays_until_somebody_consents(self, story: Story) -> None:
        assert story.during_refusal.wrong == []
        assert len(story.during_refusal.versions) == 1
        assert story.late in story.during_refusal.versions.pop()

    def test_is_replaced_by_the_release_where_it_is_staging_and_by_consent(self, world: World, story: Story) -> None:
        well(story.returned)
        assert "this run returns it to its release" in story.returned.line("manual deployment")
        assert story.staging_serves == world.proofs("staging")[0]["workers"][WORKER]["version"]
        well(story.consented)
        assert story.serves == world.proofs("production")[0]["workers"][WORKER]["version"]
        assert story.afterwards.wrong == []
        assert len(story.afterwards.versions) == 1
        assert story.serves in story.afterwards.versions.pop()
