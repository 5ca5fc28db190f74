"""The rows of D1 databases: copies of them, what migrations do to them, backups, and what staging gets."""
