"""Names and settings that are meant to break out of the comment stay text, as a Markdown parser sees it."""

import re
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from crane_infra.report.markdown import block, code, table
from tests.report.stage import Stage, comment

HOSTILE = [
    "@octocat/everyone",
    "<img src=x onerror=alert(1)>",
    "![x](https://example.com/track.png)",
    "[click](javascript:alert(1))",
    "https://example.com",
    "a|b",
    "a\\|b",
    "a\\\\|b",
    "`a`",
    "``a`",
    "`",
    "```",
    "</details><script>",
    "<!-- -->",
    "-->",
    "line\nbreak\n\n# heading",
    "\u202etxt.exe",
    "\u200b",
    "\x00",
    "\ud800",
    " a ",
    "  ",
    "",
    "*bold*",
    "#1",
    "&lt;b&gt;",
    "|",
    "\\",
    "a`|`b",
    "~~~",
]
PARSER = MarkdownIt("commonmark").enable("table")
# The tags that we write ourselves.
OURS = re.compile(r"<details><summary>[^<>]*</summary>|</details>|</?code>|<!-- crane preview-report -->")


def inner(tokens: list[Token]) -> list[Token]:
    """All tokens, including those within lines."""
    return [one for token in tokens for one in (token, *inner(token.children or []))]


def active(shown: str) -> list[str]:
    """Everything that a browser or GitHub would act on, except what the report writes itself."""
    tokens = inner(PARSER.parse(shown))
    found = [token.type for token in tokens if token.type in {"image", "link_open", "link_close"}]
    found += [token.content for token in tokens if token.type in {"html_inline", "html_block"} and OURS.sub("", token.content).strip()]
    outside = re.sub(r"(?s)<code>.*?</code>", "", "".join(token.content for token in tokens if token.type in {"text", "html_inline"}))
    return found + re.findall(r"@\w+|https?://\S+|#\d+", outside)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_text_stays_one_cell_and_does_nothing(text: str) -> None:
    shown = table(("a", "b"), [(code(text), "end")])
    tokens = PARSER.parse(shown)
    assert [token.type for token in tokens].count("td_open") == 2
    assert [token.content for token in tokens if token.type == "inline"][-1] == "end"
    assert active(shown) == []


@given(st.text(max_size=60))
def test_whatever_a_text_is_it_stays_one_cell_and_does_nothing(text: str) -> None:
    shown = table(("a", "b"), [(code(text), "end")])
    tokens = PARSER.parse(shown)
    assert [token.content for token in tokens if token.type == "inline"][3:] == ["end"]
    assert active(shown) == []


@given(st.text(alphabet="ab`|\\<>@! ", max_size=30).filter(str.strip))
def test_a_text_is_shown_as_it_is(text: str) -> None:
    tokens = inner(PARSER.parse(table(("a",), [(code(text),)])))
    spans = [token.content for token in tokens if token.type == "code_inline"]
    entities = re.findall(r"<code>(.*)</code>", table(("a",), [(code(text),)]))
    assert [*spans, *map(unescape, entities)] == [text]


@given(st.text(alphabet="ab`~\n<>@\r ", max_size=60))
def test_a_block_ends_where_it_should(text: str) -> None:
    tokens = PARSER.parse(f"{block(text)}\n\nend")
    assert [token.type for token in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[2].content == "end"


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE if text.strip() and "\x00" not in text and "\ud800" not in text and "/" not in text]
)
def test_a_file_and_a_variable_with_such_a_name_stay_inert(text: str, stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.write("crane-context/dist/" + text + ".js", "export {};\n")
    if text.isprintable():
        stage.write(
            f"crane-context/migrations/0003_{text}.sql", "CREATE TABLE \"t@octocat <b> | `x`\" (a TEXT DEFAULT '@octocat <img>```');\n"
        )
    config = stage.config["staging"]
    workers = {**config["crane-infra:workers"], "crane-context": {"variables": {"ENVIRONMENT": text}}}
    stage.configure("staging", {**config, "crane-infra:workers": workers})
    shown = comment(stage.report(staging=stage.preview(logged=(("warning", f"a note {text}"),)), failed=f"one {text}\ntwo {text} ```"))
    assert active(shown) == []
    assert "This check fails" in shown


def test_a_migration_whose_name_cannot_be_printed_is_refused_in_one_line(stage: Stage) -> None:
    stage.deploy("staging", "production")
    stage.write("crane-context/migrations/0003_a\u202eb.sql", "SELECT 1;\n")
    shown = comment(stage.report(staging=stage.preview()))
    assert "0003_a\\u202eb.sql: the name has characters that cannot be printed" in shown
    assert active(shown) == []
