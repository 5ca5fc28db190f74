"""``crane restore`` takes a database back only with the word that writes may be lost, and says what it took back and which release fits."""

from pathlib import Path

import pytest

from crane_infra.commands.restore import Talk, Wish, restore
from crane_infra.commands.rollback import Stack, roll_back
from crane_infra.commands.rollback import Wish as RollbackWish
from crane_infra.errors import CraneError
from crane_infra.release.outputs import StackOutputs
from crane_infra.release.restored import TAG, Restored, read_restored
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api
from tests.commands.production import Production

pytestmark = pytest.mark.cloud

ROUTE = "POST /accounts/{a}/d1/database/{id}/time_travel/restore"
FIRST = {"0001_t.sql": "CREATE TABLE t (x TEXT);\n"}
SECOND = {**FIRST, "0002_u.sql": "CREATE TABLE u (x TEXT);\n"}


class Said:
    """What a restore said and recorded."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.lines: list[str] = []
        self.records: list[Restored | None] = []
        self.talk = Talk(self.lines.append, lambda: agrees, self.records.append)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


@pytest.fixture
def production(api: Api, tmp_path: Path) -> Production:
    """A release with a row, then another one with a migration and a second row."""
    made = Production(api, tmp_path)
    made.release({"one": "a"}, {"db": FIRST})
    api.query(made.databases["db"], "INSERT INTO t VALUES ('kept')")
    made.bookmark = bookmark(made)  # type: ignore[attr-defined]
    made.release({"one": "b"}, {"db": SECOND})
    api.query(made.databases["db"], "INSERT INTO t VALUES ('later')")
    return made


def bookmark(production: Production) -> str:
    return str(production.api.result("GET", f"/d1/database/{production.databases['db']}/time_travel/bookmark")["bookmark"])


def rows(production: Production) -> list[str]:
    return [row["x"] for row in production.api.query(production.databases["db"], "SELECT x FROM t ORDER BY rowid")[0]]


def restored(production: Production, mark: str, said: Said, *, lose_writes: bool = True) -> bool:
    wish = Wish("db", mark, "ann", lose_writes)
    return restore(production.settings, production.catalog, production.outputs, wish, said.talk)


def early(production: Production) -> str:
    """The bookmark between both releases."""
    return str(production.bookmark)  # type: ignore[attr-defined]


def test_without_the_word_nothing_is_lost(production: Production) -> None:
    said = Said()
    with pytest.raises(CraneError, match="a restore loses every row that was written since, and D1 cannot say which these are"):
        restored(production, early(production), said, lose_writes=False)
    assert "Rows now: t 2, u 0." in said.text
    assert "It takes back the migrations 0002_u.sql." in said.text
    assert rows(production) == ["kept", "later"]


def test_nothing_is_restored_where_nobody_agrees(production: Production) -> None:
    said = Said(agrees=False)
    assert not restored(production, early(production), said)
    assert (rows(production), said.records) == (["kept", "later"], [])


def test_it_says_what_it_took_back_and_both_ways_to_agree_again(production: Production) -> None:
    said, older = Said(), production.proofs[1]["digest"][:12]
    assert restored(production, early(production), said)
    assert rows(production) == ["kept"]
    assert "Rows: t 2 to 1, u 0 to none." in said.text
    assert "The restore took back 0002_u.sql." in said.text
    assert "crane migrations apply -s production -d db applies them again" in said.text
    assert f"release {older} is the one that fits: crane rollback -s production {older}" in said.text


def test_the_release_that_fits_can_be_rolled_back_to(production: Production) -> None:
    restored(production, early(production), Said())
    stack = Stack(production.settings, production.catalog, production.outputs, StackOutputs)
    assert roll_back(stack, RollbackWish(None), print, lambda: True)
    assert production.answering == production.versions(production.proofs[1]["digest"])


def test_the_release_that_serves_gets_its_migrations_again(production: Production) -> None:
    restored(production, early(production), Said())
    digest = production.release({"one": "b"}, {"db": SECOND})
    assert digest == production.proofs[1]["digest"]
    (listed,) = production.api.query(production.databases["db"], "SELECT name FROM d1_migrations ORDER BY id")
    assert [row["name"] for row in listed] == ["0001_t.sql", "0002_u.sql"]


def test_the_state_before_comes_back_in_the_same_way_and_both_are_recorded(production: Production) -> None:
    first, second = Said(), Said()
    restored(production, early(production), first)
    begun, record = first.records
    assert begun
    assert record
    restored(production, record.before, second)
    assert rows(production) == ["kept", "later"]
    assert read_restored({TAG: record.tag}) == Restored(record.database[:24], early(production), record.before, "ann", record.on)
    assert read_restored({TAG: begun.tag}) == Restored(record.database[:24], early(production), record.before, "ann", begun.on, ended=False)
    assert max(len(each.tag.encode()) for each in (begun, record)) <= 256


def test_a_restore_that_takes_back_no_migration_says_so(production: Production) -> None:
    said, now = Said(), bookmark(production)
    production.api.query(production.databases["db"], "INSERT INTO t VALUES ('last')")
    restored(production, now, said)
    assert "The ledger lists the same migrations, so state and gate agree with it." in said.text
    assert rows(production) == ["kept", "later"]


def test_a_bookmark_that_is_none_is_refused_by_name(production: Production) -> None:
    said = Said()
    with pytest.raises(CraneError, match="invalid bookmark: nothing"):
        restored(production, "nothing", said)
    assert (rows(production), said.records[1:]) == (["kept", "later"], [None])


def test_a_lost_reply_does_not_matter(production: Production, faults: Faults) -> None:
    said = Said()
    with faults.fault(ROUTE, Drop("after-commit")):
        assert restored(production, early(production), said)
    assert (rows(production), len(said.records)) == (["kept"], 2)
