"""What an audit of secrets finds, from names, dates and fingerprints. No value is asked for, and none is shown."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from crane_infra.cli.secrets import outcome
from crane_infra.commands.secrets import names_in_source
from crane_infra.config.catalog import Catalog, CatalogWorker, Secret
from crane_infra.config.environments import Environment
from crane_infra.config.settings import KEY_NAME, Settings, SharedSecret
from crane_infra.errors import CraneError
from crane_infra.secrets.audit import Audit, Side, audit
from crane_infra.secrets.login import CLIENT_ID, CLIENT_SECRET
from tests.secrets.infisical_server import CLIENT, PROJECT, running
from tests.secrets.infisical_server import CLIENT_SECRET as PLANTED

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CATALOG = Catalog(
    workers={
        "api": CatalogWorker(
            bundle="api",
            compatibility_date="2026-01-01",
            reports_version=False,
            secrets=(
                Secret(binding="KEY", key="API_KEY", distinct=True),
                Secret(binding="HOOK", key="HOOK", same=True),
                Secret(binding="EXTRA", key="EXTRA", required=False),
            ),
        )
    },
    databases={},
)
ALL = {"API_KEY": None, "HOOK": "2026-10-20T10:00:00.000Z", "EXTRA": None}
PRINTS = {"API_KEY": "1", "HOOK": "2", KEY_NAME: "k"}
OTHERS = {**PRINTS, "API_KEY": "3"}
MakeSettings = Callable[..., Settings]


def side(environment: Environment = "staging", **changes: Any) -> Side:  # noqa: ANN401
    known: dict[str, Any] = {"scripts": {"api": "api-staging"}, "source": "the source", "in_source": ALL}
    return Side(environment, **{**known, "on_workers": {"api": frozenset({"KEY", "HOOK"})}, **changes})


def look(*sides: Side, staging: Mapping[str, str] = PRINTS, production: Mapping[str, str] = OTHERS) -> Audit:
    return audit(CATALOG, sides or (side(),), {"staging": staging, "production": production}, NOW)


def marked(until: date) -> dict[str, SharedSecret]:
    return {"API_KEY": SharedSecret(reason="until the callers have their own", until=until)}


def test_what_is_as_declared_is_no_finding() -> None:
    found = look()
    assert (found.findings, found.notes) == ((), ())
    assert [(row.binding, row.rule, row.values) for row in found.rows] == [
        ("KEY", "distinct", "different"),
        ("HOOK", "same", "same"),
        ("EXTRA", "may differ, optional", "unknown"),
    ]
    assert asdict(found.rows[1].places["staging"]) == {"in_source": True, "on_worker": True, "changed_on": ALL["HOOK"], "age_days": 11}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (look(side(in_source={"EXTRA": None})), "the source: does not have the required secrets API_KEY, HOOK."),
        (
            look(side(on_workers={"api": frozenset({"KEY", "HOOK", "B", "A"})})),
            "worker api-staging: has secrets that nobody declared: A, B.",
        ),
        (look(side(on_workers={"api": frozenset({"KEY"})})), "worker api-staging: lacks required secrets: HOOK."),
        (look(production=PRINTS), "API_KEY: has the same value in both environments."),
        (look(production={**PRINTS, "API_KEY": "4", "EXTRA": "1"}), "API_KEY: has the same value in both environments."),
        (look(production={**OTHERS, "HOOK": "5"}), "HOOK: has different values, and both must be the same."),
        (
            look(side(marks=marked(NOW.date() - timedelta(1))), production=PRINTS),
            "API_KEY: is shared by both environments, and might be until 2026-10-31 only (until the callers have their own).",
        ),
    ],
)
def test_what_is_not_is_one_finding(found: Audit, said: str) -> None:
    (finding,) = found.findings
    assert str(finding).startswith(said)


@pytest.mark.parametrize(
    ("days", "left"), [(61, "until 2027-01-01: 61 days are left"), (1, "until 2026-11-02: 1 day is left"), (0, "this is the last day")]
)
def test_a_mark_in_use_is_a_note_with_its_end(days: int, left: str) -> None:
    found = look(side(marks=marked(NOW.date() + timedelta(days))), production=PRINTS)
    assert found.findings == ()
    (note,) = found.notes
    assert note.startswith("API_KEY is shared by both environments until ")
    assert f"{left} (until the callers have their own)" in note


def test_what_could_not_be_seen_is_neither_there_nor_missing() -> None:
    found = look(side(in_source=None, on_workers=None), staging={}, production={})
    assert found.findings == ()
    assert all(
        (row.values, row.places["staging"].in_source, row.places["staging"].on_worker) == ("unknown", None, None) for row in found.rows
    )


def test_a_worker_that_is_not_there_lacks_nothing() -> None:
    assert look(side(on_workers={"api": None})).findings == ()


def test_fingerprints_under_different_keys_are_not_compared() -> None:
    assert {row.values for row in look(production={**OTHERS, KEY_NAME: "another"}).rows} == {"unknown"}


@pytest.mark.parametrize("moment", ["yesterday", "", "2026-10-20T10:00:00"])
def test_a_date_that_cannot_be_read_is_no_age(moment: str) -> None:
    assert look(side(in_source={**ALL, "HOOK": moment})).rows[1].places["staging"].age_days is None


def test_infisical_is_asked_for_names_and_dates_and_never_for_a_value(make_settings: MakeSettings) -> None:
    with running() as infisical:
        infisical.put(API_KEY="canary-planted", STAGING_HOOK="canary-other", OTHERS="canary-of-others")
        place = {"project": PROJECT, "environment": "dev", "path": "/vc/staging", "site": infisical.url, "names": {"HOOK": "STAGING_HOOK"}}
        settings = make_settings(secret_source="infisical", infisical=place)
        names = names_in_source(settings, list(ALL), {CLIENT_ID: CLIENT, CLIENT_SECRET: PLANTED})
        assert names == {"API_KEY": "2026-09-01T10:00:00.000Z", "HOOK": "2026-09-01T10:00:00.000Z"}
        assert infisical.asked("secret") == []
        assert {request.query.get("viewSecretValue") for request in infisical.requests if request.kind == "list"} == {"false"}
        with pytest.raises(CraneError) as refused:
            names_in_source(settings, list(ALL), {CLIENT_ID: CLIENT, CLIENT_SECRET: "canary-wrong"})
        assert "canary" not in str(refused.value)


def test_environment_variables_are_there_or_not(make_settings: MakeSettings) -> None:
    assert names_in_source(make_settings(secret_source="environment"), list(ALL), {"API_KEY": "canary", "HOOK": " "}) == {"API_KEY": None}


def test_of_the_stack_file_the_names_are_read(make_settings: MakeSettings) -> None:
    settings = make_settings()
    (settings.root / settings.file).write_text(f"config: {{{settings.project}:secrets: {{HOOK: {{secure: v1:canary}}, MORE: {{}}}}}}")
    assert names_in_source(settings, list(ALL), {}) == {"HOOK": None}


@pytest.mark.parametrize(
    ("findings", "seen", "words"),
    [(0, True, "nothing to fix"), (0, False, "nothing to fix in what could be seen"), (1, True, "1 finding"), (2, False, "2 findings")],
)
def test_what_could_not_be_seen_is_not_called_well(findings: int, *, seen: bool, words: str) -> None:
    assert outcome(findings, seen=seen) == words
