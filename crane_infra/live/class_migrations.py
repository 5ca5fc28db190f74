"""Decides which Durable Object migrations of a worker go with its next version. Pure.

Cloudflare applies them when the version is deployed, and refuses an upload whose ``old_tag`` is not the tag that the worker has. The provider uploads
a version again where its declaration changes, so what a version carried has to be declared again, word for word, for as long as nothing else of it
changes; with any other version it must be left out. A version that was uploaded since and never served counts too: Pulumi's state has that one.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from crane_infra.config.class_migrations import ClassMigration
from crane_infra.config.settings import Settings
from crane_infra.errors import LiveError, SettingsError
from crane_infra.release.outputs import SentMigrations


class Sending(NamedTuple):
    """What the version of a worker carries. ``is_pending`` False: Cloudflare has applied it already, with this very version."""

    steps: tuple[ClassMigration, ...]
    sent: SentMigrations
    is_pending: bool

    def form(self, script: Callable[[str], str]) -> dict[str, Any]:
        """As Cloudflare's API has it; ``script`` gives the name of a worker there."""
        old = {"old_tag": self.sent.old} if self.sent.old else {}
        return {**old, "new_tag": self.sent.new, "steps": [step.sent(script) for step in self.steps]}

    @property
    def summary(self) -> str:
        """What it does, in words, each step with its tag."""
        return "; ".join(f"{step.tag} {step.summary}" for step in self.steps)


def sending(
    script: str, declared: Sequence[ClassMigration], live: str | None, last: SentMigrations | None, upload: str, *, goes_back: bool = False
) -> Sending | None:
    """What the version carries: the steps after the tag that is live, or once more what it carried already; None: nothing.

    ``last`` is what the last release carried, None where another version was uploaded since; ``upload`` stands for everything else that makes the version. ``goes_back`` words the refusal for
    somebody who goes back to an older release. Raises LiveError where the live tag is none of the declared ones.
    """
    tags = [step.tag for step in declared]
    if not tags:
        return None
    if live is not None and live not in tags:
        raise _unknown(script, live, tags, goes_back=goes_back)
    if pending := tuple(declared[_after(tags, live) :]):
        return Sending(pending, SentMigrations(old=live, new=tags[-1], upload=upload), is_pending=True)
    return again(declared, last, upload) if last is not None and last.new == live else None


def again(declared: Sequence[ClassMigration], last: SentMigrations | None, upload: str) -> Sending | None:
    """What the last version carried, if nothing of it has changed since; ``upload`` is what makes it now."""
    tags = [step.tag for step in declared]
    if last is None or last.upload != upload or last.new not in tags or (last.old is not None and last.old not in tags):
        return None
    return Sending(tuple(declared[_after(tags, last.old) : _after(tags, last.new)]), last, is_pending=False)


def require_at_once(settings: Settings, worker: str, each: Sending) -> None:
    """Raise SettingsError where a version with pending steps is to get its traffic in steps."""
    if each.is_pending and settings.rollout_of(worker).steps:
        what = f"the Durable Object migration {each.sent.new} cannot go out in steps: Cloudflare gives its version all traffic at once"
        todo = f"Set workers.{worker}.rollout to {{steps: []}} for this release"
        raise SettingsError(f"{settings.file} workers.{worker}.rollout", what, todo)


def _after(tags: Sequence[str], tag: str | None) -> int:
    return 0 if tag is None else tags.index(tag) + 1


def _unknown(script: str, live: str, tags: Sequence[str], *, goes_back: bool) -> LiveError:
    what = f"its live Durable Object migration is {live}, which class_migrations in the catalog does not have ({', '.join(tags)})"
    if goes_back:
        return LiveError(f"worker {script}", what, "No release from before it can be put back: fix forward")
    return LiveError(f"worker {script}", what, "Restore that step, in its place: steps are only ever added at the end")
