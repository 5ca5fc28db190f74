"""One text that holds many proofs: compact, and read without a passphrase. Pure.

Proofs repeat each other: a list of 500 migrations stands in each of twenty manifests. So equal parts are stored once, and then compressed.
The engine shows long texts whole, but none of an output whose name begins with two underscores (docs/decisions/0034).
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

FORMAT = "1"
LONGEST = 100_000_000
"""Characters of the unpacked text."""


def packed(content: Mapping[str, Any], last: str = "") -> str:
    """The text that holds ``content``, which is JSON.

    ``last`` itself where it holds the same: another machine may compress the same content to another text, which would be a change.
    """
    try:
        if last and _canonical(unpacked(last)) == _canonical(content):
            return last
    except ValueError:
        pass
    parts: dict[str, int] = {}
    _put(content, parts)
    listed = ",".join(parts)
    return f"{FORMAT}:{base64.b64encode(zlib.compress(f'[{listed}]'.encode(), 9)).decode()}"


def unpacked(text: object) -> dict[str, Any]:
    """What a text of ``packed`` holds. Raises ValueError that says what is wrong with the text."""
    form, _, encoded = text.partition(":") if isinstance(text, str) else ("", "", "")
    if form != FORMAT:
        what = f"has format {form}, and this version reads format {FORMAT}" if form.isdecimal() else "is not a text that crane packed"
        raise ValueError(what)
    try:
        inflate = zlib.decompressobj()
        plain = inflate.decompress(base64.b64decode(encoded, validate=True), LONGEST)
        content = _joined(json.loads(plain))
    except (binascii.Error, zlib.error, ValueError, LookupError, TypeError, AttributeError):
        content = None
    if not isinstance(content, dict):
        message = "is damaged"
        raise ValueError(message)  # noqa: TRY004 - callers catch this one
    return content


def _put(part: Mapping[str, Any] | list[Any], parts: dict[str, int]) -> int:
    """Add a part after the parts in it, and return its number. In a part, ``[7]`` stands for the part with the number 7."""

    def child(value: object) -> object:
        return [_put(value, parts)] if isinstance(value, Mapping | list) else value

    node = {key: child(value) for key, value in part.items()} if isinstance(part, Mapping) else [child(value) for value in part]
    return parts.setdefault(_canonical(node), len(parts))


def _joined(parts: list[Any]) -> object:
    """The last part, with the parts in it."""
    joined: list[Any] = []

    def child(value: Any) -> Any:  # noqa: ANN401 - JSON
        return joined[value[0]] if isinstance(value, list) else value

    for part in parts:
        whole = {key: child(value) for key, value in part.items()} if isinstance(part, dict) else [child(value) for value in part]
        joined.append(whole)
    return joined[-1]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
