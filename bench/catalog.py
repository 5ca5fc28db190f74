"""Small workers for the measured releases. Each has a database and one migration per release."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from crane_infra.checks.model import Check
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker

if TYPE_CHECKING:
    from pathlib import Path

DATE = "2026-01-01"
_CODE = """export default { fetch(request, env) {
  if (new URL(request.url).pathname === "/version") return Response.json({ id: env.CF_VERSION_METADATA.id });
  return Response.json({ status: "ok" }); // RELEASE
} };
"""


def names(count: int) -> list[str]:
    """The names of the workers; each database has the name of its worker with ``-db`` at the end."""
    return [f"bench-{number:02}" for number in range(count)]


def catalog_of(count: int) -> Catalog:
    """A catalog of this many workers, with checks of health and version."""
    checks = (Check(name="health", path="/health"), Check(name="version", path="/version", version_at="id"))
    return Catalog(
        workers={
            name: CatalogWorker(bundle=f"{name}/dist", compatibility_date=DATE, databases={"DB": f"{name}-db"}, checks=checks)
            for name in names(count)
        },
        databases={f"{name}-db": CatalogDatabase(migrations=f"{name}/migrations") for name in names(count)},
    )


def write_release(folder: Path, count: int, release: int, padding: int = 0) -> None:
    """Write the files of a release: each worker has other code than in the release before, and one more migration.

    ``padding`` makes each worker as many bytes longer, by a comment that compresses badly, as a bundle with libraries does.
    """
    comment = f"// {random.Random(0).randbytes(padding // 2).hex()}\n" if padding else ""  # noqa: S311 - no secret
    for name in names(count):
        code, migrations = folder / name / "dist" / "index.js", folder / name / "migrations"
        for parent in (code.parent, migrations):
            parent.mkdir(parents=True, exist_ok=True)
        code.write_text(_CODE.replace("RELEASE", f"release {release}") + comment, encoding="utf-8")
        table = f"CREATE TABLE t{release} (id INTEGER PRIMARY KEY, note TEXT NOT NULL);\n"
        (migrations / f"{release:04}_t{release}.sql").write_text(table, encoding="utf-8")
