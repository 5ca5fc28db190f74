"""``crane migrations plan`` says which Durable Object migrations an update would send, and what would stop it."""

from pathlib import Path

import pytest

from crane_infra.cli.migrations_text import classes, classes_as_json
from crane_infra.commands.class_migrations import class_migrations_of, judged
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.class_migrations import ClassMigration
from crane_infra.config.rollout import Rollout
from crane_infra.config.settings import Settings, parse
from tests.program.graph.account import Account, serving
from tests.samples import ACCOUNT, as_pulumi, config, known

WORKER, SCRIPT = "crane-context", "crane-context-staging"
STEPS = (ClassMigration(tag="v1", new_sqlite_classes=("Room",)), ClassMigration(tag="v2", renamed_classes={"Room": "Hall"}))
BARE = CatalogWorker(bundle=WORKER, compatibility_date="2026-01-01", reports_version=False)
CATALOG = Catalog(workers={WORKER: BARE.model_copy(update={"class_migrations": STEPS})}, databases={})


@pytest.fixture
def settings() -> Settings:
    environ = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "token"}
    return parse(known("staging", Path()), as_pulumi(config("staging")), environ)


def test_the_steps_after_the_live_one_are_listed(settings: Settings) -> None:
    worker = judged(settings, CATALOG, WORKER, "v1")
    assert classes(worker).splitlines() == [
        f"{SCRIPT}: Durable Object migrations up to v1; 1 pending",
        "  apply  v2  renames Room to Hall",
        "    the version gets all traffic at once, untried, and crane rollback cannot go back past it",
    ]
    pending = [{"tag": "v2", "renamed_classes": {"Room": "Hall"}}]
    assert classes_as_json(worker) == {"worker": SCRIPT, "live": "v1", "pending": pending, "refusal": None}


@pytest.mark.parametrize(("live", "head"), [("v2", "up to v2; 0 pending"), (None, "up to none; 2 pending")])
def test_a_worker_that_took_all_or_none_is_said_as_well(settings: Settings, live: str | None, head: str) -> None:
    assert classes(judged(settings, CATALOG, WORKER, live)).splitlines()[0] == f"{SCRIPT}: Durable Object migrations {head}"


def test_a_live_step_that_the_catalog_lacks_is_refused_as_an_update_would(settings: Settings) -> None:
    worker = judged(settings, CATALOG, WORKER, "v9")
    assert "  refused  worker crane-context-staging: its live Durable Object migration is v9" in classes(worker)
    assert "v9" in str(classes_as_json(worker)["refusal"])


def test_traffic_in_steps_is_refused_as_an_update_would(settings: Settings) -> None:
    stepped = settings.model_copy(update={"rollout": Rollout(steps=(10, 50))})
    worker = judged(stepped, CATALOG, WORKER, "v1")
    assert "cannot go out in steps" in str(worker.refusal)
    assert worker.pending == STEPS[1:]


def test_the_live_tag_comes_from_the_account(settings: Settings) -> None:
    account = Account(class_tags={SCRIPT: "v1"})
    with serving(account):
        (worker,) = class_migrations_of(settings.model_copy(update={"api_url": account.url}), CATALOG)
    assert (worker.live, worker.pending) == ("v1", STEPS[1:])


def test_without_such_workers_nothing_is_asked(settings: Settings) -> None:
    none = Catalog(workers={WORKER: BARE}, databases={})
    assert class_migrations_of(settings.model_copy(update={"api_url": "http://127.0.0.1:1"}), none) == []
