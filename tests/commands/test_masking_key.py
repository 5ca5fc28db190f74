"""The key of the masks is a secret: without one, or with one in the clear, nothing is read."""

import pytest

from crane_infra.commands.masking_key import VARIABLE, masking_key, require_secret
from crane_infra.errors import SecretError

PLANTED = "planted-masking-key-of-staging"


def test_a_variable_comes_first_and_needs_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, PLANTED)
    monkeypatch.setenv("PATH", "")
    assert masking_key("crane-infra") == PLANTED


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (None, "masking-key: is not set, and masked values depend on it. Run pulumi config set --secret masking-key"),
        ({"value": PLANTED}, "masking-key: is stored in the clear. Run pulumi config set --secret masking-key"),
        ({"value": PLANTED, "secret": False}, "masking-key: is stored in the clear"),
    ],
)
def test_none_and_one_in_the_clear_are_refused_without_showing_it(entry: dict[str, object] | None, message: str) -> None:
    with pytest.raises(SecretError) as caught:
        require_secret(entry)
    assert str(caught.value).startswith(message)
    assert PLANTED not in str(caught.value)


def test_an_encrypted_one_passes() -> None:
    require_secret({"secret": True})
