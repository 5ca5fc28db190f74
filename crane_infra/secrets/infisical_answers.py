"""What Infisical answers, as far as it is read, and what it means. Pure.

Imports stand beside the secrets of a folder: its own secrets win, and later imports win over earlier ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

_REFERENCE = re.compile(r"\$\{[^}]*\}")


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True, defer_build=True)


class LoginAnswer(_Part):
    """The answer to a login."""

    accessToken: str  # noqa: N815 - Infisical's name


class OidcAnswer(_Part):
    """The answer of GitHub's token service."""

    value: str


class _ListedSecret(_Part):
    secretKey: str  # noqa: N815
    version: int | None = None
    updatedAt: str | None = None  # noqa: N815


class _Import(_Part):
    secrets: tuple[_ListedSecret, ...] = ()


class ListAnswer(_Part):
    """The secrets of a folder and those that it imports. Their values are not asked for, and not read where a server sends them."""

    secrets: tuple[_ListedSecret, ...]
    imports: tuple[_Import, ...] | None = None


class _Secret(_Part):
    secretKey: str  # noqa: N815
    secretValue: str  # noqa: N815
    version: int | None = None
    secretValueHidden: bool = False  # noqa: N815


class SecretAnswer(_Part):
    """One secret with its value."""

    secret: _Secret


class Listed(NamedTuple):
    """A secret that is there: its version, and when it was changed last, where Infisical says so."""

    version: int | None
    changed_on: str | None


@dataclass(frozen=True)
class Value:
    """A value as it was read. ``fault`` says why it is none."""

    name: str
    version: int | None
    text: str = field(repr=False)
    fault: str | None


def listed_in(answer: ListAnswer) -> dict[str, Listed]:
    """The secrets that a folder has, by name."""
    own = [secret for imported in answer.imports or () for secret in imported.secrets] + list(answer.secrets)
    return {secret.secretKey: Listed(secret.version, secret.updatedAt) for secret in own}


def value_in(name: str, answer: SecretAnswer) -> Value:
    """The value in an answer. One that is hidden, or has a reference that Infisical left as it is, is none."""
    secret = answer.secret
    fault = None
    if secret.secretValueHidden:
        fault = "hidden from this identity"
    elif _REFERENCE.search(secret.secretValue):
        fault = "contains a reference that was not resolved"
    elif secret.secretKey != name:
        fault = "the answer is about another secret"
    return Value(name, secret.version, secret.secretValue, fault)


def changed(listed: Mapping[str, Listed], values: Mapping[str, Value | None]) -> list[str]:
    """The names whose value is of another version than the list said, or was gone (None) when it was read."""
    return [name for name, value in values.items() if value is None or _differ(listed[name].version, value.version)]


def _differ(first: int | None, second: int | None) -> bool:
    return first is not None and second is not None and first != second
