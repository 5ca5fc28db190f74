"""Lets the engine call all hooks through one server.

Pulumi's SDK starts such a server when a hook is registered, and notes it in a context variable of that one task. So each hook gets a server, a
port and a connection of its own: 34 for two workers, 320 for twenty. Noted before the first resource, all tasks know the same one.
"""

from pulumi.runtime.settings import SETTINGS, _get_callbacks
from pulumi.runtime.sync_await import _sync_await


def start_callbacks() -> None:
    """Start the server and note it for everything that the program registers from now on."""
    SETTINGS.callbacks = _sync_await(_get_callbacks())
