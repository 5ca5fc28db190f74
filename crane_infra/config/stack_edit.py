"""Writes keys of a stack file and leaves everything else in it as it is, with its comments. Pure.

A key that changes is written again; the keys beside and around it keep their lines.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml

from crane_infra.config.stackfile import read_yaml
from crane_infra.errors import SettingsError

Lines = list[str]
_Edit = Callable[[Lines, str, Any, Any], Lines]
_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_./:-]*[A-Za-z0-9_/-])?")
_NOT_TEXT = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"))
_OPENS_A_BLOCK = re.compile(r"[^:]+(:[^:\s]+)*:\s*(#.*)?")
_INDENT = 2
"""Of the keys below ``config``."""


class _Dumper(yaml.SafeDumper):
    """Quotes each text that any reader of YAML could take for something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature of its base
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper.text)


def merged(old: object, new: Any, *, keep_old: bool = False) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The new value, with what only the old one has. ``keep_old``: the old one decides."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return {
            key: merged(old[key], new[key], keep_old=keep_old) if key in old and key in new else new[key] if key in new else old[key]
            for key in keys
        }
    return old if keep_old and old is not None else new


def edited(text: str, file: str, project: str, settings: Mapping[str, Any]) -> str:
    """The text of a stack file in which these keys below ``config`` have these values; raises SettingsError where it cannot be edited."""
    for edit in (_with_changes, _with_block):
        if (after := _edited(text, project, settings, edit)) is not None:
            return after
    raise SettingsError(file, "cannot be edited", "Write its keys below config, each on a line of its own with two spaces before it")


def _edited(text: str, project: str, settings: Mapping[str, Any], edit: _Edit) -> str | None:
    """The edited text; None where a reader of YAML would not find in it what it should."""
    try:
        before = read_yaml(text) or {}
        config = dict(before.get("config") or {})
        expected = {**before, "config": {**config, **{f"{project}:{key}": value for key, value in settings.items()}}}
        lines = text.splitlines() if config else [*text.splitlines(), "config:"]
        for key, value in settings.items():
            name = f"{project}:{key}"
            if name not in config or config[name] != value:
                lines = edit(lines, name, config.get(name), value)
        after = "\n".join(lines) + "\n"
        if read_yaml(after) == expected:
            return text if expected == before else after
    except (yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError):
        pass
    return None


def _with_block(lines: Lines, name: str, _old: object, value: object) -> Lines:
    """The whole block of a key written again."""
    top = lines.index("config:")
    return _replaced(lines, top, next(_ends(lines, top, 0), len(lines)), _INDENT, name, value)


def _with_changes(lines: Lines, name: str, old: object, value: object) -> Lines:
    """Only what differs inside the block of a key written again."""
    return _changed(lines, lines.index("config:"), _INDENT, name, old, value)


def _changed(lines: Lines, parent: int, indent: int, name: str, old: object, value: object) -> Lines:
    end = next(_ends(lines, parent, _indent_of(lines[parent])), len(lines))
    start = _line_of(lines, parent, end, indent, name)
    if start is None or not _is_block(lines[start], old, value) or not isinstance(old, Mapping) or not isinstance(value, Mapping):
        return _replaced(lines, parent, end, indent, name, value)
    below = _indent_below(lines, start)
    for key in [key for key in old if key not in value]:
        lines = _without(lines, start, below, key)
    for key, inner in value.items():
        if key not in old or old[key] != inner:
            lines = _changed(lines, start, below, str(key), old.get(key), inner)
    return lines


def _replaced(lines: Lines, parent: int, end: int, indent: int, name: str, value: object) -> Lines:
    """The block of a key below ``parent`` with this value; a new key comes last."""
    block = [" " * indent + line for line in yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=10**6).splitlines()]
    start = _line_of(lines, parent, end, indent, name)
    if start is None:
        return [*lines[:end], *block, *lines[end:]]
    return [*lines[:start], *block, *lines[next(_ends(lines, start, indent), len(lines)) :]]


def _without(lines: Lines, parent: int, indent: int, name: object) -> Lines:
    start = _line_of(lines, parent, next(_ends(lines, parent, _indent_of(lines[parent])), len(lines)), indent, str(name))
    if start is None:
        raise LookupError(name)
    return [*lines[:start], *lines[next(_ends(lines, start, indent), len(lines)) :]]


def _is_block(line: str, old: object, value: object) -> bool:
    """Whether both values are maps with entries, and the old one stands on the lines below."""
    return bool(isinstance(old, Mapping) and isinstance(value, Mapping) and old and value and _OPENS_A_BLOCK.fullmatch(line.strip()))


def _indent_below(lines: Lines, start: int) -> int:
    first = next(line for line in lines[start + 1 :] if line.strip() and not line.lstrip().startswith("#"))
    return _indent_of(first)


def _indent_of(line: str) -> int:
    return len(line) - len(line.lstrip())


def _line_of(lines: Lines, parent: int, end: int, indent: int, name: str) -> int | None:
    key = re.compile(rf" {{{indent}}}([\"']?){re.escape(name)}\1:(\s|$)")
    return next((number for number in range(parent + 1, end) if key.match(lines[number])), None)


def _ends(lines: Lines, start: int, indent: int) -> Iterator[int]:
    """Where a block ends: at the next line that is indented as far or less, apart from blank ones and the items of a list."""
    for number, line in enumerate(lines[start + 1 :], start + 1):
        if line.strip() and _indent_of(line) <= indent and not (indent and line.startswith(f"{' ' * indent}- ")):
            yield number
