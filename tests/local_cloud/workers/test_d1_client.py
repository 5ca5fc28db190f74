"""The code of a D1 binding is found in the program workerd wherever it stands; other code is not taken for it."""

import json
import subprocess
from pathlib import Path

import pytest

from local_cloud.workerd.install import RUNTIME, ensure_modules, node
from tests.cloud import CACHE

pytestmark = pytest.mark.cloud

TRACING = "import { withSpan } from 'cloudflare-internal:tracing-helpers';\n"
CLIENT = "class D1Database {}\nexport default function makeBinding(env) { return withSpan('', () => env); }\n"
PART = 4 * 2**20
FIND = """const [script, ...files] = process.argv.slice(1);
const { d1Client } = await import(script);
console.log(JSON.stringify(files.map((file) => d1Client(file) ?? null)));"""


def clients_in(*files: Path) -> list[str | None]:
    """The code that is found in each file."""
    command = [str(node()), "--input-type=module", "--eval", FIND, str(RUNTIME / "d1_client.mjs"), *map(str, files)]
    found: list[str | None] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def program(folder: Path, name: str, before: int, module: str) -> Path:
    """A program with a module at a place, between other bytes."""
    file = folder / name
    file.write_bytes(b"\xff" * before + b"\0" + module.encode() + b"\0" + b"\xff" * 1000)
    return file


def test_it_is_found_at_each_place_and_imports_nothing(tmp_path: Path) -> None:
    places = (0, 1000, PART - 30, PART - 2 * 2**18, 2 * PART + 5)
    files = [program(tmp_path, str(place), place, TRACING + CLIENT) for place in places]
    for code in clients_in(*files):
        assert code is not None
        assert code.endswith(CLIENT)
        assert "import" not in code


def test_the_runtime_of_the_local_cloud_has_it() -> None:
    (workerd,) = ensure_modules(CACHE).glob("node_modules/@cloudflare/workerd-*/bin/workerd*")
    (code,) = clients_in(workerd)
    assert code is not None


def test_what_cannot_be_used_alone_is_not_taken(tmp_path: Path) -> None:
    modules = [
        "",
        CLIENT.replace("D1Database", "D1DatabaseSession"),
        TRACING + "import other from 'cloudflare-internal:other';\n" + CLIENT,
        TRACING + CLIENT.replace("makeBinding", "make"),
    ]
    files = [program(tmp_path, str(number), 10, module) for number, module in enumerate(modules)]
    assert clients_in(*files) == [None] * len(files)
