"""``crane rollback``: an earlier release serves again with all its workers or not at all, and nobody loses anything without saying so."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from crane_infra.commands.rollback import Stack, Wish, roll_back
from crane_infra.commands.verify import verify
from crane_infra.errors import CraneError, LiveError, SettingsError
from crane_infra.release.outputs import StackOutputs
from local_cloud.faults.client import Faults
from local_cloud.faults.model import Drop
from tests.cloud import Api
from tests.commands.production import CODE, Production
from tests.local_cloud.workers.test_assets import uploaded

pytestmark = pytest.mark.cloud

ROUTE = "POST /accounts/{a}/workers/scripts/{name}/deployments"
FIRST = {"0001_t.sql": "CREATE TABLE t (x TEXT, y TEXT);\n"}
EXPAND = {**FIRST, "0002_u.sql": "CREATE TABLE u (x TEXT);\n"}
CONTRACT = {**FIRST, "0002_drop.sql": "-- crane: contract\nALTER TABLE t DROP COLUMN y;\n"}


@pytest.fixture
def production(api: Api, tmp_path: Path) -> Production:
    """A stack without a release."""
    return Production(api, tmp_path)


@pytest.fixture
def two(production: Production) -> tuple[Production, str, str]:
    """Two workers of which both releases have another version, and the digests of both, the older first."""
    old = production.release({"one": "a", "two": "a"})
    return production, old, production.release({"one": "b", "two": "b"})


def back(production: Production, digest: str | None = None, *accepted: str, agreed: bool = True) -> list[str]:
    """Roll back, and give what was said."""
    said: list[str] = []
    stack = Stack(production.settings, production.catalog, production.outputs, StackOutputs)
    assert roll_back(stack, Wish(digest, accepted, "it is broken"), said.append, lambda: agreed) is agreed
    return said


def refused(production: Production, digest: str | None = None, *accepted: str) -> str:
    """A rollback that is refused: its one line. Nothing moves."""
    before = {worker: production.messages(worker) for worker in production.workers}
    with pytest.raises(CraneError) as raised:
        back(production, digest, *accepted)
    assert {worker: production.messages(worker) for worker in production.workers} == before
    return str(raised.value)


class TestWhichRelease:
    def test_is_the_one_before_if_none_is_named(self, two: tuple[Production, str, str]) -> None:
        production, old, _ = two
        back(production)
        assert production.answering == production.versions(old)

    def test_goes_on_to_the_one_before_that(self, production: Production) -> None:
        oldest, old, _ = (production.release({"one": text, "two": text}) for text in "abc")
        back(production)
        back(production)
        assert production.answering == production.versions(oldest)
        assert oldest != old

    def test_is_the_newest_one_where_what_serves_was_never_proven(self, two: tuple[Production, str, str]) -> None:
        production, _, new = two
        production.serve("one", "c")
        back(production)
        assert production.answering == production.versions(new)

    def test_is_not_the_newer_one_after_an_older_one_was_proven_again(self, production: Production) -> None:
        production.release({"one": "a"})
        production.release({"one": "b"})
        production.release({"one": "a"})
        assert "its outputs name no release that it proved before" in refused(production)

    @pytest.mark.parametrize(
        ("digest", "words"),
        [("0" * 12, "is not among the releases that production proved"), ("newest", "is not the digest of a release")],
    )
    def test_is_named_right(self, two: tuple[Production, str, str], digest: str, words: str) -> None:
        assert words in refused(two[0], digest)

    def test_is_production_s(self, two: tuple[Production, str, str]) -> None:
        production = two[0]
        staging = production.settings.model_copy(update={"environment": "staging"})
        with pytest.raises(SettingsError, match="only production rolls back"):
            roll_back(Stack(staging, production.catalog, production.outputs, StackOutputs), Wish(None), print, lambda: True)

    def test_stays_where_nobody_agrees(self, two: tuple[Production, str, str]) -> None:
        production, _, new = two
        back(production, agreed=False)
        assert production.answering == production.versions(new)

    def test_does_not_mind_a_candidate_that_nobody_meets(self, two: tuple[Production, str, str]) -> None:
        production, old, new = two
        candidate = production.api.upload(production.workers["one"], f"{CODE}candidate")
        serving = {"id": production.versions(new)["one"]}
        production.api.deploy(production.workers["one"], (serving, 100), (candidate, 0))
        back(production)
        assert production.answering == production.versions(old)


def test_static_assets_come_back_with_their_release_and_nothing_goes_up_again(production: Production) -> None:
    worker = production.workers["one"] = production.api.worker()
    for code, page in (("a", b"the shop"), ("b", b"a broken shop")):
        production.more = {"assets": {"jwt": uploaded(production.api, worker["name"], {"/shop.txt": page}), "config": {}}}
        production.release({"one": code})
    versions = production.api.result("GET", f"/workers/workers/{worker['id']}/versions")
    assert production.api.edge(worker, "/shop.txt").text == "a broken shop"
    back(production)
    assert production.api.edge(worker, "/shop.txt").text == "the shop"
    assert production.api.result("GET", f"/workers/workers/{worker['id']}/versions") == versions


class TestWhatIsSaidFirst:
    def test_an_expand_migration_is_said(self, production: Production) -> None:
        production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"db": EXPAND})
        assert any("keeps 0002_u.sql (expand), which the release does not have" in line for line in back(production))

    def test_a_contract_migration_has_to_be_accepted(self, production: Production) -> None:
        old = production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"db": CONTRACT})
        line = refused(production)
        assert "keeps 0002_drop.sql (contract), which takes away what the old code may use" in line
        assert line.endswith("To go back all the same: add --accept contract.")
        back(production, None, "contract")
        assert production.answering == production.versions(old)

    def test_a_durable_object_migration_stands_in_the_way_whatever_is_accepted(self, production: Production) -> None:
        production.release({"one": "a", "two": "a"})
        version = production.api.upload(production.workers["one"], f"{CODE}b", migrations={"new_tag": "v1", "new_sqlite_classes": ["Room"]})
        production.api.deploy(production.workers["one"], (version, 100))
        line = refused(production, None, "contract", "secrets", "databases")
        assert line.startswith(
            f"worker {production.workers['one']['name']}: the Durable Object migration v1 came after the version of that release"
        )
        assert line.endswith("Fix forward: prove a fix in staging and promote it.")

    def test_a_durable_object_migration_that_only_the_release_that_serves_declares_stands_in_the_way_too(
        self, production: Production
    ) -> None:
        """Also where Cloudflare does not say which versions came before it."""
        steps = [{"tag": "v1", "new_sqlite_classes": ["Room"]}, {"tag": "v2", "renamed_classes": {"Room": "Hall"}}]
        for text, count in (("a", 1), ("b", 2)):
            production.release({"one": text})
            production.proofs[0]["manifest"]["workers"]["one"]["class_migrations"] = steps[:count]
        assert "the Durable Object migration v2 came after the version of that release" in refused(production)

    def test_a_migration_without_its_file_has_to_be_accepted_like_a_contract(self, production: Production) -> None:
        production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"db": EXPAND})
        (production.folder / "db" / "0002_u.sql").write_text("CREATE TABLE other (x TEXT);\n", encoding="utf-8")
        assert "of unknown class: its file is not here as it was applied" in refused(production)

    def test_a_database_that_lost_a_migration_stands_in_the_way(self, production: Production) -> None:
        production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"db": FIRST})
        for table in ("d1_migrations", "crane_migrations"):
            production.api.query(production.databases["db"], f"DELETE FROM {table} WHERE name = ?", "0001_t.sql")  # noqa: S608
        assert "its ledger lacks 0001_t.sql, which the release needs" in refused(production, None, "contract", "secrets", "databases")

    def test_secrets_that_changed_are_named_and_have_to_be_accepted(self, production: Production) -> None:
        old = production.release({"one": "a"}, secrets={"KEY": "canary-of-before", "SALT": "canary-that-stays"})
        production.release({"one": "b"}, secrets={"KEY": "canary-of-now", "SALT": "canary-that-stays"})
        line = refused(production)
        assert ": the secret KEY gets its earlier value. " in line
        assert "SALT" not in line
        assert "canary" not in line
        said = back(production, None, "secrets")
        assert production.answering == production.versions(old)
        assert "canary" not in "".join(said)

    def test_secrets_of_an_update_that_failed_are_named_where_it_changed_none(self, production: Production) -> None:
        """No proof names its version; its message says that it has the secrets of the release before."""
        production.release({"one": "a"}, secrets={"KEY": "before", "SALT": "stays"})
        production.release({"one": "b"}, secrets={"KEY": "now", "SALT": "stays"})
        production.release({"one": "c"}, secrets={"KEY": "now", "SALT": "stays"})
        production.proofs.pop(0)
        assert ": the secret KEY gets its earlier value. " in refused(production, production.proofs[1]["digest"])

    def test_secrets_of_a_proof_of_before_are_not_told_apart(self, production: Production) -> None:
        production.release({"one": "a"}, secrets={"KEY": "before", "SALT": "stays"}, of_before=True)
        production.release({"one": "b"}, secrets={"KEY": "now", "SALT": "stays"})
        assert "it comes back with earlier values of its secrets (KEY, SALT)" in refused(production)

    def test_secrets_under_another_key_of_fingerprints_are_not_told_apart(self, production: Production) -> None:
        production.release({"one": "a"}, secrets={"KEY": "before", "SALT": "stays"})
        production.proofs[0]["fingerprint_key"] = "0" * 16
        production.release({"one": "b"}, secrets={"KEY": "now", "SALT": "stays"})
        assert "it comes back with earlier values of its secrets (KEY, SALT)" in refused(production)

    def test_schedules_that_differ_are_said_and_stay(self, production: Production) -> None:
        production.release({"one": "a", "two": "a"}, crons=("0 3 * * *",))
        production.release({"one": "b", "two": "b"}, crons=("*/5 * * * *", "0 4 * * *"))
        said = back(production)
        scripts = {worker["name"] for worker in production.workers.values()}
        kept = {
            f"  worker {script} keeps its schedules (*/5 * * * *, 0 4 * * *); those of the release were 0 3 * * *" for script in scripts
        }
        assert kept <= set(said)
        for script in scripts:
            listed = production.api.result("GET", f"/workers/scripts/{script}/schedules")["schedules"]
            assert {one["cron"] for one in listed} == {"*/5 * * * *", "0 4 * * *"}

    def test_schedules_that_are_the_same_or_not_recorded_are_not_said(self, production: Production) -> None:
        production.release({"one": "a"}, of_before=True)
        production.release({"one": "b"}, crons=("0 3 * * *",))
        production.release({"one": "c"}, crons=("0 3 * * *",))
        assert not [line for line in [*back(production), *back(production)] if "keeps its schedules" in line]

    def test_secrets_that_cloudflare_alone_knows_to_have_changed_are_not_forced(self, two: tuple[Production, str, str]) -> None:
        production, old, new = two
        script = production.workers["one"]["name"]
        for proof, value in ((production.proofs[1], "x"), (production.proofs[0], "y")):
            bindings = [{"name": "CF_VERSION_METADATA", "type": "version_metadata"}, {"name": "KEY", "type": "secret_text", "text": value}]
            tag = {"workers/tag": proof["workers"]["one"]["tag"]}
            uploaded = production.api.upload(production.workers["one"], f"{CODE}{value}", bindings=bindings, annotations=tag)
            proof["workers"]["one"]["version"] = uploaded["id"]
            production.api.deploy(production.workers["one"], (uploaded, 100))
        with pytest.raises(LiveError, match="The following secrets have changed: KEY") as raised:
            back(production)
        assert "Run the same command again with --accept secrets" in str(raised.value)
        assert production.answering == production.versions(new), script
        back(production, None, "secrets")
        assert production.answering == production.versions(old)

    def test_a_version_that_is_gone_stands_in_the_way(self, two: tuple[Production, str, str]) -> None:
        production = two[0]
        gone = "10ca0000-0000-4000-8000-000000000000"
        production.proofs[1]["workers"]["two"]["version"] = gone
        assert f"Cloudflare no longer has version {gone}" in refused(production)


class TestReleasesWithOtherParts:
    def test_a_worker_that_came_since_stays(self, production: Production) -> None:
        old = production.release({"one": "a"})
        new = production.release({"one": "b", "two": "b"})
        said = back(production)
        assert any("stays as it is: the release does not have it" in line for line in said)
        assert production.answering == {"one": production.versions(old)["one"], "two": production.versions(new)["two"]}

    def test_a_worker_that_went_since_serves_its_version_again(self, production: Production) -> None:
        old = production.release({"one": "a", "two": "a"})
        production.release({"one": "b"})
        production.serve("two", "left behind")
        back(production, old)
        assert production.answering == production.versions(old)

    def test_a_worker_that_went_and_was_deleted_stands_in_the_way(self, production: Production) -> None:
        production.release({"one": "a", "two": "a"})
        production.release({"one": "b"})
        production.api.call("DELETE", f"/workers/scripts/{production.workers.pop('two')['name']}?force=true")
        assert "Cloudflare no longer has version" in refused(production)

    def test_another_database_has_to_be_accepted(self, production: Production) -> None:
        old = production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"renamed": FIRST})
        assert "so it no longer sees the rows of the other one" in refused(production)
        back(production, None, "databases")
        assert production.answering == production.versions(old)

    def test_a_database_that_was_deleted_stands_in_the_way(self, production: Production) -> None:
        production.release({"one": "a"}, {"db": FIRST})
        production.release({"one": "b"}, {"renamed": FIRST})
        production.api.call("DELETE", f"/d1/database/{production.databases['db']}")
        assert "does not exist, and the release needs it" in refused(production, None, "databases")


class TestAllOrNothing:
    def test_a_worker_that_cannot_move_lets_the_others_stay(self, two: tuple[Production, str, str], faults: Faults) -> None:
        production, old, new = two
        faults.fail(ROUTE, status=400, saying=production.versions(old)["two"])
        with pytest.raises(LiveError, match="the others were put back, so what served before serves again"):
            back(production)
        assert production.answering == production.versions(new)
        assert production.messages("one")[0] == f"crane abort {old[:12]}"

    def test_lost_replies_and_failures_that_pass_do_not_matter(self, two: tuple[Production, str, str], faults: Faults) -> None:
        production, old, _ = two
        with faults.fault(ROUTE, Drop("after-commit")):
            faults.fail(ROUTE, nth=2, status=503)
            back(production)
        assert production.answering == production.versions(old)

    def test_two_releases_that_serve_side_by_side_are_said(self, two: tuple[Production, str, str], faults: Faults) -> None:
        production, old, new = two
        faults.fail(ROUTE, status=400, saying=production.versions(old)["two"])
        faults.fail(ROUTE, status=400, saying=production.versions(new)["one"])
        with pytest.raises(LiveError, match="could not be put back, so two releases may serve side by side"):
            back(production)

    def test_one_that_was_killed_half_way_is_brought_to_its_end(self, two: tuple[Production, str, str], faults: Faults) -> None:
        production, old, new = two
        faults.fail(ROUTE, status=400, saying=production.versions(old)["two"])
        faults.fail(ROUTE, status=400, saying=production.versions(new)["one"])
        with pytest.raises(LiveError):
            back(production)
        report = _verified(production)
        assert [str(finding) for finding in report if f"crane rollback -s production {old[:12]}" in str(finding)]
        back(production)
        assert production.answering == production.versions(old)
        assert not _verified(production)


class TestTheRecord:
    def test_keeps_the_release_that_the_stack_has_through_several_rollbacks(self, production: Production) -> None:
        oldest, old, new = (production.release({"one": text}) for text in "abc")
        back(production)
        back(production)
        assert production.messages("one")[:2] == [f"crane rollback {digest[:12]} from {new[:12]}: it is broken" for digest in (oldest, old)]
        back(production, new)
        assert production.messages("one")[0] == f"crane rollback {new[:12]}: it is broken"

    def test_names_the_release_that_never_passed_where_staging_knows_it(self, production: Production) -> None:
        production.release({"one": "a"})
        production.release({"one": "b"})
        failed = production.proofs.pop(0)
        staging = StackOutputs(proofs=Production(production.api, production.folder, [failed]).outputs.proofs)
        stack = Stack(production.settings, production.catalog, production.outputs, _always(staging))
        roll_back(stack, Wish(None), print, lambda: True)
        assert production.messages("one")[0] == f"crane rollback {production.proofs[0]['digest'][:12]} from {failed['digest'][:12]}"


def _verified(production: Production) -> list[CraneError]:
    return asyncio.run(verify(production.settings, production.catalog, production.outputs)).findings


def _always(outputs: StackOutputs) -> Callable[[], StackOutputs]:
    return lambda: outputs
