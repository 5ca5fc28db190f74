"""The settings of Infisical as the source of a stack's secrets: where its secrets are, and how the stack logs in."""

from typing import Annotated, Literal

from pydantic import Field

from crane_infra.config.address import Address
from crane_infra.frozen import Frozen


class InfisicalSettings(Frozen):
    """A project, an environment and a path of Infisical. None of the three has a default, so no run reads the secrets of another stack."""

    project: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{8,64}$")]
    """The id of the project."""
    environment: Annotated[str, Field(pattern=r"^[0-9a-z_-]{1,64}$")]
    """The slug of the environment in Infisical, such as ``dev``."""
    path: Annotated[str, Field(pattern=r"^/([0-9A-Za-z_-]+(/[0-9A-Za-z_-]+)*)?$")]
    """The folder of the secrets, such as ``/vc/staging``."""
    names: dict[str, Annotated[str, Field(pattern=r"^[^\s/:]{1,255}$")]] = {}
    """By key of the catalog, the name that the secret has in this environment, where it differs."""
    site: Address = "https://app.infisical.com"
    api: Literal["v4", "v3"] = "v4"
    """``v3`` is for a server of your own that does not have ``v4`` yet."""
    identity: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{8,64}$")] | None = None
    """The id of the machine identity that logs in with GitHub's OIDC token; None: universal auth, with a client id and a client secret."""
    audience: Annotated[str, Field(pattern=r"^[^\s]+$")] | None = None
    """The audience of GitHub's token, if not GitHub's own default."""

    @property
    def place(self) -> str:
        """Where the secrets are, as messages name it."""
        return f"{self.environment}:{self.path}"

    def name_of(self, key: str) -> str:
        """The name in Infisical of a key of the catalog."""
        return self.names.get(key, key)
