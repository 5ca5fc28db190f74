"""Releases, their proofs and the gate. No Pulumi, no HTTP."""
