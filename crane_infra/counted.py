"""A number of things in words."""


def counted(count: int, noun: str) -> str:
    """So many things: ``1 row``, ``2,000 rows``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
