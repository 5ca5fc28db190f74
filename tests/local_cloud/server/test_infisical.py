"""The Infisical of the local cloud answers what a run of crane asks: a login, a list without values, and each secret by its name."""

import httpx
import pytest

from crane_infra.config.infisical import InfisicalSettings
from crane_infra.errors import SecretError
from crane_infra.secrets.infisical import UniversalAuth, list_secrets, read_secrets
from local_cloud.daemon import Running
from local_cloud.infisical import CLIENT, PROJECT, Infisical
from tests.cloud import Api

pytestmark = pytest.mark.cloud

PLACE = "dev:/vc/staging"


@pytest.fixture
def infisical(cloud: Running) -> Infisical:
    """A folder with two secrets."""
    infisical = Infisical(cloud)
    infisical.put(PLACE, {"API_KEY": "canary-one", "HOOK": "canary-two"})
    return infisical


def settings(infisical: Infisical, **changes: str) -> InfisicalSettings:
    place = {"project": PROJECT, "environment": "dev", "path": "/vc/staging", "site": infisical.site}
    return InfisicalSettings.model_validate(place | changes)


def test_a_run_reads_the_secrets_that_it_wants(cloud: Running, infisical: Infisical) -> None:
    login = UniversalAuth(CLIENT, cloud.token)
    assert read_secrets(settings(infisical), login, ["API_KEY", "MISSING"]) == {"API_KEY": "canary-one"}
    assert read_secrets(settings(infisical, path="/vc"), login, ["API_KEY"]) == {}


def test_a_new_value_is_a_new_version(cloud: Running, infisical: Infisical) -> None:
    login = UniversalAuth(CLIENT, cloud.token)
    before = list_secrets(settings(infisical), login)
    infisical.put(PLACE, {"API_KEY": "canary-one", "HOOK": f"canary-{before['HOOK'].version}"})
    after = list_secrets(settings(infisical), login)
    assert (after["API_KEY"], after["HOOK"].version) == (before["API_KEY"], (before["HOOK"].version or 0) + 1)
    assert infisical.values(PLACE)["HOOK"] == f"canary-{before['HOOK'].version}"


@pytest.mark.parametrize(("client", "secret"), [(CLIENT, "wrong"), ("another", "")])
def test_another_login_is_refused(cloud: Running, infisical: Infisical, client: str, secret: str) -> None:
    with pytest.raises(SecretError, match="it refused the login"):
        read_secrets(settings(infisical), UniversalAuth(client, secret or cloud.token), ["API_KEY"])


def test_another_project_is_not_there(cloud: Running, infisical: Infisical) -> None:
    with pytest.raises(SecretError, match="HTTP 404"):
        read_secrets(settings(infisical, project="another-project"), UniversalAuth(CLIENT, cloud.token), ["API_KEY"])


def test_a_list_has_no_values_and_nothing_answers_without_a_token(cloud: Running, infisical: Infisical, api: Api) -> None:
    address, place = f"{infisical.site}/api/v4/secrets", {"projectId": PROJECT, "environment": "dev", "secretPath": "/vc/staging"}
    assert api.http.get(address, params=place).status_code == 401  # the token of the cloud is not one of Infisical
    body = {"clientId": CLIENT, "clientSecret": cloud.token}
    token = httpx.post(f"{infisical.site}/api/v1/auth/universal-auth/login", json=body, trust_env=False, timeout=60).json()["accessToken"]
    listed = httpx.get(
        address, params={**place, "viewSecretValue": "false"}, headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60
    )
    assert "canary" not in listed.text
    assert {secret["secretKey"] for secret in listed.json()["secrets"]} == {"API_KEY", "HOOK"}
