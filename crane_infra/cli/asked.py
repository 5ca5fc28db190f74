"""Asks Pulumi about a stack while a command imports what it needs: the HTTP client takes longer to import than Pulumi to answer."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from crane_infra.commands.stack import settings_and_outputs
from crane_infra.config.settings import Settings
from crane_infra.imports import without_collector
from crane_infra.release.outputs import StackOutputs


@contextmanager
def asked(stack: str, root: Path) -> Iterator[Future[tuple[Settings, StackOutputs]]]:
    """The settings and outputs of a stack, for which Pulumi is asked while the block imports. ``result()`` raises SettingsError."""
    with ThreadPoolExecutor(1) as thread, without_collector():
        yield thread.submit(settings_and_outputs, stack, root)
