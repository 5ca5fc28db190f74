"""Scrubbed copies."""
