"""The tests; each folder has the invariants of one floor of the house."""
