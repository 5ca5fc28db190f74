"""A stack file is edited key by key: what does not change keeps its lines and comments, and a reader finds what was asked for."""

from typing import Any

import pytest
import yaml

from crane_infra.config.stack_edit import edited
from crane_infra.errors import SettingsError

FILE = """# The head.
config:
  crane-infra:workers-subdomain: shop  # ours
  crane-infra:databases:
    # the one with the orders
    shop-db:
      name: shop-db  # as wrangler d1 list says
    other:
      name: other
  crane-infra:workers:
    api: # the API
      variables:
        # what it is
        MODE: live
      crons:
      - 0 3 * * *
    "quoted":
      adopt: true
  # the end
  crane-infra:fingerprint-key:
    secure: v1:xyz
"""
DATABASES = {"shop-db": {"name": "shop-db"}, "other": {"name": "other"}}
WORKERS: dict[str, Any] = {"api": {"variables": {"MODE": "live"}, "crons": ["0 3 * * *"]}, "quoted": {"adopt": True}}


def edit(text: str = FILE, **settings: object) -> str:
    return edited(text, "Pulumi.staging.yaml", "crane-infra", settings)


def test_a_new_key_inside_leaves_every_other_line_as_it_is() -> None:
    after = edit(databases={**DATABASES, "shop-db": {"name": "shop-db", "adopt": "an-id"}})
    added = [line for line in after.splitlines() if line not in FILE.splitlines()]
    assert added == ["      adopt: an-id"]
    assert [line for line in after.splitlines() if line != "      adopt: an-id"] == FILE.splitlines()


@pytest.mark.parametrize(
    "workers",
    [
        {**WORKERS, "api": {**WORKERS["api"], "variables": {"MODE": "no", "MORE": "x y"}}},
        {**WORKERS, "api": {**WORKERS["api"], "crons": ["0 4 * * *", "0 5 * * *"], "adopt": True}},
        {**WORKERS, "api": {**WORKERS["api"], "variables": {"OTHER": "1"}}},
        {**WORKERS, "quoted": {"adopt": False}},
        {"api": WORKERS["api"]},
        {**WORKERS, "quoted": {"adopt": True, "give-up": ["A", "B"]}},
        {},
    ],
    ids=["value", "list", "another key", "quoted key", "a key less", "new list", "nothing"],
)
def test_a_reader_finds_the_new_values_and_all_others(workers: dict[str, Any]) -> None:
    after = edit(workers=workers)
    assert yaml.safe_load(after)["config"] == {**yaml.safe_load(FILE)["config"], "crane-infra:workers": workers}
    assert edit(after, workers=workers) == after
    for comment in ("# The head.", "# ours", "# the one with the orders", "# as wrangler d1 list says", "# the end"):
        assert comment in after


def test_a_change_in_a_map_keeps_the_comments_inside_it() -> None:
    after = edit(workers={**WORKERS, "api": {**WORKERS["api"], "variables": {"MODE": "no"}}})
    assert "# the API" in after
    assert "# what it is" in after


@pytest.mark.parametrize("text", ["config: {crane-infra:databases: {}}\n", "config:\n    crane-infra:a: 1\n    b: 2\n"])
def test_a_file_in_another_form_is_refused(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        edit(text, databases=DATABASES)
    assert "cannot be edited" in str(refused.value)


def test_a_map_in_one_line_is_written_again() -> None:
    after = edit("config:\n  crane-infra:workers: {api: {adopt: true}}\n", workers={"api": {"adopt": True, "url": "https://a.b"}})
    assert yaml.safe_load(after)["config"]["crane-infra:workers"] == {"api": {"adopt": True, "url": "https://a.b"}}
