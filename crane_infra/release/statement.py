"""A proof as an in-toto statement: the bytes that are signed, and the name by which the next proof refers to this one. Pure.

The form is https://in-toto.io/Statement/v1: its subject is the release, by its digest, and its predicate is the proof. The bytes are always the
same for the same proof, also once Pulumi has kept it: its state turns whole numbers into floats.
"""

import hashlib
import json
from typing import Any

from crane_infra.release.proof import Proof, as_json

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "urn:crane-infra:proof:1"


def statement(proof: Proof) -> bytes:
    """The statement about a proof, without its seal, as JSON with sorted keys."""
    predicate = {key: value for key, value in as_json(proof).items() if key != "seal"}
    subject = [{"name": "release", "digest": {"sha256": proof.digest}}]
    whole = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": _plain(predicate)}
    return json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()


def name_of(proof: Proof) -> str:
    """The sha256 of the statement, by which the next proof names this one."""
    return hashlib.sha256(statement(proof)).hexdigest()


def _plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case dict():
            return {key: _plain(part) for key, part in value.items()}
        case list():
            return [_plain(part) for part in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
