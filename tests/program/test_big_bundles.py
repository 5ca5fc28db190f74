"""A preview of a big bundle shows that code changed without its contents: an approver reads it, and GitHub drops what is too long."""

import base64
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from crane_infra.github.texts import LONGEST_SUMMARY, summary
from tests.world.copies import proven_world
from tests.world.engine import Result
from tests.world.world import SETTINGS, World

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

SIZE = LONGEST_SUMMARY * 9 // 8
AS_A_WORKFLOW = ("--diff", "--non-interactive", "--color", "never")


def write_module(path: Path, seed: int) -> None:
    """A module that is longer than the longest summary, and shares nothing with one of another seed."""
    content = random.Random(seed).randbytes(SIZE // 2).hex()  # noqa: S311
    lines = (content[place : place + 100] for place in range(0, len(content), 100))
    path.write_text("export const DATA = [\n" + "".join(f'"{line}",\n' for line in lines) + "];\n", encoding="utf-8")


@dataclass(frozen=True)
class Previewed:
    """Two previews: of a first release in production, and of changed code in staging; and the module before and after."""

    create: Result
    change: Result
    modules: tuple[str, str]


@pytest.fixture(scope="module")
def previewed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Previewed]:
    """Staging has proven a release with a big module, which then changes as a whole, and a variable with it."""
    with proven_world(tmp_path_factory) as world:
        module = world.workers / "crane-context" / "dist" / "data.js"
        write_module(module, 1)
        before = module.read_bytes()
        released = world.up("staging")
        assert released.exit == 0, released.output
        create = preview(world, "production")
        write_module(module, 2)
        settings = world.stack_file("staging")
        settings["config"][f"{SETTINGS}:workers"]["crane-context"]["variables"]["IDEMPOTENCY_TTL_SECONDS"] = "61"
        world.write_stack_file("staging", settings)
        contents = tuple(base64.b64encode(content).decode() for content in (before, module.read_bytes()))
        yield Previewed(create, preview(world, "staging"), (contents[0], contents[1]))


def preview(world: World, stack: str) -> Result:
    """The preview as the workflows run it."""
    ended = world.engine.run("preview", "--stack", stack, *AS_A_WORKFLOW)
    assert ended.exit == 0, ended.output
    return ended


def test_changed_code_is_shown_by_its_tag_and_its_contents_are_hidden(previewed: Previewed) -> None:
    output = previewed.change.output
    assert "modules (hidden)" in output
    assert "workersTag" in output
    assert [content[:20] for content in previewed.modules if content[:20] in output] == []


def test_the_list_of_proofs_is_hidden_and_the_environment_is_not(previewed: Previewed) -> None:
    output = previewed.change.output
    assert "input.proofs (hidden)" in output
    assert "proven_at" not in output
    assert re.search(r'~ IDEMPOTENCY_TTL_SECONDS *: "3600" => "61"', output)


def test_the_summary_of_either_is_short_and_has_no_contents(previewed: Previewed) -> None:
    for output in (previewed.create.output, previewed.change.output):
        shown = summary(output, "preview")
        assert len(shown.encode()) < LONGEST_SUMMARY / 10
        assert [content[:20] for content in previewed.modules if content[:20] in shown] == []
