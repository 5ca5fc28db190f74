"""The sizes of modules by their sha256: of the built bundles, and of those that a preview would replace. Pure."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from crane_infra.report.engine import CONTENT, VERSION, Preview
from crane_infra.report.files import Files


def sizes_of(files: Files, *previews: Preview | None) -> dict[str, int]:
    """Sizes in bytes by sha256, of all known contents."""
    known = {module.sha256: len(module.content) for bundle in files.bundles.values() for module in bundle.modules}
    for preview in previews:
        for step in preview.steps if preview else ():
            if step.type == VERSION:
                known |= {hashlib.sha256(content).hexdigest(): len(content) for content in _contents(step.old)}
    return known


def _contents(inputs: Mapping[str, Any]) -> Iterator[bytes]:
    modules = inputs.get("modules")
    for module in modules if isinstance(modules, list) else ():
        try:
            yield base64.b64decode(module[CONTENT], validate=True)
        except (KeyError, TypeError, ValueError):
            continue
