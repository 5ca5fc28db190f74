"""Installs the Pulumi engine on a machine that lacks it: the parts of ``tools/engine.py``.

They use only the standard library, because they run before anything is installed. They write only to the folder of the engine, to its lock,
log and building site beside it, and to Go's own caches.
"""
