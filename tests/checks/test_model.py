"""What a check may declare, and what its definition says."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from crane_infra.checks.model import Check, SecretHeader, SignatureHeader


@pytest.mark.parametrize(
    "fault",
    [
        {"path": "health"},
        {"path": "//other.example/health"},
        {"path": "/a b"},
        {"path": "/a#b"},
        {"path": ""},
        {"path": "/ok\n"},
        {"method": "get"},
        {"method": "BREW"},
        {"headers": {"bad name": "x"}},
        {"headers": {"": "x"}},
        {"headers": {"Host": "x"}},
        {"headers": {"Content-Length": "0"}},
        {"headers": {"X-A": "x", "x-a": "y"}},
        {"headers": {"X-A": "two\r\nlines"}},
        {"headers": {"X-A": {"secret": "no binding"}}},
        {"headers": {"X-A": {"secret": "A", "hmac_sha256": "B"}}},
        {"deadline": 0},
        {"deadline": float("inf")},
        {"status": 99},
        {"name": ""},
        {"version_at": ""},
        {"method": "HEAD", "json_includes": {}},
        {"mutates": True},
    ],
    ids=repr,
)
def test_a_malformed_check_is_refused(fault: dict[str, Any]) -> None:
    Check.model_validate({"name": "health", "path": "/health"})
    with pytest.raises(ValidationError):
        Check.model_validate({"name": "health", "path": "/health", **fault})


@pytest.mark.parametrize("path", ["/", "/health", "/a/b?c=d&e=%20", "/a//b"])
def test_a_path_may_hold_a_query(path: str) -> None:
    assert Check(name="x", path=path).path == path


def test_a_check_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        Check(name="x", path="/").name = "y"  # type: ignore[misc]


def test_the_definition_writes_out_every_field_as_plain_json() -> None:
    check = Check(
        name="signed",
        method="POST",
        path="/webhook",
        headers={"X-A": "plain", "X-Key": SecretHeader(secret="KEY"), "X-Sig": SignatureHeader(hmac_sha256="HOOK")},
        body={"zen": "smoke"},
        status=202,
        mutating=True,
    )
    assert json.loads(json.dumps(check.definition())) == {
        "name": "signed",
        "method": "POST",
        "path": "/webhook",
        "headers": {"X-A": "plain", "X-Key": {"secret": "KEY", "prefix": ""}, "X-Sig": {"hmac_sha256": "HOOK"}},
        "body": {"zen": "smoke"},
        "status": 202,
        "json_includes": None,
        "version_at": None,
        "deadline": 60.0,
        "mutating": True,
    }
    assert Check.model_validate(check.definition()) == check


def test_a_check_names_the_secrets_that_it_needs() -> None:
    headers = {"X-A": "plain", "X-Key": SecretHeader(secret="KEY"), "X-Sig": SignatureHeader(hmac_sha256="HOOK")}
    assert Check(name="x", path="/", headers=headers).secrets == {"KEY", "HOOK"}
