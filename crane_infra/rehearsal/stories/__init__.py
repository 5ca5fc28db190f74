"""The stories that `make rehearse` plays, step by step."""
