"""The reference workers in real workerd: each endpoint with good and bad input, and the catalog's own checks."""

import hashlib
import hmac
import json
import re

import pytest

from crane_infra.catalog import crane
from crane_infra.checks.expected import Environment
from crane_infra.checks.run import run_checks, select
from tests.workers.conftest import SECRETS, WORKERS, Deployed, migrations

pytestmark = pytest.mark.cloud

KEYED = {"X-Relay-Key": SECRETS["CONTEXT_RELAY_KEY"]}
UNAUTHORIZED = (401, {"error": "unauthorized"})
NOT_FOUND = (404, {"error": "not found"})
BAD_SIGNATURE = (401, {"error": "bad signature"})
BOTH = ["crane-context", "crane-classifier"]
Everywhere = dict[tuple[str, str], Deployed]


def signed(body: str, delivery: str | None = "1", secret: str = SECRETS["GH_WEBHOOK_SECRET"]) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body.encode(), hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}", **({"X-GitHub-Delivery": delivery} if delivery else {})}


class TestBoth:
    @pytest.mark.parametrize("environment", ["staging", "production"])
    @pytest.mark.parametrize("worker", BOTH)
    async def test_the_checks_of_the_catalog_pass(self, deployed: Everywhere, worker: str, environment: Environment) -> None:
        """Twice: what writes is idempotent."""
        checks = select(crane().workers[worker].checks, environment)
        served = deployed[worker, environment]
        for _ in range(2):
            passed = await run_checks(served.target(), checks)
            assert {one.check for one in passed} == {check.name for check in checks}
            assert [one.version for one in passed if one.version] == [served.version["id"]]

    @pytest.mark.parametrize("worker", BOTH)
    def test_health_names_the_worker(self, deployed: Everywhere, worker: str) -> None:
        assert deployed[worker, "staging"].ask("GET", "/health") == (200, {"status": "ok", "worker": worker})

    @pytest.mark.parametrize("worker", BOTH)
    def test_version_is_that_of_the_deployed_version(self, deployed: Everywhere, worker: str) -> None:
        served = deployed[worker, "staging"]
        shown = {"id": served.version["id"], "tag": "tagged", "timestamp": served.version["created_on"]}
        assert served.ask("GET", "/version") == (200, shown)

    @pytest.mark.parametrize("path", ["/", "/nothing", "/health/", "/__proto__", "/constructor"])
    @pytest.mark.parametrize("worker", BOTH)
    def test_an_unknown_path_is_not_found(self, deployed: Everywhere, worker: str, path: str) -> None:
        assert deployed[worker, "staging"].ask("GET", path) == NOT_FOUND

    @pytest.mark.parametrize("worker", BOTH)
    def test_a_wrong_method_is_told_the_right_one(self, deployed: Everywhere, worker: str) -> None:
        served = deployed[worker, "staging"]
        assert served.ask("DELETE", "/health") == (405, {"error": "method not allowed"})
        assert served.allowed("DELETE", "/health") == "GET"

    @pytest.mark.parametrize("worker", BOTH)
    def test_its_folder_has_the_shape_of_a_built_worker(self, worker: str) -> None:
        names = {file.name for file in (WORKERS / worker / "dist").iterdir()}
        assert "index.js" in names
        assert len(names) > 1
        assert all(name.endswith(".js") for name in names)
        assert len(migrations(worker)) >= 3
        assert all(re.fullmatch(r"\d{4}_[a-z_]+\.sql", file.name) for file in migrations(worker))


class TestContext:
    @pytest.mark.parametrize("headers", [{}, {"X-Relay-Key": ""}, {"X-Relay-Key": "wrong"}, {"X-Relay-Key": SECRETS["CONTEXT_ADMIN_KEY"]}])
    @pytest.mark.parametrize(("method", "path"), [("GET", "/active"), ("POST", "/sessions/heartbeat"), ("POST", "/smoke")])
    def test_nothing_opens_without_the_relay_key(self, context: Deployed, method: str, path: str, headers: dict[str, str]) -> None:
        assert context.ask(method, path, headers) == UNAUTHORIZED

    def test_a_session_is_active_from_its_heartbeat_until_it_is_stale(self, context_in_production: Deployed) -> None:
        context = context_in_production
        status, shown = context.ask("POST", "/sessions/heartbeat", KEYED, json.dumps({"session_id": "s1", "agent": "a", "host": "h"}))
        assert status == 200
        assert 480 <= shown["next_heartbeat_seconds"] <= 720
        status, active = context.ask("GET", "/active", KEYED)
        assert (status, active["count"]) == (200, 1)
        assert active["sessions"][0].items() >= {"id": "s1", "agent": "a", "host": "h"}.items()
        context.rows("UPDATE sessions SET last_heartbeat_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-46 minutes')")
        assert context.ask("GET", "/active", KEYED) == (200, {"sessions": [], "count": 0})

    @pytest.mark.parametrize(
        "body", ["", "{", "null", "[]", "{}", '{"session_id":"s","agent":""}', '{"session_id":"s","agent":"a","host":1}']
    )
    def test_a_malformed_heartbeat_is_refused(self, context: Deployed, body: str) -> None:
        assert context.ask("POST", "/sessions/heartbeat", KEYED, body) == (400, {"error": "malformed"})
        assert context.rows("SELECT * FROM sessions") == []

    def test_smoke_writes_one_row_however_often(self, context: Deployed) -> None:
        assert [context.ask("POST", "/smoke", KEYED) for _ in range(3)] == [(201, {"written": True})] * 3
        assert context.rows("SELECT name FROM smoke_writes") == [{"name": "smoke"}]

    @pytest.mark.parametrize("headers", [{}, KEYED])
    def test_smoke_is_not_there_outside_staging(self, context_in_production: Deployed, headers: dict[str, str]) -> None:
        assert context_in_production.ask("POST", "/smoke", headers) == NOT_FOUND
        assert context_in_production.rows("SELECT * FROM smoke_writes") == []

    def test_a_fault_tells_no_details(self, context: Deployed) -> None:
        context.rows("ALTER TABLE smoke_writes RENAME TO hidden")
        try:
            assert context.ask("POST", "/smoke", KEYED) == (500, {"error": "internal"})
        finally:
            context.rows("ALTER TABLE hidden RENAME TO smoke_writes")


class TestClassifier:
    def test_a_signed_delivery_is_stored_once(self, classifier: Deployed) -> None:
        body = json.dumps({"repository": {"full_name": "crane/größe"}})
        headers = {**signed(body, "once"), "X-GitHub-Event": "issues"}
        assert [classifier.ask("POST", "/webhook", headers, body) for _ in range(2)] == [(202, {"stored": True})] * 2
        stored = classifier.rows("SELECT event, repository FROM deliveries WHERE id = 'once'")
        assert stored == [{"event": "issues", "repository": "crane/größe"}]

    @pytest.mark.parametrize(
        "signature",
        [
            None,
            "",
            "sha256=",
            "sha256=00",
            "sha1=00",
            signed("{ }")["X-Hub-Signature-256"],
            signed("{}", secret="other")["X-Hub-Signature-256"],
        ],
    )
    def test_a_bad_signature_stores_nothing(self, classifier: Deployed, signature: str | None) -> None:
        headers = {"X-GitHub-Delivery": "forged", **({} if signature is None else {"X-Hub-Signature-256": signature})}
        assert classifier.ask("POST", "/webhook", headers, "{}") == BAD_SIGNATURE
        assert classifier.rows("SELECT * FROM deliveries WHERE id = 'forged'") == []

    @pytest.mark.parametrize("body", ["", "{", "null", "1"])
    def test_a_signed_body_that_is_no_json_object_is_refused(self, classifier: Deployed, body: str) -> None:
        assert classifier.ask("POST", "/webhook", signed(body), body) == (400, {"error": "malformed json"})

    def test_a_signed_body_without_a_delivery_id_is_refused(self, classifier: Deployed) -> None:
        assert classifier.ask("POST", "/webhook", signed("{}", None), "{}") == (400, {"error": "no delivery id"})
