"""What a stack declares of a script is known down to the single value; what it leaves out is not declared."""

from collections.abc import Callable
from typing import Any

import pytest

from crane_infra.config.script_settings import ScriptSettings, shown, single_values
from crane_infra.config.settings import Settings
from crane_infra.errors import SettingsError

ADDRESSES = {"enabled": True, "previews_enabled": False}
Declare = Callable[[dict[str, Any]], ScriptSettings]


@pytest.fixture
def declare(make_settings: Callable[..., Settings]) -> Declare:
    """The settings of a worker in a stack file."""
    return lambda worker: make_settings(workers={"crane-context": worker}).workers["crane-context"]


def test_without_settings_only_the_addresses_are_declared(declare: Declare) -> None:
    assert declare({}).declared == {"subdomain": ADDRESSES}


def test_what_is_declared_has_the_names_of_cloudflare_s_api(declare: Declare) -> None:
    worker = declare(
        {
            "observability": {
                "enabled": True,
                "head-sampling-rate": 0.1,
                "logs": {"invocation-logs": False},
                "traces": {"destinations": ["a"]},
            },
            "logpush": False,
            "tags": [],
            "tail-consumers": ["tail"],
            "preview-urls": True,
        }
    )
    assert worker.declared == {
        "observability": {
            "enabled": True,
            "head_sampling_rate": 0.1,
            "logs": {"invocation_logs": False},
            "traces": {"destinations": ["a"]},
        },
        "logpush": False,
        "tags": [],
        "tail_consumers": [{"name": "tail"}],
        "subdomain": {"enabled": True, "previews_enabled": True},
    }


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"observability": {"head-sampling-rate": 2}}, "observability.head-sampling-rate"),
        ({"observability": {"logs": {"perist": True}}}, "observability.logs.perist"),
        ({"observability": {"head_sampling_rate": 1}}, "observability.head_sampling_rate"),
        ({"tail-consumers": "tail"}, "tail-consumers"),
        ({"tags": [1]}, "tags.0"),
        ({"give-up": "placement"}, "give-up"),
        ({"logpush": "perhaps"}, "logpush"),
    ],
    ids=str,
)
def test_a_wrong_value_is_reported_with_its_path(declare: Declare, settings: dict[str, Any], path: str) -> None:
    with pytest.raises(SettingsError, match=rf"^Pulumi\.staging\.yaml crane-infra:workers\.crane-context\.{path}: "):
        declare(settings)


def test_read_replication_is_auto_or_disabled(make_settings: Callable[..., Settings]) -> None:
    databases: dict[str, Any] = {"crane-context-db": {"name": "a", "read-replication": "auto"}}
    assert make_settings(databases=databases).databases["crane-context-db"].read_replication == "auto"
    databases["crane-context-db"]["read-replication"] = "on"
    with pytest.raises(SettingsError, match=r"databases\.crane-context-db\.read-replication"):
        make_settings(databases=databases)


def test_paths_name_every_single_value() -> None:
    assert [path for path, _ in single_values({"a": {"b": 1, "c": {"d": []}}, "e": False})] == ["a.b", "a.c.d", "e"]


@pytest.mark.parametrize(
    ("value", "text"), [(True, "on"), (0.25, "0.25"), (1, "1"), ([], "none"), (["a", "b"], "a, b"), ([{"name": "t"}], "t")]
)
def test_values_are_shown_in_a_few_words(value: object, text: str) -> None:
    assert shown(value) == text
