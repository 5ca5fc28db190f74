"""Everything that happens inside `pulumi up` and `pulumi preview`."""
