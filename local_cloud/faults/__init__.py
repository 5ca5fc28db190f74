"""Injected faults, and the log of calls."""
