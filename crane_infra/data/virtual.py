"""What the statement of a virtual table says: its module and its options, whatever the names in it look like (pure)."""

from collections.abc import Mapping
from typing import NamedTuple

from crane_infra.migrations.files.tokens import Token, code, unquoted


class VirtualTable(NamedTuple):
    """The module in lower case, and the options, such as ``content``, by name in lower case and without quotes."""

    module: str
    options: Mapping[str, str]

    @property
    def content(self) -> str | None:
        """The table that has the texts of a full-text table; empty where nobody keeps them, None where it keeps them itself."""
        return self.options.get("content")


def virtual_table(sql: str) -> VirtualTable:
    """Read a CREATE VIRTUAL TABLE, as ``sqlite_master`` has it."""
    tokens = code(sql)
    using = next(number for number, token in enumerate(tokens) if token.keyword == "USING")
    arguments = _arguments(tokens[using + 2 :])
    options = {unquoted(name.text).lower(): value for name, value in filter(None, map(_option, arguments))}
    return VirtualTable(unquoted(tokens[using + 1].text).lower(), options)


def _arguments(tokens: list[Token]) -> list[list[Token]]:
    """What stands between the commas within the parentheses."""
    arguments: list[list[Token]] = [[]]
    for token in tokens[1:-1]:
        if token.text == "," and token.depth == 1:
            arguments.append([])
        else:
            arguments[-1].append(token)
    return arguments


def _option(argument: list[Token]) -> tuple[Token, str] | None:
    """The name and the value of an option; None for a column."""
    if len(argument) < len(("name", "=")) or argument[1].text != "=":
        return None
    return argument[0], "".join(unquoted(token.text) for token in argument[2:])
