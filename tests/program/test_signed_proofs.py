"""Who can write staging's state cannot open production's gate: not without the signing key, and not for a version that staging does not have.

One story on one local cloud: each fixture goes on from the one that it names.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from crane_infra import catalog
from crane_infra.release.exported import as_recorded, exported
from crane_infra.release.gate import UNSIGNED
from crane_infra.release.manifest import read_release
from tests.command_line import crane
from tests.world.copies import promoted_world
from tests.world.engine import Json, Result
from tests.world.history import change_state
from tests.world.world import SETTINGS, World, edit

pytestmark = [pytest.mark.engine, pytest.mark.cloud]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Both environments run one release, whose proofs nobody signed."""
    with promoted_world(tmp_path_factory) as made:
        yield made


def command(world: World, *words: str) -> str:
    """Run crane, which has to succeed."""
    ended = crane(*words, environ=world.local.environ, cwd=world.project.folder)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def forged(world: World, proof: Json) -> Json:
    """A valid proof, as its author would write it, of files that staging never deployed."""
    release = read_release(catalog.crane(), world.workers)
    workers = {name: {**worker, "tag": release.tag(name)} for name, worker in proof["workers"].items()}
    unsigned = {key: value for key, value in proof.items() if key not in ("seal", "previous")}
    return {**unsigned, "digest": release.digest, "manifest": release.manifest, "workers": workers}


def put_into_state(world: World, proofs: list[Json]) -> None:
    """Write another list of proofs into staging's state, in the form in which the program keeps it."""
    plain = world.outputs("staging") | {"proofs": proofs}
    change_state(world, "staging", as_recorded(plain), exported("staging", plain))
    assert world.proofs("staging") == proofs


def refused(run: Result) -> str:
    """The one line with which an update was refused."""
    assert run.exit != 0
    (line,) = run.errors
    return line


@dataclass(frozen=True)
class Forgeries:
    """What production said to a forged proof in staging's state, which stood behind the newest one and in front of it."""

    older: str
    newest: str


def forge(world: World) -> Forgeries:
    """Promote files that staging never deployed, with a proof that somebody wrote into its state; then all is as before."""
    code, true = world.workers / "crane-context" / "dist" / "index.js", world.proofs("staging")
    before = code.read_text(encoding="utf-8")
    edit(code, "export default {", "// forged\nexport default {")
    try:
        proof = forged(world, true[0])
        put_into_state(world, [true[0], proof, *true[1:]])
        older = refused(world.up("production"))
        put_into_state(world, [proof, *true])
        return Forgeries(older, refused(world.up("production")))
    finally:
        code.write_text(before, encoding="utf-8")
        put_into_state(world, true)


@pytest.fixture(scope="module")
def without_keys(world: World) -> Forgeries:
    return forge(world)


@dataclass(frozen=True)
class Signed:
    """Staging has a key and has signed what it had proven; production trusts the key."""

    before: list[Json]
    after: list[Json]
    public: str
    private: str
    preview_before: Result
    production: Result


@pytest.fixture(scope="module")
def signed(world: World, without_keys: Forgeries) -> Signed:  # noqa: ARG001 - it has to come first
    before, unsigned = world.proofs("staging"), world.engine.run("preview", "--stack", "production")
    said = command(world, "new-signing-key")
    public = said.split("'proof-keys[0]' ")[1].split()[0]
    assert world.up("staging").exit == 0
    world.engine.well("config", "set", "--stack", "production", "--path", "proof-keys[0]", public)
    private = world.engine.well("config", "get", "--stack", "staging", "signing-key").strip()
    world.engine.output.pop()  # where this test asked for the key itself
    return Signed(before, world.proofs("staging"), public, private, unsigned, world.up("production"))


@pytest.fixture(scope="module")
def with_keys(world: World, signed: Signed) -> Forgeries:  # noqa: ARG001 - it has to come first
    return forge(world)


class TestWithoutKeys:
    def test_a_run_of_production_warns_of_the_risk(self, signed: Signed) -> None:
        assert f"{UNSIGNED}." in signed.preview_before.output

    def test_a_forged_proof_is_refused_where_staging_has_no_such_version(self, without_keys: Forgeries) -> None:
        """Its author wrote another digest for the version that is there."""
        assert "staging has changed since its proof: worker crane-context-staging: version" in without_keys.older
        assert "has the tag" in without_keys.older
        assert "production gate closed: staging has changed since its proof: worker crane-context-staging: " in without_keys.newest


class TestWithKeys:
    def test_an_update_signs_what_staging_has_proven_and_uploads_nothing(self, signed: Signed) -> None:
        newest, *older = signed.after
        assert older == signed.before
        assert newest["digest"] == signed.before[0]["digest"]
        assert newest["workers"] == signed.before[0]["workers"]
        assert newest["seal"]["key"]

    def test_production_takes_it_without_a_warning(self, signed: Signed) -> None:
        assert signed.production.exit == 0
        assert "production gate open: " in signed.production.output
        assert UNSIGNED not in signed.production.output

    def test_a_forged_proof_is_refused_wherever_it_stands(self, with_keys: Forgeries) -> None:
        assert with_keys.older.startswith("production gate closed: the proof of release ")
        assert "is not signed. Run pulumi up -s staging" in with_keys.older
        assert "is not signed. Run pulumi up -s staging" in with_keys.newest

    def test_a_signed_proof_is_verified_without_pulumi(self, world: World, with_keys: Forgeries, signed: Signed) -> None:  # noqa: ARG002
        (world.project.folder / "proof.json").write_text(command(world, "proof", "--envelope", "--with-changes"), encoding="utf-8")
        nobody = {"PATH": "/nowhere"}
        ended = crane("proof", "--verify", "proof.json", environ=nobody, cwd=world.project.folder)
        assert ended.returncode == 0, ended.stderr
        assert signed.after[0]["digest"] in ended.stdout
        changed = (world.project.folder / "proof.json").read_text(encoding="utf-8").replace('"sig": "', '"sig": "A')
        (world.project.folder / "proof.json").write_text(changed, encoding="utf-8")
        assert crane("proof", "--verify", "proof.json", environ=nobody, cwd=world.project.folder).returncode == 1

    def test_the_private_key_stands_nowhere(self, world: World, with_keys: Forgeries, signed: Signed) -> None:  # noqa: ARG002
        texts = [
            *world.engine.output,
            world.state("staging"),
            world.state("production"),
            world.printed("staging"),
            json.dumps(world.outputs("staging")),
        ]
        texts += [path.read_text(encoding="utf-8") for path in world.project.folder.glob("Pulumi.*.yaml")]
        assert len(signed.private) == 44
        assert not [text for text in texts if signed.private in text]

    def test_a_private_key_in_production_is_refused(self, world: World, with_keys: Forgeries) -> None:  # noqa: ARG002
        settings = world.stack_file("production")
        world.engine.well("config", "set", "--stack", "production", "--secret", "signing-key", "x" * 44)
        try:
            line = refused(world.up("production"))
        finally:
            world.write_stack_file("production", settings)
        assert line.startswith(f"Pulumi.production.yaml {SETTINGS}:signing-key: is a secret of staging")
