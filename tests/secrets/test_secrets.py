"""Secrets: none is missing, empty, shared between environments, stored in the clear or shown."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import yaml
from pulumi.runtime.config import set_all_config

from crane_infra.catalog import crane
from crane_infra.config.catalog import Secret
from crane_infra.config.settings import Settings
from crane_infra.errors import SecretError
from crane_infra.secrets.rules import fetch, fingerprint, refuse_shared, require_same_key
from crane_infra.secrets.sources import ConfigSecrets, EnvironmentSecrets, SecretSource, fingerprint_key, source_of

SECRETS = (
    Secret(binding="RELAY", key="RELAY_KEY", distinct=True),
    Secret(binding="HOOK", key="HOOK_SECRET"),
    Secret(binding="EXTRA", key="EXTRA_KEY", required=False),
)
VALUES = {"RELAY_KEY": "canary-relay", "HOOK_SECRET": "canary-hook"}


def sources(values: dict[str, str]) -> Iterable[SecretSource]:
    return (ConfigSecrets("staging", values), EnvironmentSecrets(values))


def test_both_sources_return_the_same_values_and_leave_out_an_optional_one_that_is_absent() -> None:
    for source in sources(VALUES):
        assert fetch(source, SECRETS) == VALUES


def test_every_missing_or_empty_key_is_named_with_the_way_to_set_the_first() -> None:
    config, environ = sources({"RELAY_KEY": "  ", "EXTRA_KEY": ""})
    with pytest.raises(SecretError) as caught:
        fetch(config, SECRETS)
    assert str(caught.value) == (
        "Pulumi.staging.yaml secrets: RELAY_KEY (empty), HOOK_SECRET (missing), EXTRA_KEY (empty). "
        "Run pulumi config set --stack staging --path --secret secrets.RELAY_KEY."
    )
    with pytest.raises(SecretError, match=r"^environment variables: .*Set the environment variable RELAY_KEY\.$"):
        fetch(environ, SECRETS)


def test_fingerprints_differ_for_different_values_and_do_not_show_them() -> None:
    first, again, other, other_key = (fingerprint(*pair) for pair in (("canary", "k"), ("canary", "k"), ("canary2", "k"), ("canary", "k2")))
    assert first == again
    assert len({first, other, other_key}) == 3
    assert "canary" not in first


def test_a_distinct_secret_with_the_same_value_elsewhere_is_refused_by_name_even_under_another_key() -> None:
    own = {key: fingerprint(value, "k") for key, value in VALUES.items()}
    with pytest.raises(SecretError) as caught:
        refuse_shared(SECRETS, own, {"ANOTHER_KEY": own["RELAY_KEY"]}, "production")
    assert str(caught.value) == (
        "RELAY_KEY: has the same value as in production. Give each environment its own value, and replace the one that was shared."
    )


def test_a_shared_secret_may_have_the_same_value_elsewhere() -> None:
    own = {key: fingerprint(value, "k") for key, value in VALUES.items()}
    refuse_shared(SECRETS, own, {"HOOK_SECRET": own["HOOK_SECRET"], "RELAY_KEY": "else"}, "production")


def test_cranes_relay_and_admin_keys_are_the_distinct_ones() -> None:
    assert {secret.key for secret in crane().secrets if secret.distinct} == {"CRANE_CONTEXT_KEY", "CRANE_ADMIN_KEY"}
    assert {secret.key for secret in crane().secrets if not secret.required} == {"CLASSIFIER_API_KEY"}


def test_environments_whose_fingerprints_cannot_be_compared_are_refused() -> None:
    own = {"fingerprint-key": fingerprint("one", "one")}
    require_same_key(own, {}, "production")
    require_same_key(own, dict(own), "production")
    with pytest.raises(SecretError) as caught:
        require_same_key(own, {"fingerprint-key": fingerprint("two", "two")}, "production")
    assert str(caught.value) == (
        "fingerprint-key: differs from the one of production, so secrets that both share cannot be found. Set the same key in both stacks."
    )


def test_one_value_in_the_clear_among_encrypted_ones_is_refused_by_name(make_settings: Callable[..., Settings], tmp_path: Path) -> None:
    stored = {"config": {"crane-infra:secrets": {"RELAY_KEY": {"secure": "v1:x"}, "HOOK_SECRET": "canary"}}}
    (tmp_path / "Pulumi.staging.yaml").write_text(yaml.safe_dump(stored), encoding="utf-8")
    with pytest.raises(SecretError) as caught:
        source_of(make_settings(), [])
    assert str(caught.value) == (
        "Pulumi.staging.yaml crane-infra:secrets.HOOK_SECRET: is stored in the clear. Replace the secret, and store the new one with --secret."
    )


@pytest.fixture
def configured() -> Iterator[Callable[..., None]]:
    """Set values in Pulumi's configuration, all of them encrypted or all in the clear."""

    def set_config(values: dict[str, str], *, encrypted: bool) -> None:
        set_all_config(
            {f"crane-infra:{key}": value for key, value in values.items()}, [f"crane-infra:{key}" for key in values if encrypted]
        )

    yield set_config
    set_all_config({}, [])


def test_a_fingerprint_key_or_secrets_in_the_clear_are_refused(
    make_settings: Callable[..., Settings], configured: Callable[..., None]
) -> None:
    configured({"fingerprint-key": "canary-fingerprint-key", "secrets": '{"RELAY_KEY": "canary"}'}, encrypted=False)
    for read, name in ((fingerprint_key, "fingerprint-key"), (lambda settings: source_of(settings, []), "secrets")):
        with pytest.raises(SecretError) as caught:
            read(make_settings())
        assert str(caught.value) == (
            f"Pulumi.staging.yaml crane-infra:{name}: is stored in the clear. Replace the secret, and store the new one with --secret."
        )


def test_a_fingerprint_key_that_could_be_guessed_is_refused_without_being_shown(
    make_settings: Callable[..., Settings], configured: Callable[..., None]
) -> None:
    configured({"fingerprint-key": "x" * 16}, encrypted=True)
    assert fingerprint_key(make_settings()) == "x" * 16
    configured({"fingerprint-key": "canary-of-fifte"}, encrypted=True)
    with pytest.raises(SecretError, match="is shorter than 16 characters") as caught:
        fingerprint_key(make_settings())
    assert "canary" not in str(caught.value)


def test_secrets_that_are_not_texts_are_refused(make_settings: Callable[..., Settings], configured: Callable[..., None]) -> None:
    configured({"secrets": '{"RELAY_KEY": 12345}'}, encrypted=True)
    with pytest.raises(SecretError, match="is not a map of keys to texts"):
        source_of(make_settings(), [])


def test_an_environment_that_exported_no_fingerprint_of_its_key_is_refused() -> None:
    with pytest.raises(SecretError, match="differs from the one of staging"):
        require_same_key({"fingerprint-key": "one"}, {"RELAY_KEY": "two"}, "staging")
