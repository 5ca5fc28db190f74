"""The steps of Durable Object classes: each changes something, has a tag of its own, and says what it loses."""

import pytest
from pydantic import ValidationError

from crane_infra.config.bindings import DurableObject
from crane_infra.config.catalog import Catalog, CatalogWorker
from crane_infra.config.class_migrations import ClassMigration, TransferredClass
from crane_infra.frozen import first_fault
from crane_infra.release.bundle import Bundle
from crane_infra.release.manifest import make_manifest

FIRST = ClassMigration(tag="v1", new_sqlite_classes=("Room", "Log"))
TRANSFER = ClassMigration(tag="v2", transferred_classes=(TransferredClass(from_worker="other", from_class="A", to_class="B"),))


def worker(*steps: ClassMigration, bound: str | None = None, **changes: object) -> CatalogWorker:
    bindings = {"ROOMS": DurableObject(class_name=bound)} if bound else {}
    fields = {"bundle": "w", "compatibility_date": "2026-01-01", "reports_version": False, "bindings": bindings, "class_migrations": steps}
    return CatalogWorker.model_validate(fields | changes)


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ({}, "the step v1 changes no class"),
        ({"tag": "a b", "new_classes": ("A",)}, "String should match pattern"),
        ({"new_classes": ("no class",)}, "String should match pattern"),
        ({"new_classes": ("A",), "loses_objects": True}, "the step v1 deletes no class, so it must not say loses_objects"),
        (
            {"deleted_classes": ("Room", "Log")},
            "the step v1 deletes all objects of Room, Log with what they store, and crane data backup has none of it",
        ),
    ],
)
def test_a_step_that_says_nothing_or_hides_a_loss_is_refused(step: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ClassMigration.model_validate({"tag": "v1", **step})
    assert first_fault(caught.value)[1].startswith(text)


@pytest.mark.parametrize(
    ("steps", "bound", "text"),
    [
        ((FIRST, FIRST), "Room", "two steps of class_migrations have the tag v1"),
        (
            (FIRST, ClassMigration(tag="v2", deleted_classes=("Room",), loses_objects=True)),
            "Room",
            "it binds the class Room, which the step v2 deletes or renames",
        ),
        (
            (FIRST, ClassMigration(tag="v2", renamed_classes={"Room": "Hall"})),
            "Room",
            "it binds the class Room, which the step v2 deletes or renames",
        ),
    ],
)
def test_steps_that_cannot_follow_each_other_are_refused(steps: tuple[ClassMigration, ...], bound: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        worker(*steps, bound=bound)
    assert first_fault(caught.value)[1] == text


def test_a_class_may_come_back_and_one_that_wrangler_added_long_ago_may_be_bound() -> None:
    gone = ClassMigration(tag="v2", deleted_classes=("Room",), loses_objects=True)
    assert worker(FIRST, gone, ClassMigration(tag="v3", new_sqlite_classes=("Room",)), bound="Room").class_migrations
    assert worker(bound="Room").class_migrations == ()


def test_a_class_comes_only_from_a_worker_of_the_catalog() -> None:
    assert Catalog(workers={"w": worker(FIRST, TRANSFER), "other": worker()}, databases={})
    with pytest.raises(ValidationError, match="w takes over a class of the worker other, which is not in the catalog"):
        Catalog(workers={"w": worker(FIRST, TRANSFER)}, databases={})


def test_steps_are_part_of_the_release_and_a_worker_without_them_keeps_its_digest() -> None:
    def parts(*steps: ClassMigration) -> dict[str, object]:
        bundle = Bundle("index.js", ())
        made = make_manifest(
            Catalog(workers={"w": worker(*steps), "other": worker()}, databases={}), dict.fromkeys(("w", "other"), bundle), {}, {}
        )
        return dict(made["workers"]["w"])

    assert "class_migrations" not in parts()
    assert parts(FIRST)["class_migrations"] == [{"tag": "v1", "new_sqlite_classes": ["Room", "Log"]}]
    assert len({parts()["digest"], parts(FIRST)["digest"], parts(FIRST, TRANSFER)["digest"]}) == 3
