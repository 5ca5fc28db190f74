"""Masks the values within a text of JSON by their paths (pure)."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from crane_infra.config.data_rules import How, Json, Mask, mask_of
from crane_infra.data.scrub.masks import Masker

_STEP = re.compile(r"\.([A-Za-z_][\w-]*|\*)|\[(\d+|\*)\]")
Step = str | int
Path = tuple[Step, ...]


class JsonMasker:
    """The rule of one column of JSON under one key."""

    def __init__(self, rule: Json, secret: bytes) -> None:
        self._rest: How = rule.rest
        self._paths = [(_steps(path), each) for path, each in rule.paths.items()]
        masks = [mask for each in rule.paths.values() if (mask := mask_of(each))]
        self._maskers = {mask: Masker(mask, secret) for mask in masks}

    def text(self, value: bytes) -> bytes:
        """A text of JSON with its values masked; the JSON null where it is no JSON."""
        masked = _replaced(_parsed(value), (), self._leaf)
        return json.dumps(masked, separators=(",", ":"), allow_nan=False).encode()

    def hidden(self, value: bytes) -> Iterator[str]:
        """The texts that do not stay."""
        for path, leaf in _leaves(_parsed(value), ()):
            if isinstance(leaf, str) and self._rule(path) != "keep":
                yield leaf

    def _rule(self, path: Path) -> How | Mask:
        return next((rule for pattern, rule in self._paths if _covers(pattern, path)), self._rest)

    def _leaf(self, path: Path, leaf: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
        rule = self._rule(path)
        if rule == "keep":
            return leaf
        mask = mask_of(rule)
        if mask is None or isinstance(leaf, bool) or leaf is None:
            return None
        masker = self._maskers[mask]
        if isinstance(leaf, str):
            return masker.text(leaf.encode("utf-8", "surrogatepass")).decode()
        masked = masker.other(leaf)
        return masked.decode() if isinstance(masked, bytes) else masked


def _parsed(value: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _replaced(value: Any, path: Path, leaf: Callable[[Path, Any], Any]) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {key: _replaced(inner, (*path, key), leaf) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, (*path, number), leaf) for number, inner in enumerate(value)]
    return leaf(path, value)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:  # noqa: ANN401
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _leaves(inner, (*path, number))
    else:
        yield path, value


def _steps(path: str) -> Path:
    return tuple(name or (number if number == "*" else int(number)) for name, number in _STEP.findall(path))


def _covers(pattern: Path, path: Path) -> bool:
    """Whether a pattern names this value or what it lies in."""
    return len(pattern) <= len(path) and all(step in ("*", place) for step, place in zip(pattern, path, strict=False))
