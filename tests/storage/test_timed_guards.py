"""A guard of a time, by which a decision is recorded only while it holds. On both databases."""

import pytest

from ledger.errors import Reason
from ledger.storage import AppendResult, CreateLedger, Guard, Store
from tests.storage.test_append import append_as_one_group, observed, updated
from tests.support.stores import START, asking


@pytest.mark.parametrize("clock_of", ["data", "wall"])
def test_a_guard_of_a_time_holds_until_it_is_observed_and_always_by_a_machines_clock(
    empty_store: Store, clock_of: str
) -> None:
    origin = "ledger.example.com/timed"
    empty_store.ledgers.create(CreateLedger(origin, clock_of, 0, "users/ada"))
    guards = [Guard(None, None, before=START)]
    asked = [
        asking(updated("b"), ledger=origin, guards=guards),
        asking(observed("a", START - 1), ledger=origin, stated_time=START - 1),
        asking(updated("b"), ledger=origin, guards=guards),
        asking(observed("a", START), ledger=origin, stated_time=START),
        asking(updated("b"), ledger=origin, guards=guards),
    ]
    *before, last = append_as_one_group(empty_store, asked)
    assert all(isinstance(one, AppendResult) for one in before), before
    stored = append_as_one_group(empty_store, asked[-1:])
    is_refused = [one is Reason.VERSION_CONFLICT for one in (last, *stored)]
    assert is_refused == [clock_of == "data"] * 2
