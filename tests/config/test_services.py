"""A worker is deployed after the workers that it calls; a circle of workers that do not exist yet is refused."""

from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_infra.config.services import called_first
from crane_infra.config.settings import Settings, WorkerSettings, parse
from crane_infra.errors import SettingsError
from tests.samples import ACCOUNT, as_pulumi, config, known

NAMES = ("crane-context", "crane-classifier", "crane-mail", "crane-search")


def settings_with(services: Mapping[str, Mapping[str, str | dict[str, str]]]) -> Settings:
    """Staging's settings with these workers, each with its service bindings."""
    environ = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "token"}
    settings = parse(known("staging", Path()), as_pulumi(config("staging")), environ)
    return settings.model_copy(
        update={"workers": {name: WorkerSettings.model_validate({"services": bound}) for name, bound in services.items()}}
    )


def test_a_worker_comes_after_those_that_it_calls() -> None:
    settings = settings_with(
        {"crane-context": {"CLASSIFIER": "crane-classifier"}, "crane-classifier": {"MAIL": "crane-mail"}, "crane-mail": {}}
    )
    order = called_first(settings, existing=())
    assert list(order.items()) == [("crane-mail", ()), ("crane-classifier", ("crane-mail",)), ("crane-context", ("crane-classifier",))]


def test_a_worker_waits_for_the_one_whose_entrypoint_it_calls() -> None:
    settings = settings_with(
        {"crane-context": {"CLASSIFIER": {"worker": "crane-classifier", "entrypoint": "Admin"}}, "crane-classifier": {}}
    )
    assert called_first(settings, existing=()) == {"crane-classifier": (), "crane-context": ("crane-classifier",)}


def test_a_circle_of_workers_that_exist_is_deployed() -> None:
    settings = settings_with({"crane-context": {"CLASSIFIER": "crane-classifier"}, "crane-classifier": {"CONTEXT": "crane-context"}})
    assert set(called_first(settings, existing=("crane-context", "crane-classifier"))) == {"crane-context", "crane-classifier"}


def test_a_circle_with_a_worker_that_does_not_exist_is_refused_with_the_two_steps() -> None:
    settings = settings_with({"crane-context": {"CLASSIFIER": "crane-classifier"}, "crane-classifier": {"CONTEXT": "crane-context"}})
    with pytest.raises(SettingsError) as caught:
        called_first(settings, existing=("crane-context",))
    assert str(caught.value).startswith("Pulumi.staging.yaml workers.crane-classifier.services: ")
    assert "crane-classifier does not exist yet" in str(caught.value)
    assert "Remove CONTEXT, run pulumi up -s staging, then add it again" in str(caught.value)


def test_a_new_worker_that_calls_itself_is_refused_too() -> None:
    with pytest.raises(SettingsError, match="crane-context calls crane-context, and crane-context does not exist yet"):
        called_first(settings_with({"crane-context": {"SELF": "crane-context"}}), existing=())


@given(st.fixed_dictionaries({name: st.sets(st.sampled_from(NAMES)) for name in NAMES}), st.sets(st.sampled_from(NAMES)))
def test_every_order_keeps_every_call_that_is_in_no_circle(calls: dict[str, set[str]], existing: Collection[str]) -> None:
    """Each worker waits only for workers that it calls and that come before it; what it does not wait for calls it back."""
    settings = settings_with(
        {name: {f"TO_{number}": other for number, other in enumerate(sorted(called))} for name, called in calls.items()}
    )
    try:
        order = called_first(settings, existing)
    except SettingsError:
        assert any(name not in existing and name in reached(calls, name) for name in NAMES)
        return
    places = list(order)
    assert sorted(places) == sorted(NAMES)
    for name, waits_for in order.items():
        assert set(waits_for) <= calls[name]
        assert all(places.index(other) < places.index(name) for other in waits_for)
        assert all(name in reached(calls, other) for other in calls[name] - set(waits_for))


def reached(calls: dict[str, set[str]], start: str) -> set[str]:
    """The workers that a call to ``start`` can lead to."""
    seen: set[str] = set()
    ahead = set(calls[start])
    while ahead:
        seen |= ahead
        ahead = set().union(*(calls[name] for name in ahead)) - seen
    return seen
