"""What a preview says of a pending migration."""

import re

from crane_infra.migrations.lint.judge import Examined

UNSEEN = "Pending migrations are shown as Pulumi recorded them"


_TAKEN_OVER = ": taken over from wrangler: "


_PENDING = re.compile(r"(?P<database>[\w-]+): pending (?P<name>.+) \((?:expand|contract|data|none), [0-9a-f]{12}(?:, tables .*)?\)")


def pending_line(database: str, one: Examined) -> str:
    """What a preview says of a pending file of the database called ``database``."""
    tables = f", tables {', '.join(one.tables)}" if one.tables else ""
    return f"{database}: pending {one.file.name} ({one.kind}, {one.file.sha256[:12]}{tables})"


def pending_in(line: str) -> tuple[str, str] | None:
    """The names of database and file in such a line; None for any other."""
    found = _PENDING.fullmatch(line)
    return (found["database"], found["name"]) if found else None


def takes_over(line: str) -> bool:
    """Whether a line of a preview says that migrations are taken over from wrangler."""
    return _TAKEN_OVER in line
