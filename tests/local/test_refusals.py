"""What the cloud does not pretend to be."""

from tests.local.conftest import Api


def test_what_is_not_emulated_says_so(api: Api) -> None:
    text = f"The local cloud does not emulate GET /accounts/{api.running.account_id}/r2/buckets"
    assert api.refusal("GET", "/r2/buckets") == (501, 10404, text)
    assert api.refusal("DELETE", "/workers/subdomain")[0] == 501


def test_the_account_has_a_workers_dev_subdomain(api: Api) -> None:
    assert api.result("GET", "/workers/subdomain") == {"subdomain": "automation-ab6"}
