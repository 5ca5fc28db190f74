"""Brings the Pulumi engine to a machine that lacks it: the parts behind ``tools/engine.py``.

Only the standard library is used, as this runs before anything is installed. Nothing is ever written outside the folder
that was asked for, its lock, its log and its building site beside it, and Go's own caches.
"""
