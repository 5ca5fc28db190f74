"""Says what going back to a release changes besides code, and what of it somebody has to accept first. Pure.

The databases and the schedules stay as they are; versions bring back the bindings, the variables and the secrets that they were uploaded with.
Secrets are compared by the fingerprints that proofs keep of them, which tell nobody a value.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from crane_infra.errors import LiveError
from crane_infra.live.adoption import readable
from crane_infra.live.version import read_version
from crane_infra.migrations.ledger import Ledger
from crane_infra.release.proof import Proof
from crane_infra.secrets.fingerprints import message_for

Json = Mapping[str, Any]
Risk = Literal["contract", "secrets", "databases"]
RISKS: tuple[Risk, ...] = ("contract", "secrets", "databases")
_HARMLESS = {"expand", "data", "none"}
_QUIET = {"version_metadata", "secret_text"}


@dataclass
class Differences:
    """Lines for whoever decides, what they have to accept by what it risks, and why the release cannot be put back at all."""

    lines: list[str] = field(default_factory=list)
    risks: dict[Risk, list[str]] = field(default_factory=dict)
    obstacles: list[LiveError] = field(default_factory=list)

    def risk(self, kind: Risk, text: str) -> None:
        """Note something that has to be accepted."""
        self.lines.append(text)
        self.risks.setdefault(kind, []).append(text)

    def refusal(self, release: str, accepted: Sequence[str]) -> LiveError | None:
        """The error where something stands in the way, or was not accepted."""
        if self.obstacles:
            return self.obstacles[0]
        missing = {kind: texts for kind, texts in self.risks.items() if kind not in accepted}
        if not missing:
            return None
        options = " ".join(f"--accept {kind}" for kind in [*accepted, *missing])
        what = f"it changes more than code: {'; '.join(text for texts in missing.values() for text in texts)}"
        todo = f"Fix forward: prove a fix in staging and promote it. To go back all the same: add {options}"
        return LiveError(f"rollback to {release[:12]}", what, todo)


def add_migrations(
    found: Differences, database: str, ledger: Ledger, listed: Mapping[str, str], kinds: Mapping[tuple[str, str], str]
) -> None:
    """Compare the ledger of a database with the migrations that the release lists, sha256 by name.

    ``kinds`` are the classes of the files at hand, by name and sha256.
    """
    entries = {entry.name: entry for entry in ledger.entries}
    for name in listed:
        if name not in entries:
            what = f"its ledger lacks {name}, which the release needs: the database was restored to an earlier state"
            found.obstacles.append(LiveError(f"database {database}", what, "Apply it again or restore the newer state, then roll back"))
    for name, entry in entries.items():
        if name in listed:
            continue
        kind = kinds.get((name, entry.sha256 or ""), "unknown")
        if kind == "base":
            continue
        if kind in _HARMLESS:
            found.lines.append(f"database {database} keeps {name} ({kind}), which the release does not have")
        elif kind == "contract":
            found.risk("contract", f"database {database} keeps {name} (contract), which takes away what the old code may use")
        else:
            found.risk("contract", f"database {database} keeps {name}, of unknown class: its file is not here as it was applied")


@dataclass(frozen=True)
class Fingerprints:
    """What a proof knows of the secrets of a version: the fingerprint of each by its binding, and that of the key which made them."""

    key: str
    secrets: Mapping[str, str]


def fingerprints_of(proofs: Iterable[Proof], worker: str, version: str, message: str | None) -> Fingerprints | None:
    """What the proofs of a stack know of the secrets of a version, which has this message; None where none tells.

    A version that no proof names, of an update that failed, tells by its message whether it has the secrets of one that a proof names.
    """
    known = [
        (proven.version, Fingerprints(proof.fingerprint_key, proven.secrets))
        for proof in proofs
        if (proven := proof.workers.get(worker)) and proven.secrets is not None and proof.fingerprint_key
    ]
    named = (prints for proven_version, prints in known if proven_version == version)
    alike = (prints for _, prints in known if message_for(prints.secrets) == message)
    return next(named, None) or next(alike, None)


def add_schedules(found: Differences, script: str, live: Collection[str], proven: Collection[str] | None) -> None:
    """Say which schedules a worker keeps that the release did not have; ``proven`` None: its proof does not tell."""
    if proven is not None and set(live) != set(proven):
        now, then = (", ".join(sorted(crons)) or "none" for crons in (live, proven))
        found.lines.append(f"worker {script} keeps its schedules ({now}); those of the release were {then}")


def add_classes(found: Differences, script: str, serving: Proof | None, target: Proof, worker: str) -> None:
    """Note a Durable Object migration that the release that serves has and the one that is put back lacks, as far as both declare any."""
    now, then = (_class_tags(proof, worker) for proof in (serving, target))
    if then and (later := [tag for tag in now if tag not in then]):
        found.obstacles.append(_past_classes(script, later[-1]))


def _class_tags(proof: Proof | None, worker: str) -> list[str]:
    steps = proof.manifest.get("workers", {}).get(worker, {}).get("class_migrations") if proof else None
    return [str(step["tag"]) for step in steps if isinstance(step, Mapping) and "tag" in step] if isinstance(steps, list) else []


def _past_classes(script: str, tag: str) -> LiveError:
    what = f"the Durable Object migration {tag} came after the version of that release, and Cloudflare puts none back past one"
    return LiveError(f"worker {script}", what, "Fix forward: prove a fix in staging and promote it")


def add_version(found: Differences, worker: str, script: str, live: Json | None, target: Json, proofs: Sequence[Proof]) -> None:
    """Compare the version that serves with the one that is put back; ``live`` None: nothing serves, or several versions do."""
    if live is None:
        found.lines.append(f"worker {script}: no single version serves, so its bindings and secrets were not compared")
        return
    if (tag := live.get("migration_tag")) and tag != target.get("migration_tag"):
        found.obstacles.append(_past_classes(script, str(tag)))
    for text, is_database in _bindings(live, target):
        line = f"worker {script}: {text}"
        found.risk("databases", f"{line}, so it no longer sees the rows of the other one") if is_database else found.lines.append(line)
    for key in ("compatibility_date", "compatibility_flags"):
        before, after = live.get(key) or "none", target.get(key) or "none"
        if before != after:
            found.lines.append(f"worker {script}: {key.replace('_', ' ')}: {_listed(before)} becomes {_listed(after)}")
    now, then = (fingerprints_of(proofs, worker, str(version.get("id")), _message(version)) for version in (live, target))
    if secrets := _secrets(live, target, now, then):
        found.risk("secrets", f"worker {script}: {secrets}")


def _bindings(live: Json, target: Json) -> Iterator[tuple[str, bool]]:
    """What changes in the bindings, and whether it takes the worker to another database."""
    before, after = _by_name(live), _by_name(target)
    for name in sorted(before.keys() | after.keys()):
        was, becomes = before.get(name), after.get(name)
        if was == becomes or (was and was.kind in _QUIET) or (becomes and becomes.kind in _QUIET):
            continue
        if was is None and becomes:
            yield f"the {becomes.kind} binding {name} comes back", False
        elif was and becomes is None:
            yield f"the {was.kind} binding {name} goes away", False
        elif was and becomes:
            is_database = {was.kind, becomes.kind} == {"d1"}
            yield f"the {becomes.kind} binding {name}: {was} becomes {becomes}", is_database


def _secrets(live: Json, target: Json, now: Fingerprints | None, then: Fingerprints | None) -> str:
    """How the secrets of two versions differ: by their names, and by the fingerprints in the proofs.

    Where the proofs do not tell, or another key made their fingerprints, only the fingerprint of all secrets in the version's message does.
    """
    before, after = _secret_names(live), _secret_names(target)
    texts = [f"the secret {name} goes away" for name in sorted(before - after)]
    texts += [f"the secret {name} comes back" for name in sorted(after - before)]
    if now and then and now.key == then.key:
        changed = [name for name in sorted(before & after) if now.secrets.get(name) != then.secrets.get(name)]
        return ", ".join([*texts, *(f"the secret {name} gets its earlier value" for name in changed)])
    messages = [_message(version) for version in (live, target)]
    if not texts and all(messages) and messages[0] != messages[1]:
        texts.append(f"it comes back with earlier values of its secrets ({', '.join(sorted(after))})")
    return ", ".join(texts)


def _message(version: Json) -> str | None:
    return read_version(version).annotations.get("workers/message")


def _secret_names(version: Json) -> set[str]:
    return {str(binding["name"]) for binding in version.get("bindings") or () if binding.get("type") == "secret_text"}


def _by_name(version: Json) -> dict[str, Any]:
    return {str(binding["name"]): readable(binding) for binding in version.get("bindings") or ()}


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
