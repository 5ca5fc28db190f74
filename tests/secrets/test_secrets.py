"""Secrets: none is missing, empty, shared between environments, stored in the clear or shown."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml
from pulumi.runtime.config import set_all_config

from crane_infra.catalog import crane
from crane_infra.config.catalog import Secret
from crane_infra.config.settings import Settings, SharedSecret
from crane_infra.errors import CraneError, SecretError, refuse
from crane_infra.secrets.fingerprints import fingerprint
from crane_infra.secrets.rules import different_faults, ended_marks, fetch, marks_of, require_same_key, shared_faults
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
    (fault,) = shared_faults(SECRETS, own, {"ANOTHER_KEY": own["RELAY_KEY"]}, "production", {})
    assert str(fault) == (
        "RELAY_KEY: has the same value as in production. Give each environment its own value, and replace the one that was shared."
    )


def test_a_shared_secret_may_have_the_same_value_elsewhere() -> None:
    own = {key: fingerprint(value, "k") for key, value in VALUES.items()}
    assert shared_faults(SECRETS, own, {"HOOK_SECRET": own["HOOK_SECRET"], "RELAY_KEY": "else"}, "production", {}) == []


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


@pytest.mark.parametrize(
    "value",
    ["changeme", "Change-Me", "TODO", "tbd", "xxx", "XXXXXXXXXXXX", "<your key>", "your-canary-here", "replace_me", " placeholder "],
)
def test_a_placeholder_is_refused_without_being_shown(value: str) -> None:
    for source in sources(VALUES | {"RELAY_KEY": value}):
        with pytest.raises(SecretError) as caught:
            fetch(source, SECRETS)
        todo = source.how_to_set("RELAY_KEY")
        assert str(caught.value) == f"{source.where} RELAY_KEY: is a placeholder, not a value. {todo}."


@pytest.mark.parametrize("value", ["a-todo-list-of-mine", "yourselves-and-ours", "the <b> of html", "xxx-and-more-than-this"])
def test_a_value_that_only_contains_such_a_word_is_accepted(value: str) -> None:
    for source in sources(VALUES | {"RELAY_KEY": value}):
        assert fetch(source, SECRETS)["RELAY_KEY"] == value


def test_what_is_wrong_with_values_is_said_at_once_with_a_line_for_each_and_shows_none() -> None:
    secrets = (*SECRETS, Secret(binding="LONG", key="LONG_KEY", min_length=40), Secret(binding="GONE", key="GONE_KEY"))
    source, _ = sources({"RELAY_KEY": "canary-", "HOOK_SECRET": "todo", "LONG_KEY": "canary" * 6})
    with pytest.raises(SecretError) as caught:
        fetch(source, secrets)
    assert "canary" not in f"{caught.value}{caught.value!r}"
    assert [line.partition(". ")[0] for line in str(caught.value).splitlines()] == [
        "Pulumi.staging.yaml secrets: GONE_KEY (missing)",
        "Pulumi.staging.yaml secrets RELAY_KEY: is shorter than 8 characters",
        "Pulumi.staging.yaml secrets HOOK_SECRET: is a placeholder, not a value",
        "Pulumi.staging.yaml secrets LONG_KEY: is shorter than 40 characters",
    ]
    assert [error.where for error in caught.value.errors][1:] == [
        f"{source.where} {key}" for key in ("RELAY_KEY", "HOOK_SECRET", "LONG_KEY")
    ]


class TestBetweenEnvironments:
    MARK = SharedSecret(reason="the callers change theirs in January", until=date(2027, 1, 31))

    def test_a_secret_that_must_be_the_same_and_is_not_is_refused_by_name(self) -> None:
        secrets = (
            Secret(binding="A", key="A_KEY", same=True),
            Secret(binding="B", key="B_KEY"),
            Secret(binding="C", key="C_KEY", same=True),
        )
        faults = different_faults(
            secrets, {"A_KEY": "1", "B_KEY": "1", "C_KEY": "1"}, {"A_KEY": "2", "B_KEY": "2", "C_KEY": "1"}, "staging"
        )
        assert [str(fault) for fault in faults] == [
            "A_KEY: differs from the one of staging, and both must be the same. Set the same value for both environments."
        ]
        assert different_faults(secrets, {"A_KEY": "1"}, {}, "staging") == []
        assert len(different_faults(secrets, {}, {"A_KEY": "1"}, "staging")) == 1

    def test_a_marked_secret_may_be_shared_up_to_its_last_day(self) -> None:
        own, others = {"RELAY_KEY": "1"}, {"RELAY_KEY": "1"}
        marked = {"RELAY_KEY": self.MARK}
        assert shared_faults(SECRETS, own, others, "staging", marked) == []
        assert ended_marks(own, others, marked, self.MARK.until) == []
        after = self.MARK.until + timedelta(days=1)
        assert [str(fault) for fault in ended_marks(own, others, marked, after)] == [
            (
                "RELAY_KEY: may be shared until 2027-01-31 only (the callers change theirs in January). "
                "Give each environment its own value, or set a later day at shared-secrets."
            )
        ]
        assert ended_marks(own, {"RELAY_KEY": "2"}, marked, after) == []

    def test_a_mark_is_for_a_distinct_secret_and_has_a_reason_and_a_day(self, make_settings: Callable[..., Settings]) -> None:
        for mark in ({"reason": "r"}, {"until": "2027-01-31"}, {"reason": "", "until": "2027-01-31"}, {"reason": "r", "until": "soon"}):
            with pytest.raises(CraneError, match=r"^Pulumi.staging.yaml crane-infra:shared-secrets.RELAY_KEY\."):
                make_settings(shared_secrets={"RELAY_KEY": mark})
        for until in ("2027-01-31", "2027-01-31T00:00:00Z"):
            settings = make_settings(shared_secrets={"RELAY_KEY": {"reason": "r", "until": until}})
            assert marks_of(settings, SECRETS)["RELAY_KEY"].until == date(2027, 1, 31)
        with pytest.raises(CraneError, match=r"shared-secrets\.HOOK_SECRET: is not the key of a distinct secret in the catalog"):
            marks_of(make_settings(shared_secrets={"HOOK_SECRET": {"reason": "r", "until": "2027-01-31"}}), SECRETS)

    def test_all_of_them_are_said_at_once(self) -> None:
        secrets = [Secret(binding=name, key=name, distinct=True) for name in ("A", "B")]
        with pytest.raises(SecretError) as caught:
            refuse(shared_faults(secrets, {"A": "1", "B": "2"}, {"A": "1", "B": "2"}, "staging", {}))
        assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["A", "B"]
        refuse([])

    def test_a_secret_cannot_be_both_distinct_and_same(self) -> None:
        with pytest.raises(ValueError, match="a secret cannot be both distinct and same"):
            Secret(binding="A", key="A", distinct=True, same=True)
