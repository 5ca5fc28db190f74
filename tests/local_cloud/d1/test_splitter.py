"""How SQL is split into statements: exactly, and wrongly as production is known to do, under each switch."""

import pytest

from local_cloud.behaviour import Behaviour
from local_cloud.d1.split_sql import is_trigger, missplit, split
from local_cloud.faults.client import Faults
from tests.cloud import Api

pytestmark = pytest.mark.cloud

SWITCHES = [name for name in Behaviour.model_fields if name.startswith("splits_inside_")]
NO_FAULTS = dict.fromkeys(SWITCHES, False)
PLAIN = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(1); UPDATE t SET a = 2; END;"
CASE = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; END;"
LOWERCASE = "create trigger tr after insert on t begin update t set a = 2; end;"
CRLF = PLAIN.replace("; ", ";\r\n")
TEXTS = {
    "SELECT 1": ["SELECT 1"],
    "SELECT 1;;SELECT 2; ": ["SELECT 1;", "SELECT 2;"],
    "SELECT 'a;b'; SELECT 2": ["SELECT 'a;b';", "SELECT 2"],
    "SELECT 'it''s;'; SELECT 2": ["SELECT 'it''s;';", "SELECT 2"],
    'SELECT ";" AS ";", `;`, [;]; SELECT 2': ['SELECT ";" AS ";", `;`, [;];', "SELECT 2"],
    "SELECT 1 -- a; 'b\n; SELECT 2": ["SELECT 1 -- a; 'b\n;", "SELECT 2"],
    "SELECT /* ; */ 1; -- ;": ["SELECT /* ; */ 1;"],
    "\ufeffSELECT 1;\r\nSELECT 2;\r\n": ["SELECT 1;", "SELECT 2;"],
    f"{PLAIN} SELECT 1": [PLAIN, "SELECT 1"],
    f"{CASE} SELECT 1": [CASE, "SELECT 1"],
    f"{LOWERCASE} SELECT 1": [LOWERCASE, "SELECT 1"],
    f"{CRLF}\r\nSELECT 1": [CRLF, "SELECT 1"],
    f"/* x */ {PLAIN.replace('CREATE', 'CREATE TEMP')} SELECT 1": [f"/* x */ {PLAIN.replace('CREATE', 'CREATE TEMP')}", "SELECT 1"],
}


@pytest.mark.parametrize("sql", TEXTS)
def test_the_exact_splitter_sees_what_sqlite_sees(sql: str) -> None:
    assert split(sql) == TEXTS[sql]
    assert missplit(sql, Behaviour.model_validate(NO_FAULTS)) == [text.removeprefix("\ufeff") for text in TEXTS[sql]]


@pytest.mark.parametrize(
    ("switch", "cut", "whole"),
    [
        ("splits_inside_triggers", [PLAIN, CASE, LOWERCASE, CRLF], ["SELECT 'a;b';"]),
        ("splits_inside_crlf_triggers", [CRLF], [PLAIN, CASE, LOWERCASE, "SELECT 'a;\r\nb';"]),
        ("splits_inside_case_triggers", [CASE], [PLAIN, LOWERCASE, CRLF, "SELECT CASE WHEN 1 THEN ';' END;"]),
        ("splits_inside_lowercase_triggers", [LOWERCASE], [PLAIN, CASE, CRLF, "select ';' as begin;"]),
        ("splits_inside_quotes", ["SELECT 'a;b';", 'SELECT ";";'], [PLAIN, CASE, CRLF, "SELECT 1 -- ;\n+ 1;", "SELECT /* a;b */ 1;"]),
        ("splits_inside_comments", ["SELECT 1 -- ;\n+ 1;", "SELECT /* a;b */ 1;"], [PLAIN, CASE, CRLF, "SELECT 'a;b';", 'SELECT ";";']),
    ],
)
def test_each_fault_cuts_what_it_is_known_to_cut_and_nothing_else(switch: str, cut: list[str], whole: list[str]) -> None:
    behaviour = Behaviour.model_validate({**NO_FAULTS, switch: True})
    assert [len(missplit(sql, behaviour)) > 1 for sql in cut] == [True] * len(cut)
    assert [missplit(sql, behaviour) for sql in whole] == [[sql] for sql in whole]


def test_a_cut_trigger_loses_nothing_of_its_text() -> None:
    parts = missplit(PLAIN, Behaviour())
    assert parts[0] == "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES(1);"
    assert " ".join(parts) == PLAIN


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE trigger_log(a)", "INSERT INTO t VALUES('CREATE TRIGGER')", 'CREATE TABLE "TRIGGER"(a)', "SELECT 1"]
)
def test_only_a_trigger_is_a_trigger(sql: str) -> None:
    assert not is_trigger(sql)


@pytest.mark.parametrize("sql", [PLAIN, CASE, LOWERCASE, CRLF])
def test_a_trigger_is_refused_by_default_and_leaves_nothing_of_its_request(api: Api, sql: str) -> None:
    database = api.database()
    body = {"sql": f"CREATE TABLE t(a); CREATE TABLE log(a); {sql}"}
    assert api.refusal("POST", f"/d1/database/{database}/query", body) == (400, 7500, "incomplete input: SQLITE_ERROR")
    assert api.refusal("POST", f"/d1/database/{database}/query", {"sql": "SELECT * FROM t"})[2] == "no such table: t: SQLITE_ERROR"


def test_a_trigger_that_is_a_batch_of_its_own_is_refused_too(api: Api) -> None:
    database = api.database()
    api.query(database, "CREATE TABLE t(a)")
    body = {"batch": [{"sql": LOWERCASE}]}
    assert api.refusal("POST", f"/d1/database/{database}/query", body) == (400, 7500, "incomplete input: SQLITE_ERROR")


def test_without_faults_triggers_and_quotes_come_through_whole(api: Api, faults: Faults) -> None:
    database = api.database()
    trigger = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES('a;b'); UPDATE t SET a = CASE WHEN 1 THEN 2 END; END;"
    with faults.behaviour(**NO_FAULTS):
        api.query(database, f"CREATE TABLE t(a); CREATE TABLE log(a); {trigger} INSERT INTO t VALUES(1);")
    assert api.query(database, "SELECT t.a, log.a AS l FROM t, log") == [[{"a": 2, "l": "a;b"}]]
