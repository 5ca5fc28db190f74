"""Judges migration files before they run."""
