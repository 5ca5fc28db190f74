"""The pages about the catalog and its checks have every field of the types and no other, and their examples are valid."""

import pytest
from pydantic import BaseModel

from crane_infra.checks import model
from crane_infra.checks.expected import Expected
from crane_infra.checks.headers import SecretHeader, SignatureHeader
from crane_infra.checks.model import Check, CommandCheck, Step, StepsCheck
from crane_infra.checks.question import Question
from crane_infra.config.catalog import Catalog, CatalogDatabase, CatalogWorker, Limits, Placement, Secret
from crane_infra.config.class_migrations import ClassMigration, TransferredClass
from tests.docs import markdown
from tests.repository import ROOT

CATALOG, CHECKS = ROOT / "docs" / "catalog.md", ROOT / "docs" / "checks.md"
SECTIONS: list[tuple[str, type[BaseModel]]] = [
    *(("catalog", kind) for kind in (Catalog, CatalogWorker, CatalogDatabase, Secret, Placement, Limits, ClassMigration, TransferredClass)),
    *(("checks", kind) for kind in (Check, Question, Expected, SecretHeader, SignatureHeader, StepsCheck, Step, CommandCheck)),
]
ONE_OF = {"run", "shell"}


def rows(page: str, kind: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """The meanings and defaults by field, of the table below the heading with the name of a type."""
    cells = [token.content for token in markdown.section(ROOT / "docs" / f"{page}.md", kind.__name__) if token.type == "inline"]
    start = cells.index("default") + 1
    table = [cells[place : place + 3] for place in range(start, len(cells) - 2, 3)]
    return {
        field.strip("`"): (meaning, default)
        for field, meaning, default in table
        if field.startswith("`") and not field.strip("`").isupper()
    }


def own_fields(kind: type[BaseModel]) -> list[str]:
    """The fields that a type adds to those of its bases."""
    inherited = {name for base in kind.__mro__[1:] if issubclass(base, BaseModel) for name in base.model_fields}
    return [name for name in kind.model_fields if name not in inherited]


@pytest.mark.parametrize(("page", "kind"), SECTIONS, ids=lambda each: getattr(each, "__name__", each))
def test_a_table_has_every_field_in_its_order_and_says_which_must_be_set(page: str, kind: type[BaseModel]) -> None:
    table = rows(page, kind)
    assert list(table) == own_fields(kind)
    assert {name for name, (_, default) in table.items() if default == "must be set"} == {
        name for name in own_fields(kind) if kind.model_fields[name].is_required()
    }


def test_every_type_of_the_catalog_has_a_table() -> None:
    documented = {kind for _, kind in SECTIONS}
    named = {kind for kind in vars(model).values() if isinstance(kind, type) and kind.__module__.startswith("crane_infra.checks")}
    assert named <= documented
    assert {field for kind in (Check, Step) for field in kind.model_fields} <= {name for _, kind in SECTIONS for name in own_fields(kind)}


@pytest.mark.parametrize("example", markdown.blocks(CHECKS, "python"))
def test_an_example_is_valid(example: str) -> None:
    names = {name: getattr(model, name) for name in model.__all__ if name != "AnyCheck"}
    assert isinstance(eval(example, names), Check | StepsCheck | CommandCheck)  # noqa: S307 - our own page
