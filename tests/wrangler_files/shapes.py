"""Projects of different shape, each as its files by path, and what both environments end up with."""

KV = "0123456789abcdef0123456789abcdef"
LIVE_ID, STAGING_ID = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-9999-000000000000"

TOP_AND_PRODUCTION_TOML = {
    "wrangler.toml": f"""
# the top level is staging
name = "shop-staging"
main = "src/index.ts"
compatibility_date = "2025-03-01"
account_id = "{"ab" * 16}"

[vars]
MODE = "staging"
REGION = "eu"

[[d1_databases]]
binding = "DB"
database_name = "shop-staging"
database_id = "{STAGING_ID}"

[triggers]
crons = ["*/5 * * * *", "0 0 * * *"]

[env.production]
name = "shop"
vars = {{ MODE = "production", REGION = "eu" }}

[[env.production.d1_databases]]
binding = "DB"
database_name = "shop-prod"
database_id = "{LIVE_ID}"
migrations_dir = "db/migrations"
"""
}
STAGING_AND_PRODUCTION_JSONC = {
    "wrangler.jsonc": """{
  // both environments are named
  "$schema": "node_modules/wrangler/config-schema.json",
  "name": "mail", "main": "./worker.js", /* in place */
  "compatibility_date": "2024-09-23", "compatibility_flags": ["nodejs_compat",],
  "limits": {"cpu_ms": 50}, "placement": {"mode": "smart"},
  "observability": {"enabled": true, "head_sampling_rate": 0.5, "logs": {"invocation_logs": false}, "traces": {"enabled": true}},
  "env": {
    "staging": {"vars": {"LEVEL": "debug"}, "preview_urls": true, "logpush": true, "tail_consumers": [{"service": "tail"}]},
    "production": {"name": "mail", "vars": {"LEVEL": "info"}, "limits": {"cpu_ms": 50}, "triggers": {"crons": []}},
  },
}"""
}
TOP_LEVEL_ONLY_JSON = {
    "wrangler.json": f'{{"name": "solo", "main": "index.mjs", "compatibility_date": "2025-01-01", "vars": {{"A": "1", "ON": true}},'
    f' "kv_namespaces": [{{"binding": "CACHE", "id": "{KV}"}}],'
    f' "d1_databases": [{{"binding": "DB", "database_name": "solo", "database_id": "{LIVE_ID}"}}]}}'
}


def every_kind(suffix: str, *, kv: str) -> str:
    """Each kind of binding, as an environment of JSON has them."""
    return f"""
    "ai": {{"binding": "AI"}}, "browser": {{"binding": "BROWSER", "remote": true}}, "images": {{"binding": "IMAGES"}}, "media": {{"binding": "MEDIA"}},
    "analytics_engine_datasets": [{{"binding": "EVENTS", "dataset": "events_{suffix}"}}],
    "dispatch_namespaces": [{{"binding": "TENANTS", "namespace": "tenants-{suffix}"}}],
    "durable_objects": {{"bindings": [{{"name": "ROOMS", "class_name": "Room"}}]}},
    "hyperdrive": [{{"binding": "PG", "id": "pg-{suffix}", "localConnectionString": "postgres://localhost"}}],
    "kv_namespaces": [{{"binding": "CACHE", "id": "{kv}", "preview_id": "x"}}],
    "mtls_certificates": [{{"binding": "CERT", "certificate_id": "cert-{suffix}"}}],
    "pipelines": [{{"binding": "PIPE", "pipeline": "pipe-{suffix}"}}],
    "queues": {{"producers": [{{"binding": "JOBS", "queue": "jobs-{suffix}"}}]}},
    "r2_buckets": [{{"binding": "FILES", "bucket_name": "files-{suffix}", "jurisdiction": "eu"}}],
    "ratelimits": [{{"name": "LIMIT", "namespace_id": "1{len(suffix)}", "simple": {{"limit": 100, "period": 60}}}}],
    "secrets_store_secrets": [{{"binding": "TOKEN", "store_id": "store", "secret_name": "token-{suffix}"}}],
    "send_email": [{{"name": "MAIL", "allowed_destination_addresses": ["a@example.com"]}}],
    "vectorize": [{{"binding": "INDEX", "index_name": "index-{suffix}"}}],
    "ai_search": [{{"binding": "SEARCH", "instance_name": "search-{suffix}"}}],
    "ai_search_namespaces": [{{"binding": "SEARCHES", "namespace": "searches-{suffix}", "remote": true}}],
    "flagship": [{{"binding": "FLAGS", "app_id": "flags-{suffix}"}}],
    "vpc_networks": [{{"binding": "NETWORK", "tunnel_id": "tunnel-{suffix}"}}],
    "vpc_services": [{{"binding": "LEDGER", "service_id": "ledger-{suffix}"}}],
    "workflows": [{{"binding": "FLOW", "name": "flow-{suffix}", "class_name": "Flow"}}],
    "version_metadata": {{"binding": "VERSION"}}, "secrets": {{"required": ["API_KEY", "SIGNING"]}},
    "vars": {{"CONFIG": {{"b": [1, 2.5, true, null], "long": "{"x" * 150}"}}, "TEXT": "it's \\"quoted\\" \\u202e"}}"""


EVERY_KIND = {
    "wrangler.json": f"""{{"name": "all-kinds-staging", "main": "src/main.ts", "compatibility_date": "2025-01-01",
    {every_kind("staging", kv=KV)}, "env": {{"production": {{"name": "all-kinds", {every_kind("live", kv=KV[::-1])}}}}}}}"""
}
MONOREPO = {
    "services/api/wrangler.toml": f"""
name = "api"
main = "src/index.ts"
compatibility_date = "2025-01-01"
[env.staging]
services = [{{ binding = "BILLING", service = "billing-staging", entrypoint = "Invoices" }}]
d1_databases = [{{ binding = "DB", database_name = "main-staging", database_id = "{STAGING_ID}", migrations_dir = "../../db/migrations" }}]
[env.production]
name = "api"
services = [{{ binding = "BILLING", service = "billing" }}]
d1_databases = [{{ binding = "DB", database_name = "main", database_id = "{LIVE_ID}", migrations_dir = "../../db/migrations" }}]
""",
    "services/billing/wrangler.jsonc": f"""{{"name": "billing", "main": "src/index.ts", "compatibility_date": "2025-02-01",
    "env": {{
      "staging": {{"d1_databases": [{{"binding": "MAIN", "database_name": "main-staging", "database_id": "{STAGING_ID}"}}],
        "durable_objects": {{"bindings": [{{"name": "ROOMS", "class_name": "Room", "script_name": "api-staging"}}]}}}},
      "production": {{"name": "billing", "d1_databases": [{{"binding": "MAIN", "database_name": "main", "database_id": "{LIVE_ID}"}}],
        "durable_objects": {{"bindings": [{{"name": "ROOMS", "class_name": "Room", "script_name": "api"}}]}}}}}}}}""",
}
CLASSES = {
    "chat.json": """{"name": "chat", "main": "a.js", "compatibility_date": "2025-01-01", "env": {"staging": {}},
    "durable_objects": {"bindings": [{"name": "HALL", "class_name": "Hall"}]}, "migrations": [
      {"tag": "v1", "new_classes": ["Room"]},
      {"tag": "v2", "renamed_classes": [{"from": "Room", "to": "Hall"}], "new_sqlite_classes": ["Log"]},
      {"tag": "v3", "transferred_classes": [{"from": "A", "from_script": "old", "to": "B"}]},
      {"tag": "v4", "deleted_classes": ["Log"]}]}""",
    "old.json": '{"name": "old", "main": "a.js", "compatibility_date": "2025-01-01"}',
}
WHAT_CANNOT_BE_CARRIED_OVER = {
    "wrangler.jsonc": """{"name": "web", "main": "src/index.ts", "compatibility_date": "2025-01-01", "pippo": 1, "usage_model": "bundled",
    "routes": [{"pattern": "shop.example.com/api/*", "zone_name": "example.com"}], "keep_vars": true,
    "assets": {"binding": "ASSETS"}, "site": {"bucket": "public"}, "migrations": [{"tag": "v1", "new_sqlite_classes": ["Old"]}, {"tag": "v2", "deleted_classes": ["Old"]}],
    "queues": {"consumers": [{"queue": "jobs"}], "rate": 1}, "worker_loaders": [{"binding": "LOADER"}],
    "services": [{"binding": "OTHER", "service": "other", "environment": "x"}, {"binding": "PROPS", "service": "web", "props": {"a": 1}}],
    "unsafe": {"bindings": [{"name": "X", "type": "inherit"}, {"name": "L", "type": "ratelimit", "namespace_id": "1", "simple": {"limit": 1, "period": 10}}]},
    "vars": {"secure": "x", "a-b": "y"}, "env": {"dev": {}}}"""
}
WITH_ASSETS = {
    "app/wrangler.jsonc": """{"name": "app", "main": "worker/index.ts", "compatibility_date": "2025-01-01",
    "assets": {"directory": "./dist", "binding": "ASSETS", "not_found_handling": "single-page-application", "run_worker_first": ["/api/*"]},
    "env": {"staging": {}, "production": {"name": "app"}}}""",
    "docs/wrangler.jsonc": """{"name": "docs", "main": "index.ts", "compatibility_date": "2025-01-01", "assets": {"directory": "../site/public"}}""",
}
HIDDEN_WORKER = {
    "wrangler.toml": """
name = "inner"
main = "a.js"
compatibility_date = "2025-01-01"
workers_dev = false
[env.stage]
name = "inner-staging"
[placement]
region = "aws:eu-central-1"
"""
}
PATTERN = {
    "wrangler.toml": f"""
name = "drizzle"
main = "a.js"
compatibility_date = "2025-01-01"
[[d1_databases]]
binding = "DB"
database_name = "drizzle_PROD"
database_id = "{LIVE_ID}"
migrations_pattern = "drizzle/*/migration.sql"
"""
}
SHARED_RESOURCES = {
    "wrangler.json": f"""{{"name": "one-staging", "main": "a.js", "compatibility_date": "2025-01-01",
    "kv_namespaces": [{{"binding": "CACHE", "id": "{KV}"}}], "d1_databases": [{{"binding": "DB", "database_name": "d", "database_id": "{LIVE_ID}"}}],
    "env": {{"prod": {{"name": "one", "vars": {{"ONLY_LIVE": "1"}}, "kv_namespaces": [{{"binding": "CACHE", "id": "{KV}"}}],
    "d1_databases": [{{"binding": "DB", "database_name": "d", "database_id": "{LIVE_ID}"}}]}}}}}}"""
}
NAMES_OF_WRANGLER = {
    "wrangler.toml": """
name = "foo"
main = "a.js"
compatibility_date = "2025-01-01"
[env.staging]
[env.production]
"""
}
HOSTILE = '"""\'\'\'\\\n\r\t\x00\x1b[31m{evil}: &a !!python/object:os.system "\n)\n__import__("os").abort()\n#'
SHAPES = {
    "top level and production, TOML": TOP_AND_PRODUCTION_TOML,
    "both named, JSONC": STAGING_AND_PRODUCTION_JSONC,
    "top level only, JSON": TOP_LEVEL_ONLY_JSON,
    "every kind of binding": EVERY_KIND,
    "monorepo with a service and a shared database": MONOREPO,
    "what cannot be carried over": WHAT_CANNOT_BE_CARRIED_OVER,
    "not on workers.dev": HIDDEN_WORKER,
    "a pattern of migrations": PATTERN,
    "resources that both environments share": SHARED_RESOURCES,
    "names as wrangler makes them": NAMES_OF_WRANGLER,
}
