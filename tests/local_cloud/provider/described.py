"""Scenarios written by hand from a description of what the official provider does. They are not recordings.

They have the form of the recorded ones, and two things more: ``warnings``, how many the engine prints, and replies that are lost. Each list
begins with an empty stack.
"""

import base64
from typing import Any

from tests.local_cloud.provider.replay import LOST
from tests.local_cloud.provider.scenarios import Scenario

Json = dict[str, Any]

ACCOUNT = "0" * 32
WORKERS, SCRIPTS = f"/accounts/{ACCOUNT}/workers/workers", f"/accounts/{ACCOUNT}/workers/scripts"
WORKER_ID, VERSION_ID, SECOND_VERSION_ID = "1" * 32, "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DEPLOYMENT_ID, SECOND_DEPLOYMENT_ID = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
THEN = "2026-01-02T03:04:05.678901Z"
CODE = "export default { fetch: () => new Response('described') }"
CONTENT = base64.b64encode(CODE.encode()).decode()
TYPES = {
    "worker": "cloudflare:index/worker:Worker",
    "version": "cloudflare:index/workerVersion:WorkerVersion",
    "deployment": "cloudflare:index/workersDeployment:WorkersDeployment",
    "cron": "cloudflare:index/workersCronTrigger:WorkersCronTrigger",
}
FULL_OBSERVABILITY: Json = {
    "enabled": False,
    "head_sampling_rate": 1,
    "logs": {"enabled": False, "head_sampling_rate": 1, "invocation_logs": True, "destinations": [], "persist": True},
    "traces": {"enabled": False, "head_sampling_rate": 1, "destinations": [], "persist": True},
}
SERVICE, TTL, KEY = (
    {"name": "BACK", "type": "service", "service": "back"},
    {"name": "TTL", "type": "plain_text", "text": "45"},
    {"name": "KEY", "type": "secret_text", "text": "described-secret"},
)
IN_PROGRAM_ORDER, BY_NAME_IN_REQUESTS = [TTL, SERVICE, KEY], [SERVICE, KEY, TTL]


def step(op: str, kind: str, replaces: str = "", differs: str = "") -> Json:
    """A step of a plan; ``replaces`` and ``differs`` are names of properties, with spaces between them."""
    reasons = {"replaceReasons": sorted(replaces.split()), "diffReasons": sorted(differs.split())}
    return {"op": op, "type": TYPES[kind], **{name: keys for name, keys in reasons.items() if keys}}


def exchange(method: str, path: str, request: object, result: object, status: int = 200) -> Json:
    """A request and its reply, in the form of the recordings."""
    reply = {"success": status < 400, "errors": [], "messages": [], "result": result}
    return {"method": method, "path": path, "request": request, "status": status, "response": reply}


def shown_worker(**settings: object) -> Json:
    """A worker as the API returns it."""
    references: Json = {key: [] for key in ("dispatch_namespace_outbounds", "domains", "durable_objects", "queues", "workers")}
    fixed = {"id": WORKER_ID, "created_on": THEN, "updated_on": THEN, "deployed_on": None, "references": references}
    return {**fixed, "logpush": False, "tags": [], "tail_consumers": [], **settings}


def shown_version(ident: str, bindings: list[Json], annotations: Json) -> Json:
    """A version as the API returns it, without the values of secrets."""
    return {
        "id": ident,
        "number": 1,
        "created_on": THEN,
        "source": "api",
        "urls": [],
        "usage_model": "standard",
        "annotations": {"workers/triggered_by": "create_version_api", **annotations},
        "compatibility_flags": [],
        "compatibility_date": "2026-01-01",
        "main_module": "index.js",
        "bindings": [
            {key: value for key, value in binding.items() if binding["type"] != "secret_text" or key != "text"} for binding in bindings
        ],
        "modules": [{"name": "index.js", "content_type": "application/javascript+module", "content_base64": CONTENT}],
    }


def shown_deployment(ident: str, version: str) -> Json:
    """A deployment as the API returns it."""
    shares = [{"percentage": 100, "version_id": version}]
    fixed = {"created_on": THEN, "source": "api", "author_email": "user@example.com", "strategy": "percentage"}
    return {"id": ident, **fixed, "annotations": {"workers/triggered_by": "deployment"}, "versions": shares}


def shown_schedules(*crons: str) -> Json:
    """Schedules as the API returns them."""
    return {"schedules": [{"cron": cron, "created_on": THEN, "modified_on": THEN} for cron in crons]}


def upload(annotations: Json) -> Json:
    """The body of a version's upload."""
    return {
        **({"annotations": annotations} if annotations else {}),
        "bindings": BY_NAME_IN_REQUESTS,
        "compatibility_date": "2026-01-01",
        "main_module": "index.js",
        "modules": [{"content_base64": CONTENT, "content_type": "application/javascript+module", "name": "index.js"}],
        "usage_model": "standard",
    }


def traffic(version: str) -> Json:
    """The body of a deployment."""
    return {"strategy": "percentage", "versions": [{"percentage": 100, "version_id": version}]}


TAGGED = {"workers/tag": "abc"}
VERSION: Json = {"code": CODE, "main_module": "index.js", "compatibility_date": "2026-01-01", "bindings": IN_PROGRAM_ORDER}
TAGGED_VERSION = {**VERSION, "annotations": {"workers_tag": "abc"}}
FIRST: Json = {
    "worker": {"name": "described", "subdomain": {"enabled": True}, "tags": ["b", "a"]},
    "version": TAGGED_VERSION,
    "deployment": [{"version": "new", "percentage": 100}],
    "cron": ["0 1 * * *", "0 2 * * *"],
}
SECOND: Json = {**FIRST, "worker": {"name": "described", "tags": ["a", "b"]}, "version": VERSION, "cron": ["0 2 * * *", "0 1 * * *"]}
SETTINGS: Json = {"logpush": False, "name": "described", "tags": ["a", "b"], "tail_consumers": []}
DEFAULTS: Json = {"enabled": False, "head_sampling_rate": 1, "traces": {"enabled": False, "head_sampling_rate": 1, "persist": True}}
BOTH, NEITHER = {"enabled": True, "previews_enabled": True}, {"enabled": False, "previews_enabled": False}
ANOTHER_VERSION = "annotations bindings compatibilityFlags createdOn limits mainScriptBase64 migrationTag number source startupTimeMs urls"
ANOTHER_DEPLOYMENT = "annotations authorEmail createdOn source versions"

CHANGES: list[Scenario] = [
    {
        "scenario": "described: replies of a version and a deployment are lost",
        "inputs": FIRST,
        "command": "up",
        "exit": 0,
        "warnings": 1,
        "plan": [step("create", kind) for kind in TYPES],
        "requests": [
            exchange(
                "POST",
                WORKERS,
                {**SETTINGS, "observability": DEFAULTS, "subdomain": BOTH},
                shown_worker(**SETTINGS, observability=FULL_OBSERVABILITY, subdomain=BOTH),
            ),
            exchange("POST", f"{WORKERS}/{WORKER_ID}/versions", upload(TAGGED), None, LOST),
            exchange("POST", f"{WORKERS}/{WORKER_ID}/versions", upload(TAGGED), shown_version(VERSION_ID, BY_NAME_IN_REQUESTS, TAGGED)),
            exchange("POST", f"{SCRIPTS}/described/deployments", traffic(VERSION_ID), None, LOST),
            exchange("POST", f"{SCRIPTS}/described/deployments", traffic(VERSION_ID), shown_deployment(DEPLOYMENT_ID, VERSION_ID)),
            exchange(
                "PUT",
                f"{SCRIPTS}/described/schedules",
                [{"cron": "0 1 * * *"}, {"cron": "0 2 * * *"}],
                shown_schedules("0 1 * * *", "0 2 * * *"),
            ),
        ],
    },
    {
        "scenario": "described: another order of bindings (preview only)",
        "inputs": {**FIRST, "version": {**TAGGED_VERSION, "bindings": [KEY, TTL, SERVICE]}},
        "warnings": 0,
        "plan": [step("replace", "version", "bindings", ANOTHER_VERSION), step("replace", "deployment", "versions", ANOTHER_DEPLOYMENT)],
    },
    {
        "scenario": "described: annotations and subdomain are no longer declared, another order of schedules",
        "inputs": SECOND,
        "command": "up",
        "exit": 0,
        "warnings": 0,
        "plan": [
            step("update", "worker", differs="references subdomain updatedOn"),
            step("replace", "version", "bindings", ANOTHER_VERSION),
            step("replace", "deployment", "versions", ANOTHER_DEPLOYMENT),
            step("update", "cron", differs="schedules"),
        ],
        "requests": [
            exchange(
                "PUT",
                f"{WORKERS}/{WORKER_ID}",
                {**SETTINGS, "observability": FULL_OBSERVABILITY, "subdomain": NEITHER},
                shown_worker(**SETTINGS, observability=FULL_OBSERVABILITY, subdomain=NEITHER),
            ),
            exchange("POST", f"{WORKERS}/{WORKER_ID}/versions", upload({}), shown_version(SECOND_VERSION_ID, BY_NAME_IN_REQUESTS, {})),
            exchange(
                "POST",
                f"{SCRIPTS}/described/deployments",
                traffic(SECOND_VERSION_ID),
                shown_deployment(SECOND_DEPLOYMENT_ID, SECOND_VERSION_ID),
            ),
            exchange(
                "PUT",
                f"{SCRIPTS}/described/schedules",
                [{"cron": "0 2 * * *"}, {"cron": "0 1 * * *"}],
                shown_schedules("0 2 * * *", "0 1 * * *"),
            ),
        ],
    },
    {
        "scenario": "described: refresh reads bindings in another order, and the schedules are gone",
        "inputs": SECOND,
        "command": "refresh",
        "exit": 0,
        "warnings": 1,
        "plan": [],
        "requests": [
            exchange("GET", f"{WORKERS}/{WORKER_ID}", "", shown_worker(**SETTINGS, observability=FULL_OBSERVABILITY, subdomain=NEITHER)),
            exchange(
                "GET",
                f"{WORKERS}/{WORKER_ID}/versions/{SECOND_VERSION_ID}?include=modules",
                "",
                shown_version(SECOND_VERSION_ID, [TTL, KEY, SERVICE], {}),
            ),
            exchange(
                "GET",
                f"{SCRIPTS}/described/deployments/{SECOND_DEPLOYMENT_ID}",
                "",
                shown_deployment(SECOND_DEPLOYMENT_ID, SECOND_VERSION_ID),
            ),
            exchange("GET", f"{SCRIPTS}/described/schedules", "", None, 404),
        ],
    },
    {
        "scenario": "described: no new version after another order in a reply (preview only)",
        "inputs": SECOND,
        "warnings": 1,
        "plan": [step("create", "cron")],
    },
    {
        "scenario": "described: refresh reads an environment that nobody sent",
        "inputs": SECOND,
        "command": "refresh",
        "exit": 0,
        "warnings": 0,
        "plan": [],
        "requests": [
            exchange("GET", f"{WORKERS}/{WORKER_ID}", "", shown_worker(**SETTINGS, observability=FULL_OBSERVABILITY, subdomain=NEITHER)),
            exchange(
                "GET",
                f"{WORKERS}/{WORKER_ID}/versions/{SECOND_VERSION_ID}?include=modules",
                "",
                shown_version(SECOND_VERSION_ID, [{**SERVICE, "environment": "production"}, KEY, TTL], {}),
            ),
            exchange(
                "GET",
                f"{SCRIPTS}/described/deployments/{SECOND_DEPLOYMENT_ID}",
                "",
                shown_deployment(SECOND_DEPLOYMENT_ID, SECOND_VERSION_ID),
            ),
        ],
    },
    {
        "scenario": "described: a new version because of the environment (preview only)",
        "inputs": SECOND,
        "warnings": 1,
        "plan": [
            step("create", "cron"),
            step("replace", "version", "bindings", ANOTHER_VERSION),
            step("replace", "deployment", "versions", ANOTHER_DEPLOYMENT),
        ],
    },
]

LACKING: Json = {"enabled": True, "head_sampling_rate": 0.25, "logs": {"enabled": True, "invocation_logs": False}}
FILLED: Json = {
    **LACKING,
    "logs": {**LACKING["logs"], "head_sampling_rate": 1, "persist": True},
    "traces": {"enabled": False, "head_sampling_rate": 1, "persist": True},
}
BY_HAND: Json = {"name": "adopted", "logpush": True, "tags": ["by-hand"], "tail_consumers": []}
ADOPTED: Json = {
    "worker": {"name": "adopted", "subdomain": NEITHER},
    "import_worker": f"{ACCOUNT}/adopted",
    "ignore_changes": ["observability", "tags", "logpush", "tailConsumers"],
}
FILLING = step("update", "worker", differs="observability references updatedOn")

ADOPTION: list[Scenario] = [
    {
        "scenario": "described: adoption with ignored observability that lacks what has a default",
        "inputs": ADOPTED,
        "command": "up",
        "exit": 0,
        "warnings": 0,
        "plan": [step("import", "worker"), FILLING],
        "requests": [
            exchange("GET", f"{WORKERS}/adopted", "", shown_worker(**BY_HAND, observability=LACKING, subdomain=NEITHER)),
            exchange("GET", f"{WORKERS}/{WORKER_ID}", "", shown_worker(**BY_HAND, observability=LACKING, subdomain=NEITHER)),
            exchange(
                "PUT",
                f"{WORKERS}/{WORKER_ID}",
                {**BY_HAND, "observability": FILLED, "subdomain": NEITHER},
                shown_worker(**BY_HAND, observability=LACKING, subdomain=NEITHER),
            ),
        ],
    },
    {
        "scenario": "described: nothing to do while nobody reads the worker",
        "inputs": ADOPTED,
        "command": "up",
        "exit": 0,
        "warnings": 0,
        "plan": [],
        "requests": [],
    },
    {
        "scenario": "described: refresh reads the worker, and it still lacks what has a default",
        "inputs": ADOPTED,
        "command": "refresh",
        "exit": 0,
        "warnings": 0,
        "plan": [],
        "requests": [exchange("GET", f"{WORKERS}/{WORKER_ID}", "", shown_worker(**BY_HAND, observability=LACKING, subdomain=NEITHER))],
    },
    {
        "scenario": "described: the update comes back after the refresh (preview only)",
        "inputs": ADOPTED,
        "warnings": 0,
        "plan": [FILLING],
    },
]

DESCRIBED_LANES = [CHANGES, ADOPTION]
DESCRIBED = [scenario for lane in DESCRIBED_LANES for scenario in lane]
