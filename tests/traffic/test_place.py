"""How a version may join the deployment that serves is decided by that deployment alone."""

import pytest

from crane_infra.live.account import Deployment
from crane_infra.live.mark import mark
from crane_infra.traffic.place import First, Joins, Place, Rolls, Serves, Shared, Waits, place_of

OURS, STEP = mark("candidate", "0123456789ab").message, mark("canary", "0123456789ab").message


@pytest.mark.parametrize(
    ("shares", "message", "place"),
    [
        pytest.param({"v1": 100.0}, "", Joins("v1"), id="one version serves"),
        pytest.param({"v2": 100.0}, "", Serves(), id="the version serves already"),
        pytest.param({"v1": 100.0, "v2": 0.0}, OURS, Waits("v1"), id="an earlier run left it"),
        pytest.param({"v1": 100.0, "v2": 0.0}, "by hand", Joins("v1"), id="somebody else let it join"),
        pytest.param({"v1": 100.0, "v0": 0.0}, OURS, Joins("v1"), id="an earlier run left another one"),
        pytest.param({"v2": 100.0, "v1": 0.0}, "", Serves(), id="it serves, and another one waits"),
        pytest.param({"v1": 40.0, "v0": 60.0}, "", Shared("v0"), id="two others share the traffic"),
        pytest.param({"v1": 90.0, "v2": 10.0}, "", Shared("v1"), id="somebody gave it a share"),
        pytest.param({"v1": 90.0, "v2": 10.0}, STEP, Rolls("v1", 10), id="it has the share of a step"),
        pytest.param({"v1": 90.0, "v0": 10.0}, STEP, Shared("v1"), id="another version has the share of a step"),
    ],
)
def test_the_place_of_a_version(shares: dict[str, float], message: str, place: Place) -> None:
    assert place_of(Deployment("d", shares, message=message), "v2") == place


def test_a_first_version_has_nothing_to_join() -> None:
    assert place_of(None, "v2") == First()
