"""What a user sets: the settings of a stack, the types of the catalog, and checks that the two match. No Pulumi, no HTTP."""
