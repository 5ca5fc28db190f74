"""A signed proof as a file for others: a DSSE envelope around its in-toto statement, which other tools read too. Pure.

Whoever has the public key can check it anywhere, without Pulumi, Cloudflare or a network.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, ValidationError

from crane_infra.errors import GateError
from crane_infra.frozen import Frozen, first_fault
from crane_infra.release.proof import Proof, Seal
from crane_infra.release.seal import seal_fault
from crane_infra.release.signature import PAYLOAD_TYPE
from crane_infra.release.statement import PREDICATE, statement


class _Signature(Frozen):
    keyid: str
    sig: str


class _Envelope(Frozen):
    payload: str
    payload_type: Annotated[str, Field(alias="payloadType")]
    signatures: Annotated[tuple[_Signature, ...], Field(min_length=1)]


def envelope(proof: Proof) -> str:
    """The envelope of a signed proof, as JSON. Raises GateError if it is not signed."""
    if proof.seal is None:
        raise GateError(f"the proof of release {proof.digest[:12]}", "is not signed", "Give staging a signing key: crane new-signing-key")
    signature = {"keyid": proof.seal.key, "sig": proof.seal.signature}
    return json.dumps({"payload": b64encode(statement(proof)).decode(), "payloadType": PAYLOAD_TYPE, "signatures": [signature]}, indent=2)


def proof_in(text: str, trusted: Sequence[str], where: str) -> Proof:
    """The proof in an envelope, which one of the ``trusted`` public keys signed. ``where`` names the file in an error.

    Raises GateError if it is no envelope of a proof, was changed, or is signed by another key.
    """
    try:
        read = _Envelope.model_validate_json(text)
        payload = b64decode(read.payload, validate=True)
        whole = json.loads(payload)
        seal = Seal(key=read.signatures[0].keyid, signature=read.signatures[0].sig)
        proof = Proof.model_validate({**whole["predicate"], "seal": seal})
    except ValidationError as error:
        raise _unreadable(where, ": ".join(filter(None, first_fault(error)))) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _unreadable(where, "its payload is not a statement about a proof") from None
    if read.payload_type != PAYLOAD_TYPE or whole.get("predicateType") != PREDICATE or statement(proof) != payload:
        raise _unreadable(where, "its payload is not a statement about a proof")
    if fault := seal_fault(proof, trusted):
        raise GateError(f"{where}: the proof of release {proof.digest[:12]}", fault, "Take nothing from it")
    return proof


def _unreadable(where: str, what: str) -> GateError:
    return GateError(where, f"is not a signed proof ({what})", "Write one with crane proof --envelope")
