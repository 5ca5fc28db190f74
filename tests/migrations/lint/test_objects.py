"""Lint finds the triggers, indexes and unique keys that a migration drops, by name or with a table that it rebuilds."""

# ruff: noqa: S608 - SQL in memory, made by the tests themselves

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crane_infra.migrations.files.split import split_statements
from tests.migrations.builders import file
from tests.migrations.lint.linting import REBUILD, USERS, Lint, errors, findings, rules

TRIGGER = "CREATE TRIGGER log AFTER INSERT ON users BEGIN UPDATE users SET old = 'new' WHERE id = new.id; END;"
INDEX = "CREATE INDEX by_name ON users (name);"
UNIQUE = "CREATE UNIQUE INDEX one_name ON users (name);"
REBUILDS = [
    REBUILD,
    f"ALTER TABLE users RENAME TO aside; {USERS} INSERT INTO users SELECT * FROM aside; DROP TABLE aside;",
]
ALL = USERS + TRIGGER + INDEX + UNIQUE


def test_a_rebuild_names_each_object_that_goes_with_the_old_table(judge: Lint) -> None:
    found = judge("-- crane: contract\n" + REBUILD, before=ALL)
    assert [finding.what for finding in found if finding.level == "error"] == [
        "dropping users also drops the index by_name, the index one_name, the trigger log, and the file does not create them again"
    ]
    assert errors(found) == [("rebuild-loses-objects", 3)]


@pytest.mark.parametrize("rebuild", REBUILDS)
def test_a_rebuild_that_makes_them_anew_is_none(judge: Lint, rebuild: str) -> None:
    assert errors(judge(rebuild + TRIGGER + INDEX + UNIQUE, before=ALL)) == []
    renamed = (TRIGGER + INDEX + UNIQUE).replace("log", "log2").replace("by_name", '"by_name2"').replace("one_name", "[one_name2]")
    assert errors(judge(rebuild + renamed, before=ALL)) == []


@pytest.mark.parametrize("rebuild", REBUILDS)
def test_each_way_to_rebuild_a_table_is_seen(judge: Lint, rebuild: str) -> None:
    assert [rule for rule, _ in errors(judge(rebuild, before=USERS + TRIGGER + INDEX))] == ["rebuild-loses-objects"]


def test_indexes_made_on_the_new_table_before_the_rename_count(judge: Lint) -> None:
    early = REBUILD.replace("DROP TABLE users;", "DROP TABLE users; CREATE INDEX by_new_name ON users_new (name);")
    assert errors(judge(early, before=USERS + INDEX)) == []


@pytest.mark.parametrize(
    "text", ["DROP INDEX by_name;", "DROP INDEX by_name;" + REBUILD, "DROP TRIGGER log;" + TRIGGER, "DROP TRIGGER log;" + REBUILD + TRIGGER]
)
def test_what_is_dropped_by_name_is_meant(judge: Lint, text: str) -> None:
    before = USERS + (TRIGGER if "log" in text else INDEX)
    assert errors(judge(text, before=before)) == []


@pytest.mark.parametrize(
    ("text", "before", "rule"),
    [
        ("DROP TRIGGER log;", USERS + TRIGGER, "drops-trigger"),
        ("DROP TRIGGER log;" + REBUILD, USERS + TRIGGER, "drops-trigger"),
        ("DROP INDEX one_name;", USERS + UNIQUE, "drops-unique-key"),
        ("DROP INDEX one_name; CREATE UNIQUE INDEX one_name ON users (name) WHERE old IS NULL;", USERS + UNIQUE, "drops-unique-key"),
        ("DROP INDEX one_name; CREATE UNIQUE INDEX one_name ON users (name, old);", USERS + UNIQUE, "drops-unique-key"),
        (REBUILD, USERS.replace("name TEXT", "name TEXT UNIQUE"), "drops-unique-key"),
        (REBUILD.replace("id INTEGER PRIMARY KEY", "id INTEGER"), USERS, "drops-unique-key"),
        ("DROP TABLE words;", "CREATE VIRTUAL TABLE words USING fts5 (text);", "drops-table"),
        ("DROP VIEW names;", USERS + "CREATE VIEW names AS SELECT name FROM users;", "drops-table"),
    ],
)
def test_what_traffic_may_need_is_a_contract(judge: Lint, text: str, before: str, rule: str) -> None:
    undeclared = judge(text, before=before)
    assert dict(errors(undeclared)).keys() == {"contract-not-declared"}
    assert rule in dict(rules(undeclared))
    declared = judge("-- crane: contract\n" + text, before=before)
    assert errors(declared) == []
    assert rule in dict(rules(declared))


@pytest.mark.parametrize(
    "text",
    [
        "DROP INDEX one_name; CREATE UNIQUE INDEX another ON users (name);",
        REBUILD.replace("name TEXT", "name TEXT UNIQUE").replace("CREATE TABLE", "DROP INDEX one_name; CREATE TABLE", 1),
    ],
)
def test_a_unique_key_that_is_made_in_another_way_is_none(judge: Lint, text: str) -> None:
    assert errors(judge(text, before=USERS + UNIQUE)) == []


def test_a_trigger_of_a_view_that_is_made_again_is_found(judge: Lint) -> None:
    view = "CREATE VIEW names AS SELECT id, name FROM users;"
    trigger = "CREATE TRIGGER add_name INSTEAD OF INSERT ON names BEGIN INSERT INTO users (name) VALUES (new.name); END;"
    again = "DROP VIEW names;" + view
    assert errors(judge(again, before=USERS + view + trigger)) == [("rebuild-loses-objects", 1)]
    assert errors(judge(again + trigger, before=USERS + view + trigger)) == []


def test_objects_that_go_with_their_table_for_good_are_told_with_the_table(judge: Lint) -> None:
    assert rules(judge("-- crane: contract\nDROP TABLE users;", before=ALL)) == [("drops-table", 1)]
    assert rules(judge("-- crane: contract\nDROP TRIGGER log; DROP TABLE users;", before=ALL)) == [("drops-table", 2)]


def test_what_no_one_uses_yet_is_no_finding(judge: Lint) -> None:
    assert errors(judge(ALL, REBUILD, before="SELECT 1;")) == []


OBJECTS = {"trigger log": TRIGGER, "index by_name": INDEX, "index by_old": "CREATE INDEX by_old ON users (old);"}
SUBSET = st.sets(st.sampled_from(sorted(OBJECTS)))


@settings(max_examples=50)
@given(there=SUBSET, dropped=SUBSET, again=SUBSET)
def test_what_sqlite_loses_in_silence_is_what_lint_names(there: set[str], dropped: set[str], again: set[str]) -> None:
    texts = [f"DROP {name};" for name in sorted(dropped & there)] + [REBUILD] + [OBJECTS[name] for name in sorted(again)]
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(USERS + "".join(OBJECTS[name] for name in sorted(there)) + "".join(texts))
        left = {f"{kind} {name}" for kind, name in db.execute("SELECT type, name FROM sqlite_master WHERE type <> 'table'")}
    made = file("1_a.sql", statements=split_statements(USERS + "".join(OBJECTS[name] for name in sorted(there)))[0])
    pending = file("2_b.sql", statements=split_statements("".join(texts))[0])
    named = " ".join(finding.what for finding in findings([made, pending], [pending]) if finding.rule == "rebuild-loses-objects")
    assert {name for name in OBJECTS if f"the {name}" in named} == there - left - dropped
