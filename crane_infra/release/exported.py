"""What a stack exports: a few lines for people, and beside them what machines need. Pure.

The engine shows no property whose name begins with two underscores, in no diff and in no list of outputs (docs/decisions/0034). Versions before
exported ``proofs``, ``releases`` and ``environment`` for everybody to see; all code reads that form, whichever version exported.
"""

from collections.abc import Mapping
from typing import Any

from crane_infra.errors import SettingsError
from crane_infra.release.packed import packed, unpacked

HISTORY, ENVIRONMENT = "__proofs", "__environment"
"""The proofs and the order of releases, packed; the record of the environment."""
OUTPUTS = ("environment", "release", "commit", "addresses", HISTORY, ENVIRONMENT)
SEEDS_DUE = "seeds-due"
"""When seeds of each database were due last."""
_PACKED = ("proofs", "releases", SEEDS_DUE)
RESTORE = "Use the version of crane-infra that wrote them, or restore the state: pulumi stack export and import"


def plain_outputs(outputs: Mapping[str, Any], stack: str = "") -> dict[str, Any]:
    """The outputs with ``proofs``, ``releases`` and ``environment``; those of a version before as they are.

    Raises SettingsError where the part for machines cannot be read: it never counts as absent.
    """
    if not {HISTORY, ENVIRONMENT} & outputs.keys():
        return dict(outputs)
    try:
        return {**unpacked(outputs.get(HISTORY)), "environment": outputs[ENVIRONMENT]}
    except KeyError:
        fault = f"{ENVIRONMENT}: is missing"
    except ValueError as error:
        fault = f"{HISTORY}: {error}"
    raise SettingsError(f"stack {stack}".strip(), f"its outputs cannot be read ({fault})", RESTORE)


def history(plain: Mapping[str, Any], last: str = "") -> str:
    """The proofs and the order of releases as one text; ``last`` is the text of before."""
    return packed({key: plain[key] for key in _PACKED if plain.get(key)}, last)


def proofs_of(record: Mapping[str, Any]) -> list[Any]:
    """The proofs in a record of the release step. Raises ValueError where they cannot be read."""
    return list(unpacked(record["proofs"]).get("proofs") or [])


def as_recorded(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of the release step, or the plain outputs of a stack, as this version records them: with packed proofs."""
    proofs = record.get("proofs")
    return {"environment": record.get("environment") or {}, "proofs": proofs if isinstance(proofs, str) else history(record)}


def for_people(stack: str, digest: str, commit: str | None, addresses: Mapping[str, str | None]) -> dict[str, str]:
    """The outputs that people read, each a line.

    ``environment`` is a text on purpose: a version before refuses it, and would take a stack without one for a new one.
    """
    lines = {
        "environment": f"{stack}; for more: crane proof -s {stack} --list",
        "release": digest[:12],
        "commit": commit or "",
        "addresses": " ".join(address for _, address in sorted(addresses.items()) if address),
    }
    return {name: text for name, text in lines.items() if text}


def exported(stack: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a stack whose release step holds ``record``."""
    recorded = as_recorded(record)
    newest: Mapping[str, Any] = next(iter(proofs_of(recorded)), {})
    workers = recorded["environment"].get("workers") or {}
    shown = for_people(stack, newest.get("digest", ""), newest.get("commit"), {name: worker.get("url") for name, worker in workers.items()})
    return {**shown, HISTORY: recorded["proofs"], ENVIRONMENT: recorded["environment"]}
