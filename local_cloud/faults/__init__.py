"""Faults on purpose, and the log of what was called."""
