"""How a stack logs in to Infisical: by universal auth, or with the token that GitHub gives a job. Pure."""

from collections.abc import Mapping

from crane_infra.config.infisical import InfisicalSettings
from crane_infra.config.settings import Settings
from crane_infra.errors import SecretError, SettingsError
from crane_infra.secrets.infisical import GithubOidc, Login, UniversalAuth

CLIENT_ID, CLIENT_SECRET = "INFISICAL_UNIVERSAL_AUTH_CLIENT_ID", "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET"
"""The names that Infisical's own command line has for them."""
LOGIN = {CLIENT_ID: "infisical-client-id", CLIENT_SECRET: "infisical-client-secret"}
"""The settings that take their place in a stack file, encrypted."""
_TOKEN_URL, _TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


def place_of(settings: Settings) -> InfisicalSettings:
    """Where the secrets of a stack are in Infisical. Raises SettingsError if it is not set."""
    if settings.infisical is None:
        todo = "Set project, environment and path below it: docs/secrets.md"
        raise SettingsError(f"{settings.file} {settings.project}:infisical", "is missing, and secret-source is infisical", todo)
    return settings.infisical


def login_of(place: InfisicalSettings, given: Mapping[str, str]) -> Login:
    """The login that a stack uses: GitHub's token where it sets an identity, else client id and client secret.

    ``given`` are environment variables, and what the configuration sets in their place. Raises SecretError with the names that are missing.
    """
    names = (_TOKEN_URL, _TOKEN) if place.identity else (CLIENT_ID, CLIENT_SECRET)
    if missing := [name for name in names if not given.get(name, "").strip()]:
        todo = "Give the job the permission id-token: write, or remove infisical.identity" if place.identity else _SET
        raise SecretError(f"Infisical {place.place}", f"the login lacks {' and '.join(missing)}", todo)
    first, second = (given[name].strip() for name in names)
    return GithubOidc(place.identity, first, second, place.audience) if place.identity else UniversalAuth(first, second)


_SET = "Set the environment variables, or infisical-client-id and infisical-client-secret with pulumi config set --secret"
