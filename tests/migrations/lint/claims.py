"""What each rule of lint claims, and whether plain SQLite shows that it is so: with the rows of a test, or with others in the same schema."""

import re
from collections.abc import Callable, Sequence

from crane_infra.migrations.lint.finding import Finding
from tests.migrations.lint.random_states import Replay, changed_rows, named

Claim = Callable[[Finding, Replay], bool]
_COPIES = ("INSERT INTO made", "INSERT INTO copied", "CREATE UNIQUE", "ALTER TABLE")
"""The statements that fail where rows do not meet a new constraint."""


def is_true(finding: Finding, replays: Sequence[Replay]) -> bool:
    """Whether what an error claims is so in one of some replays of its file; a rule that has no claim here is an error of the test."""
    return any(CLAIMS[finding.rule](finding, played) for played in replays)


def _takes_rows_along(finding: Finding, played: Replay) -> bool:
    """Rows of the tables that it names are deleted, or lose a reference, by the statement that it names."""
    if moved := re.search(r"makes (\w+) refer to (\w+) instead of", finding.what):
        return moved[2] in played.references.get(moved[1], set())
    if left := re.search(r"(\w+) still refers to (\w+)", finding.what):
        return left[2] not in played.after.rows and left[2] in played.references.get(left[1], set())
    around, along = played.around(finding.statement), re.search(r"also deletes rows of ([^(]*)", finding.what)
    return bool(around and along and all(changed_rows(*around, table) for table in named(along[1].partition(", or clears")[0])))


def _changes_rows(finding: Finding, played: Replay) -> bool:
    """The statement changes or deletes rows of the first table that it names."""
    around = played.around(finding.statement)
    return bool(around and changed_rows(*around, named(finding.what)[0]))


def _changes_all_rows(finding: Finding, played: Replay) -> bool:
    """The statement changes or deletes all rows of a table that has some."""
    around, table = played.around(finding.statement), named(finding.what)[0]
    return bool(around and around[0].rows[table] and changed_rows(*around, table) == set(around[0].rows[table]))


def _replaces(finding: Finding, played: Replay) -> bool:
    """The table is there, and all rows that it had are not."""
    table = named(finding.what)[0]
    return table in played.after.rows and changed_rows(played.before, played.after, table) == set(played.before.rows[table])


def _takes_away(finding: Finding, played: Replay) -> bool:
    """What the file takes away is gone, by its kind."""
    what = finding.what
    match, takes = next((match, takes) for pattern, takes in TAKINGS.items() if (match := re.search(pattern, what)))
    return (takes is _is_tighter or not played.failed) and takes(match, played)


def _loses_values(match: re.Match[str], played: Replay) -> bool:
    column, table = match.groups()
    rows, now = played.before.rows[table], played.after.rows.get(table, {})
    return any(row[column] is not None and now.get(key, {}).get(column) != row[column] for key, row in rows.items())


def _loses_column(match: re.Match[str], played: Replay) -> bool:
    column, table = match.groups()
    return column in played.before.columns[table] and column not in played.after.columns.get(table, [])


def _loses_name(match: re.Match[str], played: Replay) -> bool:
    return match[1] in played.before.schema and match[1] not in played.after.schema


def _loses_key(match: re.Match[str], played: Replay) -> bool:
    return bool(played.before.keys[match[2]] - played.after.keys.get(match[2], set()))


def _leaves_view(match: re.Match[str], played: Replay) -> bool:
    return match[1] in played.broken


def _is_tighter(match: re.Match[str], played: Replay) -> bool:
    """The file fails on the rows, or the version in traffic can do less with the table."""
    less = (use for use in played.uses[0] - played.uses[1] if match[1] in named(use))
    return played.failed.startswith(_COPIES) or any(less)


TAKINGS: dict[str, Callable[[re.Match[str], Replay], bool]] = {
    r"drops the values of the column (\w+) of (\w+)": _loses_values,
    r"(?:drops|renames) the column (\w+) of (\w+)": _loses_column,
    r"drops the (?:table|view|trigger) (\w+)": _loses_name,
    r"drops the unique key (.+?) of (\w+)": _loses_key,
    r"leaves the view (\w+) without": _leaves_view,
    r"renames (\w+), which": _loses_name,
    r"(?:makes|adds|removes|changes) .*\b(authors|books|marks)\b": _is_tighter,
}
"""By the words of what a file takes away."""


def _takes_and_adds(_: Finding, played: Replay) -> bool:
    """A column of a table is gone, and it has another that it had not."""
    before, after = played.before.columns, played.after.columns
    return any(set(before[table]) - set(after[table]) and set(after[table]) - set(before[table]) for table in before.keys() & after.keys())


def _loses_objects(finding: Finding, played: Replay) -> bool:
    """The triggers and indexes that it names were there and are not."""
    names = re.findall(r"the (?:trigger|index) (\w+)", finding.what)
    return bool(names) and all(name in played.before.schema and name not in played.after.schema for name in names)


def _makes_nothing(finding: Finding, played: Replay) -> bool:
    """The statement leaves the schema as it is."""
    around = played.around(finding.statement)
    return bool(around and around[0].schema == around[1].schema)


def _mixes(finding: Finding, played: Replay) -> bool:
    """A value that was in the one column is in the other one after the copy."""
    around = played.around(finding.statement)
    pairs = re.findall(r"(\w+) into (\w+)", finding.what)
    if not around or not pairs:
        return False
    new = {table: rows for table, rows in around[1].rows.items() if rows != around[0].rows.get(table)}
    old = [row for rows in around[0].rows.values() for row in rows.values()]
    source, target = pairs[0]
    return any(row.get(target) == other.get(source) is not None for rows in new.values() for row in rows.values() for other in old)


def _fails(_: Finding, played: Replay) -> bool:
    """The file fails, or the version in traffic can no longer add rows."""
    return played.failed.startswith(_COPIES) or any(use.startswith("INSERT") for use in played.uses[0] - played.uses[1])


def _is_broken(_: Finding, played: Replay) -> bool:
    """A view cannot be read, or a table cannot be written to."""
    return bool(played.broken)


CLAIMS: dict[str, Claim] = {
    "rebuilds-referenced-table": _takes_rows_along,
    "drops-referenced-table": _takes_rows_along,
    "deletes-referenced-rows": _takes_rows_along,
    "replaces-table": _replaces,
    "overwrites-rows": _changes_rows,
    "hides-lost-rows": _changes_rows,
    "contract-not-declared": _takes_away,
    "contract-with-expand": _takes_and_adds,
    "rebuild-loses-objects": _loses_objects,
    "exists-otherwise": _makes_nothing,
    "mixes-columns": _mixes,
    "adds-not-null-without-default": _fails,
    "fails-on-rows": _fails,
    "update-or-delete-without-where": _changes_all_rows,
    "leaves-broken": _is_broken,
    **dict.fromkeys(
        ("drops-table", "drops-column", "renames-table", "renames-column", "changes-type", "tightens-constraint", "drops-trigger"),
        _takes_away,
    ),
    "drops-unique-key": _takes_away,
    "adds-unique-index": _takes_away,
}
"""By rule. Judged are errors, and what warnings say is taken away."""
