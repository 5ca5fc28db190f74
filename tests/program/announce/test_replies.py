"""Whatever Cloudflare's replies show of a worker, an adoption and a refresh give no difference that comes back.

Replies may lack settings that have a default, name an environment that nobody sent, and list bindings in another order.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from crane_infra.rehearsal.existing_account import UNDECLARED
from tests.program.announce.test_manual import well
from tests.world.copies import existing_world
from tests.world.existing import let_adopt
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SCRIPT = "crane-classifier-staging"


@contextmanager
def answering(factory: pytest.TempPathFactory, **switches: Any) -> Iterator[World]:  # noqa: ANN401 (as Behaviour has them)
    """An account to adopt whose replies are odd; one worker calls the other as a service."""
    with existing_world(factory) as world, world.faults.behaviour(names_service_environment=True, reverses_bindings=True, **switches):
        let_adopt(world, "staging")
        content = world.stack_file("staging")
        content["config"][f"{SETTINGS}:workers"]["crane-classifier"]["services"] = {"CONTEXT": "crane-context"}
        world.write_stack_file("staging", content)
        yield world


def test_replies_with_only_what_was_sent_are_completed_once_and_stay_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    with answering(tmp_path_factory, worker_observability="as-stored") as world:
        well(world.up("staging"))
        well(world.up("staging", "--refresh", "--expect-no-changes"))
        observability = world.api("GET", f"/workers/workers/{SCRIPT}")["result"]["observability"]
        assert observability["head_sampling_rate"] == UNDECLARED["observability"]["head_sampling_rate"]


def test_replies_that_never_have_a_default_cost_an_update_after_a_refresh_that_says_that_it_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with answering(tmp_path_factory, worker_observability="without-defaults") as world:
        well(world.up("staging"))
        refreshed = well(world.up("staging", "--refresh"))
        assert "~ 2 updated" in refreshed.output
        assert f"worker {SCRIPT}: this update changes nothing; it only adds defaults that Cloudflare's reply lacked" in refreshed.output
        well(world.up("staging", "--expect-no-changes"))
