"""Asks SQLite itself what SQL does."""
