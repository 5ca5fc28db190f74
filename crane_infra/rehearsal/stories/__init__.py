"""The stories that `make rehearse` runs, step by step."""
