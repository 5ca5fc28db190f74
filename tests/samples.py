"""Samples for unit tests: settings as Pulumi passes them, and a valid proof."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crane_infra.config.settings import Settings, parse
from crane_infra.release.proof import Proof

ACCOUNT = "0123456789abcdef0123456789abcdef"
MANIFEST = {"schema": 1, "workers": {"crane-context": {"digest": "t1"}}, "databases": {"crane-context-db": {"migrations": []}}}
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
Config = dict[str, Any]


def known(environment: str, root: Path) -> dict[str, str]:
    """What Pulumi tells about the stack."""
    return {"environment": environment, "project": "crane-infra", "organization": "organization", "root": str(root)}


def config(environment: str) -> Config:
    """A complete configuration of one environment."""
    suffix = {"staging": "staging", "production": "prod"}[environment]
    return {
        "workers-dir": "workers",
        "workers-subdomain": "automation-ab6",
        "databases": {
            "crane-context-db": {"name": f"crane-context-db-{suffix}"},
            "crane-classifier-db": {"name": f"crane-classifier-db-{suffix}"},
        },
        "workers": {
            "crane-context": {"variables": {"ENVIRONMENT": environment}},
            "crane-classifier": {"variables": {"ENVIRONMENT": environment}},
        },
    }


def as_pulumi(values: Config) -> dict[str, str]:
    """Configuration as Pulumi passes it to a program: full keys, and values as text."""
    return {f"crane-infra:{key}": value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


@pytest.fixture
def make_settings(tmp_path: Path) -> Callable[..., Settings]:
    """Make settings of an environment, with some keys replaced; a key that is None is left out."""

    def make(environment: str = "staging", **changes: object) -> Settings:
        values = config(environment) | {key.replace("_", "-"): value for key, value in changes.items()}
        environ = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "token-canary"}
        return parse(known(environment, tmp_path), as_pulumi({key: value for key, value in values.items() if value is not None}), environ)

    return make


@pytest.fixture
def make_proof() -> Callable[..., Proof]:
    """Make a valid proof of staging, with some fields replaced."""

    def make(**changes: object) -> Proof:
        valid: dict[str, Any] = {
            "schema": 1,
            "project": "crane-infra",
            "environment": "staging",
            "account": ACCOUNT,
            "digest": "a" * 64,
            "manifest": MANIFEST,
            "workers": {"crane-context": {"script": "crane-context-staging", "version": "v1", "tag": "t1"}},
            "databases": {"crane-context-db": {"id": "d1", "name": "n", "head": {"name": "0001_a.sql", "count": 1, "digest": "h"}}},
            "checks": {"crane-context": ["health"]},
            "commit": "c0ffee",
            "proven_at": NOW,
            "versions": {"pulumi": "3.1.0"},
        }
        return Proof.model_validate(valid | changes)

    return make
