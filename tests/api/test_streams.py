"""Streams: in order, resumable, bounded, and never at another caller's expense.

Method: real streams over loopback, with clients that are slow, gone or too many; the server's own
state says that nothing of them is left.
"""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc

from ledger.limits import WATCHERS_PER_CONNECTION
from ledger.v1 import (
    decision_service_pb2,
    ledger_service_pb2,
    priority_service_pb2,
    signal_service_pb2,
)
from tests.support.served import (
    DAY,
    TIMEOUT,
    Served,
    observation,
    refused,
    serving,
)

WAIT_SECONDS = 60.0


def _batch(number: int, count: int = 50) -> signal_service_pb2.StreamSignalsRequest:
    return signal_service_pb2.StreamSignalsRequest(
        request_id=f"batch-{number}",
        observations=[
            observation(seconds=number * DAY + item, number=0.5 + item / 1000)
            for item in range(count)
        ],
    )


def test_batches_are_answered_in_order_at_adjacent_positions(served: Served) -> None:
    answers = list(served.signals.StreamSignals(_batch(n) for n in range(40)))
    assert [one.batch for one in answers] == list(range(1, 41))
    assert [one.request_id for one in answers] == [f"batch-{n}" for n in range(40)]
    for before, after in itertools.pairwise(answers):
        assert after.appended.first_position == before.appended.position + 1
    assert served.head() == answers[-1].appended.position


def test_a_stream_to_an_unknown_ledger_ends(served: Served) -> None:
    batch = _batch(1)
    batch.ledger = "nobody.example/x"
    error = refused(lambda: served.signals.StreamSignals(iter([batch])))
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "LEDGER_UNKNOWN")


def test_a_stream_keeps_to_its_first_ledger(served: Served) -> None:
    served.create("ledger.example/other")
    first, other, again = _batch(1), _batch(2), _batch(3)
    first.ledger, other.ledger = "ledger.example/test", "ledger.example/other"
    answers = list(served.signals.StreamSignals(iter([first, other, again])))
    assert [one.WhichOneof("result") for one in answers] == ["appended", "error", "appended"]
    assert answers[1].error.field_violations[0].field == "ledger"


def test_a_client_that_leaves_frees_the_stream_and_its_batches_are_whole(served: Served) -> None:
    ever = threading.Event()

    def endless() -> Iterator[signal_service_pb2.StreamSignalsRequest]:
        for number in itertools.count():
            if ever.is_set():
                return
            yield _batch(number)

    call = served.signals.StreamSignals(endless())
    answers = [next(call) for _ in range(3)]
    call.cancel()
    ever.set()
    positions = answers[-1].appended.position
    assert served.head() >= positions
    # The count beyond the preparation is a whole number of batches: none was cut in two.
    events = served.service.ledger().log.events(types={"signal.observed.v1"}, limit=100_000)
    assert len(events) % 50 == 0
    assert served.submit(observation()).appended.position > positions


def test_a_client_that_reads_no_answers_stops_only_itself(served: Served) -> None:
    release = threading.Event()
    sent = itertools.count()

    def unread() -> Iterator[signal_service_pb2.StreamSignalsRequest]:
        for number in range(400):
            next(sent)
            yield _batch(number, 500)
        release.wait(WAIT_SECONDS)

    stalled = served.signals.StreamSignals(unread())
    try:
        for number in range(20):
            assert served.submit(observation(seconds=number + 1)).appended.position
    finally:
        release.set()
        stalled.cancel()


def test_a_watch_sends_what_is_there_then_what_comes_without_gaps(served: Served) -> None:
    watch = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(), timeout=WAIT_SECONDS
    )
    seen: list[int] = []
    head = served.head()
    message = next(watch)
    while not message.caught_up:
        seen += [event.position for event in message.events]
        message = next(watch)
    seen += [event.position for event in message.events]
    assert seen == list(range(1, head + 1))
    for number in range(5):
        served.submit(observation(seconds=number * DAY + 1), observation(seconds=number * DAY + 2))
    while len(seen) < head + 10:
        seen += [event.position for event in next(watch).events]
    assert seen == list(range(1, head + 11))
    watch.cancel()


def test_a_watch_resumes_after_the_last_position_processed(served: Served) -> None:
    for number in range(3):
        served.submit(*(observation(seconds=number * DAY + item) for item in range(1, 600)))
    head = served.head()
    first = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(), timeout=WAIT_SECONDS
    )
    message = next(first)
    first.cancel()
    second = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(after_position=message.position),
        timeout=WAIT_SECONDS,
    )
    seen = [event.position for event in message.events]
    while seen[-1] < head:
        message = next(second)
        seen += [event.position for event in message.events]
    assert seen == list(range(1, head + 1))
    assert message.caught_up
    second.cancel()


def test_a_filtered_watch_says_how_far_it_is_beyond_what_it_shows(served: Served) -> None:
    watch = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(types=["model.registered.v1"]), timeout=WAIT_SECONDS
    )
    message = next(watch)
    assert [event.type for event in message.events] == ["model.registered.v1"]
    assert message.position == served.head()
    assert message.caught_up
    watch.cancel()


def test_a_watch_from_beyond_the_head_is_refused(served: Served) -> None:
    error = refused(
        lambda: served.ledgers.WatchEvents(
            ledger_service_pb2.WatchEventsRequest(after_position=served.head() + 1),
            timeout=WAIT_SECONDS,
        )
    )
    assert error.reason == "POSITION_BEYOND_HEAD"


def test_watched_priorities_are_the_list_and_then_its_changes(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.prepare(("fares", "routes"))
        watch = served.priorities.WatchPriorities(
            priority_service_pb2.WatchPrioritiesRequest(after_position=served.head()),
            timeout=WAIT_SECONDS,
        )
        first = next(watch)
        assert first.caught_up
        assert {row.model for row in first.changed} == {"fares", "routes"}
        served.submit(*(observation("routes", seconds=day * DAY + 1) for day in range(9)))
        position = served.decisions.Evaluate(
            decision_service_pb2.EvaluateRequest(models=["routes"]), timeout=TIMEOUT
        ).appended.position
        latest = {row.model: row for row in first.changed}
        while (message := next(watch)).position < position:
            latest |= {row.model: row for row in message.changed}
        latest |= {row.model: row for row in message.changed}
        listed = served.priorities.ListPriorities(
            priority_service_pb2.ListPrioritiesRequest(min_position=position), timeout=TIMEOUT
        )
        assert sorted(latest.values(), key=lambda row: row.rank) == list(listed.priorities)
        watch.cancel()


def test_a_watcher_that_never_reads_stops_neither_writers_nor_other_watchers(
    served: Served,
) -> None:
    stalled = [
        served.ledgers.WatchEvents(ledger_service_pb2.WatchEventsRequest()) for _ in range(8)
    ]
    watch = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(after_position=served.head()), timeout=WAIT_SECONDS
    )
    answers = list(served.signals.StreamSignals(_batch(n, 500) for n in range(40)))
    target = answers[-1].appended.position
    while next(watch).position < target:
        pass
    for call in (*stalled, watch):
        call.cancel()


def test_one_watch_too_many_is_told_to_back_off_and_others_are_served(served: Served) -> None:
    watches = [
        served.ledgers.WatchEvents(ledger_service_pb2.WatchEventsRequest())
        for _ in range(WATCHERS_PER_CONNECTION)
    ]
    for watch in watches:
        next(watch)
    error = refused(
        lambda: served.ledgers.WatchEvents(
            ledger_service_pb2.WatchEventsRequest(), timeout=WAIT_SECONDS
        )
    )
    assert (error.code, error.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "LIMIT_REACHED",
    )
    assert error.retry_seconds is not None
    assert served.submit(observation()).appended.position
    for watch in watches:
        watch.cancel()


def test_a_draining_server_ends_watches_with_a_reason(served: Served) -> None:
    watch = served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(), timeout=WAIT_SECONDS
    )
    next(watch)
    served.server.drain()
    error = refused(lambda: watch)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    assert error.retry_seconds is not None
