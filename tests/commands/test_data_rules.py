"""Rules for staging's rows are proposed from migrations, and the proposal of every column is one that passes."""

from pathlib import Path

import pytest

from crane_infra.catalog import crane
from crane_infra.commands.data_rules import check_rules, propose_rules
from crane_infra.config.catalog import Catalog, CatalogDatabase
from crane_infra.config.data_rules import Json, TableRule
from crane_infra.errors import ScrubError, SettingsError
from tests.repository import ROOT

SQL = """CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, fullName TEXT, phone INTEGER, comment TEXT NOT NULL,
  status TEXT, created_at TEXT, payload TEXT, mystery TEXT, upper TEXT AS (upper(email)));
CREATE TABLE orders (id INTEGER PRIMARY KEY, user TEXT REFERENCES users (email), before INTEGER REFERENCES orders (id), amount REAL);
CREATE VIRTUAL TABLE docs USING fts5(title);
INSERT INTO users (email, comment) VALUES ('a@b.c', 'made by a migration');"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/0001_shop.sql").write_text(SQL, encoding="utf-8")
    return tmp_path


def catalog(rules: dict[str, TableRule] | None = None) -> Catalog:
    return Catalog(workers={}, databases={"shop": CatalogDatabase(migrations="shop", staging_rows=rules or {})})


def test_what_is_proposed_can_be_pasted_and_passes(shop: Path) -> None:
    proposed = "\n".join(propose_rules(catalog(), shop, None))
    rules = eval(f"dict(\n{proposed}\n)", {"TableRule": TableRule, "Json": Json})  # noqa: S307 - as a user pastes it
    assert list(check_rules(catalog(rules["staging_rows"]), shop, "shop")) == ["shop: 3 tables with rules, 8 columns masked"]
    assert rules["staging_rows"]["users"].columns == {
        "id": "keep",
        "email": "email",
        "fullName": "name",
        "phone": "hash",
        "comment": "hash",
        "status": "keep",
        "created_at": "keep",
        "payload": Json(),
        "mystery": "hash",
    }


def test_what_looks_personal_is_named(shop: Path) -> None:
    *_, last = propose_rules(catalog(), shop, "shop")
    assert last == "# shop: 6 columns look personal: docs.title, users.email, users.fullName, users.phone, users.comment, users.payload"


def test_what_has_no_rule_is_named_for_all_databases_at_once(shop: Path) -> None:
    with pytest.raises(ScrubError) as caught:
        list(check_rules(catalog({"users": TableRule(columns={"email": "email"}), "docs": TableRule(rows="none")}), shop, None))
    assert len(caught.value.errors) == 9
    with pytest.raises(SettingsError, match="database other: is not in the catalog"):
        list(check_rules(catalog(), shop, "other"))


def test_the_rules_of_this_catalog_fit_its_migrations() -> None:
    assert len(list(check_rules(crane(), ROOT / "workers", None))) == len(crane().databases)
