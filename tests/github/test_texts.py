"""What commands printed reaches GitHub without the contents of bundles, and never longer than GitHub takes."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.github.texts import LONGEST_BODY, LONGEST_SUMMARY, fenced, plain, quoted, shortened, summary

CONTENT = base64.b64encode(b"canary of a module " * 20).decode()
PREVIEW = f"""\
    + cloudflare:index/workerVersion:WorkerVersion: (create)
        modules: [
            [0]: {{
                contentBase64: "{CONTENT}"
                contentType  : "application/javascript+module"
                name         : "index.js"
            }}
          ~ [1]: {{
                  ~ contentBase64: "{CONTENT}" => "{CONTENT[::-1]}"
            }}
        ]
"""


class TestTheContentsOfBundles:
    @pytest.mark.parametrize("shown", [PREVIEW, PREVIEW.replace(CONTENT, CONTENT[:150] + "..."), f'{{"contentBase64": "{CONTENT}"}}'])
    def test_are_left_out(self, shown: str) -> None:
        assert [
            text
            for text in (plain(shown), summary(shown, "preview"), quoted({"preview": shown}))
            if CONTENT[:40] in text or CONTENT[::-1] in text
        ] == []

    def test_are_all_that_is_left_out(self) -> None:
        kept = plain(PREVIEW)
        assert 'contentType  : "application/javascript+module"' in kept
        assert len(kept.splitlines()) == len(PREVIEW.splitlines())
        assert kept.count("(left out)") == 2


class TestASummary:
    def test_is_the_text_as_a_block_of_code(self) -> None:
        assert summary("\x1b[31mred\x1b[0m\n```\n", "preview") == "````text\nred\n```\n````\n"

    def test_that_would_be_too_long_has_its_beginning_and_end_and_names_the_artifact(self) -> None:
        lines = [f"line {number} {'x' * 90}" for number in range(40_000)]
        shown = summary("\n".join(lines), "preview")
        assert shown.startswith("This is too long for a summary. The artifact preview of this run has the whole.\n\n```text\nline 0 x")
        assert shown.endswith("x\n```\n")
        assert len(shown.encode()) < 1024 * 1024
        kept = [line for line in shown.splitlines() if line.startswith("line ")]
        assert kept[-1] == lines[-1]
        assert set(kept) < set(lines)
        (cut,) = [line for line in shown.splitlines() if line.startswith("…")]
        assert cut.endswith("bytes are left out here. The artifact preview of this run has the whole …")

    def test_of_one_endless_line_is_cut_too(self) -> None:
        assert len(summary("é" * 3_000_000, "preview").encode()) < 1024 * 1024


class TestAnIssue:
    def test_gives_each_output_its_share_so_that_a_long_one_hides_no_other(self) -> None:
        texts = {"production: preview": "p\n" * 200_000, "production: verify": "differs worker x", "staging: preview": "s\n" * 200_000}
        shown = quoted(texts)
        assert len(shown.encode()) < LONGEST_BODY + 1000
        assert "### production: verify\n\n```text\ndiffers worker x\n```" in shown
        assert shown.count("The artifacts of the run have the whole") == 2
        assert abs(shown.count("\np\n") - shown.count("\ns\n")) < 10

    def test_shows_short_outputs_whole(self) -> None:
        assert quoted({"a": "one", "b": ""}) == "### a\n\n```text\none\n```\n\n### b\n\n```text\nno output\n```"


@given(st.text(max_size=400), st.integers(min_value=150, max_value=400))
def test_a_shortened_text_is_never_longer_than_it_may_be(text: str, longest: int) -> None:
    shown = shortened(text, longest, "elsewhere")
    assert len(shown.encode()) <= longest
    assert shown == text or "elsewhere" in shown


@given(st.text(alphabet="a`\n", max_size=60))
def test_a_text_never_closes_its_fence(text: str) -> None:
    fence, *inner, last = fenced(text).split("\n")
    assert fence.removesuffix("text") == last
    assert last not in inner


def test_the_limit_leaves_room_for_what_github_adds() -> None:
    assert LONGEST_SUMMARY + 500 < 1024 * 1024
