"""What a user sets: the settings of a stack, the types of the catalog, and whether the two fit. No Pulumi, no HTTP."""
