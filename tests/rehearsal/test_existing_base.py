"""The account of ``crane local up --existing`` where a database has a base schema: somebody ran that by hand, and what it contains counts as applied."""

import pytest

from crane_infra import catalog
from crane_infra.rehearsal.existing_account import make_existing
from local_cloud.client import Account
from tests.world.copies import fresh_world

pytestmark = [pytest.mark.engine, pytest.mark.cloud]

NAME, SHOWN = "crane-context-db", "crane-context-db-staging"


def test_a_database_with_a_base_schema_is_as_its_migrations_would_leave_it(tmp_path_factory: pytest.TempPathFactory) -> None:
    with fresh_world(tmp_path_factory) as world:
        folder = world.workers / "crane-context"
        files = sorted((folder / "migrations").iterdir())
        (folder / "schema.sql").write_text("\n".join(path.read_text(encoding="utf-8") for path in files[:2]), encoding="utf-8")
        known = catalog.crane()
        databases = {**known.databases, NAME: known.databases[NAME].model_copy(update={"base": "crane-context/schema.sql", "baseline": 2})}
        make_existing(world.project, Account(world.cloud), known.model_copy(update={"databases": databases}), world.engine.environ)
        assert [row["name"] for row in world.rows(SHOWN, "SELECT name FROM d1_migrations ORDER BY id")] == [
            path.name for path in files[:-1]
        ]
        columns = [row["name"] for row in world.rows(SHOWN, "SELECT name FROM pragma_table_info('sessions')")]
        assert columns == ["id", "agent", "started_at", "last_heartbeat_at", "host"]
        assert world.rows(SHOWN, "SELECT name FROM sqlite_master WHERE name = 'sessions_by_heartbeat'") == [
            {"name": "sessions_by_heartbeat"}
        ]
