"""Signs statements, and checks signatures: Ed25519 over the form that DSSE prescribes (github.com/secure-systems-lab/dsse, protocol.md). Pure.

The library is imported where something is signed or checked: most runs of a stack without a key need it for nothing.

A public key is the base64 of its 32 bytes. Its id, the beginning of its sha256, tells keys apart where a person reads it.
"""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE = "application/vnd.in-toto+json"


@dataclass(frozen=True)
class SigningKey:
    """A private key. Raises ValueError where ``private`` is not the base64 of 32 bytes."""

    private: str = field(repr=False)

    def __post_init__(self) -> None:
        """Read it once, so that a wrong key is found before anything is deployed."""
        _ = self._key

    @property
    def public(self) -> str:
        """The public key that belongs to it."""
        return b64encode(self._key.public_key().public_bytes_raw()).decode()

    @property
    def id(self) -> str:
        """The id of the public key."""
        return key_id(self.public)

    def sign(self, payload: bytes) -> str:
        """The signature of a statement, in base64; always the same for the same statement."""
        return b64encode(self._key.sign(_signed_form(payload))).decode()

    @property
    def _key(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

        return Ed25519PrivateKey.from_private_bytes(b64decode(self.private, validate=True))


def new_private_key() -> str:
    """A new random private key, in base64."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

    return b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()


def key_id(public: str) -> str:
    """The id of a public key: the first 16 hex digits of the sha256 of its bytes."""
    return hashlib.sha256(b64decode(public)).hexdigest()[:16]


def is_signed_by(public: str, payload: bytes, signature: str) -> bool:
    """Whether ``signature`` is that of the statement by the owner of the public key."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - see above

    try:
        Ed25519PublicKey.from_public_bytes(b64decode(public)).verify(b64decode(signature), _signed_form(payload))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed_form(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding."""
    return b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)
