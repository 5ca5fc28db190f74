"""Imports only those modules of the provider's SDK that the program names, not one for every resource of Cloudflare.

The others are more than half of what a run would import. An attribute of the package itself still works: it imports all of the SDK first.
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
    """Wrap the imports of a program: a module of the SDK is imported without the others, and the block runs without Python's garbage collector.

    What is imported lives until the end of the run, and collecting it again and again took two fifths of a run without changes.
    ``pulumi_cloudflare.AnyResource`` then imports all of the SDK, as usual. An SDK that was imported before stays as it is.
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
        return  # its import fails with the reason
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
