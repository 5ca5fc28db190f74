"""Imports of the provider's SDK what the program names, and not a module for every resource of Cloudflare.

Those are more than half of what a run would import. Whoever asks the package itself for something still gets the whole of it, later.
"""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from types import ModuleType

SDK = "pulumi_cloudflare"


@contextmanager
def imported_in_part() -> Iterator[None]:
    """For the imports of a program: from here on a module of the SDK comes without the others, and in the block without Python's collector.

    What is imported lives until the end; looking through it again and again took two fifths of a run in which nothing changed.
    ``pulumi_cloudflare.AnyResource`` imports all of the SDK then, as it always did. An SDK that is imported already stays as it is.
    """
    gc.disable()
    if SDK not in sys.modules:
        _put_in_place()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _put_in_place() -> None:
    spec = find_spec(SDK)
    if spec is None:
        return  # its import will say so
    package = module_from_spec(spec)
    package.__getattr__ = lambda name: _from_the_whole(package, name)  # type: ignore[method-assign]
    sys.modules[SDK] = package


def _from_the_whole(package: ModuleType, name: str) -> object:
    spec = package.__spec__
    # The import system asks for each module of the package as an attribute first; it imports what is missing.
    if name.startswith("__") or spec is None or spec.loader is None or find_spec(f"{SDK}.{name}"):
        raise AttributeError(f"module {SDK!r} has no attribute {name!r}")
    del package.__getattr__
    spec.loader.exec_module(package)
    return getattr(package, name)
