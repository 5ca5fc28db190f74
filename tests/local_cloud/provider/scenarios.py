"""The recorded scenarios: in which stack each one ran, and what the recording left out.

The contract's replies were recorded after the run, so those for an adopted worker already show it after the adoption. This module puts
its earlier settings back.
"""

import json
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

from tests.local_cloud.provider.replay import ANY_BODY, Exchange, recorded, success

Scenario = dict[str, Any]
(_RECORDING,) = Path(__file__).parent.glob("cloudflare-provider-*.json")
RECORDED_WITH = _RECORDING.stem.rpartition("-")[2]
"""The version of the official provider that was recorded, without its last part."""
CONTRACT: list[Scenario] = json.loads(_RECORDING.read_text())
BY_NAME = {scenario["scenario"]: scenario for scenario in CONTRACT}
ADOPTION = "import worker by name, undeclared settings differ"
PUT_BACK = "import option put back (preview only)"
BY_HAND = "refresh after a deployment by hand"
# Each group began with an empty stack and ran its scenarios in order.
_BEGINNINGS = ("create", "create without retain", "import existing database and worker", ADOPTION, BY_HAND)
# Settings of the adopted worker that the program did not declare.
_BEFORE_ADOPTION = {"logpush": True, "tags": ["by-hand"]}


def lanes() -> list[list[Scenario]]:
    """The scenarios of each stack, in order."""
    groups: list[list[Scenario]] = []
    for scenario in CONTRACT:
        if scenario["scenario"] in _BEGINNINGS:
            groups.append([])
        groups[-1].append(scenario)
    return groups


def exchanges(scenario: Scenario) -> list[Exchange]:
    """The requests to the API in a scenario, and its replies."""
    if scenario["scenario"] == PUT_BACK:  # the requests of previews are not in the contract
        return [recorded(exchange) for exchange in BY_NAME[ADOPTION]["requests"] if exchange["method"] == "GET"]
    expected = deepcopy(scenario.get("requests", []))
    for exchange in expected:
        if scenario["scenario"] == ADOPTION and exchange["method"] == "GET":
            exchange["response"]["result"].update(_BEFORE_ADOPTION)
            exchange["response"]["result"]["observability"]["enabled"] = True
    return [recorded(exchange) for exchange in expected]


def creation_of(read: Scenario) -> Iterable[Exchange]:
    """Replies that create what a scenario then reads: the recording has none, so any body matches."""
    for exchange in map(recorded, read["requests"]):
        path, _, query = exchange.path.partition("?")
        if path.endswith("/schedules"):
            yield Exchange("PUT", path, ANY_BODY, 200, exchange.reply)
        else:
            yield Exchange("POST", path.rpartition("/")[0], ANY_BODY, 200, success(exchange.reply["result"]))
        assert query in ("", "include=modules")
