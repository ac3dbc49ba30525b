"""Reads against a plain list in memory: the same questions, the same answers. On both databases."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.events.values import SECOND, format_time
from ledger.storage import NewEvent, Store, open_store
from ledger.storage.tile_rows import tile_query
from tests.support.check_ledger import link_of, read_all
from tests.support.clocks import ManualClock
from tests.support.hooks import run_query, types_query
from tests.support.stores import ORIGIN, START, asking, begun, edit, erasing

STREAMS = ("models/a", "models/b", "signals/auc")
TYPES = ("model.updated.v1", "score.computed.v1", "decision.made.v1")
OBSERVED = "signal.observed.v1"
EVERY = (*TYPES, OBSERVED, "ledger.created.v1")

streams = st.sets(st.sampled_from((*STREAMS, "ledger", "models/none")), max_size=3)
types = st.sets(st.sampled_from(EVERY), max_size=3)
other_types = st.sets(st.sampled_from((*TYPES, "ledger.created.v1")), min_size=1, max_size=3)
positions = st.integers(0, 90)


def note(number: int) -> bytes:
    return encode_body(actor="users/ada", data={"number": number})


def observed(number: int, at: int) -> bytes:
    return encode_body(actor="users/ada", data={"number": number, "observed_at": format_time(at)})


@pytest.fixture
def events(store: Store, clock: ManualClock) -> Sequence[RecordedEvent]:
    """Some eighty events over three streams; times of observation are neither unique nor sorted."""
    for n in range(20):
        clock.advance(SECOND * (n % 3))
        at = START + (n * 7 % 5) * SECOND
        new = [
            NewEvent(STREAMS[n % 3], TYPES[n % 2], note(n)),
            NewEvent(STREAMS[n % 2], OBSERVED, observed(n, at), at),
            NewEvent(STREAMS[n % 3], TYPES[2], note(n)),
            NewEvent(STREAMS[0], OBSERVED, observed(n, at + 1), at + 1),
        ]
        store.requests.append(asking(*new))
    return read_all(store, ORIGIN)


within_one_store = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@within_one_store
@given(positions, st.none() | positions, st.integers(1, 30), st.none() | types, st.none() | streams)
def test_read_pages_through_what_is_asked_for(
    store: Store,
    events: Sequence[RecordedEvent],
    after: int,
    until: int | None,
    limit: int,
    types: set[str] | None,
    streams: set[str] | None,
) -> None:
    expected = [
        e
        for e in events
        if after < e.position <= (until if until is not None else 10**9)
        and (types is None or e.type in types)
        and (streams is None or e.stream in streams)
    ]
    found = store.events.read(
        ORIGIN, after=after, until=until, limit=limit, types=types, streams=streams
    )
    assert found == expected[:limit]


@within_one_store
@given(
    other_types,
    st.none() | st.sampled_from(STREAMS),
    positions,
    st.none() | positions,
    st.none() | st.integers(1, 9),
    st.booleans(),
)
def test_types_are_found_by_index_in_either_direction(  # noqa: PLR0917 - drawn one by one
    store: Store,
    events: Sequence[RecordedEvent],
    types: set[str],
    stream: str | None,
    after: int,
    at_or_before: int | None,
    limit: int | None,
    descending: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    expected = [
        e
        for e in events
        if e.type in types
        and stream in (None, e.stream)
        and after < e.position <= (at_or_before if at_or_before is not None else 10**9)
    ]
    found = store.events.of_types(
        ORIGIN,
        types,
        stream=stream,
        after=after,
        at_or_before=at_or_before,
        limit=limit,
        descending=descending,
    )
    assert found == (expected[::-1] if descending else expected)[:limit]


RUNS = [f"runs/01900000-0000-7000-8000-{number:012}" for number in range(3)]


@pytest.fixture
def of_runs(store: Store) -> Sequence[RecordedEvent]:
    """Events of three runs among others: without a run, erased, and observations that name one."""
    for n in range(24):
        run = (*RUNS, None, "runs/short", f'{RUNS[0]}"}}')[n % 6]
        data = {"note": f'"run_id":"{RUNS[1]}"}}'}
        body = encode_body(actor="users/ada", data=data, run_id=run)
        seen = START + n if n % 5 == 4 else None
        new = [
            NewEvent(STREAMS[n % 3], TYPES[n % 2], body),
            NewEvent(STREAMS[n % 3], OBSERVED if seen else TYPES[2], body, seen),
        ]
        store.requests.append(asking(*new))
    store.requests.append(erasing((2, 9)))
    return read_all(store, ORIGIN)


@pytest.mark.parametrize("run", [*RUNS, "runs/01900000-0000-7000-8000-000000000009", "runs/short"])
@pytest.mark.parametrize(("until", "limit"), [(10**9, 1_000), (10**9, 3), (30, 1_000), (30, 2)])
def test_the_events_of_a_run_are_found_by_index(
    store: Store, of_runs: Sequence[RecordedEvent], run: str, until: int, limit: int
) -> None:
    expected = [
        one
        for one in of_runs
        if one.observed_at is None
        and one.position <= until
        and one.body_bytes is not None
        and one.body.run_id == run
    ]
    found = store.events.of_run(ORIGIN, run, at_or_before=until, limit=limit)
    assert found == ([] if run == "runs/short" else expected[:limit])


@pytest.mark.parametrize("stream", [*STREAMS, "ledger", "models/none"])
def test_the_types_of_a_stream_are_told_without_observations(
    store: Store, events: Sequence[RecordedEvent], stream: str
) -> None:
    found = {event.type for event in events if event.stream == stream and event.observed_at is None}
    assert store.events.types_of(ORIGIN, stream) == sorted(found)


@within_one_store
@given(other_types, st.sampled_from(STREAMS), positions, st.integers(0, 4))
def test_the_latest_of_some_types_can_skip_newer_ones(
    store: Store,
    events: Sequence[RecordedEvent],
    types: set[str],
    stream: str,
    at_or_before: int,
    skip: int,
) -> None:
    expected = [
        e
        for e in reversed(events)
        if e.type in types and e.stream == stream and e.position <= at_or_before
    ][skip : skip + 1]
    found = store.events.latest(ORIGIN, stream, types, at_or_before=at_or_before, skip=skip)
    assert found == (expected[0] if expected else None)


@within_one_store
@given(st.sampled_from(STREAMS), st.integers(-1, 6), st.integers(-1, 6), positions)
def test_observations_are_found_by_their_own_time(
    store: Store,
    events: Sequence[RecordedEvent],
    stream: str,
    first: int,
    last: int,
    at_or_before: int,
) -> None:
    low, high = START + first * SECOND, START + last * SECOND
    expected = sorted(
        (e.observed_at, e.position)
        for e in events
        if e.observed_at is not None
        and e.stream == stream
        and low <= e.observed_at <= high
        and e.position <= at_or_before
    )
    found = store.events.observations(
        ORIGIN, stream, observed_from=low, observed_until=high, at_or_before=at_or_before
    )
    assert [(e.observed_at, e.position) for e in found] == expected
    newest = store.events.newest_observed(ORIGIN, stream, at_or_before=at_or_before, limit=4)
    everything = sorted(
        (
            (e.observed_at, e.position)
            for e in events
            if e.observed_at is not None and e.stream == stream and e.position <= at_or_before
        ),
        reverse=True,
    )
    assert [(e.observed_at, e.position) for e in newest] == everything[:4]


@pytest.mark.parametrize("at_once", [1, 2, 1000])
@pytest.mark.parametrize("at_or_before", [0, 9, 40, 90])
def test_many_streams_at_once_are_what_each_is_alone(
    store: Store,
    events: Sequence[RecordedEvent],
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    at_or_before: int,
) -> None:
    assert events
    monkeypatch.setattr("ledger.storage.events.STREAMS_AT_ONCE", at_once)
    asked, reader = ["models/none", *STREAMS], store.events
    for low, high in ((START, START + 2 * SECOND), (0, START * 2)):
        bounds = {"observed_from": low, "observed_until": high, "at_or_before": at_or_before}
        alone = [reader.observations(ORIGIN, stream, **bounds) for stream in asked]
        found = list(reader.observations_of(ORIGIN, asked, **bounds))
        assert sorted(found) == sorted(one for one in alone if one)
    for types in (set(TYPES), {TYPES[2]}):
        newest = {
            stream: event
            for stream in asked
            if (event := reader.latest(ORIGIN, stream, types, at_or_before=at_or_before))
        }
        assert reader.newest_of_each(ORIGIN, asked, types, at_or_before=at_or_before) == newest


@within_one_store
@given(st.integers(-2, 25))
def test_a_time_leads_to_the_last_position_recorded_by_then(
    store: Store, events: Sequence[RecordedEvent], seconds: int
) -> None:
    moment = START + seconds * SECOND
    expected = max((e.position for e in events if e.recorded_at <= moment), default=0)
    assert store.events.position_at(ORIGIN, moment) == expected


def test_an_event_is_found_by_position_or_not_at_all(
    store: Store, events: Sequence[RecordedEvent]
) -> None:
    assert store.events.event(ORIGIN, 1) == events[0]
    assert store.events.event(ORIGIN, len(events) + 1) is None


def test_an_index_that_lies_about_a_time_of_observation_is_caught_on_read(
    sqlite_url: str, clock: ManualClock
) -> None:
    store = begun(sqlite_url, clock)
    new = NewEvent("models/a", OBSERVED, observed(1, START), START)
    store.requests.append(asking(new))
    edit(store, "UPDATE events SET observed_at = observed_at + 1 WHERE position = 3")
    with pytest.raises(LedgerError) as caught:
        store.events.observations(
            ORIGIN, "models/a", observed_from=0, observed_until=START * 2, at_or_before=9
        )
    assert caught.value.reason is Reason.EVENT_UNREADABLE
    assert caught.value.metadata["position"] == "3"
    with pytest.raises(LedgerError):
        store.events.newest_observed(ORIGIN, "models/a", at_or_before=9, limit=1)
    store.close()


def test_the_types_of_a_stream_are_found_by_index_and_not_by_scanning(
    sqlite_url: str, clock: ManualClock
) -> None:
    begun(sqlite_url, clock).close()
    question = types_query().replace(":ledger_id", "1").replace(":stream", "'models/a'")
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
    reads = [step for step in plan if "events" in step]
    assert reads
    assert all("events_stream_type" in step for step in reads), plan


def test_the_events_of_a_run_are_searched_for_on_both_databases(
    sqlite_url: str, postgres_url: str, clock: ManualClock
) -> None:
    begun(sqlite_url, clock).close()
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as connection:
        question = f"EXPLAIN QUERY PLAN {run_query('sqlite')}"
        (step,) = [row[3] for row in connection.execute(question)]
    assert step == "SEARCH events USING INDEX events_run (ledger_id=? AND <expr>=? AND position<?)"
    begun(postgres_url, clock).close()
    with psycopg.connect(postgres_url.replace("postgresql+psycopg", "postgresql")) as server:
        server.execute("SET enable_seqscan = off")
        question = f"EXPLAIN {run_query('postgresql')}"
        plan = [row[0] for row in server.execute(question.encode())]
    assert "Index Scan using events_run on events" in plan[0], plan
    assert "Index Cond" in plan[1], plan
    assert "substr(body" in plan[1], plan


def test_links_are_the_stored_events(store: Store, events: Sequence[RecordedEvent]) -> None:
    assert [*store.events.links(ORIGIN)] == [link_of(event) for event in events]
    some = [*store.events.links(ORIGIN, after=5, until=9)]
    assert [link.position for link in some] == [6, 7, 8, 9]


def test_tiles_are_looked_up_and_not_walked_along(sqlite_url: str, clock: ManualClock) -> None:
    open_store(sqlite_url, clock, create=True).close()
    question = tile_query(1, [(level, index) for level in range(3) for index in range(3)])
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question}")]
    connection.close()
    (step,) = [step for step in plan if " tiles " in step]
    assert step.endswith("(ledger_id=? AND level=? AND number=?)")
