"""A scrubbed copy has no value of a masked column, keeps every join and constraint, and is refused where a rule is missing."""

from pathlib import Path

import pytest

from crane_infra.config.data_rules import Constant, Json, Mask, Sample, TableRule, Where
from crane_infra.data.scrub import search
from crane_infra.errors import CraneError, ScrubError
from tests.data.scrub.files import KEY, made, rows, scrubbed

SHOP = """
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE, name TEXT, api_key TEXT NOT NULL, profile TEXT,
  domain TEXT GENERATED ALWAYS AS (substr(email, instr(email, '@') + 1)) STORED, plan TEXT NOT NULL);
CREATE TABLE orders (id INTEGER PRIMARY KEY, user_email TEXT NOT NULL REFERENCES users (email), placed_at TEXT NOT NULL, note TEXT);
CREATE TABLE audit (what TEXT NOT NULL);
CREATE VIEW buyers AS SELECT email FROM users JOIN orders ON user_email = email;
CREATE TRIGGER order_placed AFTER INSERT ON orders BEGIN INSERT INTO audit VALUES (new.user_email); END;
INSERT INTO users (id, email, name, api_key, profile, plan) VALUES
  (1, 'ann@corp.test', 'Ann Smith', 'sk_live_8fK2-77', '{"city":"Rome","age":41,"plan":"gold"}', 'free'),
  (2, 'bob@corp.test', NULL, 'sk_live_1aB3-42', NULL, 'paid');
INSERT INTO orders VALUES (10, 'ann@corp.test', '2026-01-02', 'ring twice'), (11, 'ann@corp.test', '2026-02-03', NULL), (12, 'bob@corp.test', '2026-03-04', NULL);
"""
USERS = TableRule(
    columns={
        "id": "keep",
        "email": "email",
        "name": "name",
        "api_key": "token",
        "profile": Json(paths={"$.plan": "keep"}),
        "plan": "keep",
    }
)
ORDERS = TableRule(columns={"id": "keep", "placed_at": "keep", "note": Constant(value="a note")})
RULES = {"users": USERS, "orders": ORDERS, "audit": TableRule(rows="none")}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return made(tmp_path / "shop.sqlite", SHOP)


class TestWhatStaysAndWhatDoesNot:
    def test_masked_values_are_gone_and_what_is_kept_stays(self, shop: Path) -> None:
        result, _ = scrubbed(shop, RULES)
        content = result.read_bytes()
        assert [value for value in ("ann@", "Ann Smith", "8fK2", "Rome", "ring twice") if value.encode() in content] == []
        assert rows(result, "SELECT id, plan FROM users ORDER BY id") == [(1, "free"), (2, "paid")]
        assert rows(result, "SELECT profile, typeof(name) FROM users ORDER BY id") == [
            ('{"city":null,"age":null,"plan":"gold"}', "text"),
            (None, "null"),
        ]
        assert rows(result, "SELECT note FROM orders ORDER BY id") == [("a note",), (None,), (None,)]

    def test_a_reference_follows_what_it_refers_to_and_joins_hold(self, shop: Path) -> None:
        result, _ = scrubbed(shop, RULES)
        assert rows(result, "SELECT users.id, COUNT(*) FROM users JOIN orders ON user_email = email GROUP BY 1") == [(1, 2), (2, 1)]
        assert rows(result, "SELECT COUNT(*) FROM buyers") == [(3,)]

    def test_generated_columns_are_computed_from_masked_ones(self, shop: Path) -> None:
        result, _ = scrubbed(shop, RULES)
        assert rows(result, "SELECT DISTINCT domain FROM users") == [("example.com",)]

    def test_a_token_keeps_its_length_and_its_signs(self, shop: Path) -> None:
        result, _ = scrubbed(shop, RULES)
        ((token,),) = rows(result, "SELECT api_key FROM users WHERE id = 1")
        assert isinstance(token, str)
        assert len(token) == len("sk_live_8fK2-77")
        assert [place for place, sign in enumerate(token) if not sign.isalnum()] == [2, 7, 12]

    def test_triggers_do_not_fire_and_are_there_afterwards(self, shop: Path) -> None:
        result, tables = scrubbed(shop, RULES)
        assert rows(result, "SELECT COUNT(*) FROM audit") == [(0,)]
        assert rows(result, "SELECT name FROM sqlite_schema WHERE type = 'trigger'") == [("order_placed",)]
        assert (tables["audit"].rows, tables["audit"].kept) == (3, 0)

    def test_equal_keys_make_equal_files_and_another_key_other_values(self, shop: Path) -> None:
        query = "SELECT email, name, api_key FROM users ORDER BY id"
        first, again = (rows(scrubbed(shop, RULES)[0], query) for _ in range(2))
        other = rows(scrubbed(shop, RULES, KEY + "2")[0], query)
        assert first == again
        assert not {value for row in first for value in row if value} & {value for row in other for value in row}

    def test_one_value_looks_alike_in_every_table_of_its_kind(self, tmp_path: Path) -> None:
        source = made(tmp_path / "a.sqlite", "CREATE TABLE a (x); CREATE TABLE b (x); CREATE TABLE c (x);" + _insert("value of it"))
        kinds = [Mask(how="hash", kind=kind) for kind in ("agent", "agent", "host")]
        result, _ = scrubbed(source, {name: TableRule(columns={"x": kind}) for name, kind in zip("abc", kinds, strict=True)})
        a, b, c = (rows(result, f"SELECT x FROM {name}") for name in "abc")  # noqa: S608
        assert a == b != c

    def test_our_own_tables_are_left_out(self, tmp_path: Path) -> None:
        source = made(tmp_path / "a.sqlite", "CREATE TABLE a (x); CREATE TABLE crane_migrations (name); CREATE TABLE d1_migrations (name)")
        result, tables = scrubbed(source, {"a": TableRule(columns={"x": "hash"})})
        assert rows(result, "SELECT name FROM sqlite_schema") == [("a",)]
        assert set(tables) == {"a"}


def _insert(value: str) -> str:
    return "".join(f"INSERT INTO {name} VALUES ('{value}');" for name in "abc")  # noqa: S608


class TestWhichRows:
    TREE = """
    CREATE TABLE parents (id INTEGER PRIMARY KEY, best INTEGER REFERENCES children (id) ON DELETE SET NULL);
    CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES parents (id), before INTEGER REFERENCES children (id));
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO parents SELECT i, i FROM n;
    WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
      INSERT INTO children SELECT i, i, CASE WHEN i % 2 = 0 THEN i - 1 END FROM n;
    """

    def rules(self, parents: str | Sample | Where, children: str | Sample | Where = "keep") -> dict[str, TableRule]:
        chosen = {"parents": parents, "children": children}
        return {name: TableRule.model_validate({"rows": rows, "columns": {"id": "keep"}}) for name, rows in chosen.items()}

    def test_a_sample_takes_along_what_refers_to_it_and_nothing_else(self, tmp_path: Path) -> None:
        result, tables = scrubbed(made(tmp_path / "a.sqlite", self.TREE), self.rules(Sample(percent=20)))
        assert 100 < tables["parents"].kept < 300
        assert 0 < tables["children"].kept <= tables["parents"].kept
        assert rows(result, "SELECT COUNT(*) FROM children WHERE parent NOT IN (SELECT id FROM parents)") == [(0,)]
        assert rows(result, "PRAGMA foreign_key_check") == []

    def test_the_same_rows_are_chosen_each_time(self, tmp_path: Path) -> None:
        source = made(tmp_path / "a.sqlite", self.TREE)
        first, again = (rows(scrubbed(source, self.rules(Sample(percent=10)))[0], "SELECT id FROM parents") for _ in range(2))
        assert first == again

    def test_a_condition_chooses_and_a_circle_that_is_complete_stays(self, tmp_path: Path) -> None:
        source = made(tmp_path / "a.sqlite", self.TREE)
        result, _ = scrubbed(source, self.rules(Where(condition="id IN (SELECT parent FROM children WHERE parent <= 11)")))
        assert rows(result, "SELECT MAX(id), COUNT(best) FROM parents") == [(11, 11)]
        assert rows(result, "SELECT MAX(id) FROM children") == [(11,)]

    def test_a_reference_that_is_set_to_null_on_delete_loses_its_value_only(self, tmp_path: Path) -> None:
        result, tables = scrubbed(made(tmp_path / "a.sqlite", self.TREE), self.rules("keep", "none"))
        assert tables["parents"].kept == 1000
        assert rows(result, "SELECT COUNT(best) FROM parents") == [(0,)]


class TestKeysAndTypes:
    def test_whole_numbers_stay_whole_unique_and_exact(self, tmp_path: Path) -> None:
        numbers = [0, 1, 2, 2**52 - 1, 2**52, 2**53 + 1, -1, -(2**63), 2**63 - 1]
        sql = f"CREATE TABLE t (n INTEGER PRIMARY KEY); INSERT INTO t VALUES {', '.join(f'({n})' for n in numbers)}"  # noqa: S608
        result, _ = scrubbed(made(tmp_path / "a.sqlite", sql), {"t": TableRule(columns={"n": "hash"})})
        masked = [n for (n,) in rows(result, "SELECT n FROM t")]
        assert len(set(masked)) == len(numbers)
        assert all(isinstance(n, int) for n in masked)
        assert not set(masked) & set(numbers)

    @pytest.mark.parametrize("how", ["hash", "token", "keep"])
    def test_text_that_is_no_utf8_and_blobs_come_through(self, tmp_path: Path, how: str) -> None:
        sql = "CREATE TABLE t (a, b BLOB); INSERT INTO t VALUES (CAST(x'61ff00ed' AS TEXT), x'00ff00ff00ff00ff')"
        result, _ = scrubbed(made(tmp_path / "a.sqlite", sql), {"t": TableRule.model_validate({"columns": {"a": how, "b": how}})})
        ((kind, bytes_, blob),) = rows(result, "SELECT typeof(a) || typeof(b), CAST(a AS BLOB), b FROM t")
        assert kind == "textblob"
        assert (bytes_ == b"a\xff\x00\xed", blob == b"\x00\xff" * 4) == (how == "keep", how == "keep")

    def test_rows_without_a_key_and_tables_without_rowid_are_copied(self, tmp_path: Path) -> None:
        sql = """CREATE TABLE t (a); CREATE TABLE w (a TEXT, b INT, PRIMARY KEY (b, a)) WITHOUT ROWID;
        INSERT INTO t (rowid, a) VALUES (7, 'same'), (9, 'same'); INSERT INTO w VALUES ('one', 1), ('two', 2);"""
        keep = TableRule(columns={"a": "hash"})
        result, _ = scrubbed(
            made(tmp_path / "a.sqlite", sql), {"t": keep, "w": TableRule(rows=Sample(percent=99.9999), columns={"a": "hash", "b": "keep"})}
        )
        assert rows(result, "SELECT rowid FROM t") == [(7,), (9,)]
        assert rows(result, "SELECT b FROM w") == [(1,), (2,)]

    def test_row_ids_stay_where_the_key_only_looks_like_one(self, tmp_path: Path) -> None:
        """SQLite gives an INTEGER PRIMARY KEY DESC an index of its own, and the rows have ids beside it."""
        sql = """CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a); CREATE TABLE u (id INTEGER, a, PRIMARY KEY (id DESC));
        INSERT INTO t (rowid, id, a) VALUES (7, 1, 'x'), (9, 2, 'y'); INSERT INTO u VALUES (4, 'z');"""
        rule = TableRule(columns={"id": "keep", "a": "hash"})
        result, _ = scrubbed(made(tmp_path / "a.sqlite", sql), {"t": rule, "u": rule})
        assert rows(result, "SELECT rowid, id FROM t ORDER BY rowid") == [(7, 1), (9, 2)]
        assert rows(result, "SELECT rowid, id FROM u") == [(4, 4)]

    def test_full_text_finds_masked_rows_and_no_others(self, tmp_path: Path) -> None:
        sql = """CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT);
        CREATE VIRTUAL TABLE search USING fts5(body, content='notes', content_rowid='id');
        CREATE VIRTUAL TABLE own USING fts5(title);
        CREATE TRIGGER noted AFTER INSERT ON notes BEGIN INSERT INTO search (rowid, body) VALUES (new.id, new.body); END;
        INSERT INTO notes VALUES (1, 'zebra crossing'); INSERT INTO own VALUES ('yellow submarine');"""
        source = made(tmp_path / "a.sqlite", sql)
        rules = {
            "notes": TableRule(columns={"id": "keep", "body": Constant(value="hidden text")}),
            "own": TableRule(columns={"title": "name"}),
        }
        result, tables = scrubbed(source, rules)
        assert rows(result, "SELECT (SELECT COUNT(*) FROM search('zebra')), (SELECT COUNT(*) FROM search('hidden'))") == [(0, 1)]
        assert rows(result, "SELECT COUNT(*) FROM own('yellow')") == [(0,)]
        assert set(tables) == {"notes", "own"}


class TestWhatIsRefused:
    LEAKS = "UPDATE orders SET note = 'please call ann@corp.test, she is in'; UPDATE users SET plan = 'Ann Smith' WHERE id = 2"

    def refusals(self, source: Path, rules: dict[str, TableRule]) -> list[str]:
        result = source.with_name("scrubbed.sqlite")
        with pytest.raises(ScrubError) as caught:
            scrubbed(source, rules)
        assert not result.exists()
        assert list(source.parent.glob("*.part")) == []
        return [str(error) for error in caught.value.errors if isinstance(error, CraneError)]

    def test_every_table_and_column_without_a_rule_is_named_at_once(self, shop: Path) -> None:
        partly = TableRule(columns={name: rule for name, rule in USERS.columns.items() if name not in ("name", "plan")})
        add = "Add one to crane_infra/catalog.py; crane data rules init proposes it."
        assert self.refusals(shop, {"users": partly, "orders": ORDERS}) == [
            f"database shop, table audit: has no rule for staging's rows. {add}",
            f"database shop, table users, column name: has no rule for staging's rows. {add}",
            f"database shop, table users, column plan: has no rule for staging's rows. {add}",
        ]

    @pytest.mark.parametrize(
        ("table", "rule", "message"),
        [
            ("ghosts", TableRule(rows="none"), "table ghosts: has a rule, and the migrations make no such table"),
            ("audit", TableRule(columns={"what": "hash", "who": "hash"}), "column who: has a rule, and the migrations make no such column"),
            ("audit", TableRule(columns={"what": "null"}), "column what: may not be NULL, so null cannot be its rule"),
            ("audit", TableRule(rows=Where(condition="whom = 1"), columns={"what": "hash"}), "SQLite refuses the condition whom = 1"),
            (
                "users",
                TableRule(columns={**USERS.columns, "domain": "hash"}),
                "column domain: has a rule, and is computed from other columns",
            ),
            ("users", TableRule(columns={**USERS.columns, "id": "email"}), "column id: is a whole number, and its rule makes a text of it"),
            ("users", TableRule(columns={**USERS.columns, "email": Constant(value="x")}), "column email: is unique, so one constant"),
            (
                "orders",
                TableRule(columns={**ORDERS.columns, "user_email": "hash"}),
                "column user_email: refers to users.email, and has another",
            ),
        ],
    )
    def test_a_rule_that_cannot_be_followed(self, shop: Path, table: str, rule: TableRule, message: str) -> None:
        (refusal,) = self.refusals(shop, {**RULES, table: rule})
        assert message in refusal

    def test_a_value_that_stays_elsewhere_is_found_and_not_shown(self, shop: Path) -> None:
        made(shop, f"{SHOP}; {self.LEAKS}")
        refusals = self.refusals(shop, {**RULES, "orders": TableRule(columns={**ORDERS.columns, "note": "keep"})})
        assert [text.split(", which")[0] for text in refusals] == [
            "database shop, column orders.note: in the scrubbed copy 1 of its values contains a value of orders.user_email",
            "database shop, column users.plan: in the scrubbed copy 1 of its values contains a value of users.name",
        ]
        assert "ann" not in "".join(refusals).lower()

    @pytest.mark.parametrize("at_once", [1, 2, 3, 1000])
    def test_what_stays_is_found_however_many_values_are_looked_for_at_a_time(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
    ) -> None:
        monkeypatch.setattr(search, "AT_ONCE", at_once)
        sql = (
            "CREATE TABLE t (a, b); INSERT INTO t SELECT 'person-' || value, 'asked by person-' || value FROM json_each('[1, 2, 3, 4, 5]')"
        )
        with pytest.raises(ScrubError, match=r"column t\.b: in the scrubbed copy . of its values contain") as refused:
            scrubbed(made(tmp_path / "a.sqlite", sql), {"t": TableRule(columns={"a": "hash", "b": "keep"})})
        assert "person" not in str(refused.value)

    def test_a_masked_value_that_breaks_a_constraint_is_named(self, tmp_path: Path) -> None:
        source = made(tmp_path / "a.sqlite", "CREATE TABLE t (c TEXT CHECK (length(c) = 3)); INSERT INTO t VALUES ('abc')")
        (refusal,) = self.refusals(source, {"t": TableRule(columns={"c": "hash"})})
        assert "database shop, table t: a masked value breaks a constraint" in refusal

    def test_a_short_key(self, shop: Path) -> None:
        with pytest.raises(ScrubError, match="masking-key: has 3 characters, and a key needs 16"):
            scrubbed(shop, RULES, "abc")
