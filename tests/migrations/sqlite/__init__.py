"""SQLite as lint, the comparison of schemas and the search for a failed statement use it."""
