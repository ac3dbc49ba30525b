"""Two servers on one PostgreSQL database: one chain, one evaluator, one view of the fleet.

Both are real processes that are talked to over gRPC. Clients append to both at once; then the one
whose evaluator is active is killed with SIGKILL, and the other takes over when its lease runs out.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.application.evaluation.evaluator import LEASE_SECONDS
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.events.decisions import ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.registry import typed
from ledger.events.signals import SignalObserved
from ledger.storage import open_store
from tests.support.check_ledger import check_ledger
from tests.support.live_fleet import ORIGIN, Observed, add_model, prepare
from tests.support.live_load import Load
from tests.support.server_process import DEADLINE_SECONDS, ServerProcess, client, served, until

pytestmark = pytest.mark.postgres

KILLED_AFTER = 60  # answers, of both servers


@dataclass
class Pair:
    """Both servers, and a client of each."""

    servers: list[tuple[ServerProcess, str]]
    clients: list[LedgerClient]

    def active(self) -> list[int]:
        """Return which servers' evaluators hold the lease."""
        return [n for n, (server, _) in enumerate(self.servers) if server.is_evaluating()]

    def stop(self) -> None:
        """End those that still run, in good order."""
        for server, _ in self.servers:
            if server.process.poll() is None:
                assert server.stop() == 0


@pytest.fixture
def pair(tmp_path: Path, postgres_url: str) -> Iterator[Pair]:
    """Two servers of one prepared ledger, one of them evaluating."""
    with two_servers(tmp_path, postgres_url) as both:
        prepare(both.clients[0])
        until(lambda: len(both.active()) == 1, "one evaluator takes the lease")
        yield both


@contextmanager
def two_servers(folder: Path, url: str) -> Iterator[Pair]:
    """Serve a database twice."""
    with (
        served(folder / "a.log", url) as first,
        served(folder / "b.log", url) as second,
        client(first[1]) as to_first,
        client(second[1]) as to_second,
    ):
        yield Pair([first, second], [to_first, to_second])


def whole_ledger(url: str) -> list[RecordedEvent]:
    """Return all events, read from the database and verified."""
    store = open_store(url, SystemClock(), read_only=True)
    try:
        return check_ledger(store, ORIGIN)
    finally:
        store.close()


def watched(ledger: LedgerClient, until_position: int) -> list[int]:
    """Return the positions that a watch sends, from the first to one that will come."""
    positions = []
    for event in ledger.watch_events():
        positions.append(event.position)
        if event.position >= until_position:
            break
    return positions


def observed_positions(events: list[RecordedEvent]) -> list[int]:
    """Return the positions of observations."""
    return [event.position for event in events if event.type == SignalObserved.TYPE]


def check_scores(events: list[RecordedEvent]) -> int:
    """Fail if an evaluator did not know of the score before its own; return how many there are."""
    newest: dict[str, int] = {}
    scores = [event for event in events if event.type == ScoreComputed.TYPE]
    for event in scores:
        assert typed(event, ScoreComputed).as_of >= newest.get(event.stream, 0)
        newest[event.stream] = event.position
    return len(scores)


def test_appends_to_both_at_once_make_one_gap_free_chain(pair: Pair, postgres_url: str) -> None:
    load, seen = Load(), []
    threads = [
        thread
        for number, (_, address) in enumerate(pair.servers)
        for thread in load.run(address, f"{number}")
    ]
    while any(thread.is_alive() for thread in threads):
        seen.append(pair.active())
        threads[0].join(0.05)
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    assert load.unanswered() == []
    head = pair.clients[0].get_ledger().head_position
    for ledger in pair.clients:  # what either took is sent by both, in one order
        assert watched(ledger, head) == list(range(1, head + 1))
    pair.stop()
    events = whole_ledger(postgres_url)
    assert observed_positions(events) == load.positions()
    assert seen[0] in ([0], [1]), "one evaluates"
    assert seen.count(seen[0]) == len(seen), "and stays the one"
    assert check_scores(events) > 0


def test_what_one_server_took_the_other_uses_at_once(pair: Pair) -> None:
    first, second = pair.clients
    for number in range(5):
        name = f"fresh-{number}"
        add_model(first, name)
        appended = second.submit(Observed([name]).rows(3))
        evaluated = first.evaluate([name]).evaluated[0]
        assert evaluated.score.horizon.as_of_position >= appended.position
        assert second.get_decision(evaluated.decision.name) == evaluated
        assert second.get_model(name).version_in_service == "v1"


def test_a_watch_of_one_server_sends_what_the_other_takes(pair: Pair) -> None:
    first, second = pair.clients
    head = first.get_ledger().head_position
    watch = second.watch_events(after_position=head, types=[SignalObserved.TYPE])
    observed = Observed()
    for _ in range(10):
        appended = first.submit(observed.rows(3))
        positions = [next(watch).position for _ in range(3)]
        assert positions == list(range(appended.first_position, appended.position + 1))


def test_the_other_server_takes_over_when_the_active_one_is_killed_under_load(
    pair: Pair, postgres_url: str
) -> None:
    load = Load()
    active = pair.active()[0]
    doomed, address = pair.servers[active]
    left, other_address = pair.servers[1 - active]
    threads = load.run(address, "doomed") + load.run(other_address, "left")
    until(lambda: len(load.answered) >= KILLED_AFTER, "answers of both")
    doomed.kill()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
    load.send_again(other_address)  # the survivor knows the request ids of the other
    survivor = pair.clients[1 - active]
    until(left.is_evaluating, "the lease runs out", seconds=LEASE_SECONDS + DEADLINE_SECONDS)
    head = survivor.submit(load.observed.rows(1), request_id="last").position
    scores = survivor.watch_events(after_position=head, types=[ScoreComputed.TYPE])
    assert next(scores).position > head
    pair.stop()
    events = whole_ledger(postgres_url)
    assert observed_positions(events) == [*load.positions(), head]
    check_scores(events)
