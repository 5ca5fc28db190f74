"""The expressions of workflows, as far as ours use them: contexts, literals, comparisons, ``&&``, ``||``, ``!`` and the status functions."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<path>[A-Za-z_][\w.-]*)|(?P<mark>&&|\|\||==|!=|!|\(|\)|,))")
_WRITTEN = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_STATUS = ("success", "failure", "cancelled", "always")


@dataclass
class _Reader:
    tokens: list[str]
    context: Mapping[str, Any]

    def take(self, *expected: str) -> str | None:
        return self.tokens.pop(0) if self.tokens and self.tokens[0] in expected else None

    def either(self) -> Any:  # noqa: ANN401 (a value)
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value or other
        return value

    def both(self) -> Any:  # noqa: ANN401
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = value and other
        return value

    def compared(self) -> Any:  # noqa: ANN401
        if self.take("!"):
            return not self.compared()
        value = self.one()
        if mark := self.take("==", "!="):
            return (value == self.one()) == (mark == "==")
        return value

    def one(self) -> Any:  # noqa: ANN401
        token = self.tokens.pop(0)
        if token == "(":
            value = self.either()
            assert self.take(")")
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        return self.called(token) if self.take("(") else self.found(token)

    def called(self, name: str) -> Any:  # noqa: ANN401
        given = []
        while not self.take(")"):
            given.append(self.either())
            self.take(",")
        if name in _STATUS:
            return self.context["status"][name]
        assert name == "startsWith", name
        return str(given[0]).startswith(given[1])

    def found(self, path: str) -> Any:  # noqa: ANN401
        if path in ("true", "false"):
            return path == "true"
        value: Any = self.context
        for part in path.split("."):
            value = value.get(part, "") if isinstance(value, Mapping) else ""
        return value


def evaluate(text: str, context: Mapping[str, Any]) -> Any:  # noqa: ANN401
    """The value of one expression."""
    tokens, rest = [], text.strip()
    while rest:
        found = _TOKEN.match(rest)
        assert found, f"not understood: {rest}"
        tokens.append(found[0].strip())
        rest = rest[found.end() :].strip()
    reader = _Reader(tokens, context)
    value = reader.either()
    assert not reader.tokens, f"not understood: {text}"
    return value


def filled(text: str, context: Mapping[str, Any]) -> str:
    """A text with its expressions replaced by their values."""

    def value(found: re.Match[str]) -> str:
        known = evaluate(found[1], context)
        return str(known).lower() if isinstance(known, bool) else str(known)

    return _WRITTEN.sub(value, text)


def holds(condition: object, context: Mapping[str, Any]) -> bool:
    """Whether an ``if:`` holds; one without a status function wants success."""
    text = _WRITTEN.sub(lambda found: found[1], str(condition))
    asks = any(f"{name}()" in text for name in _STATUS)
    return bool(evaluate(text, context)) and (asks or context["status"]["success"])
