"""The checks of a release over copies of databases: on a cloud of its own, with placeholders for secrets, and with nothing of a row in the result."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from crane_infra.checks.model import Check, CommandCheck, SecretHeader, Step, StepsCheck
from crane_infra.checks.results import Checked, checked_lines
from crane_infra.config.assets import Assets
from crane_infra.config.bindings import Ai, KvNamespace, Vectorize
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Secret
from crane_infra.config.settings import DatabaseSettings, Settings, WorkerSettings
from crane_infra.rehearsal import release_on_copies
from crane_infra.rehearsal.release_on_copies import Place, check_release, why_impossible
from local_cloud import daemon
from local_cloud.client import Account
from local_cloud.daemon import Running
from local_cloud.workerd import install
from tests.cloud import cloud, clouds
from tests.repository import ROOT

__all__ = ["cloud", "clouds"]
ROW = "canary-row-of-production"
ROWS = 300_000
KEY = SecretHeader(secret="KEY")
SHOP = """
const answer = {
  "/version": (_, env) => Response.json({ id: env.CF_VERSION_METADATA.id }),
  "/orders": async (_, env) => Response.json(await env.DB.prepare("SELECT COUNT(*) AS count FROM orders").first()),
  "/key": (request, env) => new Response(null, { status: request.headers.get("key") === env.KEY && env.NAME === "production" ? 200 : 401 }),
  "/price": (_, env) => env.PRICES.fetch("https://prices/price"),
  "/kept": async (_, env) => Response.json({ kept: await env.KEPT.get("x"), ai: env.MODEL === undefined }),
  "/add": async (_, env) => new Response(null, { status: (await env.DB.prepare("INSERT INTO orders (text) VALUES ('x')").run()).success ? 201 : 500 }),
  "/texts": async (_, env) => {
    const { results } = await env.DB.prepare("SELECT text FROM orders WHERE id > 299990").all();
    try { return Response.json(results.map((row) => JSON.parse(row.text))); } catch { return new Response(results.at(-1).text, { status: 500 }); }
  },
};
export default { fetch: (request, env) => answer[new URL(request.url).pathname](request, env) };
"""
PRICES = """
export default { async fetch(request, env) {
  if (new URL(request.url).pathname === "/version") return env.SHOP.fetch("https://shop/version");
  return Response.json(await env.DB.prepare("SELECT price FROM prices").first());
} };
"""
CHECKS = (
    Check(name="version", path="/version", version_at="id"),
    Check(name="rows", path="/orders", json_includes={"count": ROWS}),
    Check(name="key", path="/key", headers={"key": KEY}),
    Check(name="another worker", path="/price", json_includes={"price": 7}),
    Check(name="empty", path="/kept", json_includes={"kept": None, "ai": True}),
    Check(name="page", path="/page.txt"),
    Check(name="texts", path="/texts"),
    Check(name="writes", path="/add", method="POST", status=201, mutating=True),
    Check(name="asks the model", path="/model", rehearsable=False),
    StepsCheck(name="steps", steps=(Step(path="/texts", status=500), Step(path="/orders", json_at_least={"count": 1e9})), mutating=False),
    CommandCheck(name="command", shell='test -n "$CRANE_URL" && test -z "$CLOUDFLARE_API_TOKEN"', mutating=False),  # noqa: S604 - a field
)
pytestmark = pytest.mark.cloud


def make(path: Path, sql: str) -> Path:
    """A SQLite file."""
    with apsw.Connection(str(path)) as db:
        db.execute(sql)
    db.close()
    return path


def make_site(folder: Path) -> None:
    """The static assets of the shop."""
    (folder / "site").mkdir()
    (folder / "site" / "page.txt").write_text("a page")
    (folder / "site" / "_headers").write_text("/page.txt\n  X-Page: yes\n")


def settings_of(folder: Path) -> Settings:
    """A stack, whose token and account lead nowhere."""
    return Settings(
        environment="production",
        project="crane-infra",
        organization="organization",
        root=folder,
        account_id="0" * 32,
        api_token="canary-token-of-production",
        api_url="http://127.0.0.1:9",
        workers_dir=folder,
        workers_subdomain="s",
        databases={"orders": DatabaseSettings(name="orders-prod"), "prices": DatabaseSettings(name="prices-prod")},
        workers={
            "shop": WorkerSettings(
                services={"PRICES": "prices"}, bindings={"KEPT": "0123", "INDEX": "texts"}, variables={"NAME": "production"}
            ),
            "prices": WorkerSettings(services={"SHOP": "shop"}),
        },
    )


CATALOG = Catalog(
    workers={
        "shop": CatalogWorker(
            bundle="shop",
            compatibility_date="2026-01-01",
            databases={"DB": "orders"},
            environment_variables=("NAME",),
            secrets=(Secret(binding="KEY", key="KEY", min_length=60), Secret(binding="OTHER", key="OTHER", required=False)),
            assets=Assets(directory="site", binding="SITE"),
            bindings={"KEPT": KvNamespace(), "MODEL": Ai(), "INDEX": Vectorize()},
            checks=CHECKS,
        ),
        "prices": CatalogWorker(
            bundle="prices",
            compatibility_date="2026-01-01",
            databases={"DB": "prices"},
            checks=(Check(name="price", path="/price", json_includes={"price": 8}),),
            reports_version=False,
        ),
    },
    databases={"orders": CatalogDatabase(migrations="o"), "prices": CatalogDatabase(migrations="p")},
)


@dataclass(frozen=True)
class Ran:
    """The checks that ran, and the folder of the cloud."""

    checked: Checked
    folder: Path


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """Two workers that call each other, over 300,000 rows of which the last one is no JSON."""
    folder = tmp_path_factory.mktemp("release")
    for name, code in (("shop", SHOP), ("prices", PRICES)):
        (folder / name).mkdir()
        (folder / name / "index.js").write_text(code, encoding="utf-8")
    make_site(folder)
    orders = make(
        folder / "orders.sqlite",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, text TEXT); CREATE VIRTUAL TABLE found USING fts5(text, content='orders');"
        "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 300000) INSERT INTO orders SELECT i, '{}' FROM c;"
        "UPDATE orders SET text = 'canary-row-of-production' WHERE id = 300000;",
    )
    prices = make(folder / "prices.sqlite", "CREATE TABLE prices (price INTEGER); INSERT INTO prices VALUES (7);")
    place = Place(ROOT, folder / "cloud")
    yield Ran(check_release(place, settings_of(folder), CATALOG, {"orders": orders, "prices": prices}), place.folder)
    daemon.stop(place.folder)


def test_every_check_that_production_would_run_has_a_result_and_no_row_is_in_it(ran: Ran) -> None:
    assert checked_lines(ran.checked) == [
        "checks of the release on the local cloud: 7 of 10 passed",
        "  shop: check version: passed",
        "  shop: check rows: passed",
        "  shop: check key: passed",
        "  shop: check another worker: passed",
        "  shop: check empty: passed",
        "  shop: check page: passed",
        "  shop: check texts: failed: expected 200; came: status 500",
        "  shop: check steps: failed: expected 200, count of at least 1e+09 at step 2 (GET /orders); came: status 200 with another body",
        "  shop: check command: passed",
        '  prices: check price: failed: expected 200, JSON with {"price": 8}; came: status 200 with another body',
        "  secrets were placeholders",
        "  shop: the worker did not get MODEL: the local cloud only stores ai",
        "  shop: the worker did not get INDEX: the local cloud only stores vectorize",
        "  shop: KEPT was empty (kv_namespace)",
        "  shop: check asks the model was left out: it is not rehearsable",
    ]


def test_the_cloud_has_ended_and_nothing_of_the_stack_was_written(ran: Ran) -> None:
    assert daemon.status(ran.folder) is None
    written = [path for path in ran.folder.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert [path for path in written if b"canary-token-of-production" in path.read_bytes()] == []
    assert [path.name for path in written if ROW.encode() in path.read_bytes() and path.suffix not in (".sqlite", ".sqlite-wal")] == []


def shop_alone(folder: Path, code: str) -> tuple[Settings, Catalog]:
    """One worker without a database, and its stack."""
    (folder / "shop").mkdir()
    (folder / "shop" / "index.js").write_text(code, encoding="utf-8")
    make_site(folder)
    settings = settings_of(folder)
    workers = {"shop": settings.workers["shop"].model_copy(update={"services": {}})}
    worker = CATALOG.workers["shop"].model_copy(update={"databases": {}})
    return settings.model_copy(update={"workers": workers}), Catalog(workers={"shop": worker}, databases={})


def test_a_worker_that_the_local_cloud_refuses_leaves_the_checks_open(tmp_path: Path) -> None:
    checked = check_release(Place(ROOT, tmp_path / "cloud"), *shop_alone(tmp_path, "throw new Error('it does not start');"), {})
    assert (checked.results, checked.lacking) == ((), True)
    assert "it does not start" in checked.not_run
    assert daemon.status(tmp_path / "cloud") is None


def test_the_cloud_ends_where_the_run_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, asked = tmp_path / "cloud", list[bool]()

    async def interrupted(*_: object) -> None:
        asked.append(daemon.status(folder) is not None)
        raise KeyboardInterrupt

    monkeypatch.setattr(release_on_copies, "try_each", interrupted)
    with pytest.raises(KeyboardInterrupt):
        check_release(Place(ROOT, folder), *shop_alone(tmp_path, SHOP), {})
    assert (asked, daemon.status(folder)) == ([True], None)


def test_a_machine_without_the_local_cloud_is_told_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not why_impossible()
    monkeypatch.setattr(install, "_PACKAGES", ("uvicorn", "no_such_package"))
    line = "the local cloud: is not installed (no_such_package is missing). Install the dependency group 'local': uv sync --group local."
    assert why_impossible() == line
    assert check_release(Place(ROOT, tmp_path / "cloud"), settings_of(tmp_path), CATALOG, {}).not_run == line


def test_a_database_that_comes_as_a_file_is_whole(cloud: Running, tmp_path: Path) -> None:
    account = Account(cloud)
    file = make(tmp_path / "x.sqlite", "CREATE TABLE t (a); INSERT INTO t VALUES (9007199254740993); CREATE VIEW v AS SELECT a FROM t;")
    account.add_database("whole", file)
    assert account.rows("whole", "SELECT CAST(a AS TEXT) AS a FROM v") == [{"a": "9007199254740993"}]
    assert not file.exists()
