"""A stack file that cannot be meant is refused in one line, with its path, before anything is declared."""

from collections.abc import Callable
from pathlib import Path

import pytest

from crane_infra.config.settings import Settings, parse
from crane_infra.errors import SettingsError
from tests.samples import ACCOUNT, as_pulumi, config, known

MakeSettings = Callable[..., Settings]
KNOWN_KEYS = (
    "Known names: account-id, candidate-rounds, check-deadline-seconds, databases, environment-only, fingerprint-key, hook-deadline-minutes, infisical, infisical-client-id, infisical-client-secret, masking-key, override-freeze, proof-keys, proof-max-age-days, rehearsed, require-rehearsal, rollback-to, rollout, secret-source, "
    "secrets, shared-secrets, signing-key, workers, workers-dir, workers-subdomain"
).replace("environment-only, ", "")


def test_a_staging_worker_carries_its_environment_in_its_name_and_production_keeps_the_plain_one(make_settings: MakeSettings) -> None:
    assert make_settings("staging").script("crane-context") == "crane-context-staging"
    assert make_settings("production").script("crane-context") == "crane-context"


def test_a_worker_has_its_workers_dev_address_unless_another_one_is_set(make_settings: MakeSettings) -> None:
    assert make_settings().url("crane-context") == "https://crane-context-staging.automation-ab6.workers.dev"
    own = config("staging")["workers"] | {"crane-context": {"url": "https://context.example.org/"}}
    assert make_settings(workers=own).url("crane-context") == "https://context.example.org"


def test_a_worker_moves_as_its_stack_says_unless_it_has_steps_of_its_own(make_settings: MakeSettings) -> None:
    assert make_settings().rollout_of("crane-context").steps == ()
    own = config("staging")["workers"] | {"crane-context": {"rollout": {"steps": []}}}
    settings = make_settings(workers=own, rollout={"steps": [10, 50], "pause": "2m"})
    assert settings.rollout_of("crane-context").steps == ()
    assert settings.rollout_of("crane-classifier").steps == (10, 50)
    assert settings.longest_rollout_seconds == 2 * 2 * 120


def test_a_relative_workers_dir_starts_at_the_stack_files(make_settings: MakeSettings, tmp_path: Path) -> None:
    assert make_settings().workers_dir == tmp_path / "workers"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"workers_dir": None},
            "Pulumi.staging.yaml crane-infra:workers-dir: is missing. Set the folder of the built workers: pulumi config set workers-dir <folder>.",
        ),
        ({"wokers_dir": "x"}, f"Pulumi.staging.yaml crane-infra:wokers-dir: is not known. Remove it, or correct its name. {KNOWN_KEYS}."),
        ({"root": "/"}, f"Pulumi.staging.yaml crane-infra:root: is not known. Remove it, or correct its name. {KNOWN_KEYS}."),
        (
            {"account_id": "123"},
            "Pulumi.staging.yaml crane-infra:account-id: String should match pattern '^[0-9a-f]{32}$'. Correct it in the stack file.",
        ),
        (
            {"databases": {"crane-context-db": {"name": "n", "adopt": "b2182c5b"}}},
            (
                "Pulumi.staging.yaml crane-infra:databases.crane-context-db.adopt: String should match pattern "
                "'^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'. Correct it in the stack file."
            ),
        ),
        (
            {"databases": {"crane-context-db": {"name": "n", "adpot": "x"}}},
            "Pulumi.staging.yaml crane-infra:databases.crane-context-db.adpot: is not known. Remove it, or correct its name.",
        ),
        (
            {"workers": "{nonsense"},
            "Pulumi.staging.yaml crane-infra:workers: Input should be a valid dictionary. Correct it in the stack file.",
        ),
        (
            {"workers": {"crane-context": {"variables": {"TTL": 45}}}},
            "Pulumi.staging.yaml crane-infra:workers.crane-context.variables.TTL: Input should be a valid string. Write it in quotes in the stack file.",
        ),
        (
            {"rollout": {"steps": [50, 10]}},
            "Pulumi.staging.yaml crane-infra:rollout: each step must be larger than the one before. Correct it in the stack file.",
        ),
        (
            {"rollout": {"steps": [10], "pause": "5 minutes"}},
            (
                "Pulumi.staging.yaml crane-infra:rollout.pause: '5 minutes' is not a duration; write it as 30s, 5m or 1h. "
                "Correct it in the stack file."
            ),
        ),
        (
            {"rollout": {"steps": [100]}},
            "Pulumi.staging.yaml crane-infra:rollout.steps.0: Input should be less than 100. Correct it in the stack file.",
        ),
    ],
)
def test_a_wrong_setting_is_reported_with_its_path(make_settings: MakeSettings, changes: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings(**changes)
    assert str(caught.value) == text


def test_without_an_account_the_error_shows_how_to_set_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        parse(known("staging", tmp_path), as_pulumi(config("staging")), {"CLOUDFLARE_API_TOKEN": "t"})
    assert str(caught.value) == (
        "Pulumi.staging.yaml crane-infra:account-id: is missing. Run pulumi config set account-id <id>, or set CLOUDFLARE_ACCOUNT_ID."
    )


def test_without_a_token_the_error_shows_how_to_set_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"api-token: is missing\. Set CLOUDFLARE_API_TOKEN"):
        parse(known("staging", tmp_path), as_pulumi(config("staging")), {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT})


def test_the_providers_configuration_takes_precedence_over_environment_variables(tmp_path: Path) -> None:
    given = as_pulumi(config("staging")) | {"cloudflare:baseUrl": "http://127.0.0.1:1/client/v4", "cloudflare:apiToken": "configured"}
    environ = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_BASE_URL": "https://elsewhere.example"}
    settings = parse(known("staging", tmp_path), given, environ)
    assert settings.api_url == "http://127.0.0.1:1/client/v4"
    assert settings.api_token.get_secret_value() == "configured"


def test_settings_do_not_print_the_token(make_settings: MakeSettings) -> None:
    assert "token-canary" not in repr(make_settings())


@pytest.mark.parametrize("url", ["http://example.org", "https://user:password@example.org", "ftp://example.org", "https://", "example.org"])
def test_an_address_that_would_send_keys_in_the_clear_or_nowhere_is_refused(make_settings: MakeSettings, url: str) -> None:
    with pytest.raises(SettingsError, match=r"workers\.crane-context\.url: String should match pattern") as caught:
        make_settings(workers={"crane-context": {"url": url}})
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://example.org/base", "http://127.0.0.1:8787/edge/x", "http://localhost:1"])
def test_https_anywhere_and_http_on_this_machine_are_accepted(make_settings: MakeSettings, url: str) -> None:
    assert make_settings(workers={"crane-context": {"url": url}}).url("crane-context") == url


def test_a_token_with_a_line_break_is_refused_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="api-token: it contains a space, a line break or a letter that no token has") as caught:
        parse(
            known("staging", tmp_path), as_pulumi(config("staging")), {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "canary\n"}
        )
    assert "canary" not in str(caught.value)


def test_a_worker_without_any_address_is_refused(make_settings: MakeSettings) -> None:
    with pytest.raises(SettingsError, match=r"a worker that is not on workers\.dev needs a url"):
        make_settings(workers={"crane-context": {"workers-dev": False}})


@pytest.mark.parametrize("key", ["api-token", "api-url", "api_token", "environment", "project", "organization", "workers_dir"])
def test_a_stack_cannot_set_what_pulumi_or_the_provider_sets(tmp_path: Path, key: str) -> None:
    given = as_pulumi(config("staging")) | {f"crane-infra:{key}": "canary"}
    environ = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "t"}
    with pytest.raises(SettingsError, match=f"crane-infra:{key}: is not known") as caught:
        parse(known("staging", tmp_path), given, environ)
    assert "canary" not in str(caught.value)
