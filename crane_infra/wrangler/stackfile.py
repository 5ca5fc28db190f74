"""Writes keys of a stack file and leaves everything else in it as it is, with its comments. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from crane_infra.errors import WranglerError

_PLAIN = re.compile(r"[A-Za-z_]([A-Za-z0-9_./:-]*[A-Za-z0-9_/-])?")
_NOT_TEXT = frozenset(("true", "false", "yes", "no", "on", "off", "y", "n", "null", "nan", "inf"))


class _Dumper(yaml.SafeDumper):
    """Quotes each text that any reader of YAML could take for something else."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the signature of its base
        return True

    def text(self, text: str) -> yaml.ScalarNode:
        plain = _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _Dumper.text)


def merged(old: object, new: Any, *, keep_old: bool = False) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The new value, with what only the old one has: settings that wrangler does not know. ``keep_old``: the old one decides."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        return {
            key: merged(old[key], new[key], keep_old=keep_old) if key in old and key in new else new[key] if key in new else old[key]
            for key in keys
        }
    return old if keep_old and old is not None else new


def edited(text: str, file: str, project: str, settings: Mapping[str, Any]) -> str:
    """The text of a stack file in which these keys below ``config`` have these values; raises WranglerError where it cannot be edited."""
    try:
        before = yaml.safe_load(text) or {}
        config = dict(before.get("config") or {})
        expected = {**before, "config": {**config, **{f"{project}:{key}": value for key, value in settings.items()}}}
        lines = text.splitlines() if config else [*text.splitlines(), "config:"]
        for key, value in settings.items():
            name = f"{project}:{key}"
            if name not in config or config[name] != value:
                lines = _with_block(lines, name, value)
        after = "\n".join(lines) + "\n"
        if yaml.safe_load(after) == expected:
            return text if expected == before else after
    except (yaml.YAMLError, AttributeError, TypeError, ValueError):
        pass
    raise WranglerError(file, "cannot be edited", "Write its keys below config, each on a line of its own with two spaces before it")


def _with_block(lines: list[str], name: str, value: object) -> list[str]:
    block = [f"  {line}" for line in yaml.dump({name: value}, Dumper=_Dumper, sort_keys=False, width=10**6).splitlines()]
    start = next((number for number, line in enumerate(lines) if re.match(rf"  [\"']?{re.escape(name)}[\"']?:(\s|$)", line)), None)
    if start is None:
        top = lines.index("config:")
        end = next(_ends(lines, top, 0), len(lines))
        return [*lines[:end], *block, *lines[end:]]
    return [*lines[:start], *block, *lines[next(_ends(lines, start, 2), len(lines)) :]]


def _ends(lines: list[str], start: int, indent: int) -> Iterator[int]:
    """Where a block ends: at the next line that is indented as far or less, apart from blank ones and the items of a list."""
    for number, line in enumerate(lines[start + 1 :], start + 1):
        if line.strip() and len(line) - len(line.lstrip()) <= indent and not (indent and line.startswith(f"{' ' * indent}- ")):
            yield number
