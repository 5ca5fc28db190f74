"""Where secret values come from: the stack's encrypted configuration, environment variables, or Infisical. All have one interface.

``rules.py`` checks the values.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pulumi.runtime import config as pulumi_config

from crane_infra.config.infisical import InfisicalSettings
from crane_infra.config.settings import Settings
from crane_infra.config.stackfile import stack_config
from crane_infra.errors import SecretError, SettingsError
from crane_infra.release.signature import SigningKey
from crane_infra.secrets.infisical import read_secrets
from crane_infra.secrets.login import LOGIN, login_of, place_of

KEY_LENGTH = 16


class SecretSource(Protocol):
    """Something that knows secret values by their keys."""

    @property
    def where(self) -> str:
        """The name of this source in an error."""

    def get(self, key: str) -> str | None:
        """The value, or None if the source does not have the key."""

    def how_to_set(self, key: str) -> str:
        """What a user does to set the key."""


@dataclass(frozen=True)
class ConfigSecrets:
    """Pulumi config secrets: ``secrets.<KEY>`` in the stack file."""

    stack: str
    values: Mapping[str, str] = field(repr=False)

    @property
    def where(self) -> str:
        """The name of this source in an error."""
        return f"Pulumi.{self.stack}.yaml secrets"

    def get(self, key: str) -> str | None:
        """The decrypted value."""
        return self.values.get(key)

    def how_to_set(self, key: str) -> str:
        """The command that stores the key, encrypted."""
        return f"Run pulumi config set --stack {self.stack} --path --secret secrets.{key}"


@dataclass(frozen=True)
class EnvironmentSecrets:
    """Environment variables that have the names of the keys."""

    environ: Mapping[str, str] = field(repr=False)
    where: str = "environment variables"

    def get(self, key: str) -> str | None:
        """The variable's value."""
        return self.environ.get(key)

    def how_to_set(self, key: str) -> str:
        """The variable to set."""
        return f"Set the environment variable {key}"


@dataclass(frozen=True)
class InfisicalSecrets:
    """Infisical, as it was when the run began: its values are read once, all at the same time. ``values`` are by key of the catalog."""

    settings: InfisicalSettings
    values: Mapping[str, str] = field(repr=False)

    @property
    def where(self) -> str:
        """The name of this source in an error."""
        return f"Infisical {self.settings.place}"

    def get(self, key: str) -> str | None:
        """The value as it was read."""
        return self.values.get(key)

    def how_to_set(self, key: str) -> str:
        """Where to set the key."""
        return f"Set {self.settings.name_of(key)} in Infisical, environment {self.settings.environment}, path {self.settings.path}"


def source_of(settings: Settings, keys: Collection[str]) -> SecretSource:
    """The source that the stack sets as ``secret-source``. Of Infisical, only ``keys`` are read, at once.

    Raises SecretError if secrets in the configuration are stored in the clear, or are not a map of keys to texts, or if Infisical cannot be
    read; SettingsError if the settings of Infisical are incomplete.
    """
    if settings.secret_source == "environment":
        return EnvironmentSecrets(os.environ)
    if settings.secret_source == "infisical":
        return _infisical(settings, keys)
    key = f"{settings.project}:secrets"
    _require_each_encrypted(settings, key)
    return ConfigSecrets(settings.environment, _texts(settings.environment, _config_secret(settings, key) or "{}"))


def _infisical(settings: Settings, keys: Collection[str]) -> InfisicalSecrets:
    place = place_of(settings)
    if unknown := sorted(place.names.keys() - set(keys)):
        where, todo = f"{settings.file} {settings.project}:infisical.names.{unknown[0]}", "Remove it, or correct its name"
        raise SettingsError(where, "is not the key of a secret in the catalog", todo)
    in_config = {name: _config_secret(settings, f"{settings.project}:{setting}") for name, setting in LOGIN.items()}
    login = login_of(place, {**os.environ, **{name: value for name, value in in_config.items() if value}})
    values = read_secrets(place, login, sorted({place.name_of(key) for key in keys}))
    return InfisicalSecrets(place, {key: values[place.name_of(key)] for key in keys if place.name_of(key) in values})


def fingerprint_key(settings: Settings) -> str:
    """The key of the fingerprints, which show whether two secrets are equal without showing them. Both stacks have the same key.

    Raises SecretError if it is missing, empty, too short or stored in the clear.
    """
    value = _config_secret(settings, f"{settings.project}:fingerprint-key")
    if not value:
        raise SecretError(
            f"Pulumi.{settings.environment}.yaml {settings.project}:fingerprint-key",
            "is missing",
            "Give both stacks the same random text: pulumi config set --secret fingerprint-key",
        )
    if len(value) < KEY_LENGTH:
        raise SecretError(
            f"Pulumi.{settings.environment}.yaml {settings.project}:fingerprint-key",
            f"is shorter than {KEY_LENGTH} characters, so secrets could be guessed from their fingerprints",
            "Give both stacks the same longer random text",
        )
    return value


def signing_key(settings: Settings) -> SigningKey | None:
    """The key with which staging signs its proofs; None where it has none.

    Raises SecretError if it is not a key, is stored in the clear, or stands in a stack that signs nothing.
    """
    where = f"Pulumi.{settings.environment}.yaml {settings.project}:signing-key"
    value = _config_secret(settings, f"{settings.project}:signing-key")
    if value is None:
        return None
    if settings.environment != "staging":
        todo = f"Run pulumi config rm signing-key -s {settings.environment}, and make staging a new key: crane new-signing-key"
        raise SecretError(where, "is a secret of staging: whoever has it can prove anything to production", todo)
    try:
        return SigningKey(value)
    except ValueError:
        raise SecretError(where, "is not a private key", "Make one: crane new-signing-key") from None


def _config_secret(settings: Settings, key: str) -> str | None:
    value: str | None = pulumi_config.get_config(key)
    if value is not None and not pulumi_config.is_config_secret(key):
        raise SecretError(
            f"Pulumi.{settings.environment}.yaml {key}", "is stored in the clear", "Replace the secret, and store the new one with --secret"
        )
    return value


def _require_each_encrypted(settings: Settings, key: str) -> None:
    """Pulumi marks a map as secret if one of its values is; only the stack file shows which values are stored in the clear."""
    stored = stack_config(settings.root, settings.environment).get(key)
    clear = [name for name, value in stored.items() if not isinstance(value, dict)] if isinstance(stored, dict) else []
    if clear:
        raise SecretError(
            f"Pulumi.{settings.environment}.yaml {key}.{clear[0]}",
            "is stored in the clear",
            "Replace the secret, and store the new one with --secret",
        )


def _texts(stack: str, text: str) -> dict[str, str]:
    try:
        values = json.loads(text)
    except json.JSONDecodeError:
        values = None
    if isinstance(values, dict) and all(isinstance(value, str) for value in values.values()):
        return values
    raise SecretError(
        f"Pulumi.{stack}.yaml secrets", "is not a map of keys to texts", "Set each with pulumi config set --path --secret secrets.<KEY>"
    )
