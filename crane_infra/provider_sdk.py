"""Lets the provider's SDK be imported in part: only the modules that the program names.

Its package imports a module for every resource of Cloudflare, some two hundred of which a run here needs five; that is more than half of its time. Whoever
asks the package itself for something still gets the whole of it, later.
"""

import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType

SDK = "pulumi_cloudflare"


def import_in_part() -> None:
    """From here on importing a module of the SDK does not import the others. Does nothing where the SDK is imported already.

    ``pulumi_cloudflare.AnyResource`` imports all of them then, as it always did.
    """
    spec = find_spec(SDK)
    if SDK in sys.modules or spec is None:
        return
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
