"""The machine's clock before it dates anything: goal: no moment of a wrong clock is on record.

Method: on each database a clock is set forward and back, for a moment or for good, while the time
that passes goes on; afterwards every time on record is compared with the true one.
"""

from collections.abc import Callable, Iterator

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.values import DAY, SECOND, TIME_LIMIT, format_time
from ledger.storage import CreateLedger, Store
from ledger.storage.records import AppendRequest, AppendResult
from ledger.storage.wall_clock import span
from tests.storage.test_append import updated
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of
from tests.support.stores import ORIGIN, START, asking, begun

SKEW = 300 * SECOND
YEAR = 365 * DAY
OUTSIDE = [-10 * YEAR - START, -1 - START, TIME_LIMIT - START, 10**20]


def append(store: Store) -> int:
    """Append an event and return when it was recorded."""
    return store.requests.append(asking(updated())).recorded_at


def refused(store: Store) -> LedgerError:
    """Return the refusal of an append."""
    with pytest.raises(LedgerError) as caught:
        append(store)
    assert caught.value.reason is Reason.CLOCK_AHEAD
    assert caught.value.retry_after_seconds
    return caught.value


@pytest.mark.parametrize("step", [10 * YEAR, SKEW + 1, -SKEW - 1, -10 * YEAR, *OUTSIDE])
def test_nothing_is_recorded_while_the_clock_is_wrong_and_all_is_well_once_it_is_right(
    store: Store, clock: ManualClock, step: int
) -> None:
    append(store)
    head = store.events.head(ORIGIN)
    clock.step(step)
    for _ in range(3):
        error = refused(store)
        clock.advance(SECOND)
    assert error.metadata["expected_at"] == format_time(START + 2 * SECOND)
    assert store.events.head(ORIGIN) == head
    clock.step(-step)
    assert append(store) == START + 3 * SECOND
    assert store.writer_failure is None


@pytest.mark.parametrize("step", [SKEW, -SKEW, 5 * SECOND, 0])
def test_a_clock_that_is_set_within_the_skew_is_no_fault(
    store: Store, clock: ManualClock, step: int
) -> None:
    before = append(store)
    clock.step(step)
    assert append(store) == max(before, START + step)


@pytest.mark.parametrize("step", [SKEW, -SKEW])
def test_a_clock_that_is_set_within_the_skew_each_night_is_no_fault_after_weeks(
    store: Store, clock: ManualClock, step: int
) -> None:
    for night in range(1, 22):
        append(store)
        clock.advance(DAY)
        clock.step(step)
        assert append(store) == START + night * (DAY + step)


def test_steps_within_the_skew_that_follow_one_another_are_told_from_time_that_passes(
    store: Store, clock: ManualClock
) -> None:
    append(store)
    clock.advance(DAY)
    for _ in range(2):
        clock.step(SKEW // 2)
        clock.advance(SECOND)
        append(store)
    clock.step(SKEW // 2 + 1)
    refused(store)


def test_a_machine_that_slept_for_days_has_the_right_time(store: Store, clock: ManualClock) -> None:
    append(store)
    clock.advance(400 * DAY)
    assert append(store) == START + 400 * DAY


def test_one_refused_by_its_clock_refuses_no_neighbour_of_another_ledger(
    store: Store, clock: ManualClock
) -> None:
    store.ledgers.create(CreateLedger("ledger.example.com/loaded", "data", 0, "users/ada"))
    append(store)
    clock.step(10 * YEAR)
    refused(store)
    other = AppendRequest("ledger.example.com/loaded", "users/ada", "UpdateModel", [updated()])
    assert store.requests.append(other).last_position == 3


def confirmed(store: Store, request_id: str = "once") -> AppendResult:
    """Confirm the clock."""
    stated = AppendRequest(ORIGIN, "users/ops", "ConfirmClock", [], request_id, digest=b"1")
    return store.clocks.confirm(stated, lambda step: updated())


def lose_the_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next commit happen, and its answer lost."""
    database = database_of(store)
    after = database.after_commit

    def lost() -> None:
        after()
        monkeypatch.undo()
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The answer to COMMIT was lost.")

    monkeypatch.setattr(database, "after_commit", lost)


def test_a_confirmation_whose_commit_was_in_doubt_is_found_by_a_repeat_and_counts(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(store)
    clock.step(2 * DAY)
    lose_the_answer(store, monkeypatch)
    with pytest.raises(LedgerError, match="lost"):
        confirmed(store)
    head = store.events.head(ORIGIN)
    refused(store)
    clock.advance(3 * SECOND)
    again = confirmed(store)
    assert (again.last_position, again.repeated) == (head.position, True)
    assert append(store) == START + 2 * DAY + 3 * SECOND
    assert confirmed(store).repeated


@pytest.mark.parametrize("to", [-2 * DAY, 10 * YEAR])
def test_a_repeat_confirms_no_clock_but_the_one_that_was_confirmed(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, to: int
) -> None:
    append(store)
    clock.step(2 * DAY)
    lose_the_answer(store, monkeypatch)
    with pytest.raises(LedgerError, match="lost"):
        confirmed(store)
    clock.step(to)
    assert confirmed(store).repeated
    if to < 0:  # set right again: that is no fault
        assert append(store) == START + 2 * DAY  # times on record never run back
    else:
        refused(store)


@pytest.mark.parametrize("step", [10 * YEAR, *OUTSIDE])
def test_a_ledger_does_not_begin_at_a_time_that_cannot_be(
    store: Store, clock: ManualClock, step: int
) -> None:
    append(store)
    clock.step(step)
    new = CreateLedger("ledger.example.com/new", "wall", 300, "users/ada")
    with pytest.raises(LedgerError) as caught:
        store.ledgers.create(new)
    assert caught.value.reason is Reason.CLOCK_AHEAD
    clock.step(-step)
    store.ledgers.create(new)
    assert store.events.event(new.origin, 1).recorded_at == START  # type: ignore[union-attr]


@pytest.fixture
def reopened(database_url: str, clock: ManualClock) -> Iterator[Callable[[], Store]]:
    """Open the ledger by another process, as it were."""
    opened: list[Store] = []

    def again() -> Store:
        for store in opened:
            store.close()
        store = begun(database_url, clock)
        opened.append(store)
        return store

    yield again
    for store in opened:
        store.close()


def test_a_server_that_starts_ten_years_ahead_of_the_newest_event_dates_nothing(
    reopened: Callable[[], Store], clock: ManualClock
) -> None:
    append(reopened())
    clock.step(10 * YEAR)
    store = reopened()
    error = refused(store)
    assert error.metadata["head_at"] == format_time(START)
    clock.step(-10 * YEAR)
    clock.advance(SECOND)
    assert append(store) == START + SECOND


def test_a_server_that_was_down_for_a_year_goes_on(
    reopened: Callable[[], Store], clock: ManualClock
) -> None:
    append(reopened())
    clock.advance(366 * DAY)
    assert append(reopened()) == START + 366 * DAY


def test_behind_the_newest_event_time_pauses_and_goes_on_once_it_is_reached(
    reopened: Callable[[], Store], clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    clock.step(2 * DAY)
    append(reopened())
    clock.step(-2 * DAY)
    store = reopened()
    assert append(store) == START + 2 * DAY
    assert "clock.behind_head" in capsys.readouterr().out
    clock.advance(3 * DAY)
    assert append(store) == START + 3 * DAY


def test_a_server_that_starts_before_its_clock_is_set_goes_on_once_it_is(
    reopened: Callable[[], Store], clock: ManualClock, capsys: pytest.CaptureFixture[str]
) -> None:
    append(reopened())
    clock.step(-START)  # a machine without a battery, until it hears of the time
    store = reopened()
    for _ in range(3):
        assert append(store) == START
        clock.advance(SECOND)
    assert capsys.readouterr().out.count("clock.behind_head") == 1
    clock.step(START)
    assert append(store) == START + 3 * SECOND
    clock.step(SKEW + 1)
    refused(store)


def test_a_span_is_said_in_its_largest_unit() -> None:
    assert [span(n * SECOND) for n in (1, 119, 120, 7_200, 86_400 * 3_653)] == [
        "1 seconds",
        "119 seconds",
        "2 minutes",
        "2 hours",
        "3653 days",
    ]
