"""Smoke checks over HTTP: what a deployed worker must answer (model), and the poll that waits until it does (run)."""
