"""What no file declares goes to Cloudflare as it is live, and what the provider does not send is set again."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.script_settings import shown
from crane_infra.live.script_settings import DEFAULTS, completed, differences, require_readable, restoring, unsent

STREAM = {"enabled": True, "head_sampling_rate": 0.5, "persist": False, "destinations": ["grafana"]}
LIVE: dict[str, Any] = {
    "id": "w1",
    "name": "crane",
    "updated_on": "2026-01-01T00:00:00Z",
    "references": {"workers": []},
    "logpush": True,
    "observability": {"enabled": True, "head_sampling_rate": 0.25, "logs": {**STREAM, "invocation_logs": False}, "traces": STREAM},
    "subdomain": {"enabled": True, "previews_enabled": False, "url": "https://crane.example.workers.dev"},
    "tags": ["team:crane"],
    "tail_consumers": [{"name": "tail", "environment": "production"}],
}
UNKNOWN: dict[str, Any] = {
    **LIVE,
    "observability": {**LIVE["observability"], "issues": {"enabled": True}, "redact_query_string": True},
    "previews_base_config": {"limits": {"cpu_ms": 50}},
}


class TestWhatIsSent:
    def test_is_what_is_live_where_nothing_is_declared(self) -> None:
        sent = completed(LIVE, {})
        assert sent.keys() == DEFAULTS.keys()
        assert sent["observability"] == LIVE["observability"]
        assert (sent["logpush"], sent["tags"]) == (True, ["team:crane"])

    def test_is_what_is_declared_value_by_value(self) -> None:
        sent = completed(LIVE, {"observability": {"logs": {"persist": True}}, "tags": []})
        assert sent["observability"] == {**LIVE["observability"], "logs": {**LIVE["observability"]["logs"], "persist": True}}
        assert (sent["tags"], sent["logpush"]) == ([], True)

    def test_is_cloudflare_s_default_where_the_reply_lacks_a_setting_or_has_null(self) -> None:
        live = {"observability": {"enabled": True, "logs": {"enabled": True, "persist": None}, "traces": None}}
        stream = {"enabled": False, "head_sampling_rate": 1, "persist": True, "destinations": []}
        assert completed(live, {})["observability"] == {
            "enabled": True,
            "head_sampling_rate": 1,
            "logs": {**stream, "enabled": True, "invocation_logs": True},
            "traces": stream,
        }
        assert completed({}, {}) == DEFAULTS

    def test_has_only_what_the_provider_knows(self) -> None:
        assert completed(UNKNOWN, {}) == completed(LIVE, {})
        assert completed(LIVE, {})["tail_consumers"] == [{"name": "tail"}]
        assert completed(LIVE, {})["subdomain"] == {"enabled": True, "previews_enabled": False}

    @given(st.dictionaries(st.sampled_from(sorted(DEFAULTS)), st.none()))
    def test_stays_the_same_when_it_is_completed_again(self, missing: dict[str, None]) -> None:
        once = completed({key: value for key, value in LIVE.items() if key not in missing}, {})
        assert completed(once, {}) == once


class TestDifferences:
    def test_name_each_declared_value_that_is_live_otherwise(self) -> None:
        declared = {"logpush": False, "observability": {"logs": {"enabled": True, "persist": True}}}
        found = {(one.path, one.before, one.after) for one in differences(LIVE, declared)}
        assert found == {("logpush", True, False), ("observability.logs.persist", False, True)}

    def test_are_none_for_another_order_or_a_default_that_the_reply_lacks(self) -> None:
        assert differences({**LIVE, "tags": ["a", "b"]}, {"tags": ["b", "a"]}) == []
        assert differences({}, DEFAULTS) == []

    def test_call_the_addresses_what_people_call_them(self) -> None:
        found = differences(LIVE, {"subdomain": {"enabled": False, "previews_enabled": True}})
        assert {(one.label, shown(one.before), shown(one.after)) for one in found} == {
            ("the workers.dev address", "on", "off"),
            ("the addresses of single versions", "off", "on"),
        }


class TestWhatTheProviderDoesNotSend:
    def test_is_found_at_every_depth(self) -> None:
        assert unsent(LIVE) == {}
        assert unsent(UNKNOWN) == {
            "observability": {"issues": {"enabled": True}, "redact_query_string": True},
            "previews_base_config": {"limits": {"cpu_ms": 50}},
        }

    @pytest.mark.parametrize(
        "now",
        [
            LIVE,
            {**LIVE, "observability": {**LIVE["observability"], "issues": {"enabled": False}}, "previews_base_config": None},
        ],
        ids=["gone", "set back to a default"],
    )
    def test_is_set_again_with_everything_else_as_it_is_now(self, now: dict[str, Any]) -> None:
        body = restoring(UNKNOWN, now)
        assert body == {key: UNKNOWN[key] for key in ("observability", "previews_base_config")}
        assert restoring(UNKNOWN, {**now, **body}) == {}

    def test_is_left_alone_where_it_is_still_there(self) -> None:
        assert restoring(UNKNOWN, deepcopy(UNKNOWN)) == {}
        assert restoring(LIVE, {}) == {}

    def test_which_is_off_and_gone_is_not_worth_a_call(self) -> None:
        before = {**LIVE, "observability": {**LIVE["observability"], "issues": {"enabled": False}}}
        assert restoring(before, LIVE) == {}


@pytest.mark.parametrize(
    "odd",
    [
        [],
        {"logpush": "yes"},
        {"logpush": 1},
        {"observability": []},
        {"observability": {"head_sampling_rate": True}},
        {"observability": {"logs": {"persist": "no"}}},
        {"tags": "a"},
        {"tail_consumers": [{}]},
        {"tail_consumers": ["tail"]},
        {"subdomain": {"enabled": None, "previews_enabled": 0}},
    ],
    ids=str,
)
def test_values_of_another_type_cannot_be_read(odd: Any) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=r"\w"):
        require_readable(odd)


def test_all_that_cloudflare_documents_can_be_read() -> None:
    for live in (LIVE, UNKNOWN, {}, {"observability": None, "tags": None}):
        require_readable(live)
