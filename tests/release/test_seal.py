"""With keys in production's settings, only what staging signed opens the gate: nothing written, changed, moved or taken out by anybody else."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from crane_infra.errors import CraneError
from crane_infra.release.envelope import envelope, proof_in
from crane_infra.release.gate import UNSIGNED, RequiredProof, judge
from crane_infra.release.proof import Proof, as_json, extended, proofs_in
from crane_infra.release.seal import KeySealer
from crane_infra.release.signature import SigningKey, key_id, new_private_key
from crane_infra.release.statement import statement
from tests.samples import ACCOUNT, MANIFEST, NOW

MakeProof = Callable[..., Proof]
Entries = list[dict[str, Any]]
KEY, OTHER = SigningKey(b64encode(b"k" * 32).decode()), SigningKey(b64encode(b"o" * 32).decode())
DIGESTS = [letter * 64 for letter in "abcd"]
REQUIRED = RequiredProof("a" * 64, "crane-infra", ACCOUNT, "staging", MANIFEST, keys=(KEY.public,))


def history(make_proof: MakeProof, *digests: str, key: SigningKey | None = KEY, after: Entries | None = None) -> Entries:
    """What staging exports after it proved these releases, the first one first; ``after`` is what it exported before."""
    entries = after or []
    for digest in digests:
        entries = extended(entries, make_proof(digest=digest), seal=KeySealer(key) if key else None)
    return entries


def reason(entries: Entries, keys: tuple[str, ...] = (KEY.public,)) -> str:
    """Why the gate is closed; empty where it is open."""
    verdict = judge({"proofs": entries}, replace(REQUIRED, keys=keys), NOW)
    return "" if verdict.is_open else verdict.reason


def test_a_signed_proof_opens_the_gate_and_leaves_no_risk_to_tell(make_proof: MakeProof) -> None:
    verdict = judge({"proofs": history(make_proof, *DIGESTS[::-1])}, REQUIRED, NOW)
    assert (verdict.is_open, verdict.newest, verdict.risk) == (True, True, "")


def test_what_pulumi_does_to_numbers_changes_no_signature(make_proof: MakeProof) -> None:
    """Its state has no whole numbers."""
    entries = json.loads(json.dumps(history(make_proof, *DIGESTS[::-1])), parse_int=float)
    assert reason(entries) == ""


def test_without_keys_the_gate_opens_and_names_the_risk(make_proof: MakeProof) -> None:
    verdict = judge({"proofs": history(make_proof, "a" * 64, key=None)}, replace(REQUIRED, keys=()), NOW)
    assert (verdict.is_open, verdict.risk) == (True, UNSIGNED)


class TestAForgedProof:
    """A valid entry that whoever can write the state puts into it, without the key."""

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_is_refused_wherever_it_stands(self, make_proof: MakeProof, place: int) -> None:
        entries = history(make_proof, "b" * 64, "c" * 64)
        entries.insert(place, as_json(make_proof()))
        assert reason(entries) == "the proof of release aaaaaaaaaaaa is not signed"

    def test_is_refused_with_the_signature_of_another(self, make_proof: MakeProof) -> None:
        entries = history(make_proof, "b" * 64)
        entries.insert(0, as_json(make_proof()) | {"seal": entries[0]["seal"]})
        assert (
            reason(entries)
            == "the proof of release aaaaaaaaaaaa was changed after it was signed, or its signature belongs to another proof"
        )

    def test_is_refused_with_the_signature_of_another_key(self, make_proof: MakeProof) -> None:
        entries = history(make_proof, "a" * 64, key=OTHER)
        assert reason(entries) == f"the proof of release aaaaaaaaaaaa is signed with key {OTHER.id}, which production does not trust"

    @pytest.mark.parametrize(
        ("replayed", "objection"),
        [
            ({"account": "f" * 32}, f"is for account {'f' * 32}, not {ACCOUNT}"),
            ({"project": "another"}, "is for project another, not crane-infra"),
            ({"environment": "production"}, "is for environment production, not staging"),
        ],
    )
    def test_is_refused_where_the_same_key_signed_it_for_somewhere_else(
        self, make_proof: MakeProof, replayed: dict[str, str], objection: str
    ) -> None:
        """A true proof of another account, copied into this state."""
        entries = extended([], make_proof(**replayed), seal=KeySealer(KEY))
        assert reason(entries) == f"the proof of release aaaaaaaaaaaa {objection}"

    def test_before_a_true_one_closes_the_gate_as_well(self, make_proof: MakeProof) -> None:
        """It would hide which release is the newest."""
        entries = [as_json(make_proof(digest="f" * 64)), *history(make_proof, "a" * 64)]
        assert reason(entries) == "the proof of release ffffffffffff is not signed"


class TestAChangedHistory:
    @pytest.fixture
    def entries(self, make_proof: MakeProof) -> Entries:
        return history(make_proof, *DIGESTS)

    def test_shows_a_proof_that_was_taken_out(self, entries: Entries) -> None:
        del entries[1]
        assert (
            reason(entries) == "the proof of release dddddddddddd does not follow on that of bbbbbbbbbbbb: one was removed, added or moved"
        )

    def test_shows_a_proof_that_was_moved(self, entries: Entries) -> None:
        entries[1], entries[2] = entries[2], entries[1]
        assert "does not follow" in reason(entries)

    def test_may_end_early_as_a_list_of_twenty_does(self, make_proof: MakeProof) -> None:
        """What is cut off behind the release's own proof proves nothing about it."""
        entries = history(make_proof, *[letter * 64 for letter in "bcda"])
        assert [reason(entries[:count]) for count in range(1, 5)] == [""] * 4

    def test_shows_an_older_proof_that_was_put_in_front(self, entries: Entries) -> None:
        entries.insert(0, entries.pop())
        assert "does not follow" in reason(entries)

    def test_shows_each_part_of_a_proof_that_is_changed_or_taken_out(self, make_proof: MakeProof) -> None:
        recorded = {"script": "s", "version": "v1", "tag": "t1", "secrets": {"KEY": "0" * 16}, "crons": ["0 3 * * *"]}
        proof = make_proof(workers={"crane-context": recorded}, fingerprint_key="1" * 16)
        entries = extended(history(make_proof, "b" * 64), proof, seal=KeySealer(KEY))
        paths = _paths(entries[0])
        assert len(paths) > 35
        for path in paths:
            changed = json.loads(json.dumps(entries[0]))
            _change(changed, path)
            assert reason([changed, entries[1]]), path


def _paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    return (
        [path, *(below for key, part in parts for below in _paths(part, (*path, key)))]
        if path
        else [below for key, part in parts for below in _paths(part, (key,))]
    )


def _change(
    value: Any,  # noqa: ANN401 (JSON)
    path: tuple[Any, ...],
) -> None:
    *outer, last = path
    for key in outer:
        value = value[key]
    match value[last]:
        case str() as text:
            value[last] = text[:-1] + ("0" if text[-1:] != "0" else "1")
        case int() as number:
            value[last] = number + 1
        case _:
            del value[last]


class TestKeys:
    def test_both_of_two_count_while_one_replaces_the_other(self, make_proof: MakeProof) -> None:
        entries = history(make_proof, "a" * 64, key=OTHER, after=history(make_proof, "b" * 64))
        assert reason(entries, keys=(KEY.public, OTHER.public)) == ""

    def test_a_new_one_signs_the_same_release_again(self, make_proof: MakeProof) -> None:
        """So the way to rotate is another update of staging."""
        entries = history(make_proof, "a" * 64, key=OTHER, after=history(make_proof, "a" * 64))
        assert [entry["seal"]["key"] for entry in entries] == [OTHER.id, KEY.id]
        assert reason(entries, keys=(OTHER.public,)) == ""

    def test_the_first_one_signs_what_was_proven_without(self, make_proof: MakeProof) -> None:
        entries = history(make_proof, "a" * 64, after=history(make_proof, "b" * 64, "a" * 64, key=None))
        assert len(entries) == 3
        assert reason(entries) == ""

    def test_an_update_that_changes_nothing_signs_nothing(self, make_proof: MakeProof) -> None:
        entries = history(make_proof, "a" * 64)
        assert history(make_proof, "a" * 64, after=entries) == entries

    def test_a_key_is_random_and_shows_only_its_public_half(self) -> None:
        private = new_private_key()
        key = SigningKey(private)
        assert private != new_private_key()
        assert private not in f"{key!r} {key.public} {key.id}"
        assert key_id(key.public) == key.id

    @pytest.mark.parametrize("private", ["", "short", b64encode(b"x" * 31).decode(), "ü" * 44, "-" * 44])
    def test_anything_else_is_no_key(self, private: str) -> None:
        with pytest.raises(ValueError):  # noqa: PT011 - whatever says why, it is not shown
            SigningKey(private)


class TestAnEnvelope:
    """A signed proof as a file, for whoever has the public key."""

    @pytest.fixture
    def proof(self, make_proof: MakeProof) -> Proof:
        return proofs_in({"proofs": history(make_proof, "b" * 64, "a" * 64)})[0]

    def test_is_read_back(self, proof: Proof) -> None:
        assert proof_in(envelope(proof), [OTHER.public, KEY.public], "proof.json") == proof

    def test_is_what_other_tools_verify(self, proof: Proof) -> None:
        public = SSlibKey(KEY.id, "ed25519", "ed25519", {"public": b64decode(KEY.public).hex()})
        read = Envelope.from_dict(json.loads(envelope(proof)))
        assert set(read.verify([public], 1)) == {KEY.id}
        assert json.loads(read.payload)["subject"] == [{"name": "release", "digest": {"sha256": "a" * 64}}]
        changed = Envelope(read.payload.replace(b"v1", b"v2"), read.payload_type, read.signatures)
        with pytest.raises(VerificationError):
            changed.verify([public], 1)

    def test_of_a_proof_that_is_not_signed_cannot_be_written(self, make_proof: MakeProof) -> None:
        with pytest.raises(CraneError, match="is not signed"):
            envelope(make_proof())

    def test_that_was_changed_is_refused(self, proof: Proof) -> None:
        whole = json.loads(envelope(proof))
        whole["payload"] = b64encode(statement(proof).replace(b'"v1"', b'"v2"')).decode()
        with pytest.raises(CraneError, match="was changed after it was signed"):
            proof_in(json.dumps(whole), [KEY.public], "proof.json")

    def test_with_more_in_it_than_was_read_is_refused(self, proof: Proof) -> None:
        payload = json.loads(statement(proof)) | {"more": 1}
        whole = json.loads(envelope(proof)) | {"payload": b64encode(json.dumps(payload).encode()).decode()}
        with pytest.raises(CraneError, match="is not a statement about a proof"):
            proof_in(json.dumps(whole), [KEY.public], "proof.json")

    @pytest.mark.parametrize("text", ["", "{}", "[]", '{"payload": "", "payloadType": "x", "signatures": []}', "[" * 10_000])
    def test_anything_else_is_refused_in_one_line(self, text: str) -> None:
        with pytest.raises(CraneError, match="is not a signed proof") as refused:
            proof_in(text, [KEY.public], "proof.json")
        assert "\n" not in str(refused.value)

    @given(st.text(max_size=200))
    def test_any_payload_is_read_or_refused(self, payload: str) -> None:
        whole = {
            "payload": b64encode(payload.encode(errors="replace")).decode(),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": KEY.id, "sig": "A" * 86 + "=="}],
        }
        with pytest.raises(CraneError):
            proof_in(json.dumps(whole), [KEY.public], "proof.json")
