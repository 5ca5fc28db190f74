"""The sizes of modules by their sha256: of the built bundles, and of those that a preview would replace. Pure."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from crane_infra.release.staged_modules import size_in
from crane_infra.report.engine import CONTENT, VERSION, Preview
from crane_infra.report.files import Files


def sizes_of(files: Files, *previews: Preview | None) -> dict[str, int]:
    """Sizes in bytes by sha256, of all known contents."""
    known = {module.sha256: len(module.content) for bundle in files.bundles.values() for module in bundle.modules}
    for preview in previews:
        for step in preview.steps if preview else ():
            if step.type == VERSION:
                known |= dict(_sizes(step.old))
    return known


def _sizes(inputs: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """A version of an earlier release of this program has the contents in place of paths."""
    modules = inputs.get("modules")
    for module in modules if isinstance(modules, list) else ():
        path, content = (module.get(key) if isinstance(module, dict) else None for key in ("contentFile", CONTENT))
        if isinstance(path, str) and (named := size_in(path)):
            yield named
        elif isinstance(content, str):
            with suppress(ValueError):
                decoded = base64.b64decode(content, validate=True)
                yield hashlib.sha256(decoded).hexdigest(), len(decoded)
