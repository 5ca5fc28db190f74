"""The architecture page is true: each place that it names exists, and its table of rooms says what the code imports.

It parses the code and imports none of it.
"""

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import markdown
from tests.repository import ROOT

PAGE = ROOT / "docs" / "architecture.md"
PRODUCT, START = "crane_infra", "__main__"
PACKAGES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["build-backend"]["module-name"]
PLACE = re.compile(r"`([\w/]+\.py)::([\w.]+)`")


def answers() -> list[tuple[str, str, str]]:
    """The questions that the page answers, each with a file and the name of a function or class in it."""
    places = [(cells[0], PLACE.fullmatch(cells[-1])) for cells in markdown.rows(PAGE)]
    return [(question, place[1], place[2]) for question, place in places if place]


def rooms() -> dict[str, set[str]]:
    """The rooms in the order of the page, each with the rooms that it imports."""
    table = next(rows for rows in markdown.tables(PAGE) if rows[0] == ["room", "what it does", "imports"])
    return {room.strip("`").removesuffix(".py"): set(re.findall(r"`(\w+)`", imports)) for room, _, imports in table[1:]}


def picture() -> list[set[str]]:
    """The rooms on each line of the picture, from top to bottom."""
    shown = next(block for block in markdown.blocks(PAGE, "text") if f"{START}.py" in block)
    return [set(re.findall(r"(\w+)(?:/|\.py)", line)) for line in shown.splitlines()]


def names(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Every function and class among these statements, and the methods of the classes as ``Class.method``."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield prefix + node.name
        if isinstance(node, ast.ClassDef):
            yield from names(node.body, f"{prefix}{node.name}.")


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(module: str) -> str | None:
    """The room of a module that is ours: one of the product, or another package as a whole; None for any other."""
    package, *inner = module.split(".")
    if package == PRODUCT:
        return inner[0] if inner else None
    return package if package in PACKAGES else None


def imported(path: Path) -> Iterator[str]:
    """The modules that a file imports; a name that is imported from the product's root is a module."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == PRODUCT:
            yield from (f"{PRODUCT}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def imports_in_code() -> dict[str, set[str]]:
    """Which rooms each room imports, by the code."""
    files = [ROOT / f"{START}.py", *(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))]
    imports: dict[str, set[str]] = {}
    for file in files:
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        room = START if module == START else room_of(module.removesuffix(".__init__"))
        if room is not None:
            imports.setdefault(room, set()).update({other for name in imported(file) if (other := room_of(name))} - {room})
    return imports


@pytest.mark.parametrize(("file", "name"), [(file, name) for _, file, name in answers()])
def test_a_place_that_the_page_names_exists(file: str, name: str) -> None:
    assert (ROOT / file).is_file()
    assert name in set(names(parsed(ROOT / file).body))


def test_the_page_answers_many_questions_and_each_once() -> None:
    questions = Counter(question for question, _, _ in answers())
    assert len(questions) >= 30
    assert [question for question, times in questions.items() if times > 1] == []


def test_every_question_has_one_place() -> None:
    asked = [row for head, *body in markdown.tables(PAGE) if head == ["question", "where"] for row in body]
    assert [question for question, place in asked if not PLACE.fullmatch(place)] == []
    assert len(asked) == len(answers())


def test_the_page_lists_every_room_with_exactly_what_it_imports() -> None:
    assert rooms() == imports_in_code()


def test_a_room_imports_only_rooms_on_lower_lines_of_the_picture() -> None:
    heights = {room: height for height, line in enumerate(picture()) for room in line}
    assert set(heights) == set(rooms())
    assert [(room, other) for room, others in rooms().items() for other in others if heights[other] <= heights[room]] == []


def test_a_name_that_a_file_does_not_have_would_be_noticed() -> None:
    module = ast.parse("class Redactor:\n    def hide(self): ...\n\nasync def look(): ...\n")
    assert set(names(module.body)) == {"Redactor", "Redactor.hide", "look"}
