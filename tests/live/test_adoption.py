"""What an adoption changes is said in words, loss first, and never the value of a secret."""

from dataclasses import replace

from crane_infra.live.account import LiveWorker
from crane_infra.live.adoption import DeclaredWorker, changes

LIVE = LiveWorker(
    bindings={"DB": ("d1", "id-1"), "MODE": ("plain_text", "a"), "KEY": ("secret_text", "")},
    compatibility_date="2024-01-01",
    compatibility_flags=(),
    workers_dev=True,
    previews=False,
    crons=("0 3 * * *",),
)
SAME = DeclaredWorker(LIVE.bindings, "2024-01-01", (), workers_dev=True, crons=None)


def declared(**bindings: tuple[str, str]) -> DeclaredWorker:
    return replace(SAME, bindings={**SAME.bindings, **bindings})


def test_the_same_worker_changes_in_nothing_but_secrets_that_are_set_anew() -> None:
    assert changes(LIVE, SAME) == ["the secrets KEY are set from this stack"]


def test_what_goes_away_comes_first() -> None:
    live = replace(LIVE, bindings={**LIVE.bindings, "CACHE": ("kv_namespace", "n")})
    assert changes(live, declared(NEW=("plain_text", "x")))[:2] == [
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


def test_settings_of_the_script_are_named_with_what_they_become() -> None:
    live = replace(LIVE, previews=True, compatibility_flags=("nodejs_compat",))
    shown = changes(live, replace(SAME, compatibility_date="2025-01-01", workers_dev=False, crons=("0 4 * * *",)))
    assert shown[1:] == [
        "the compatibility date: 2024-01-01 becomes 2025-01-01",
        "the compatibility flags: nodejs_compat becomes none",
        "the workers.dev address: on becomes off",
        "the addresses of single versions: on becomes off",
        "the schedules: 0 3 * * * becomes 0 4 * * *",
    ]


def test_schedules_that_no_file_names_stay() -> None:
    assert not [text for text in changes(LIVE, SAME) if "schedules" in text]
