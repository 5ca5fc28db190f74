"""A proof that a clock dated in the future: the line says whose clock is off, and the next run of staging renews the proof.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from tests.program.test_signed_proofs import put_into_state
from tests.world.copies import proven_world
from tests.world.engine import Json, Result
from tests.world.world import World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

LINE = (
    r"production gate closed: the proof of release [0-9a-f]{12} is dated in the future, .* UTC: the clock of the machine that proved it was "
    r"at least (\d+) days ahead of Cloudflare's\. Correct that clock, then run pulumi up -s staging, which renews the proof\."
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Staging is proven."""
    with proven_world(tmp_path_factory) as made:
        yield made


@dataclass(frozen=True)
class Story:
    """How each run ended, and the newest proof before and after."""

    preview: Result
    refused: Result
    renewed: Result
    promoted: Result
    dated: Json
    proof: Json


@pytest.fixture(scope="module")
def story(world: World) -> Story:
    """The clock of the machine that proved was ten days ahead. It is right again; the advice of the refusal is followed."""
    ahead = datetime.now(UTC) + timedelta(days=10, hours=1)
    (proof,) = world.proofs("staging")
    dated = {**proof, "proven_at": ahead.isoformat(timespec="seconds").replace("+00:00", "Z")}
    put_into_state(world, [dated])
    preview, refused = world.preview_and_up("production")
    renewed = world.up("staging")
    return Story(preview, refused, renewed, world.up("production"), dated, world.proofs("staging")[0])


class TestAProofDatedInTheFuture:
    def test_closes_the_gate_with_the_clock_that_is_off(self, story: Story) -> None:
        (line,) = story.refused.errors
        found = re.fullmatch(LINE, line)
        assert found, line
        assert found[1] == "10"

    def test_is_said_in_a_preview_too(self, story: Story) -> None:
        assert story.preview.exit == 0, story.preview.output
        assert re.search(f"warning: {LINE} An update would be refused", story.preview.output), story.preview.output

    def test_is_renewed_by_the_next_run_of_staging_and_opens_the_gate(self, story: Story) -> None:
        assert story.renewed.exit == 0, story.renewed.output
        renewed, dated = (datetime.fromisoformat(proof["proven_at"]) for proof in (story.proof, story.dated))
        assert dated - renewed > timedelta(days=9), "it has the date of the clock that is right again"
        assert story.proof["digest"] == story.dated["digest"]
        assert story.promoted.exit == 0, story.promoted.output
