"""Tells why the content of a migration could not be applied as it is, and which statements it has all the same (pure).

A blemish is what a new file should not have and a database can take all the same. A last statement without its ``;`` is a fault, because a file cut short looks the same (``DELETE FROM t`` of ``DELETE FROM t WHERE …``).
"""

import codecs
from collections.abc import Iterator

from crane_infra.migrations.files.split import fault_of, is_transaction, shorten, split_statements

Fault = tuple[str, str, str]
"""Where, what, and what to do."""


def content_fault(content: bytes, shown: str) -> Fault | None:
    """The first fault of a file, which errors call ``shown``; None where it can be applied."""
    return next(_faults(content, shown), None)


def blemish(content: bytes, shown: str) -> Fault | None:
    """What a new file, which errors call ``shown``, should not have although it can be applied; None where there is nothing."""
    if not content.removeprefix(codecs.BOM_UTF8).strip():
        return shown, "the file is empty", "Write the migration, or delete the file; a comment alone is enough"
    if content.startswith(codecs.BOM_UTF8):
        return shown, "the file starts with a byte order mark", "Save it as UTF-8 without a byte order mark"
    return None


def statements_in(content: bytes) -> tuple[str, ...]:
    """The statements of a file as a database got them that has it: without a byte order mark, BEGIN and COMMIT, which wrangler leaves out."""
    statements, rest = split_statements(content.decode("utf-8-sig", "replace").replace("\0", ""))
    return tuple(statement for statement in (*statements, rest) if statement and not is_transaction(statement))


def _faults(content: bytes, shown: str) -> Iterator[Fault]:
    if b"\0" in content:
        yield shown, f"it has a NUL byte at offset {content.index(0)}", "Save it as plain UTF-8 text"
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield shown, f"it is not valid UTF-8 at offset {error.start}", "Save it as UTF-8"
        return
    yield from _statement_faults(text, shown)


def _statement_faults(text: str, shown: str) -> Iterator[Fault]:
    statements, rest = split_statements(text)
    for statement in (*statements, rest):
        if fault := fault_of(statement):
            yield shown, *fault
    if rest:
        yield shown, f"the last statement is incomplete ({shorten(rest)})", "Complete it and end it with a semicolon"
