"""Backups of D1 databases: one compressed, checked, dated file each, and the way back into a database."""
