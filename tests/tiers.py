"""What a test needs is its marker: `engine`, `cloud` or `npm`; a test without one is pure, and is held to it.

`make quick` runs the pure tests. A test that starts the engine, the local cloud or npm without saying so by its marker fails, and so does a pure
one that talks to another machine: else the short loop would become a long one, one test at a time.
"""

import sys
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

import pytest

NEEDS = {
    "pulumi": "engine",
    "pulumi-language-python": "engine",
    "rehearse": "engine",
    "local": "cloud",
    "local_cloud.server.serve": "cloud",
    "node": "cloud",
    "npm": "npm",
    "npx": "npm",
    "wrangler": "npm",
    "wrangler.js": "npm",
    "bin.cjs": "npm",  # drizzle-kit
}
"""By the name of a program, a module or a command of crane, the marker of a test that starts it."""

_markers: set[str] | None = None
"""The markers of the test that runs; None outside of tests."""


def needed(words: Iterable[object]) -> set[str]:
    """The markers that a test needs to start a process with these words.

    Make is only asked what it would do, and the words of a warm Python are what it imports.
    """
    listed = list(map(str, words))
    names = [Path(word).name for word in listed]
    is_harmless = names[:1] == ["make"] or any(word.endswith("world/warm/server.py") for word in listed[1:2])
    return set() if is_harmless else {NEEDS[name] for name in names if name in NEEDS}


def leads_away(address: object) -> bool:
    """Is this the address of another machine? Paths of sockets and names like localhost are not."""
    host = address[0] if isinstance(address, tuple) else ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return False


def _watch(event: str, details: tuple[object, ...]) -> None:
    if _markers is None:
        return
    if event in ("subprocess.Popen", "os.posix_spawn"):  # the local cloud is started by the latter
        words = details[1] if isinstance(details[1], (list, tuple)) else [details[1]]
        if missing := needed(words) - _markers:
            pytest.fail(f"this test starts {' '.join(map(str, words))[:100]}: give it the marker {', '.join(sorted(missing))}")
    if event == "socket.connect" and not _markers & {"engine", "cloud", "npm"} and leads_away(details[1]):
        pytest.fail(f"a pure test talks to {details[1]}")


class Tiers:
    """Knows which test runs."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """A test begins: what it may start is what its markers say."""
        global _markers  # noqa: PLW0603 (an audit hook is one for the process, and so is the test that runs)
        _markers = {mark.name for mark in item.iter_markers()}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """A test ended: shared fixtures may end what they like."""
        global _markers  # noqa: PLW0603
        _markers = None


def hold_tests_to_their_markers(config: pytest.Config) -> None:
    """Watch what tests start from now on."""
    config.pluginmanager.register(Tiers(), "tiers")
    sys.addaudithook(_watch)
