"""What becomes of the Durable Object classes of a worker: tagged steps in their order, as wrangler has them.

Cloudflare keeps the tag of the last step that a worker took. Steps are only ever added at the end; which of them are sent is decided by what is
live (``live/class_migrations.py``).
"""

from collections.abc import Callable, Iterator
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from crane_infra.config.bindings import WorkerName
from crane_infra.frozen import Declared

ClassName = Annotated[str, Field(pattern=r"^[A-Za-z_$][A-Za-z0-9_$]*$")]
Tag = Annotated[str, Field(pattern=r"^[^\s\x00-\x1f\x7f]{1,100}$")]


class TransferredClass(Declared):
    """The objects of a class of another worker of the catalog, which a class of this one takes over."""

    from_worker: WorkerName
    from_class: ClassName
    to_class: ClassName


class ClassMigration(Declared):
    """One step: the classes that come, go or change their names, and the tag that the worker has afterwards."""

    tag: Tag
    new_sqlite_classes: tuple[ClassName, ...] = ()
    new_classes: tuple[ClassName, ...] = ()
    """Classes that store key-value pairs instead of SQLite."""
    renamed_classes: dict[ClassName, ClassName] = {}
    """The new name by the old one. The objects stay."""
    transferred_classes: tuple[TransferredClass, ...] = ()
    deleted_classes: tuple[ClassName, ...] = ()
    """Classes whose objects are deleted, with everything that they store."""
    loses_objects: bool = False
    """Says that the objects of ``deleted_classes`` are to be lost."""

    @model_validator(mode="after")
    def _says_what_it_loses(self) -> Self:
        if not self.form().keys() - {"tag"}:
            message = f"the step {self.tag} changes no class"
            raise ValueError(message)
        if self.deleted_classes and not self.loses_objects:
            lost = ", ".join(self.deleted_classes)
            message = f"the step {self.tag} deletes all objects of {lost} with what they store, and crane data backup has none of it; if nobody needs it, set loses_objects=True"
            raise ValueError(message)
        if self.loses_objects and not self.deleted_classes:
            message = f"the step {self.tag} deletes no class, so it must not say loses_objects"
            raise ValueError(message)
        return self

    def form(self) -> dict[str, Any]:
        """What it does, as a manifest has it: without what is empty."""
        said = self.model_dump(mode="json", exclude={"loses_objects"})
        return {field: value for field, value in said.items() if value}

    def sent(self, script: Callable[[str], str]) -> dict[str, Any]:
        """What it does, with the names of Cloudflare's API; ``script`` gives the name of a worker there."""
        plain = {field: list(value) for field in _LISTS if (value := getattr(self, field))}
        renamed = [{"from": old, "to": new} for old, new in self.renamed_classes.items()]
        transferred = [
            {"from": each.from_class, "from_script": script(each.from_worker), "to": each.to_class} for each in self.transferred_classes
        ]
        lists = {"renamed_classes": renamed, "transferred_classes": transferred}
        return {**plain, **{field: value for field, value in lists.items() if value}}

    @property
    def summary(self) -> str:
        """What it does, in words."""
        return ", ".join(self._words())

    def _words(self) -> Iterator[str]:
        if new := [*self.new_sqlite_classes, *self.new_classes]:
            yield f"adds {' and '.join(new)}"
        yield from (f"renames {old} to {new}" for old, new in self.renamed_classes.items())
        yield from (f"takes {each.from_class} of {each.from_worker} over as {each.to_class}" for each in self.transferred_classes)
        if self.deleted_classes:
            yield f"deletes all objects of {' and '.join(self.deleted_classes)}"


_LISTS = ("new_sqlite_classes", "new_classes", "deleted_classes")


def require_coherent(steps: tuple[ClassMigration, ...], bound: set[str]) -> None:
    """Check the steps of one worker, which binds these classes of its own. Raises ValueError."""
    tags = [step.tag for step in steps]
    if twice := sorted({tag for tag in tags if tags.count(tag) > 1}):
        message = f"two steps of class_migrations have the tag {twice[0]}"
        raise ValueError(message)
    gone: dict[str, str] = {}
    for step in steps:
        gone |= dict.fromkeys([*step.deleted_classes, *step.renamed_classes], step.tag)
        for come in (*step.new_sqlite_classes, *step.new_classes, *step.renamed_classes.values()):
            gone.pop(come, None)
        for each in step.transferred_classes:
            gone.pop(each.to_class, None)
    if unbound := sorted(bound & gone.keys()):
        message = f"it binds the class {unbound[0]}, which the step {gone[unbound[0]]} deletes or renames"
        raise ValueError(message)
