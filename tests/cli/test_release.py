"""``crane release`` and ``crane proof``: their output, and one line with exit code 1 for each refusal."""

import shutil
import subprocess
from pathlib import Path

import pytest

from crane_infra import catalog
from crane_infra.release.manifest import read_release
from crane_infra.release.staged_modules import path_of
from tests.clone import CRANE, Run
from tests.repository import ROOT

DIGEST = read_release(catalog.crane(), ROOT / "workers").digest


def one_line(ended: subprocess.CompletedProcess[str]) -> str:
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    return line


def test_the_digest_is_the_one_of_the_catalog_and_the_workers(run: Run) -> None:
    ended = run(CRANE, "release", "digest", "--workers-dir", "workers")
    assert (ended.returncode, ended.stdout) == (0, f"{DIGEST}\n")


def test_a_release_goes_from_one_folder_to_another(run: Run, clone: Path) -> None:
    packed = run(CRANE, "release", "pack", "release.tar", "--workers-dir", "workers")
    assert (packed.returncode, packed.stdout) == (0, f"{DIGEST}\n")
    unpacked = run(CRANE, "release", "unpack", "release.tar", "--workers-dir", "bundles", "--require", DIGEST)
    assert (unpacked.returncode, unpacked.stdout, unpacked.stderr) == (0, "", "")
    modules = [module for bundle in read_release(catalog.crane(), ROOT / "workers").bundles.values() for module in bundle.modules]
    assert {module.content for module in modules} == {(clone / path_of(module)).read_bytes() for module in modules}
    required = run(CRANE, "release", "require", DIGEST, "--workers-dir", "bundles")
    assert (required.returncode, required.stdout, required.stderr) == (0, "", "")
    shutil.rmtree(clone / "bundles")


def test_a_release_whose_modules_cannot_be_copied_for_the_provider_is_not_unpacked(run: Run, clone: Path) -> None:
    run(CRANE, "release", "pack", "release.tar", "--workers-dir", "workers")
    modules = clone / ".crane" / "modules"
    shutil.rmtree(modules, ignore_errors=True)
    modules.parent.mkdir(exist_ok=True)
    modules.write_text("a file")
    said = one_line(run(CRANE, "release", "unpack", "release.tar", "--workers-dir", "bundles", "--require", DIGEST))
    assert said == "error: .crane/modules: modules cannot be copied there (File exists). Make the folder writable."
    assert not (clone / "bundles").exists()
    modules.unlink()


def test_another_release_is_refused(run: Run) -> None:
    assert one_line(run(CRANE, "release", "require", "a" * 64, "--workers-dir", "workers")) == (
        f"error: workers: is release {DIGEST[:12]} with the catalog of this commit, not aaaaaaaaaaaa. "
        "Use the archive that staging stored, or prove this release in staging first."
    )


@pytest.mark.parametrize("digest", ["a" * 12, "A" * 64, "../x"])
def test_a_text_that_is_not_a_digest_is_refused(run: Run, digest: str) -> None:
    assert one_line(run(CRANE, "release", "require", digest, "--workers-dir", "workers")) == (
        f"error: '{digest}': is not the digest of a release. Give all 64 hex digits, as crane proof prints them."
    )


def test_workers_that_were_not_built_are_refused(run: Run) -> None:
    assert one_line(run(CRANE, "release", "pack", "none.tar", "--workers-dir", "nowhere")).endswith(
        "the folder does not exist. Build the worker (for TypeScript: wrangler deploy --dry-run --outdir dist), or correct workers-dir."
    )


@pytest.mark.engine
def test_a_stack_that_pulumi_does_not_know_has_no_proof(run: Run, tmp_path: Path) -> None:
    ended = run(CRANE, "proof", PULUMI_BACKEND_URL=tmp_path.as_uri(), PATH=f"{ROOT}/.venv/bin:{ROOT}/.crane/engine/bin:/usr/bin:/bin")
    assert one_line(ended).startswith("error: stack staging: Pulumi failed (no stack named 'staging' found")
