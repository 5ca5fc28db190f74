"""Makes the key that signs staging's proofs, and verifies a signed proof with the public keys of production's stack file."""

from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from crane_infra.config.settings import PublicKey
from crane_infra.config.stackfile import project_name, stack_config
from crane_infra.errors import SettingsError
from crane_infra.frozen import first_fault
from crane_infra.pulumi_cli import ask_pulumi, pulumi_failed
from crane_infra.release.envelope import proof_in
from crane_infra.release.signature import SigningKey, new_private_key

_KEYS = TypeAdapter(tuple[PublicKey, ...])


def give_new_key() -> SigningKey:
    """Store a new private key in staging's stack file, encrypted, in place of the one before. Raises SettingsError where Pulumi fails."""
    private = new_private_key()
    stored = ask_pulumi("staging", "config", "set", "--secret", "signing-key", given=private)
    if stored.returncode:
        raise pulumi_failed("staging", stored)
    return SigningKey(private)


def verified(file: Path, root: Path) -> str:
    """What the envelope in ``file`` proves, in one line. ``root`` is the folder of the stack files.

    Raises SettingsError where the file cannot be read or production trusts no key, GateError where the envelope does not hold.
    """
    where = "Pulumi.production.yaml proof-keys"
    try:
        keys = _KEYS.validate_python(stack_config(root, "production").get(f"{project_name(root)}:proof-keys") or ())
        text = file.read_text(encoding="utf-8")
    except ValidationError as error:
        raise SettingsError(where, ": ".join(filter(None, first_fault(error))), "Correct it") from None
    except (OSError, ValueError) as error:
        raise SettingsError(str(file), f"cannot be read ({type(error).__name__})", "Write it with crane proof --envelope") from None
    if not keys:
        raise SettingsError(where, "has no key", "Add the public key that crane new-signing-key printed")
    proof = proof_in(text, keys, str(file))
    key = proof.seal.key if proof.seal else ""
    return (
        f"{file}: release {proof.digest} of commit {proof.commit or 'unknown'}, proven by {proof.environment} "
        f"at {proof.proven_at.isoformat()}, signed with key {key}"
    )
