"""Two versions are one upload only if all that can be read of them is the same, secrets by their fingerprint, and they were sent within half an hour."""

from typing import Any

import pytest

from crane_infra.live.version import are_one_upload, read_version

UPLOADED: dict[str, Any] = {
    "id": "v1",
    "number": 1,
    "created_on": "2026-11-24T12:00:00.000000Z",
    "annotations": {"workers/tag": "t", "workers/message": "secrets 1", "workers/triggered_by": "create_version_api"},
    "main_module": "index.js",
    "modules": [{"name": "index.js", "content_base64": "AAAA"}, {"name": "lib.js", "content_base64": "BBBB"}],
    "bindings": [{"name": "A", "type": "plain_text", "text": "a"}, {"name": "KEY", "type": "secret_text"}],
    "compatibility_date": "2026-01-01",
    "compatibility_flags": ["nodejs_compat"],
    "usage_model": "standard",
    "startup_time_ms": 3,
    "urls": [],
}
AGAIN: dict[str, Any] = {**UPLOADED, "id": "v2", "number": 2, "created_on": "2026-11-24T12:03:00.5Z", "startup_time_ms": 9, "urls": ["x"]}


def are_twins(**changes: object) -> bool:
    return are_one_upload(read_version(UPLOADED), read_version({**AGAIN, **changes}))


def test_an_upload_that_was_sent_again_is_one_upload() -> None:
    assert are_twins()
    assert are_one_upload(read_version(AGAIN), read_version(UPLOADED))


def test_a_time_without_a_zone_is_utc() -> None:
    assert are_twins(created_on="2026-11-24T12:03:00")


def test_the_order_of_bindings_and_modules_in_a_reply_does_not_matter() -> None:
    assert are_twins(bindings=UPLOADED["bindings"][::-1], modules=UPLOADED["modules"][::-1])


def test_a_reply_without_modules_leaves_the_code_to_the_tag() -> None:
    one, other = ({key: value for key, value in version.items() if key != "modules"} for version in (UPLOADED, AGAIN))
    assert are_one_upload(read_version(one), read_version(other))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"annotations": {**UPLOADED["annotations"], "workers/tag": "u"}}, id="another tag"),
        pytest.param({"annotations": {**UPLOADED["annotations"], "workers/message": "secrets 2"}}, id="a rotated secret"),
        pytest.param({"annotations": {**UPLOADED["annotations"], "workers/triggered_by": "secret"}}, id="a secret that wrangler put"),
        pytest.param(
            {"modules": [{"name": "index.js", "content_base64": "CCCC"}, UPLOADED["modules"][1]]}, id="other code under the same tag"
        ),
        pytest.param({"main_module": "lib.js"}, id="another main module"),
        pytest.param({"bindings": [{"name": "A", "type": "plain_text", "text": "b"}, UPLOADED["bindings"][1]]}, id="another variable"),
        pytest.param({"bindings": UPLOADED["bindings"][:1]}, id="a binding less"),
        pytest.param({"compatibility_date": "2026-01-02"}, id="another compatibility date"),
        pytest.param({"compatibility_flags": []}, id="other compatibility flags"),
        pytest.param({"placement": {"mode": "smart"}}, id="another placement"),
        pytest.param({"created_on": "2026-11-24T12:30:00.1Z"}, id="half an hour later"),
        pytest.param({"created_on": "2026-11-24T11:29:59Z"}, id="half an hour earlier"),
    ],
)
def test_anything_else_is_another_upload(changes: dict[str, Any]) -> None:
    assert not are_twins(**changes)


@pytest.mark.parametrize("missing", ["workers/tag", "workers/message"])
def test_versions_that_do_not_say_what_they_are_are_never_one_upload(missing: str) -> None:
    annotations = {name: text for name, text in UPLOADED["annotations"].items() if name != missing}
    one, other = (read_version({**version, "annotations": annotations}) for version in (UPLOADED, AGAIN))
    assert not are_one_upload(one, other)
    assert not are_one_upload(one, read_version(AGAIN))


@pytest.mark.parametrize("broken", [{"id": None, "created_on": None}, {"created_on": "yesterday"}, {"annotations": ["x"]}, {"bindings": 7}])
def test_an_answer_that_is_no_version_is_an_error_that_the_caller_expects(broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError, TypeError, AttributeError)):
        read_version({**UPLOADED, **broken})
