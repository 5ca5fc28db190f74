"""In which order a stack first proved its releases: an older release stays older, however often it is proven again. Pure.

The list of proofs does not tell. It keeps twenty, and a release that is proven again comes first. So a stack also exports ``releases``: the
number that each release got when it was first proven, by digest.
"""

from collections.abc import Mapping
from typing import Any

KEPT = 500
"""How many releases keep their number."""


def numbers_of(outputs: Mapping[str, Any]) -> dict[str, int]:
    """The number of each release that a stack has proven: the higher, the later it was first proven.

    Releases without an exported number, as in the state of a version that exported none, are numbered by the list of proofs.
    """
    exported = outputs.get("releases")
    numbers = (
        {str(digest): int(number) for digest, number in exported.items() if _is_number(number)} if isinstance(exported, Mapping) else {}
    )
    for digest in reversed(_digests(outputs)):
        numbers.setdefault(digest, _next(numbers))
    return numbers


def numbers_with(outputs: Mapping[str, Any], digest: str) -> dict[str, int]:
    """The numbers once this release is proven too, for export.

    Empty where a stack without numbers runs this release already: writing them then would be a change of a stack that has none.
    """
    if not outputs.get("releases") and running(outputs) == digest:
        return {}
    numbers = numbers_of(outputs)
    numbers.setdefault(digest, _next(numbers))
    return dict(sorted(numbers.items(), key=lambda numbered: numbered[1])[-KEPT:])


def running(outputs: Mapping[str, Any] | None) -> str | None:
    """The digest of the release that a stack runs by its own outputs; None if it never ran one."""
    return next(iter(_digests(outputs or {})), None)


def newest(outputs: Mapping[str, Any]) -> str | None:
    """The digest of the release that a stack first proved last; another one may have been proven again since."""
    numbers = numbers_of(outputs)
    return max(numbers, key=numbers.__getitem__, default=None)


def is_older(digest: str, other: str, *stacks: Mapping[str, Any] | None) -> bool | None:
    """Whether the first of these stacks that knows both releases proved ``digest`` before ``other``; None where no stack knows both.

    ``stacks`` are outputs of stacks.
    """
    for outputs in stacks:
        numbers = numbers_of(outputs or {})
        if digest in numbers and other in numbers:
            return numbers[digest] < numbers[other]
    return None


def _digests(outputs: Mapping[str, Any]) -> list[str]:
    """The digests of the proofs, newest first; also of proofs that this version cannot read otherwise."""
    proofs = outputs.get("proofs")
    digests = (entry.get("digest") for entry in proofs if isinstance(entry, Mapping)) if isinstance(proofs, list) else ()
    return [digest for digest in digests if isinstance(digest, str)]


def _next(numbers: Mapping[str, int]) -> int:
    return max(numbers.values(), default=0) + 1


def _is_number(value: object) -> bool:
    """Pulumi returns whole numbers as floats."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
