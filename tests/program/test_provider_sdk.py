"""The program imports of the provider's SDK what it declares and nothing else; whoever asks the package for more still gets all of it."""

import json
import subprocess
import sys

import pytest

from tests.repository import ROOT

SMALL = "from crane_infra.program.provider_sdk import imported_in_part\nwith imported_in_part(): pass\n"
USED = {"d1_database", "worker", "worker_version", "workers_cron_trigger", "workers_deployment"}
SHARED = {"_inputs", "_utilities", "outputs"}


def told(program: str) -> object:
    """What a new process prints as JSON at its end: the SDK can be imported once in each."""
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


def test_a_run_imports_the_resources_that_it_declares_and_no_other() -> None:
    """``__main__.py`` ends without an engine, once everything is imported."""
    run = "import json, runpy, sys\ntry: runpy.run_path('__main__.py')\nexcept BaseException: pass\n"
    names = "[name.partition('.')[2] for name in sys.modules if name.startswith('pulumi_cloudflare.')]"
    loaded = told(f"{run}print(json.dumps([{names}, 'crane_infra.program.environment' in sys.modules]))")
    assert isinstance(loaded, list)
    assert {name for name in loaded[0] if not name.startswith(("_utilities.", "config"))} == USED | SHARED
    assert loaded[1] is True


@pytest.mark.parametrize(
    "asks",
    ["import pulumi_cloudflare as sdk; found = sdk.R2Bucket", "from pulumi_cloudflare import R2Bucket as found"],
    ids=["as an attribute", "by name"],
)
def test_another_resource_is_there_for_who_asks_the_package(asks: str) -> None:
    same = "import pulumi_cloudflare; from pulumi_cloudflare.d1_database import D1Database"
    seen = "[found.__name__, D1Database is pulumi_cloudflare.D1Database, pulumi_cloudflare.Provider.__name__]"
    assert told(f"{SMALL}{same}\n{asks}\nimport json; print(json.dumps({seen}))") == ["R2Bucket", True, "Provider"]


def test_a_module_of_the_sdk_can_be_asked_of_the_package_without_all_the_others() -> None:
    asks = "from pulumi_cloudflare import r2_bucket\nimport json, sys; found = r2_bucket.R2Bucket.__name__\n"
    assert told(f"{SMALL}{asks}print(json.dumps([found, 'pulumi_cloudflare.zone' in sys.modules]))") == ["R2Bucket", False]


def test_what_the_sdk_does_not_have_is_missed_as_ever() -> None:
    asks = "import pulumi_cloudflare\nimport json; print(json.dumps([hasattr(pulumi_cloudflare, 'NoSuchThing')]))"
    assert told(f"{SMALL}{asks}") == [False]


def test_an_sdk_that_is_imported_already_is_left_alone() -> None:
    before = "import pulumi_cloudflare as whole\n"
    after = "import pulumi_cloudflare, json; print(json.dumps(pulumi_cloudflare is whole and 'R2Bucket' in vars(pulumi_cloudflare)))"
    assert told(f"{before}{SMALL}{after}") is True
