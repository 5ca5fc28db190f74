"""What Pulumi says of a stack may be missing, unreadable or hostile: the rest is shown, one line says what is missing, and nothing is taken at its word."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crane_infra.cli.status import write_page
from crane_infra.commands.sources import Source
from crane_infra.commands.status import status_of_both
from crane_infra.config.environments import Environment
from crane_infra.errors import CraneError, ReportError, SettingsError
from crane_infra.release.outputs import read_outputs
from crane_infra.status.model import Status
from crane_infra.status.page import status_page
from crane_infra.status.text import status_text
from crane_infra.status.updates import Updates
from tests.release import before
from tests.status.samples import NOW

NO_TOKEN = SettingsError("Pulumi.staging.yaml crane-infra:api-token", "is missing", "Set CLOUDFLARE_API_TOKEN")
Outputs = Mapping[str, Any]


def source(stack: Environment, outputs: Outputs | CraneError, updates: Updates | CraneError | None = None) -> Source:
    """What Pulumi says of a stack whose account cannot be looked at."""
    read = outputs if isinstance(outputs, CraneError) else read_outputs(outputs, stack)
    return Source(stack, NO_TOKEN, read, Updates() if updates is None else updates)


def seen(staging: Source, production: Source | None = None) -> Status:
    """Where both stand; production never ran unless it is given."""
    return status_of_both(before.catalog(), "crane-infra", (staging, production or source("production", {})), NOW)


def spoiled(**changes: object) -> Outputs:
    """The outputs of staging, whose newest proof has these values."""
    outputs = before.outputs("staging")
    return {**outputs, "proofs": [{**outputs["proofs"][0], **changes}, *outputs["proofs"][1:]]}


def test_a_stack_that_never_ran_has_no_release_and_that_is_no_fault() -> None:
    environment, _ = seen(source("staging", {})).environments
    assert (environment.state, environment.release, environment.last_run, environment.problems) == ("has no release", None, None, ())
    assert "none yet" in status_text(seen(source("staging", {})))


@pytest.mark.parametrize(
    ("outputs", "fault"),
    [
        (spoiled(proven_at=5), "proven_at: is not a date"),
        (spoiled(digest="x"), "digest: "),
        ({"proofs": "x"}, "proofs: is not a list of proofs"),
    ],
)
def test_a_newest_proof_that_cannot_be_read_is_one_line_and_an_older_one_does_not_take_its_place(outputs: Outputs, fault: str) -> None:
    environment, _ = seen(source("staging", outputs)).environments
    assert (environment.state, environment.release) == ("unknown", None)
    assert [line for line in environment.unseen if fault in line] == [environment.unseen[0]]
    assert environment.unseen[0].startswith("stack staging: its newest proof cannot be read (")


def test_a_reason_that_all_parts_share_is_said_once() -> None:
    failed = SettingsError("stack staging", "Pulumi did not answer within 30 s", "Check its backend")
    environment, _ = seen(Source("staging", failed, failed, failed)).environments
    assert environment.unseen == (str(failed),)


def test_entries_of_a_history_that_cannot_be_read_are_counted() -> None:
    environment, _ = seen(source("staging", {}, Updates(unreadable=3))).environments
    assert "stack staging: 3 entries of its history cannot be read" in environment.unseen


def test_names_in_a_proof_are_inert_wherever_they_are_shown() -> None:
    name = "\x1b[2J<script>alert(1)</script>|`x`"
    first = before.outputs("staging")["proofs"][0]
    workers = {name: {**next(iter(first["workers"].values())), "script": name}}
    status = seen(source("staging", spoiled(workers=workers, commit=name)))
    text, page = status_text(status), status_page(status)
    assert status.environments[0].workers[0].name == name
    assert [char for char in text + page if not char.isprintable() and char != "\n"] == []
    assert "<script" not in page


def test_a_page_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "status.html"
    with pytest.raises(ReportError) as refused:
        write_page(seen(source("staging", {})), path)
    assert str(refused.value) == f"--html {path}: cannot be written (No such file or directory). Name a file in a folder that exists."
