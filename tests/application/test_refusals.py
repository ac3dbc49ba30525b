"""Refusals counted: goal: what was refused is on record, and an attacker gets no more than that.

Method: counting without a server: many callers, stores that fail and come back, threads that count
while it is recorded; every refusal is in exactly one event.
"""

import threading

import pytest

from ledger.application.refusals import ROWS_MAX, Refusals, RefusedCall
from ledger.application.workers import Workers
from ledger.errors import LedgerError, Reason
from ledger.events.proving import OTHER_ADDRESSES, RequestsRefusedV2
from ledger.events.registry import typed
from ledger.events.values import format_time
from ledger.limits import REFUSED_HOSTS_MAX
from ledger.storage import CreateLedger, Store
from ledger.storage.records import AppendRequest, AppendResult
from tests.support.clocks import ManualClock
from tests.support.hooks import tallied
from tests.support.stores import ORIGIN, lose_answer

OTHER = "ledger.example.com/other"
HERE, THERE = "192.0.2.7", "198.51.100.9"


@pytest.fixture
def counted(store: Store, clock: ManualClock) -> Refusals:
    """Refusals of two ledgers, recorded when the test says so."""
    store.ledgers.create(CreateLedger(OTHER, "data", 300, "users/ada"))
    return Refusals(store, clock, 60.0, lambda: frozenset({ORIGIN, OTHER}))


def call(actor: str, method: str, reason: Reason, address: str = HERE) -> RefusedCall:
    return RefusedCall(actor, method, reason, address)


def recorded(store: Store, origin: str = ORIGIN) -> list[RequestsRefusedV2]:
    """Return what is on record."""
    events = store.events.of_types(origin, (RequestsRefusedV2.TYPE,))
    assert all(event.stream == "ledger" for event in events)
    return [typed(event, RequestsRefusedV2) for event in events]


def test_refusals_of_one_caller_are_told_apart_by_the_host_that_they_came_from(
    counted: Refusals, store: Store
) -> None:
    for address in (THERE, HERE, THERE):
        counted.count(ORIGIN, call("users/ann", "MakePlan", Reason.ACTOR_NOT_AUTHORISED, address))
    counted.record()
    (data,) = recorded(store)
    assert [(row.actor, row.address, row.count) for row in data.refusals] == [
        ("users/ann", HERE, 1),
        ("users/ann", THERE, 2),
    ]


def test_a_caller_of_many_hosts_takes_no_place_from_others(counted: Refusals, store: Store) -> None:
    for number in range(3 * ROWS_MAX):
        address = f"2001:db8::{number:x}"
        counted.count(ORIGIN, call("unknown", "GetPlan", Reason.CREDENTIAL_INVALID, address))
    counted.count(ORIGIN, call("unknown", "GetPlan", Reason.CREDENTIAL_INVALID, "2001:db8::0"))
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.record()
    (data,) = recorded(store)
    of = {(row.actor, row.address): row.count for row in data.refusals}
    assert len(of) == REFUSED_HOSTS_MAX + 2
    assert of["unknown", "2001:db8::0"] == 2, "a host that is told apart stays so"
    assert of["unknown", OTHER_ADDRESSES] == 3 * ROWS_MAX - REFUSED_HOSTS_MAX
    assert of["users/ann", HERE] == 1
    assert data.total == sum(of.values()) == 3 * ROWS_MAX + 2


def test_refusals_are_recorded_by_caller_method_and_reason_with_their_times(
    counted: Refusals, store: Store, clock: ManualClock
) -> None:
    began = clock.now_micros()
    for actor in ("users/ann", "users/ann", "users/bob"):
        clock.advance(1_000_000)
        counted.count(ORIGIN, call(actor, "MakePlan", Reason.POLICY_NOT_IN_FORCE))
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.count(OTHER, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    clock.advance(1_000_000)
    counted.record()
    (data,) = recorded(store)
    assert [(r.actor, r.method, r.reason, r.count) for r in data.refusals] == [
        ("users/ann", "GetPlan", "PLAN_UNKNOWN", 1),
        ("users/ann", "MakePlan", "POLICY_NOT_IN_FORCE", 2),
        ("users/bob", "MakePlan", "POLICY_NOT_IN_FORCE", 1),
    ]
    assert data.total == 4
    assert (data.refusals[1].first_at, data.refusals[1].last_at) == (at(began, 1), at(began, 2))
    assert (data.since, data.until) == (at(began, 0), at(began, 4))
    assert [each.total for each in recorded(store, OTHER)] == [1]
    counted.record()
    assert len(recorded(store)) == 1, "nothing refused, nothing recorded"


def test_a_clock_that_was_set_meanwhile_leaves_every_time_within_its_span(
    counted: Refusals, store: Store, clock: ManualClock
) -> None:
    began = clock.now_micros()
    clock.step(-100 * 365 * 86_400 * 1_000_000)  # before 1970, which no event can say
    counted.count(OTHER, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    clock.advance(1_000_000)
    counted.record()
    clock.step(100 * 365 * 86_400 * 1_000_000)
    counted.count(OTHER, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    clock.advance(1_000_000)
    counted.record()
    before, after = recorded(store, OTHER)
    assert (before.refusals[0].first_at, before.until) == (at(0, 0), at(0, 0))
    assert (after.since, after.refusals[0].first_at) == (at(began, 1), at(began, 1))


def at(micros: int, seconds: int) -> str:
    """Return a time as events spell it."""
    return format_time(micros + seconds * 1_000_000)


def test_memory_and_event_are_bounded_whatever_is_asked_by_any_caller(
    counted: Refusals, store: Store
) -> None:
    for number in range(5 * ROWS_MAX):
        actor, address = f"users/{number}-{'x' * 200}", f"h{'y' * 200}"
        counted.count(ORIGIN, call(actor, "M" * 500, Reason.FIELD_INVALID, address))
    counted.record()
    (data,) = recorded(store)
    assert (len(data.refusals), data.total) == (ROWS_MAX, 5 * ROWS_MAX)
    assert {len(one) for row in data.refusals for one in (row.actor, row.address)} == {128}
    event = store.events.of_types(ORIGIN, (RequestsRefusedV2.TYPE,))[0]
    assert event.body_bytes is not None
    assert len(event.body_bytes) < 1_000_000


def test_a_ledger_that_is_not_served_leaves_nothing_behind(
    counted: Refusals, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1_000):
        counted.count(f"nowhere/{number}", call("users/ann", "GetPlan", Reason.LEDGER_UNKNOWN))
    assert tallied(counted) == []
    counted.record()
    assert recorded(store) == recorded(store, OTHER) == []
    assert "count=1000" in capsys.readouterr().out


def test_what_could_not_be_recorded_is_recorded_later(
    counted: Refusals, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: AppendRequest) -> AppendResult:
        counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))  # meanwhile
        counted.count(ORIGIN, call("users/bob", "GetPlan", Reason.PLAN_UNKNOWN))
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    for _ in range(3):
        counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    with monkeypatch.context() as patched:
        patched.setattr(store.requests, "append", broken)
        with pytest.raises(LedgerError):
            counted.record()
    counted.record()
    before, after = recorded(store)
    assert [(row.actor, row.count) for row in before.refusals] == [("users/ann", 3)]
    assert [row.actor for row in after.refusals] == ["users/ann", "users/bob"]
    assert (before.total, after.total, counted.recorded(ORIGIN)) == (3, 2, 5)


@pytest.mark.parametrize("is_late", [False, True])
def test_a_count_whose_answer_is_lost_is_on_record_once(
    counted: Refusals, store: Store, monkeypatch: pytest.MonkeyPatch, *, is_late: bool
) -> None:
    for _ in range(3):
        counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    lose_answer(store, monkeypatch, is_late=is_late)
    with pytest.raises(LedgerError):
        counted.record()
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.record()
    assert [data.total for data in recorded(store)] == [3, 1]
    assert counted.recorded(ORIGIN) == 4


def test_a_count_that_was_refused_has_the_times_of_the_clock_that_records_it(
    counted: Refusals, store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: AppendRequest) -> AppendResult:
        raise LedgerError(Reason.CLOCK_AHEAD, "The clock is ahead.")

    began = clock.now_micros()
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    clock.step(86_400 * 1_000_000)
    with monkeypatch.context() as patched:
        patched.setattr(store.requests, "append", refuse)
        with pytest.raises(LedgerError):
            counted.record()
    clock.step(-86_400 * 1_000_000)
    clock.advance(1_000_000)
    counted.record()
    (data,) = recorded(store)
    assert (data.refusals[0].first_at, data.until) == (at(began, 0), at(began, 0))


def test_the_total_counts_what_did_not_fit_also_after_a_failure(
    counted: Refusals, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: AppendRequest) -> AppendResult:
        for number in range(ROWS_MAX + 7):
            counted.count(ORIGIN, call(f"users/{number}", "GetPlan", Reason.PLAN_UNKNOWN))
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    with monkeypatch.context() as patched:
        patched.setattr(store.requests, "append", broken)
        with pytest.raises(LedgerError):
            counted.record()
    counted.record()
    before, after = recorded(store)
    assert (len(before.refusals), before.total) == (1, 1)
    assert (len(after.refusals), after.total) == (ROWS_MAX, ROWS_MAX + 7)


def test_a_refusal_during_the_recording_is_counted_once(counted: Refusals, store: Store) -> None:
    def count() -> None:
        for _ in range(2_000):
            counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        counted.record()
    for thread in threads:
        thread.join()
    counted.record()
    assert sum(data.total for data in recorded(store)) == 8_000
    assert sum(data.refusals[0].count for data in recorded(store)) == 8_000


def test_what_is_left_is_recorded_at_the_end_and_nothing_afterwards(
    counted: Refusals, store: Store, workers: Workers
) -> None:
    counted.start(workers)
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.stop()
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.stop()
    assert [data.total for data in recorded(store)] == [1]


def test_zero_seconds_count_nothing(store: Store, clock: ManualClock, workers: Workers) -> None:
    counted = Refusals(store, clock, 0.0, lambda: frozenset({ORIGIN}))
    counted.start(workers)
    counted.count(ORIGIN, call("users/ann", "GetPlan", Reason.PLAN_UNKNOWN))
    counted.stop()
    assert recorded(store) == []
