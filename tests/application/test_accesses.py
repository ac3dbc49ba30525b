"""Reads on record: goal: who read how much is there, and no read waits for that or fails by it.

Method: noting without a server, on both databases: many actors, small reads and large ones, days
that end; every read is in exactly one count, every mass read is one access.
"""

import pytest

from ledger.application.accesses import Accesses
from ledger.application.reads import REST_SECONDS, ROWS_MAX, Reading
from ledger.application.workers import Workers
from ledger.events.access import ACCESS_KINDS, AccessKind, AccessRecorded, ReadsCounted
from ledger.events.registry import typed
from ledger.events.values import DAY, SECOND, format_time
from ledger.limits import MASS_EVENTS
from ledger.setting_sections import AccessSettings
from ledger.storage import CreateLedger, Store
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN

OTHER = "ledger.example.com/other"
REST = int(REST_SECONDS) * SECOND


def recorder(
    store: Store,
    clock: ManualClock,
    seconds: float = 3_600.0,
    kinds: tuple[AccessKind, ...] = ACCESS_KINDS,
) -> Accesses:
    """Return what notes reads of one ledger or two, and records when the test says so."""
    store.ledgers.create(CreateLedger(OTHER, "data", 300, "users/ada"))
    settings = AccessSettings(seconds=seconds, recorded=kinds)
    return Accesses(store, clock, settings, lambda: frozenset({ORIGIN, OTHER}))


@pytest.fixture
def accesses(store: Store, clock: ManualClock) -> Accesses:
    """What notes reads and records them by default."""
    return recorder(store, clock)


def read(actor: str = "users/ann", method: str = "GetModel") -> Reading:
    """Return an ordinary read."""
    return Reading(actor, method, "192.0.2.7")


def events(count: int, *, first: int = 1, purpose: str = "", actor: str = "users/ann") -> Reading:
    """Return a page of events."""
    last = first + count - 1 if count else 0
    return Reading(
        actor,
        "ListEvents",
        "192.0.2.7",
        purpose,
        kind="events",
        first_position=first if count else 0,
        last_position=last,
        events=count,
    )


def counts(store: Store, origin: str = ORIGIN) -> list[ReadsCounted]:
    """Return the counts on record."""
    found = store.events.of_types(origin, (ReadsCounted.TYPE,), stream="ledger")
    return [typed(event, ReadsCounted) for event in found]


def listed(store: Store, origin: str = ORIGIN) -> list[AccessRecorded]:
    """Return the accesses on record."""
    found = store.events.of_types(origin, (AccessRecorded.TYPE,), stream="ledger")
    return [typed(event, AccessRecorded) for event in found]


def in_an_hour(accesses: Accesses, clock: ManualClock) -> None:
    """Record what is due in an hour."""
    clock.advance(3_600 * SECOND)
    accesses.record()


# ---- counts --------------------------------------------------------------------------------------


def test_reads_are_counted_by_day_actor_and_method_with_their_times(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    clock.advance(DAY - clock.now_micros() % DAY - SECOND)
    midnight = clock.now_micros() + SECOND
    for actor in ("users/bob", "users/ann", "users/ann"):
        accesses.note(ORIGIN, read(actor))
    clock.advance(2 * SECOND)
    accesses.note(ORIGIN, read())
    accesses.note(ORIGIN, read(method="GetPlan"))
    accesses.note(OTHER, read())
    in_an_hour(accesses, clock)
    (data,) = counts(store)
    before, after = format_time(midnight - SECOND), format_time(midnight + SECOND)
    assert [(r.first_at, r.actor, r.method, r.count) for r in data.reads] == [
        (before, "users/ann", "GetModel", 2),
        (before, "users/bob", "GetModel", 1),
        (after, "users/ann", "GetModel", 1),
        (after, "users/ann", "GetPlan", 1),
    ]
    assert (data.since, data.until, data.total, data.unlisted) == (before, after, 5, 0)
    assert [each.total for each in counts(store, OTHER)] == [1]


def test_a_count_comes_once_in_its_seconds_if_anything_was_read_and_at_the_end(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    accesses.note(ORIGIN, read())
    clock.advance(3_599 * SECOND)
    accesses.record()
    assert counts(store) == []
    clock.advance(SECOND)
    accesses.record()
    in_an_hour(accesses, clock)
    assert [each.total for each in counts(store)] == [1], "nothing read, nothing recorded"
    accesses.note(ORIGIN, read())
    accesses.stop()
    accesses.note(ORIGIN, read())
    accesses.stop()
    assert [each.total for each in counts(store)] == [1, 1]
    assert accesses.recorded(ORIGIN).reads == 2


def test_the_messages_of_one_call_are_one_read(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    for number in range(3):
        accesses.note(ORIGIN, Reading("users/ann", "WatchEvents", "unix", is_new=number == 0))
    in_an_hour(accesses, clock)
    assert [each.total for each in counts(store)] == [1]


def test_rows_are_bounded_and_the_rest_is_in_the_total(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    for number in range(ROWS_MAX + 7):
        accesses.note(ORIGIN, read(f"users/u{number}", "M" * 500))
    accesses.note(ORIGIN, read("users/u0", "M" * 500))
    in_an_hour(accesses, clock)
    (data,) = counts(store)
    assert (len(data.reads), data.total) == (ROWS_MAX, ROWS_MAX + 8)
    assert {len(row.method) for row in data.reads} == {128}
    assert sum(row.count for row in data.reads) == ROWS_MAX + 1


def test_a_clock_that_is_set_back_leaves_every_time_within_its_span_and_day(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    clock.advance(DAY - clock.now_micros() % DAY + 3_600 * SECOND)
    began = clock.now_micros()
    accesses.note(OTHER, events(MASS_EVENTS))
    clock.step(-1_800 * SECOND)
    accesses.note(OTHER, events(1, first=7))
    clock.step(-10_000 * DAY * 100)  # before 1970, which no event can say
    accesses.note(OTHER, read())
    clock.step(10_000 * DAY * 100)
    in_an_hour(accesses, clock)
    (data,), (access,) = counts(store, OTHER), listed(store, OTHER)
    earlier, later = format_time(began - 1_800 * SECOND), format_time(began)
    assert (access.started_at, access.ended_at, access.events) == (earlier, later, MASS_EVENTS + 1)
    assert [(row.first_at, row.last_at) for row in data.reads] == [
        (format_time(0), format_time(0)),
        (earlier, later),
    ]
    assert (data.since, data.until) == (format_time(0), later)


# ---- accesses ------------------------------------------------------------------------------------


def test_a_mass_read_is_one_access_once_no_other_page_has_followed_for_a_minute(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    began = clock.now_micros()
    for first in (501, 1, 1_001):
        accesses.note(ORIGIN, events(500, first=first))
        clock.advance(REST - 1)
        accesses.record()
    assert listed(store) == []
    clock.advance(1)
    accesses.record()
    (found,) = listed(store)
    assert (found.actor, found.method, found.address, found.purpose, found.export) == (
        "users/ann", "ListEvents", "192.0.2.7", "", None,
    )  # fmt: skip
    assert (found.first_position, found.last_position, found.events) == (1, 1_500, 1_500)
    ended = began + 2 * (REST - 1)
    assert (found.started_at, found.ended_at) == (format_time(began), format_time(ended))
    assert accesses.recorded(ORIGIN).accesses == 1


@pytest.mark.parametrize(("more", "expected"), [(0, 0), (1, 1)])
def test_small_reads_of_a_day_are_one_mass_read_once_they_pass_the_bound_together(
    accesses: Accesses, store: Store, clock: ManualClock, more: int, expected: int
) -> None:
    clock.advance(DAY - clock.now_micros() % DAY)
    for _ in range(10):
        accesses.note(ORIGIN, events(MASS_EVENTS // 10))
        clock.advance(2 * REST)
        accesses.record()
    assert listed(store) == []
    accesses.note(ORIGIN, events(more))
    clock.advance(REST)
    accesses.record()
    assert [one.events for one in listed(store)] == [MASS_EVENTS + 1] * expected
    accesses.note(ORIGIN, events(MASS_EVENTS))
    accesses.record()
    clock.advance(REST)
    accesses.record()
    assert len(listed(store)) == 1, "after an access the sum begins again at 0"


def test_what_is_too_small_on_one_day_is_forgotten_on_the_next(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    for _ in range(2):
        accesses.note(ORIGIN, events(MASS_EVENTS))
        clock.advance(DAY)
        accesses.record()
    assert listed(store) == []
    clock.advance(DAY - clock.now_micros() % DAY - SECOND)
    accesses.note(ORIGIN, events(MASS_EVENTS + 1))
    clock.advance(SECOND)
    accesses.note(ORIGIN, events(1))
    accesses.record()
    assert [one.events for one in listed(store)] == [MASS_EVENTS + 1], "a day ends an access"


def test_what_states_a_purpose_is_recorded_however_small(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    accesses.note(ORIGIN, events(3, purpose="audit"))
    accesses.note(ORIGIN, events(0, purpose="compliance tables"))
    accesses.note(ORIGIN, Reading("users/ann", "GetModel", "192.0.2.7", "audit"))
    clock.advance(REST)
    accesses.record()
    assert [(one.purpose, one.events, one.first_position) for one in listed(store)] == [
        ("audit", 3, 1),
        ("compliance tables", 0, 0),
    ]


def export_and_replay() -> tuple[Reading, Reading]:
    return (
        Reading("users/ann", "ReadExport", "unix", kind="exports", export="e1", archive_bytes=9),
        Reading(
            "users/ann", "ReplayRange", "unix", kind="replays",
            first_position=1, last_position=9, events=2,
        ),
    )  # fmt: skip


def test_every_export_and_every_replay_is_recorded(
    accesses: Accesses, store: Store, clock: ManualClock
) -> None:
    for reading in (*export_and_replay(), export_and_replay()[0]):
        accesses.note(ORIGIN, reading)
    clock.advance(REST)
    accesses.record()
    found = {one.method: one for one in listed(store)}
    assert (found["ReadExport"].export, found["ReadExport"].archive_bytes) == ("e1", 18)
    assert (found["ReplayRange"].last_position, found["ReplayRange"].events) == (9, 2)
    assert len(found) == 2


@pytest.mark.parametrize("kind", ACCESS_KINDS)
def test_each_kind_can_be_switched_off_and_no_other_goes_with_it(
    store: Store, clock: ManualClock, kind: AccessKind
) -> None:
    accesses = recorder(store, clock, kinds=tuple(one for one in ACCESS_KINDS if one != kind))
    for reading in (*export_and_replay(), events(2_000), events(1, purpose="audit")):
        accesses.note(ORIGIN, reading)
    clock.advance(REST)
    accesses.record()
    by_kind = {
        "exports": ("ReadExport", ""),
        "replays": ("ReplayRange", ""),
        "events": ("ListEvents", ""),
        "purposes": ("ListEvents", "audit"),
    }
    expected = {what for name, what in by_kind.items() if name != kind}
    assert {(one.method, one.purpose) for one in listed(store)} == expected


def test_a_claimed_purpose_hides_no_mass_read_where_purposes_are_not_recorded(
    store: Store, clock: ManualClock
) -> None:
    accesses = recorder(store, clock, kinds=("events",))
    accesses.note(ORIGIN, events(2_000, purpose="audit"))
    clock.advance(REST)
    accesses.record()
    assert [one.purpose for one in listed(store)] == ["audit"]


@pytest.mark.parametrize(("seconds", "kinds"), [(0.0, ACCESS_KINDS), (3_600.0, ())])
def test_counts_and_accesses_are_switched_off_apart(
    store: Store, clock: ManualClock, seconds: float, kinds: tuple[AccessKind, ...]
) -> None:
    accesses = recorder(store, clock, seconds, kinds)
    accesses.note(ORIGIN, events(2_000, purpose="audit"))
    in_an_hour(accesses, clock)
    assert (len(counts(store)), len(listed(store))) == (int(seconds > 0), int(kinds != ()))


def test_without_either_nothing_is_kept_or_recorded(
    store: Store, clock: ManualClock, workers: Workers
) -> None:
    accesses = recorder(store, clock, 0.0, ())
    accesses.start(workers)
    accesses.note(ORIGIN, events(2_000, purpose="audit"))
    accesses.stop()
    assert (counts(store), listed(store)) == ([], [])
