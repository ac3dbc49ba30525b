"""A client that is slow, or gone, holds up no other; and a server that stops says goodbye.

Clients here open calls and do not read them, break their connections in the middle, or take every
place there is; others submit meanwhile and must be served as before.
"""

import statistics
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import grpc
import pytest

from ledger.client import ClientError, LedgerClient, LedgerRefusedError, UnreachableError
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.events.signals import SignalObserved
from ledger.limits import (
    INGEST_STREAMS_PER_CONNECTION,
    WATCHERS_PER_CONNECTION,
)
from ledger.storage import open_store
from ledger.v1 import (
    ledger_service_pb2,
    ledger_service_pb2_grpc,
    priority_service_pb2,
    priority_service_pb2_grpc,
    signal_service_pb2,
    signal_service_pb2_grpc,
)
from tests.support.check_ledger import check_ledger
from tests.support.live_fleet import ORIGIN, Observed, Row, prepare
from tests.support.live_load import Load
from tests.support.served import refusal
from tests.support.server_process import DEADLINE_SECONDS, ServerProcess, client, served, until

Served = tuple[ServerProcess, str]

BACKLOG = 30  # batches of BATCH events: some 10 MB, far more than a connection buffers
BATCH = 1_000
UNREAD_BATCHES = 3_000
CALLS = 60
SLOWER_MAX = 10.0
SECONDS_MAX = 30.0  # for the slowest single call: one that is held up waits for its deadline

_CLOCK = SystemClock()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server of a prepared ledger."""
    with served(tmp_path / "server.log", str(tmp_path / "ledger.sqlite")) as (process, address):
        with client(address) as ledger:
            prepare(ledger)
        yield process, address


def durations(ledger: LedgerClient, observed: Observed) -> list[float]:
    """Submit one by one, and return how long each call took in seconds."""
    found = []
    for _ in range(CALLS):
        begin = _CLOCK.monotonic_seconds()
        ledger.submit(observed.rows(1))
        found.append(_CLOCK.monotonic_seconds() - begin)
    return found


def fill(ledger: LedgerClient, observed: Observed) -> None:
    """Record a long history."""
    with ledger.stream_signals() as stream:
        for _ in range(BACKLOG):
            stream.send(observed.rows(BATCH))


def batch_of(row: Row) -> signal_service_pb2.StreamSignalsRequest:
    """Return a batch of one observation."""
    request = signal_service_pb2.StreamSignalsRequest()
    model, signal, value, observed_at, version, size = row
    item = request.observations.add(
        model=model, signal=signal, number=value, model_version=version, sample_size=size
    )
    item.observed_at.FromDatetime(observed_at)
    return request


class Unread:
    """Calls on a connection of their own whose answers are never read."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(
            address, options=[("grpc.use_local_subchannel_pool", 1)]
        )
        self.calls: list[Any] = []

    def __enter__(self) -> Self:
        """Return the connection."""
        return self

    def __exit__(self, *_: object) -> None:
        """Break the connection."""
        self.channel.close()

    def watch_events(self) -> Any:  # noqa: ANN401 - a gRPC call
        """Ask for all events."""
        stub = ledger_service_pb2_grpc.LedgerServiceStub(self.channel)
        self.calls.append(stub.WatchEvents(ledger_service_pb2.WatchEventsRequest()))
        return self.calls[-1]

    def watch_priorities(self) -> Any:  # noqa: ANN401
        """Ask for the fleet."""
        stub = priority_service_pb2_grpc.PriorityServiceStub(self.channel)
        self.calls.append(stub.WatchPriorities(priority_service_pb2.WatchPrioritiesRequest()))
        return self.calls[-1]

    def stream_signals(self, observed: Observed, count: int) -> Any:  # noqa: ANN401
        """Send batches of one observation."""
        requests = (batch_of(observed.rows(1)[0]) for _ in range(count))
        stub = signal_service_pb2_grpc.SignalServiceStub(self.channel)
        self.calls.append(stub.StreamSignals(requests))
        return self.calls[-1]


def test_readers_that_do_not_read_leave_others_as_fast_as_before(server: Served) -> None:
    _, address = server
    observed = Observed(step=timedelta(seconds=1))
    with client(address) as ledger:
        fill(ledger, observed)
        before = durations(ledger, observed)
        with ExitStack() as stalled:
            for _ in range(5):
                unread = stalled.enter_context(Unread(address))
                unread.watch_events()
                unread.watch_priorities()
                unread.stream_signals(observed, UNREAD_BATCHES)
            during = durations(ledger, observed)
        assert max(during) < SECONDS_MAX
        # What else runs on this machine may have begun meanwhile: the slower of before and after.
        usual = max(map(statistics.median, (before, durations(ledger, observed))))
        assert statistics.median(during) < SLOWER_MAX * usual + 0.05
        head = ledger.get_ledger().head_position
        assert ledger.get_projection("priorities", min_position=head).problem == ""


def test_an_abandoned_reader_gives_its_place_back(server: Served) -> None:
    _, address = server
    observed = Observed(step=timedelta(seconds=1))
    with client(address) as ledger:
        fill(ledger, observed)
        # More than there are places, each gone in the middle of its answers.
        for _ in range(WATCHERS_PER_CONNECTION + 2):
            with Unread(address) as gone:
                next(gone.watch_events())
        for _ in range(INGEST_STREAMS_PER_CONNECTION + 2):
            with Unread(address) as gone:
                assert next(gone.stream_signals(observed, 20)).HasField("appended")
        with Unread(address) as another:
            until(lambda: can_watch(another), "places are given back")
        assert max(durations(ledger, observed)) < SECONDS_MAX


def can_watch(unread: Unread) -> bool:
    """Return whether the connection has a place left for a watch."""
    try:
        next(unread.watch_events())
    except grpc.RpcError:
        return False
    return True


def test_a_connection_is_refused_one_watch_too_many_and_others_are_served(server: Served) -> None:
    _, address = server
    with Unread(address) as unread, client(address) as ledger:
        for _ in range(WATCHERS_PER_CONNECTION):
            next(unread.watch_events())
        with pytest.raises(grpc.RpcError) as caught:
            next(unread.watch_events())
        refused = refusal(caught.value)
        assert refused.reason == Reason.LIMIT_REACHED.value
        assert refused.retry_seconds
        next(ledger.watch_events())
        assert max(durations(ledger, Observed(step=timedelta(seconds=1)))) < SECONDS_MAX
        unread.calls[0].cancel()
        until(lambda: can_watch(unread), "the cancelled watch's place is free")


def test_a_server_that_is_asked_to_stop_finishes_what_it_took(
    tmp_path: Path, server: Served
) -> None:
    process, address = server
    load = Load()

    def watch() -> None:
        with client(address) as ledger:
            try:
                for _ in ledger.watch_events():
                    pass
            except ClientError as error:
                load.failures.append(error)

    threads = [threading.Thread(target=watch), *load.run(address, "drained")]
    threads[0].start()
    until(lambda: len(load.answered) >= 50, "the load is under way")
    assert process.stop() == 0
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()
    assert load.failures, "the watch at least has ended"
    for failure in load.failures:  # a call that comes too late finds no server, or is told why
        if isinstance(failure, LedgerRefusedError):  # the last is cut off when the grace is over
            is_cut_off = failure.metadata.get("code") == "CANCELLED"
            assert is_cut_off or failure.reason in {Reason.DRAINING, Reason.LIMIT_REACHED}, failure
        else:
            assert isinstance(failure, UnreachableError)
    with client(address) as ledger, pytest.raises(UnreachableError):
        ledger.get_ledger()
    store = open_store(str(tmp_path / "ledger.sqlite"), SystemClock(), create=True)
    events = check_ledger(store, ORIGIN)
    store.close()
    observed = {event.position for event in events if event.type == SignalObserved.TYPE}
    assert set(load.positions()) <= observed
