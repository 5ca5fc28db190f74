"""One text that holds many proofs gives back what was packed, is short, and says what is wrong with it where it is damaged."""

import base64
import json
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.release import packed as packing
from crane_infra.release.packed import packed, unpacked
from tests.release import before

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=3), children, max_size=4),
    max_leaves=12,
)


@given(content=st.dictionaries(st.text(), JSON))
def test_what_is_unpacked_is_what_was_packed(content: dict[str, Any]) -> None:
    assert unpacked(packed(content)) == content


def test_twenty_proofs_are_an_eighth_of_their_json() -> None:
    outputs = before.outputs("staging")
    assert len(packed(outputs)) * 7 < len(json.dumps(outputs))


def test_a_manifest_that_twenty_proofs_share_is_stored_once() -> None:
    migrations = [{"name": f"{number:04}.sql", "sha256": f"{number:064x}"} for number in range(1000)]
    once, often = (len(packed({"proofs": [{"number": number, "migrations": migrations} for number in range(count)]})) for count in (1, 20))
    assert often < once * 1.1


class TestThePackedTextOfTheSameContent:
    def test_is_the_last_one_however_another_machine_compressed_it(self) -> None:
        content = {"proofs": [{"digest": "a"}]}
        form, _, encoded = packed(content).partition(":")
        other = f"{form}:{base64.b64encode(zlib.compress(zlib.decompress(base64.b64decode(encoded)), 0)).decode()}"
        assert other != packed(content)
        assert packed(content, last=other) == other

    @pytest.mark.parametrize("last", ["", "1:damaged", packed({"proofs": []})])
    def test_is_a_new_one_where_the_last_one_holds_something_else(self, last: str) -> None:
        assert unpacked(packed({"proofs": [1]}, last=last)) == {"proofs": [1]}


def encoded(plain: bytes) -> str:
    return f"1:{base64.b64encode(zlib.compress(plain)).decode()}"


GOOD = packed({"proofs": [{"digest": "a"}]})


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "is not a text that crane packed"),
        ("", "is not a text that crane packed"),
        ([GOOD], "is not a text that crane packed"),
        ("hello", "is not a text that crane packed"),
        (GOOD.replace("1:", "2:", 1), "has format 2, and this version reads format 1"),
        (GOOD[:-8], "is damaged"),
        (f"{GOOD}%", "is damaged"),
        ("1:", "is damaged"),
        (encoded(b"{"), "is damaged"),
        (encoded(b"[]"), "is damaged"),
        (encoded(b"[1]"), "is damaged"),
        (encoded(b"[[]]"), "is damaged"),
        (encoded(b'[{"a":[1]}]'), "is damaged"),
        (encoded(b'[{"a":["x"]}]'), "is damaged"),
        (encoded(b'[{"a":[]}]'), "is damaged"),
    ],
)
def test_another_text_is_refused_with_what_is_wrong(text: object, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{fault}$"):
        unpacked(text)


def test_a_text_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "LONGEST", 1000)
    with pytest.raises(ValueError, match="is damaged"):
        unpacked(encoded(json.dumps([{"a": "b" * 1000}]).encode()))
