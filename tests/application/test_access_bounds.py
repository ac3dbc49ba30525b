"""Reads on record cost no read anything: bounds on what waits, stores that fail and come back.

Method: what notes reads without a server, on both databases; appends that fail, or whose answer is
lost, and threads that read while it records.
"""

import threading

import pytest

from ledger.application.accesses import Accesses
from ledger.application.reads import GROWING_MAX, WAITING_MAX
from ledger.errors import LedgerError, Reason
from ledger.limits import MASS_EVENTS
from ledger.storage import CreateLedger, Store
from ledger.storage.records import AppendRequest, AppendResult
from tests.application.test_accesses import (
    REST,
    counts,
    events,
    in_an_hour,
    listed,
    read,
    recorder,
)
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, lose_answer


@pytest.fixture
def accesses(store: Store, clock: ManualClock) -> Accesses:
    """What notes reads and records them by default."""
    return recorder(store, clock)


def test_accesses_that_find_no_room_are_counted(
    accesses: Accesses, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: AppendRequest) -> AppendResult:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    missed = 5
    with monkeypatch.context() as patched:
        patched.setattr(store.requests, "append", broken)
        accesses.note(ORIGIN, events(1, purpose="first"))
        clock.advance(REST)
        with pytest.raises(LedgerError):
            accesses.record()  # it is sent, and may be on record
        for number in range(WAITING_MAX + missed):
            accesses.note(ORIGIN, events(1, purpose=f"audit {number}"))
            if number == GROWING_MAX - 1:
                clock.advance(REST)
                with pytest.raises(LedgerError):
                    accesses.record()
    in_an_hour(accesses, clock)
    assert len(listed(store)) == 1 + WAITING_MAX
    assert [(one.total, one.unlisted) for one in counts(store)] == [(1_006, missed)]


def test_what_grows_is_bounded_and_gives_way_by_its_last_read(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    def others(first: int, count: int) -> None:
        for number in range(first, first + count):
            accesses.note(ORIGIN, events(1, actor=f"users/u{number}"))

    accesses.note(ORIGIN, events(MASS_EVENTS - 1))
    others(0, GROWING_MAX - 1)
    accesses.note(ORIGIN, events(1))
    others(GROWING_MAX, GROWING_MAX - 1)  # in the places of the first ones, but for that
    accesses.note(ORIGIN, events(1))
    others(2 * GROWING_MAX, 2 * GROWING_MAX)  # its place as well; it is a mass read by then
    clock.advance(REST)
    accesses.record()
    assert [(one.actor, one.events) for one in listed(store)] == [("users/ann", MASS_EVENTS + 1)]


def test_what_could_not_be_recorded_is_recorded_later_and_reads_meanwhile_are_noted(
    accesses: Accesses, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: AppendRequest) -> AppendResult:
        accesses.note(ORIGIN, read())  # meanwhile
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    accesses.note(ORIGIN, events(3, purpose="audit"))
    with monkeypatch.context() as patched:
        patched.setattr(store.requests, "append", broken)
        with pytest.raises(LedgerError):
            in_an_hour(accesses, clock)
    in_an_hour(accesses, clock)
    assert [one.total for one in counts(store)] == [1, 1]
    assert [one.events for one in listed(store)] == [3]


@pytest.mark.parametrize("is_late", [False, True])
def test_events_whose_answer_was_lost_are_on_record_once(
    accesses: Accesses,
    store: Store,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_late: bool,
) -> None:
    for purpose in ("audit", "again"):
        accesses.note(ORIGIN, events(3, purpose=purpose))
    lose_answer(store, monkeypatch, is_late=is_late)
    with pytest.raises(LedgerError):
        in_an_hour(accesses, clock)
    accesses.record()
    assert [one.total for one in counts(store)] == [2]
    assert [one.purpose for one in listed(store)] == ["audit", "again"]
    recorded = accesses.recorded(ORIGIN)
    assert (recorded.reads, recorded.accesses) == (2, 2)


def test_a_read_during_the_recording_is_counted_once(store: Store, clock: ManualClock) -> None:
    accesses = recorder(store, clock, seconds=1e-9)

    def count() -> None:
        for _ in range(2_000):
            accesses.note(ORIGIN, read())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        clock.advance(1)
        accesses.record()
    for thread in threads:
        thread.join()
    clock.advance(1)
    accesses.record()
    assert sum(data.total for data in counts(store)) == 8_000
    assert sum(row.count for data in counts(store) for row in data.reads) == 8_000


def test_a_ledger_that_is_not_served_leaves_nothing(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    store.ledgers.create(CreateLedger("elsewhere", "data", 300, "users/ada"))
    accesses.note("elsewhere", events(3, purpose="audit"))
    in_an_hour(accesses, clock)
    assert (counts(store, "elsewhere"), listed(store, "elsewhere")) == ([], [])
