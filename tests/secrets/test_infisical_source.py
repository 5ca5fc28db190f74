"""A stack whose source is Infisical: its place and its login are set, and its keys may have other names there."""

from collections.abc import Callable, Iterator

import pytest
from pulumi.runtime.config import set_all_config

from crane_infra.config.settings import Settings
from crane_infra.errors import CraneError
from crane_infra.secrets.login import CLIENT_ID, CLIENT_SECRET, login_of
from crane_infra.secrets.sources import source_of
from tests.secrets.infisical_server import BEARER, CLIENT, IDENTITY, PROJECT, Infisical, running
from tests.secrets.infisical_server import CLIENT_SECRET as PLANTED

MakeSettings = Callable[..., Settings]
KEYS = ["RELAY_KEY", "HOOK_SECRET", "EXTRA_KEY"]


@pytest.fixture
def infisical() -> Iterator[Infisical]:
    with running() as server:
        server.put(RELAY_KEY="canary-relay", STAGING_HOOK="canary-hook")
        yield server


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLIENT_ID, CLIENT)
    monkeypatch.setenv(CLIENT_SECRET, PLANTED)


def place(infisical: Infisical, **changes: object) -> dict[str, object]:
    return {"project": PROJECT, "environment": "dev", "path": "/vc/staging", "site": infisical.url} | changes


@pytest.mark.usefixtures("logged_in")
def test_gives_values_by_key_also_where_they_have_other_names_there(infisical: Infisical, make_settings: MakeSettings) -> None:
    settings = make_settings(secret_source="infisical", infisical=place(infisical, names={"HOOK_SECRET": "STAGING_HOOK"}))
    source = source_of(settings, KEYS)
    assert [source.get(key) for key in KEYS] == ["canary-relay", "canary-hook", None]
    assert source.where == "Infisical dev:/vc/staging"
    assert source.how_to_set("HOOK_SECRET") == "Set STAGING_HOOK in Infisical, environment dev, path /vc/staging"
    assert "canary" not in repr(source)


def test_takes_the_login_from_the_configuration_before_the_environment(
    infisical: Infisical, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CLIENT_ID, "another")
    stored = {"crane-infra:infisical-client-id": CLIENT, "crane-infra:infisical-client-secret": PLANTED}
    try:
        set_all_config(stored, list(stored))
        settings = make_settings(secret_source="infisical", infisical=place(infisical))
        assert source_of(settings, KEYS).get("RELAY_KEY") == "canary-relay"
        set_all_config(stored, [])
        with pytest.raises(CraneError, match="infisical-client-id: is stored in the clear") as caught:
            source_of(settings, KEYS)
        assert "canary" not in str(caught.value)
    finally:
        set_all_config({}, [])


@pytest.mark.parametrize("missing", ["project", "environment", "path"])
def test_has_no_default_for_where_the_secrets_are(infisical: Infisical, make_settings: MakeSettings, missing: str) -> None:
    values = place(infisical)
    del values[missing]
    with pytest.raises(CraneError, match=f"^Pulumi.staging.yaml crane-infra:infisical.{missing}: is missing"):
        make_settings(secret_source="infisical", infisical=values)
    assert infisical.requests == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"site": "http://infisical.example.org"}, "site"),
        ({"path": "vc"}, "path"),
        ({"environment": "dev/x"}, "environment"),
        ({"names": {"KEY": "a/b"}}, "names.KEY"),
    ],
)
def test_a_place_that_cannot_be_meant_is_refused_by_its_path(
    infisical: Infisical, make_settings: MakeSettings, changes: dict[str, object], path: str
) -> None:
    with pytest.raises(CraneError, match=f"^Pulumi.staging.yaml crane-infra:infisical.{path}: "):
        make_settings(infisical=place(infisical, **changes))


def test_what_is_not_set_is_named_and_nothing_is_asked(
    infisical: Infisical, make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (CLIENT_ID, CLIENT_SECRET, "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for changes, text in (
        (None, "Pulumi.staging.yaml crane-infra:infisical: is missing, and secret-source is infisical. "),
        (place(infisical), f"Infisical dev:/vc/staging: the login lacks {CLIENT_ID} and {CLIENT_SECRET}. "),
        (place(infisical, identity=IDENTITY), "Infisical dev:/vc/staging: the login lacks ACTIONS_ID_TOKEN_REQUEST_URL and "),
        (
            place(infisical, names={"TYPO": "X"}),
            "Pulumi.staging.yaml crane-infra:infisical.names.TYPO: is not the key of a secret in the catalog. ",
        ),
    ):
        with pytest.raises(CraneError) as caught:
            source_of(make_settings(secret_source="infisical", infisical=changes), KEYS)
        assert str(caught.value).startswith(text)
    assert infisical.requests == []


def test_a_stack_with_an_identity_logs_in_with_githubs_token(infisical: Infisical) -> None:
    given = {"ACTIONS_ID_TOKEN_REQUEST_URL": infisical.github().url, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER, CLIENT_ID: CLIENT}
    assert login_of(infisical.settings(identity=IDENTITY, audience="x"), given) == infisical.github("x")
