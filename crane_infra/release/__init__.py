"""A release, its proof and the gate. No Pulumi, no HTTP."""
