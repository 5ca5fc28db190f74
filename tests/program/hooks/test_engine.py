"""A hook that does not end well fails the update, says why, leaves the record as it was, and is asked again by the next run.

On the real engine, whose rules are measured here and not believed.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.world import key_manager, warm
from tests.world.engine import SURE, Engine, Result, managed_environment, require_engine, search_path

pytestmark = pytest.mark.engine

PROGRAM = Path(__file__).parent / "program"
PLANTED = "canary-hook-5f0e2b"
# The hook's deadline is 1 s: a run that takes ten minutes hangs.
LIMIT = 600.0
AGAIN = "run the same command again."


class Hooked(Engine):
    """A stack of the fixture program."""

    def up(self, behaviour: str, value: str, **variables: str) -> Result:
        """Update the record to ``value`` behind a hook of this behaviour."""
        shown = {"HOOKED_BEHAVIOUR": behaviour, "HOOKED_VALUE": value, **variables}
        return self.run("up", *SURE, "--suppress-progress", **shown)

    def value(self, stack: str = "hooked") -> object:
        """The value that the stack exports; None where it exports nothing."""
        state = self.folder.parent / "state" / ".pulumi" / "stacks" / "hooked" / f"{stack}.json"
        resources = (json.loads(state.read_text(encoding="utf-8"))["checkpoint"]["latest"] or {}).get("resources", [])
        exported = [resource.get("outputs", {}) for resource in resources if resource["type"] == "pulumi:pulumi:Stack"]
        return exported[0].get("value") if exported else None


def hooked(folder: Path, home: Path) -> Hooked:
    """The engine on the fixture program and the state in ``folder``."""
    variables = {
        "PATH": search_path(),
        "PULUMI_HOME": str(home),
        "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
        "PULUMI_SKIP_UPDATE_CHECK": "1",
        # Else the engine looks for plugins on the network, for two seconds a run.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_STACK": "hooked",
        "HOOKED_PLANTED": PLANTED,
    }
    return Hooked(folder / "program", managed_environment() | variables, seconds=LIMIT, warm=warm.variables())


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a stack whose record holds `old`: copied for each test, so that each has its own."""
    require_engine()
    folder = tmp_path_factory.mktemp("hooked")
    shutil.copytree(PROGRAM, folder / "program")
    (folder / "state").mkdir()
    engine = hooked(folder, folder / "home")
    engine.well("stack", "init", "hooked", "--secrets-provider", key_manager.PROVIDER)
    assert engine.up("passes", "old").exit == 0
    return folder


@pytest.fixture
def stack(template: Path, tmp_path: Path) -> Hooked:
    """A stack of its own, whose record holds `old`."""
    for part in ("program", "state"):
        shutil.copytree(template / part, tmp_path / part)
    return hooked(tmp_path, template / "home")


@pytest.mark.parametrize(
    ("behaviour", "output"),
    [
        ("time_out", f"record: failed unexpectedly with TimeoutError. This is a bug in crane-infra; {AGAIN}"),
        ("assert_barely", f"record: failed unexpectedly with AssertionError. This is a bug in crane-infra; {AGAIN}"),
        ("leave", f"record: failed unexpectedly with SystemExit: 0. This is a bug in crane-infra; {AGAIN}"),
        ("hang", f"record: did not end within 1 s. Find out what it waits for, then {AGAIN}"),
        ("hang_on", f"record: did not end within 1 s. Find out what it waits for, then {AGAIN}"),
        (
            "tell_a_secret",
            f"record: failed unexpectedly with RuntimeError: 401 for Bearer [secret PLANTED]. This is a bug in crane-infra; {AGAIN}",
        ),
    ],
    ids=["time_out", "assert_barely", "leave", "hang", "hang_on", "tell_a_secret"],
)
def test_a_hook_that_does_not_end_well_fails_the_update_and_is_asked_again(stack: Hooked, behaviour: str, output: str) -> None:
    failed = stack.up(behaviour, "new")
    assert failed.exit != 0
    assert failed.errors == [f'before hook "record" failed: {output}']
    assert "Traceback" not in failed.output
    assert PLANTED not in failed.output
    assert stack.value() == "old"

    assert stack.up("passes", "new").exit == 0
    assert stack.value() == "new"


def test_a_hook_that_fails_at_the_first_update_leaves_no_record(stack: Hooked) -> None:
    stack.well("stack", "init", "fresh", "--secrets-provider", key_manager.PROVIDER)
    assert stack.up("time_out", "new", PULUMI_STACK="fresh").exit != 0
    assert stack.value("fresh") is None

    assert stack.up("passes", "new", PULUMI_STACK="fresh").exit == 0
    assert stack.value("fresh") == "new"


def test_a_passed_hook_is_not_asked_again(stack: Hooked) -> None:
    assert stack.up("time_out", "old").exit == 0


def test_without_the_adapter_the_engine_takes_an_exception_without_a_text_for_success(stack: Hooked) -> None:
    """Why there is an adapter. When this test fails, the engine has become stricter, and the adapter may become simpler."""
    assert stack.up("time_out", "new", HOOKED_BARE="1").exit == 0
    assert stack.value() == "new"


def test_without_the_adapter_an_exception_with_a_text_fails(stack: Hooked) -> None:
    """The fixture without the adapter does ask its hook."""
    failed = stack.up("tell_a_secret", "new", HOOKED_BARE="1")
    assert failed.exit != 0
    assert PLANTED in failed.output
    assert stack.value() == "old"
