"""What a check may declare, and what its definition says."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from crane_infra.catalog import crane
from crane_infra.checks.expected import Environment
from crane_infra.checks.model import Check, Expected, SecretHeader, SignatureHeader
from crane_infra.checks.run import select
from crane_infra.release.manifest import checks_digest

ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")


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


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"json_has": ("a..b",)}, "'a..b' is not a place in JSON, write it as data.items[0].id"),
        ({"json_at_least": {"a": "1"}}, "valid"),
        ({"json_at_least": {"a": True}}, "valid"),
        ({"json_at_least": {"a": float("nan")}}, "finite"),
        ({"json_matches": {"a": "(?=x)"}}, "look-around and backreferences are not known"),
        ({"body_matches": "a{1000}{1000}"}, "is not a regular expression that a check can use"),
        ({"status": ()}, "a status is a number from 200 to 599, or several of them"),
        ({"by_environment": {"test": {}}}, "'staging' or 'production'"),
        ({"by_environment": {"staging": {"path": "/other"}}}, "Extra inputs"),
        ({"method": "HEAD", "by_environment": {"staging": {"json_has": ("a",)}}}, "the reply to HEAD has no body"),
        ({"method": "HEAD", "body_matches": "a"}, "the reply to HEAD has no body"),
    ],
    ids=repr,
)
def test_a_wrong_expectation_is_refused(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Check.model_validate({"name": "x", "path": "/", **fields})
    assert text in str(caught.value)


def test_an_environment_may_expect_something_else() -> None:
    check = Check(name="x", path="/", status=200, json_has=("a",), by_environment={"production": Expected(status=404)})
    assert [(each.status, each.json_has) for env in ENVIRONMENTS for each in [check.in_environment(env)]] == [(200, ("a",)), (404, ("a",))]
    assert check.definition()["by_environment"] == {"production": {"status": 404}}
    assert Check.model_validate(check.definition()).definition() == check.definition()
    assert select([check], "production") == (check.in_environment("production"),)


def test_a_default_that_an_environment_returns_to_is_part_of_the_definition() -> None:
    check = Check(name="x", path="/", status=404, by_environment={"staging": Expected(status=200)})
    assert check.definition()["by_environment"] == {"staging": {"status": 200}}


def test_the_checks_of_the_releases_before_keep_their_digest() -> None:
    """A proof names it: another digest for the same checks would close the gate for every proven release."""
    digests = {name: checks_digest(worker) for name, worker in crane().workers.items()}
    assert digests == {
        "crane-context": "40bbdd9bab4e10ad5131d9f95d1ca0a4b0c256c9de990e789cf8e924561866b1",
        "crane-classifier": "203354e1763fcaff0c1b3fb8482bfb26385d80c89fb71c0e725b079265ea7e77",
    }


CHANGES: list[dict[str, Any]] = [
    {"json_has": ("a",)},
    {"json_at_least": {"a": 1}},
    {"json_matches": {"a": "b"}},
    {"body_matches": "a"},
    {"by_environment": {"staging": {}}},
    {"exact_url": True},
    {"status": (200,)},
]


@pytest.mark.parametrize("fields", CHANGES, ids=repr)
def test_every_other_check_has_another_definition(fields: dict[str, Any]) -> None:
    plain = Check(name="x", path="/")
    assert Check.model_validate({"name": "x", "path": "/", **fields}).definition() != plain.definition()
