"""wrangler shows the account, and Cloudflare's refusal of a wrong token."""

import pytest

from tests.wrangler import Wrangler

pytestmark = [pytest.mark.cloud, pytest.mark.npm]


def test_whoami_names_the_account(wrangler: Wrangler) -> None:
    output = wrangler("whoami").stdout
    assert wrangler.running.account_id in output
    assert wrangler.running.token not in output


def test_a_wrong_token_is_refused_with_cloudflares_code(wrangler: Wrangler) -> None:
    done = wrangler("d1", "list", token="wrong", check=False)
    assert done.returncode == 1
    assert "Authentication error [code: 10000]" in done.stdout + done.stderr
