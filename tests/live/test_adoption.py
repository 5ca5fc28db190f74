"""What an adoption changes is said in words, loss first, and never the value of a secret."""

from dataclasses import replace
from typing import Any

import pytest

from crane_infra.live.account import LiveScript, LiveWorker
from crane_infra.live.adoption import Binding, DeclaredWorker, changes, losses, readable, version_changes

BINDINGS: list[dict[str, Any]] = [
    {"name": "DB", "type": "d1", "database_id": "id-1", "id": "id-1"},
    {"name": "MODE", "type": "plain_text", "text": "a"},
    {"name": "KEY", "type": "secret_text"},
    {"name": "API", "type": "service", "service": "crane-api", "environment": "production"},
]
VERSION: dict[str, Any] = {
    "id": "v1",
    "number": 3,
    "created_on": "2026-01-01T00:00:00Z",
    "source": "wrangler",
    "urls": ["https://v1.example.workers.dev"],
    "annotations": {"workers/triggered_by": "upload"},
    "main_module": "index.js",
    "startup_time_ms": 12,
    "compatibility_date": "2024-01-01",
    "compatibility_flags": [],
    "usage_model": "standard",
    "placement": {},
    "cache_options": {"enabled": False},
    "bindings": BINDINGS,
}
SCRIPT: dict[str, Any] = {"logpush": True, "tags": ["a"], "subdomain": {"enabled": True, "previews_enabled": False}}
LIVE = LiveWorker(LiveScript(SCRIPT, ("0 3 * * *",)), VERSION)
SAME = DeclaredWorker(
    {
        "DB": Binding("d1", "id-1"),
        "MODE": Binding("plain_text", "a"),
        "KEY": Binding("secret_text", ""),
        "API": Binding("service", "crane-api"),
    },
    "2024-01-01",
    (),
    version={"usage_model": "standard"},
    script={"subdomain": {"enabled": True, "previews_enabled": False}},
    crons=None,
)


def live(script: dict[str, Any] | None = None, crons: tuple[str, ...] = ("0 3 * * *",), **version: Any) -> LiveWorker:  # noqa: ANN401
    return LiveWorker(LiveScript({**SCRIPT, **(script or {})}, crons), {**VERSION, **version})


def declared(**bindings: tuple[str, str]) -> DeclaredWorker:
    return replace(SAME, bindings={**SAME.bindings, **{name: Binding(*binding) for name, binding in bindings.items()}})


def test_the_same_worker_changes_in_nothing_but_secrets_that_are_set_anew() -> None:
    assert changes(LIVE, SAME) == ["the secrets KEY are set from this stack"]


def test_what_goes_away_comes_first() -> None:
    worker = live(bindings=[*BINDINGS, {"name": "CACHE", "type": "kv_namespace", "namespace_id": "n"}])
    assert changes(worker, declared(NEW=("plain_text", "x")))[:2] == [
        "the kv_namespace binding CACHE goes away",
        "the plain_text binding NEW is new",
    ]


def test_another_value_of_a_variable_and_another_database_are_named_with_both() -> None:
    assert changes(LIVE, declared(MODE=("plain_text", "b"), DB=("d1", "id-2")))[:2] == [
        "the d1 binding DB: id-1 becomes id-2",
        "the plain_text binding MODE: a becomes b",
    ]


def test_another_type_of_binding_is_named_without_its_value() -> None:
    assert "the binding MODE: plain_text becomes secret_text" in changes(LIVE, declared(MODE=("secret_text", "canary")))
    assert not [text for text in changes(LIVE, declared(MODE=("secret_text", "canary"))) if "canary" in text]


def test_version_metadata_is_added_without_a_word() -> None:
    assert changes(LIVE, declared(CF_VERSION_METADATA=("version_metadata", ""))) == changes(LIVE, SAME)


@pytest.mark.parametrize(
    ("binding", "value"),
    [
        ({"type": "kv_namespace", "namespace_id": "n1"}, "n1"),
        ({"type": "queue", "queue_name": "jobs"}, "jobs"),
        ({"type": "durable_object_namespace", "class_name": "Room", "namespace_id": "made by Cloudflare"}, "Room"),
        ({"type": "json", "json": {"b": 1, "a": [2]}}, '{"a":[2],"b":1}'),
        ({"type": "ai"}, ""),
    ],
)
def test_a_binding_of_any_kind_stays_where_it_is_declared_and_is_a_loss_where_not(binding: dict[str, Any], value: str) -> None:
    worker = live(bindings=[*BINDINGS, {"name": "ONE", **binding}])
    assert changes(worker, declared(ONE=(binding["type"], value))) == changes(LIVE, SAME)
    assert [loss.name for loss in losses(worker, SAME)] == ["ONE"]


@pytest.mark.parametrize(
    ("there", "ours", "text"),
    [
        ({"class_name": "Room", "script_name": "api"}, {"class_name": "Room"}, "Room of the worker api becomes Room"),
        ({"class_name": "Room"}, {"class_name": "Room", "script_name": "api"}, "Room becomes Room of the worker api"),
        ({"class_name": "Room", "script_name": "me"}, {"class_name": "Room"}, None),
        ({"bucket_name": "files", "jurisdiction": "eu"}, {"bucket_name": "files"}, "files in eu becomes files"),
        ({"bucket_name": "files", "jurisdiction": ""}, {"bucket_name": "files"}, None),
    ],
)
def test_a_class_of_another_worker_or_a_bucket_elsewhere_is_another_resource(
    there: dict[str, Any], ours: dict[str, Any], text: str | None
) -> None:
    kind = "r2_bucket" if "bucket_name" in there else "durable_object_namespace"
    worker = live({"name": "me"}, bindings=[*BINDINGS, {"name": "ONE", "type": kind, **there}])
    stack = replace(SAME, bindings={**SAME.bindings, "ONE": readable({"type": kind, **ours})})
    named = [line for line in changes(worker, stack) if "ONE" in line]
    assert named == ([f"the {kind} binding ONE: {text}"] if text else [])


def test_settings_of_the_script_are_named_with_what_they_become() -> None:
    worker = live({"subdomain": {"enabled": True, "previews_enabled": True}}, compatibility_flags=["nodejs_compat"])
    script = {"logpush": False, "subdomain": {"enabled": False, "previews_enabled": False}}
    shown = changes(worker, replace(SAME, compatibility_date="2025-01-01", script=script, crons=("0 4 * * *",)))
    assert shown == [
        "the compatibility date: 2024-01-01 becomes 2025-01-01",
        "the compatibility flags: nodejs_compat becomes none",
        "the secrets KEY are set from this stack",
        "logpush: on becomes off",
        "the workers.dev address: on becomes off",
        "the addresses of single versions: on becomes off",
        "the schedules: 0 3 * * * becomes 0 4 * * *",
    ]


def test_schedules_that_no_file_names_stay() -> None:
    assert not [text for text in changes(LIVE, SAME) if "schedules" in text]


class TestWhatNoFileDeclares:
    """It is named, so that it can be declared or given up; what is declared otherwise is no loss, only a change."""

    def test_is_nothing_where_all_is_declared(self) -> None:
        assert losses(LIVE, SAME) == []
        assert losses(LIVE, declared(MODE=("plain_text", "b"))) == []

    @pytest.mark.parametrize(
        ("version", "name", "text"),
        [
            ({"placement": {"mode": "smart", "status": "SUCCESS"}}, "placement", "placement (mode smart, status SUCCESS)"),
            ({"limits": {"cpu_ms": 50}}, "limits", "limits (cpu_ms 50)"),
            ({"assets": {"config": {"not_found_handling": "404-page"}}}, "assets", "assets (config not_found_handling 404-page)"),
            ({"assets": {"config": {}}}, "assets", "assets"),
            ({"bindings": [*BINDINGS, {"name": "FILES", "type": "assets"}]}, "FILES", "the assets binding FILES"),
            ({"cache_options": {"enabled": True}}, "cache_options", "cache_options (enabled on)"),
            ({"bindings": [*BINDINGS, {"name": "OLD", "type": "plain_text", "text": "x"}]}, "OLD", "the plain_text binding OLD"),
            ({"bindings": [*BINDINGS, {"name": "PEM", "type": "secret_text"}]}, "PEM", "the secret_text binding PEM"),
            (
                {"bindings": [*BINDINGS[:3], {**BINDINGS[3], "entrypoint": "Admin"}]},
                "API",
                "the entrypoint Admin of the service binding API",
            ),
            (
                {"bindings": [*BINDINGS[:3], {**BINDINGS[3], "environment": "canary"}]},
                "API",
                "the environment canary of the service binding API",
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_is_found_in_the_version_that_serves(self, version: dict[str, Any], name: str, text: str) -> None:
        (loss,) = losses(live(**version), SAME)
        assert (loss.name, loss.text) == (name, text)
        assert changes(live(**version), SAME)[0] == f"{text} goes away"

    @pytest.mark.parametrize(
        ("live_fields", "own", "lost", "shown"),
        [
            ({"entrypoint": "Admin"}, {"entrypoint": "Admin"}, [], []),
            ({}, {"entrypoint": "Admin"}, [], ["the service binding API: mail, no entrypoint becomes mail, the entrypoint Admin"]),
            (
                {"entrypoint": "Admin"},
                {"entrypoint": "Other"},
                [],
                ["the service binding API: mail, the entrypoint Admin becomes mail, the entrypoint Other"],
            ),
            (
                {"entrypoint": "Admin", "props": {"key": "canary-of-a-property"}},
                {},
                ["the entrypoint Admin, the properties of the service binding API"],
                ["the entrypoint Admin, the properties of the service binding API goes away"],
            ),
        ],
    )
    def test_is_an_entrypoint_that_is_not_declared_and_another_one_is_a_change(
        self, live_fields: dict[str, Any], own: dict[str, Any], lost: list[str], shown: list[str]
    ) -> None:
        service = {"name": "API", "type": "service", "service": "mail"}
        worker, declares = live(bindings=[{**service, **live_fields}]), replace(SAME, bindings={"API": readable({**service, **own})})
        assert [loss.text for loss in losses(worker, declares)] == lost
        assert [text for text in changes(worker, declares) if "API" in text] == shown

    def test_is_not_static_assets_that_are_declared_and_their_configuration_is_compared(self) -> None:
        assets = replace(declared(FILES=("assets", "")), version={**SAME.version, "assets": {"config": {"run_worker_first": ["/api/*"]}}})
        bound = [*BINDINGS, {"name": "FILES", "type": "assets"}]
        same = {"html_handling": "auto-trailing-slash", "not_found_handling": "none", "run_worker_first": ["/api/*"]}
        assert losses(live(assets={"config": {}}, bindings=bound), assets) == []
        assert version_changes(live(assets={"config": same}, bindings=bound), assets) == []
        assert version_changes(live(assets={"config": {"html_handling": "none"}}, bindings=bound), assets) == [
            "html_handling of the static assets: none becomes the default",
            "run_worker_first of the static assets: the default becomes /api/*",
        ]
        answers: list[Any] = [None, [], "x", {"config": []}]
        for unread in answers:
            said = version_changes(live(assets=unread, bindings=bound), assets)
            assert ("static assets are new" in said) == (unread is None)

    def test_is_also_a_part_of_the_limits(self) -> None:
        limited = replace(SAME, version={**SAME.version, "limits": {"cpu_ms": 50}})
        assert losses(live(limits={"cpu_ms": 50}), limited) == []
        assert [loss.text for loss in losses(live(limits={"cpu_ms": 10, "subrequests": 5}), limited)] == ["limits (subrequests 5)"]

    def test_is_not_what_is_declared_with_another_value(self) -> None:
        placed = replace(SAME, version={**SAME.version, "placement": {"region": "aws:eu-central-1"}})
        assert losses(live(placement={"mode": "smart"}), placed) == []
        assert "placement: mode smart becomes region aws:eu-central-1" in changes(live(placement={"mode": "smart"}), placed)
        assert changes(live(placement={"mode": "targeted", "region": "aws:eu-central-1"}), placed) == changes(LIVE, SAME)

    def test_is_no_worker_without_a_version(self) -> None:
        assert losses(LiveWorker(LIVE.script, {}), SAME) == []


def test_settings_that_no_file_declares_stay() -> None:
    assert changes(live({"logpush": True, "tags": ["b"]}), SAME) == changes(LIVE, SAME)


def test_another_version_alone_changes_neither_secrets_nor_settings_of_the_script() -> None:
    worker = live({"subdomain": {"enabled": False}}, (), placement={"mode": "smart"})
    assert version_changes(worker, declared(MODE=("plain_text", "b"))) == [
        "placement (mode smart) goes away",
        "the plain_text binding MODE: a becomes b",
    ]


def test_a_secret_that_somebody_changed_is_said_to_be_set_again_since_nobody_can_read_it() -> None:
    worker = live({}, (), annotations={"workers/triggered_by": "secret", "workers/message": 'Updated secret "KEY"'})
    assert version_changes(worker, SAME) == ["the secret that was changed there is set from this stack again"]
