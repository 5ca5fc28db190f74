"""The modules of a version: each has its content, or the path of a file with it, which is read for each plan and each upload.

The API only knows contents. The state has what the program declared, and the sha256 of the content.
"""

import base64
import binascii
import hashlib
from pathlib import Path
from typing import Any

from local_cloud.errors import LocalCloudError
from local_cloud.provider.json_values import as_set, without
from local_cloud.provider.names import from_api, to_api
from local_cloud.provider.values import UNKNOWN, Properties

_CONTENT, _FILE, _SHA256 = "contentBase64", "contentFile", "contentSha256"


def faults(modules: Any) -> str | None:  # noqa: ANN401 (JSON)
    """What is wrong with modules: each needs a content or a file, and not both; None where nothing is."""
    for module in modules if isinstance(modules, list) else ():
        if isinstance(module, dict) and (_CONTENT in module) == (_FILE in module):
            return f"each of them needs {_CONTENT} or {_FILE}, and not both"
    return None


def hashed(modules: Any, folder: Path) -> Any:  # noqa: ANN401 (JSON)
    """The modules with the sha256 of their contents; relative paths begin in ``folder``. Raises LocalCloudError for a file that cannot be read."""
    return [_hashed(module, folder) for module in modules] if isinstance(modules, list) else modules


def _hashed(module: Properties, folder: Path) -> Properties:
    """What a preview does not know yet has no sha256."""
    if not isinstance(module, dict) or UNKNOWN in (module.get(_FILE), module.get(_CONTENT)):
        return module
    return {**module, _SHA256: hashlib.sha256(_content(module, folder)).hexdigest()}


def sent(modules: list[Properties], folder: Path) -> list[Any]:
    """The modules as a request has them. Raises LocalCloudError for a file that cannot be read."""
    return [to_api(_with_content(module, folder)) for module in modules]


def received(reply: list[Properties], before: list[Properties]) -> list[Properties]:
    """The modules of a reply as the state has them: those that were files stay files, with the sha256 of what is live."""
    live = {module.get("name"): module for module in hashed(from_api(reply), Path())}
    if not before:
        return list(live.values())
    return [_refreshed(module, live[module["name"]]) if module.get("name") in live else module for module in before]


def compared(modules: Any) -> Any:  # noqa: ANN401 (JSON)
    """Modules in the form in which two lists are compared: the sha256 stands for the content, and the order does not matter."""
    return as_set([_comparable(module) for module in modules]) if isinstance(modules, list) else modules


def code(modules: Any) -> Any:  # noqa: ANN401 (JSON)
    """What of modules reaches Cloudflare, whether it is given as a text or as a file."""
    return without(compared(modules), _FILE)


def _comparable(module: Any) -> Any:  # noqa: ANN401 (JSON)
    return {**without(module, _CONTENT), _SHA256: _sha256(module[_CONTENT])} if isinstance(module, dict) and _CONTENT in module else module


def _refreshed(module: Properties, live: Properties) -> Properties:
    return {**module, _SHA256: live[_SHA256], **({_CONTENT: live[_CONTENT]} if _CONTENT in module else {})}


def _with_content(module: Properties, folder: Path) -> Properties:
    if _FILE not in module:
        content: Properties = without(module, _SHA256)
        return content
    return {**without(module, _SHA256, _FILE), _CONTENT: base64.b64encode(_content(module, folder)).decode()}


def _content(module: Properties, folder: Path) -> bytes:
    if _FILE not in module:
        return _decoded(module.get(_CONTENT, ""))
    try:
        return Path(folder, module[_FILE]).read_bytes()
    except OSError as error:
        what = f"Error computing SHA-256 hash: open {module[_FILE]}: {str(error.strerror).lower()}"
        raise LocalCloudError("modules", what, "Make the file") from None


def _sha256(content: str) -> str:
    return hashlib.sha256(_decoded(content)).hexdigest()


def _decoded(content: str) -> bytes:
    try:
        return base64.b64decode(content)
    except binascii.Error:
        return content.encode()
