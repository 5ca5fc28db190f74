"""The ``crane`` command: thin."""
