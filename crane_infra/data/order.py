"""The order in which rows of tables are written, so that each row's parents are there already (pure)."""

from collections.abc import Collection, Mapping


def parents_first(parents: Mapping[str, Collection[str]]) -> list[str]:
    """The tables in an order in which each comes after those that it refers to, as far as circles allow that.

    ``parents`` has for each table those that it refers to; one that is no key is left out.
    """
    done: dict[str, None] = {}

    def visit(table: str, above: frozenset[str]) -> None:
        for parent in parents[table]:
            if parent in parents and parent not in above and parent not in done:
                visit(parent, above | {parent})
        done.setdefault(table)

    for table in parents:
        visit(table, frozenset({table}))
    return list(done)
