"""The runbook has an entry for each refusal of the program, found by its words, and none for words that the program no longer says."""

import ast
import re
from collections import Counter

import pytest

from tests.docs import markdown, refusals
from tests.docs.markdown import RUNBOOK
from tests.repository import ROOT

HEAD = ["it says", "what it means, and what to do"]
ROWS = [row for head, *body in markdown.tables(RUNBOOK) if head == HEAD for row in body]
SAID = [words for cells in ROWS for words in re.findall(r"`([^`]+)`", cells[0])]


def test_the_words_of_each_refusal_can_be_read() -> None:
    """Where this fails, write the words as literals in the call that makes the error, or in a name of the same function.

    A function that passes on the words of another place is listed in PASSES_ON, one that returns words in WORDS_FOR_OTHERS (tests/docs/refusals.py).
    """
    unreadable = "\n".join(f"{refusal.place} {refusal.unreadable}" for refusal in refusals.refusals() if refusal.unreadable)
    assert not unreadable, f"These words are no literals, so nobody can look for them in the runbook:\n{unreadable}"


def test_each_refusal_has_an_entry() -> None:
    """Where this fails, add each line that it shows to a table below *Messages* in the runbook, with what it means and what to do."""
    missing = {words: refusal.place for refusal in refusals.refusals() for words in refusal.words if words not in SAID}
    rows = "\n".join(f"| `{words}` | … |    (said by {place})" for words, place in missing.items())
    assert not missing, (
        f"docs/runbook.md lacks an entry for each of these. Add its words to a row, or a row to the table that fits:\n{rows}"
    )


def test_no_entry_is_for_words_that_nothing_says() -> None:
    says = {words for refusal in refusals.refusals() for words in refusal.words}
    assert [words for words in SAID if words not in says] == [], "docs/runbook.md: remove these words, or correct them as the code has them"


def test_an_entry_stands_once_and_says_what_to_do() -> None:
    assert [words for words, times in Counter(SAID).items() if times > 1] == []
    assert [cells for cells in ROWS if len(cells[1]) < 20 or not re.search(r"`[^`]+`", cells[0])] == []


def test_each_part_with_messages_is_in_the_list_of_how_lines_begin() -> None:
    (begins,) = [body for head, *body in markdown.tables(RUNBOOK) if head == ["the line begins with", "part"]]
    linked = {anchor for _, part in begins for anchor in re.findall(r"\(#([\w-]+)\)", part)}
    text = RUNBOOK.read_text(encoding="utf-8").partition("\n## Messages\n")[2]
    parts = {heading.lower().replace(" ", "-").replace("'", "") for heading in re.findall(r"(?m)^### (.*)$", text)}
    assert parts == linked


class TestReadingTheWords:
    """Of a module that is made up."""

    CLASSES = refusals.error_classes([ast.parse("class CraneError: ...\nclass OwnError(CraneError): ...\n")])

    def words(self, code: str, path: str = "crane_infra/x.py") -> set[str]:
        found = refusals.refusals_in(path, ast.parse(code), self.CLASSES)
        return {words for refusal in found for words in refusal.words}

    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("def f(x): raise OwnError(x, 'the file is empty', 'y')", {"the file is empty"}),
            ("def f(x): raise OwnError(x, f'is older than {x}', 'y')", {"is older than"}),
            ("def f(x):\n what = f'names {x}, not {x}{x}'\n raise OwnError(x, what, 'y')", {"names …, not"}),
            ("def f(x): return OwnError(x, f'its {x} is empty' if x else 'it has none', 'y')", {"its … is empty", "it has none"}),
            ("def f(x):\n n = 'a newer one'\n return Verdict(None, f'{n} runs: {x}', 'y')", {"a newer one runs"}),
            ("def f(x): return Verdict(x, 'is open', 'y')", set()),
            (
                "def f(x):\n what = 'it is empty'\n what += f', or older than {x}'\n raise OwnError(x, what, 'y')",
                {"it is empty", "or older than"},
            ),
            ("def f(x): raise OwnError(x, todo='y', what='it is empty')", {"it is empty"}),
            ("def f(x):\n if (what := 'it is empty'): raise OwnError(x, what, 'y')", {"it is empty"}),
            ("def f(x): return Verdict(proof=None, reason='it is empty')", {"it is empty"}),
            ("def f(x): return replace(x, reason='it is empty', todo='y')", {"it is empty"}),
            ("def f(x): return Missing(x, 'there is no such file', 'y')", {"there is no such file"}),
            (
                "EMPTY = OwnError('x', 'it is empty', 'y')\nclass A:\n other = OwnError('x', 'it is full', 'y')",
                {"it is empty", "it is full"},
            ),
            ("def f(x): raise OtherError(x, 'is not ours', 'y')", set()),
        ],
    )
    def test_finds_each_form(self, code: str, expected: set[str]) -> None:
        assert self.words(code) == expected

    @pytest.mark.parametrize("call", ["OwnError(w, what, 'y')", "OwnError(w, f'{what}: {w}', 'y')", "OwnError(w)", "OwnError(*w)"])
    def test_says_where_they_are_no_literals(self, call: str) -> None:
        (refusal,) = refusals.refusals_in("crane_infra/x.py", ast.parse(f"def f(w, what): raise {call}"), self.CLASSES)
        assert (refusal.place, refusal.unreadable) == ("crane_infra/x.py:1", call)

    def test_finds_many(self) -> None:
        assert len({words for refusal in refusals.refusals() for words in refusal.words}) > 150

    @pytest.mark.parametrize("name", sorted({*refusals.PASSES_ON, *refusals.WORDS_FOR_OTHERS}))
    def test_has_no_exception_for_a_function_that_is_gone(self, name: str) -> None:
        path, _, function = name.partition("::")
        assert re.search(rf"def {function}\(", (ROOT / path).read_text(encoding="utf-8"))
