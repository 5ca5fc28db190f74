"""The rules for secrets: none is missing, empty, a placeholder or too short; distinct ones differ between environments, same ones do not. Pure.

Values are compared by their fingerprints, so no result that others see contains one.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import date

from crane_infra.config.catalog import Secret
from crane_infra.config.settings import KEY_NAME, Settings, SharedSecret
from crane_infra.errors import SecretError, SettingsError, refuse
from crane_infra.secrets.sources import SecretSource

_PLACEHOLDER = re.compile(r"(change|replace)[-_ ]?me|todo|tbd|fixme|placeholder|x{3,}|<.*>|your[-_ ].*", re.IGNORECASE | re.DOTALL)


def fetch(source: SecretSource, secrets: Iterable[Secret]) -> dict[str, str]:
    """The value of each secret by its key; an optional one that the source does not have is left out.

    Raises SecretError with the name of every missing or empty key and how to set the first, and with a line for each placeholder and each
    value that is too short. It never shows a value.
    """
    values: dict[str, str] = {}
    unusable: list[str] = []
    faults: list[SecretError] = []
    for secret in secrets:
        value = source.get(secret.key)
        if value is not None and value.strip():
            values[secret.key] = value
            faults += _faults_of(source, secret, value.strip())
        elif value is not None or secret.required:
            unusable.append(secret.key)
    if unusable:
        names = ", ".join(f"{key} ({'empty' if source.get(key) is not None else 'missing'})" for key in unusable)
        faults.insert(0, SecretError(source.where, names, source.how_to_set(unusable[0])))
    refuse(faults)
    return values


def _faults_of(source: SecretSource, secret: Secret, value: str) -> list[SecretError]:
    where, todo = f"{source.where} {secret.key}", source.how_to_set(secret.key)
    if _PLACEHOLDER.fullmatch(value):
        return [SecretError(where, "is a placeholder, not a value", todo)]
    return [SecretError(where, f"is shorter than {secret.min_length} characters", todo)] if len(value) < secret.min_length else []


def marks_of(settings: Settings, secrets: Iterable[Secret]) -> Mapping[str, SharedSecret]:
    """The distinct secrets that a stack marks as shared for a while. Raises SettingsError if a mark is for another key."""
    distinct = {secret.key for secret in secrets if secret.distinct}
    if unknown := sorted(settings.shared_secrets.keys() - distinct):
        where = f"{settings.file} {settings.project}:shared-secrets.{unknown[0]}"
        raise SettingsError(where, "is not the key of a distinct secret in the catalog", "Remove it, or correct its name")
    return settings.shared_secrets


def shared_faults(
    secrets: Iterable[Secret], own: Mapping[str, str], others: Mapping[str, str], other: str, marked: Mapping[str, SharedSecret]
) -> list[SecretError]:
    """Compare this environment's fingerprints by key (``own``) with those that the environment ``other`` exported (``others``).

    One fault for each distinct secret that has the same value there, but for those that are ``marked`` as shared.
    """
    distinct = {secret.key for secret in secrets if secret.distinct}
    return [
        SecretError(key, f"has the same value as in {other}", "Give each environment its own value, and replace the one that was shared")
        for key in sorted((distinct & own.keys()) - marked.keys())
        if own[key] in others.values()
    ]


def ended_marks(own: Mapping[str, str], others: Mapping[str, str], marked: Mapping[str, SharedSecret], today: date) -> list[SecretError]:
    """One fault for each secret that is still shared after the last day on which it may."""
    return [
        SecretError(
            key,
            f"may be shared until {mark.until.isoformat()} only ({mark.reason})",
            "Give each environment its own value, or set a later day at shared-secrets",
        )
        for key, mark in sorted(marked.items())
        if today > mark.until and own.get(key) in others.values()
    ]


def different_faults(secrets: Iterable[Secret], own: Mapping[str, str], others: Mapping[str, str], other: str) -> list[SecretError]:
    """One fault for each secret that must be the same and is not.

    Only production checks this, so that staging can change its value first.
    """
    same = {secret.key for secret in secrets if secret.same}
    return [
        SecretError(key, f"differs from the one of {other}, and both must be the same", "Set the same value for both environments")
        for key in sorted(same & (own.keys() | others.keys()))
        if others and own.get(key) != others.get(key)
    ]


def require_same_key(own: Mapping[str, str], others: Mapping[str, str], other: str) -> None:
    """Make sure that both environments use the same fingerprint key, without which fingerprints cannot be compared.

    Only production checks this, so that staging can change its key first. Raises SecretError if the other environment exported
    fingerprints under another key.
    """
    if others and others.get(KEY_NAME) != own[KEY_NAME]:
        raise SecretError(
            KEY_NAME, f"differs from the one of {other}, so secrets that both share cannot be found", "Set the same key in both stacks"
        )
