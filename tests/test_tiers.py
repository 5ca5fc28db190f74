"""A test without a marker cannot start what needs one, nor talk to another machine: it fails and names the marker."""

import os
import socket
import subprocess
import sys

import pytest

from tests.tiers import needed

REFUSED = pytest.fail.Exception


@pytest.mark.parametrize(
    ("command", "marker"),
    [
        (["pulumi", "version"], "engine"),
        ([sys.executable, "-m", "local_cloud.server.serve"], "cloud"),
        (["crane", "local", "up"], "cloud"),
        (["/somewhere/node", "/somewhere/wrangler/bin/wrangler.js", "deploy"], "npm"),
    ],
)
def test_a_pure_test_that_starts_it_fails_and_names_the_marker(command: list[str], marker: str) -> None:
    with pytest.raises(REFUSED, match=f"give it the marker .*{marker}"):
        subprocess.run(command, check=False)


def test_the_way_in_which_the_local_cloud_is_started_is_seen_too() -> None:
    with pytest.raises(REFUSED, match="give it the marker cloud"):
        os.posix_spawn(sys.executable, [sys.executable, "-m", "local_cloud.server.serve"], os.environ)


def test_a_pure_test_that_talks_to_another_machine_fails() -> None:
    with socket.socket() as client, pytest.raises(REFUSED, match="a pure test talks to"):
        client.connect(("192.0.2.1", 80))  # an address for documentation: nobody has it


def test_make_is_only_asked_what_it_would_do() -> None:
    assert needed(["make", "-n", "rehearse"]) == set()
