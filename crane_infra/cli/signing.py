"""``crane new-signing-key``: gives staging a new key, and says how production comes to trust it. The private key is never printed."""

import typer

from crane_infra.commands.signing import give_new_key


def new_signing_key() -> None:
    """Give staging a new key that signs its proofs.

    Stores the private key in Pulumi.staging.yaml, encrypted, and prints the public one. While production trusts a key before it, add
    the new one to its list first: docs/promotion.md.
    """
    key = give_new_key()
    typer.echo(f"Pulumi.staging.yaml: signing-key {key.id} is stored, encrypted")
    typer.echo("1. Sign what staging has proven:     pulumi up -s staging")
    typer.echo(f"2. Let production trust the key:     pulumi config set -s production --path 'proof-keys[0]' {key.public}")
    typer.echo("   Where production trusts a key already, do step 2 first, with the next number instead of 0.")
