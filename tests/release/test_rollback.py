"""A rollback applies no migrations, and keeps exactly those that a newer proof lists."""

from collections.abc import Callable

import pytest

from crane_infra.errors import MigrationError
from crane_infra.migrations.files.read import MigrationFile
from crane_infra.migrations.ledger import Ledger, LedgerEntry
from crane_infra.release.proof import Proof, as_json
from crane_infra.release.rollback import expected_after_rollback, migrations_after

MakeProof = Callable[..., Proof]


def file(number: int, sha256: str = "") -> MigrationFile:
    name = f"{number:04}_m.sql"
    return MigrationFile(number, name, name, sha256 or f"sha{number}", ("SELECT 1;",))


def ledger(*files: MigrationFile) -> Ledger:
    entries = (
        LedgerEntry(file.name, listed=True, sha256=file.sha256, origin="applied", token="t", release="r", started_at="then", done_at="then")
        for file in files
    )
    return Ledger(tuple(entries), populated=True, ready=True)


def manifest(*files: MigrationFile) -> dict[str, object]:
    migrations = [{"name": file.name, "sha256": file.sha256} for file in files]
    return {"workers": {}, "databases": {"db": {"migrations": migrations}}}


ONE, TWO, THREE = map(file, (1, 2, 3))


class TestWhatNewerProofsList:
    def test_migrations_of_newer_proofs_count_and_those_of_older_ones_do_not(self, make_proof: MakeProof) -> None:
        oldest, target = make_proof(digest="0" * 64, manifest=manifest(file(9))), make_proof(digest="1" * 64, manifest=manifest(ONE))
        newer, newest = (
            make_proof(digest="2" * 64, manifest=manifest(ONE, TWO)),
            make_proof(digest="3" * 64, manifest=manifest(ONE, TWO, THREE)),
        )
        outputs = {"proofs": [as_json(proof) for proof in (newest, newer, target, oldest)]}
        later = migrations_after(outputs, target)["db"]
        assert [(file.name, file.sha256, file.statements) for file in later] == [(file.name, file.sha256, ()) for file in (ONE, TWO, THREE)]

    @pytest.mark.parametrize("forgotten", [False, True], ids=["both proofs are listed", "the first proof has left the list"])
    def test_a_release_that_was_proven_again_is_older_all_the_same(self, make_proof: MakeProof, forgotten: bool) -> None:  # noqa: FBT001
        target, newer = make_proof(digest="1" * 64, manifest=manifest(ONE)), make_proof(digest="2" * 64, manifest=manifest(ONE, TWO))
        proofs = [target, newer] if forgotten else [target, newer, target]
        outputs = {"proofs": [as_json(proof) for proof in proofs], "releases": {target.digest: 1, newer.digest: 2}}
        assert [file.name for file in migrations_after(outputs, target)["db"]] == [ONE.name, TWO.name]

    def test_the_newest_release_has_nothing_after_it(self, make_proof: MakeProof) -> None:
        newest = make_proof(manifest=manifest(ONE))
        assert migrations_after({"proofs": [as_json(newest)]}, newest) == {}


class TestWhatALedgerMayList:
    def test_the_files_and_what_came_after_them(self) -> None:
        assert expected_after_rollback([ONE], [ONE, TWO, THREE], ledger(ONE, TWO), "db-prod") == (ONE, TWO)

    def test_the_files_alone(self) -> None:
        assert expected_after_rollback([ONE], [ONE, TWO], ledger(ONE), "db-prod") == (ONE,)

    def test_a_migration_that_no_newer_proof_lists_is_refused(self) -> None:
        with pytest.raises(MigrationError, match=r"0003_m.sql: in the ledger of db-prod but not among these files"):
            expected_after_rollback([ONE], [ONE, TWO], ledger(ONE, TWO, THREE), "db-prod")

    def test_the_same_name_with_other_content_is_refused(self) -> None:
        with pytest.raises(MigrationError, match=r"0002_m.sql: edited after it was applied to db-prod"):
            expected_after_rollback([ONE], [ONE, TWO], ledger(ONE, file(2, "other")), "db-prod")

    def test_a_pending_file_is_refused_since_nothing_is_applied(self) -> None:
        with pytest.raises(MigrationError, match=r"0002_m.sql: is not recorded as done in db-prod, and a rollback applies no migrations"):
            expected_after_rollback([ONE, TWO], [], ledger(ONE), "db-prod")
