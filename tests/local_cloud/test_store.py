"""An overview of the records is made anew after each change, and only then: hundreds of requests in a row read what none of them writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local_cloud.store import Store

made: list[int] = []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store with one worker."""
    store = Store(tmp_path / "store")
    store.add("worker", "1", {"name": "a"})
    yield store
    store.close()


def number_of_workers(store: Store) -> int:
    """Count the workers, and note that it was done."""
    made.append(len(store.all("worker")))
    return made[-1]


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    made.clear()


def test_it_is_made_once_for_all_who_ask_while_nothing_changes(store: Store) -> None:
    assert [store.overview(number_of_workers) for _ in range(3)] == [1, 1, 1]
    assert made == [1]


def test_it_is_made_anew_after_a_record_came_changed_or_went(store: Store) -> None:
    seen = [store.overview(number_of_workers)]
    store.add("worker", "2", {"name": "b"})
    seen.append(store.overview(number_of_workers))
    store.put("2", {"name": "c"})
    seen.append(store.overview(number_of_workers))
    store.remove("2")
    assert [*seen, store.overview(number_of_workers)] == made == [1, 2, 2, 1]


def add_and_fail(store: Store) -> None:
    """Add a worker in a transaction that does not end well."""
    with store.together():
        store.add("worker", "2", {"name": "b"})
        store.overview(number_of_workers)
        raise LookupError


def test_what_is_taken_back_is_in_no_later_one(store: Store) -> None:
    with pytest.raises(LookupError):
        add_and_fail(store)
    assert made == [2]
    assert store.overview(number_of_workers) == 1
