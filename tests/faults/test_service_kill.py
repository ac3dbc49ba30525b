"""`kill -9` of the whole server during load, again and again, on one ledger.

Threads submit over gRPC, one by one and in a stream, while the evaluator works; the server is
killed at seeded moments: while it starts, between answers, in the middle of evaluations. It is
started again and nothing else is done for it. Then the chain is verified from the file, whatever
was not answered is sent again with its request id, and the projections are compared with a fold
from nothing.
"""

import random  # noqa: TID251 - when to kill, from a seed
import sqlite3
from collections import defaultdict
from collections.abc import KeysView
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.events.envelope import RecordedEvent
from ledger.events.signals import SignalObserved
from ledger.storage import open_store
from projections.fold import Fold, OnPoison
from projections.host import PROJECTIONS
from tests.support.check_ledger import check_ledger
from tests.support.live_fleet import ORIGIN, prepare
from tests.support.live_load import Load
from tests.support.server_process import DEADLINE_SECONDS, ServerProcess, client, until

SEED = 20_260_301
KILLS = 12
KILLS_SLOW = 200


class Record:
    """What the file holds, read past the server and verified as a whole each time."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._folds = [Fold(make(), on_poison=OnPoison.STOP) for make in PROJECTIONS]
        self._positions: dict[str, list[int]] = defaultdict(list)
        self.events: list[RecordedEvent] = []

    def read(self) -> None:
        """Verify the chain, and learn which observations belong to which request."""
        for old in self._database.parent.glob("copy.sqlite*"):
            old.unlink()
        copy = self._database.with_name("copy.sqlite")
        with sqlite3.connect(self._database) as served, sqlite3.connect(copy) as snapshot:
            served.backup(snapshot)
        store = open_store(str(copy), SystemClock(), read_only=True)
        events = check_ledger(store, ORIGIN)
        store.close()
        known = len(self.events)
        assert [one.event_hash for one in events[:known]] == [one.event_hash for one in self.events]
        for event in events[known:]:
            if event.type == SignalObserved.TYPE:
                self._positions[event.body.request_id or ""].append(event.position)
        self.events = events

    def check_requests(self, load: Load) -> None:
        """Fail unless every request that was answered is there, exactly once and where it said."""
        for request_id, (first, last) in list(load.answered.items()):
            assert last - first + 1 == len(load.sent[request_id][1])
            assert self._positions[request_id] == list(range(first, last + 1)), request_id

    @property
    def request_ids(self) -> KeysView[str]:
        """The requests of which observations are on record."""
        return self._positions.keys()

    def check_projections(self, ledger: LedgerClient) -> None:
        """Fail unless the server's read models equal a fold from nothing at their position."""
        for fold in self._folds:
            name = fold.projection.name
            live = ledger.get_projection(name, min_position=len(self.events))
            if live.tracking_position > len(self.events):
                self.read()  # the evaluator went on
            fold.apply(self.events[fold.position : live.tracking_position])
            fold.publish()
            assert (fold.position, fold.digest) == (live.tracking_position, live.state_digest)


def kill_under_load(server: ServerProcess, load: Load, chance: random.Random, turn: int) -> None:
    """Load a server and kill it at a moment that only the seed knows."""
    address = server.address()
    threads = load.run(address, str(turn))
    if chance.randrange(4):
        wanted = len(load.answered) + chance.randrange(1, 60)
        until(lambda: len(load.answered) >= wanted, "answers")
    else:  # while the evaluator writes
        with client(address) as ledger:
            head = ledger.get_ledger().head_position
            wanted = chance.randrange(1, 6)

            def has_scored() -> bool:  # or has nothing left to score
                found = ledger.list_events(after_position=head, types=["score.computed.v1"])
                is_over = not any(thread.is_alive() for thread in threads)
                return is_over or len(list(found)) >= wanted

            until(has_scored, "scores")
    server.ends_within(chance.random() / 50)  # so that it is not always just after an answer
    server.kill()
    for thread in threads:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


def check_after_start(address: str, load: Load, record: Record) -> None:
    """Check all that a server which was started again holds and serves."""
    with client(address) as ledger:
        prepare(ledger)
        record.read()
        record.check_requests(load)
        load.send_again(address)
        record.read()
        record.check_requests(load)
        record.check_projections(ledger)


def check_replay(address: str) -> None:
    """Fail unless every score, decision and plan of the ledger comes out as it was recorded."""
    with client(address) as ledger:
        ledger.make_plan(budget_micros=2_000_000, budget_cap_micros=8_000_000)
        reports = list(ledger.replay_range())
    assert [result for report in reports for result in report.results] == []
    counts = reports[-1].progress
    assert counts.done
    assert (counts.divergent, counts.not_replayable) == (0, 0)
    assert counts.identical > 0


def kill_again_and_again(folder: Path, kills: int) -> None:
    """Kill the server of one ledger so many times, and check everything after each start."""
    chance = random.Random(SEED)
    database, log = folder / "ledger.sqlite", folder / "server.log"
    load, record = Load(), Record(database)
    with ExitStack() as every:
        server = every.enter_context(ServerProcess(log))
        for turn in range(kills):
            following = every.enter_context(ServerProcess(log))  # warms up meanwhile
            server.serve(str(database))
            if turn and chance.randrange(5):
                check_after_start(server.address(), load, record)
                kill_under_load(server, load, chance, turn)
            else:  # while it starts
                assert not server.ends_within(chance.random() / 25)
                server.kill()
            server = following
        server.serve(str(database))
        check_after_start(server.address(), load, record)
        assert record.request_ids == load.sent.keys()
        assert len(load.sent) > kills
        check_replay(server.address())
        assert server.stop() == 0


def test_a_dozen_kills_of_a_loaded_server_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, KILLS)


@pytest.mark.slow
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_again_and_again(tmp_path, KILLS_SLOW)
