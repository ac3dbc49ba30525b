"""Observations through StreamSignals, 500 a message: how many a second, how far behind, how big.

The client is the project's own, in this process; the server is another. Between them they have the
machine's cores. The first pass has neither evaluator nor projections, the second has both.
"""

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import grpc

from ledger.client import BatchResult, LedgerClient
from ledger.events.decisions import ScoreComputed
from ledger.v1 import priority_service_pb2 as pb
from ledger.v1 import priority_service_pb2_grpc
from tools.bench import fleet, peers
from tools.bench.rows import Peer, Row, at_least, at_most, load_average
from tools.bench.run import Progress, Run, fresh, say
from tools.bench.serving import Server, serving

OBSERVATIONS: Final = 2_000_000
PEER_OBSERVATIONS: Final = 200_000
STEP: Final = 10 * fleet.MINUTE  # of data time for each batch: 28 days in two million
PROJECTIONS: Final = ("priorities", "signals")
_POLL_SECONDS: Final = 0.1
_WINDOW: Final = 8
_RUST_CALLERS: Final = 4
_SEALS_PERCENT: Final = 2
_SEALS: Final = 2_000
_FLAT: Final = 1.1  # what memory may grow by in the second half


@dataclass(slots=True)
class Passed:
    """The figures of one pass over all observations."""

    rate: float = 0.0
    """Observations a second until the last was acknowledged and, in a live pass, projected."""
    memory_half_mb: float = 0.0
    memory_full_mb: float = 0.0
    lag_seconds_max: float = 0.0
    server_micros: float = 0.0
    """Processor time of the server for each observation."""
    client_micros: float = 0.0
    seal_micros: float = 0.0
    """The seal of a head, made once in each commit."""
    scores: int = 0
    load: float = 0.0


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    alone, live = fresh(_pass, run, is_live=False), fresh(_pass, run, is_live=True)
    count = run.count(PEER_OBSERVATIONS, multiple=fleet.BATCH)
    say("peers at 500 a batch")
    found = [
        Peer("SQLite + SHA-256 loop", fresh(peers.raw, run.folder, count, fleet.BATCH)),
        Peer("eventsourcing's recorder", fresh(peers.library, run.folder, count, fleet.BATCH)),
        Peer(
            f"umadb over gRPC, {_RUST_CALLERS} callers",
            fresh(peers.rust, run.folder, count, fleet.BATCH, _RUST_CALLERS),
        ),
    ]
    return [*_rates(alone, live, found), _seals(alone), *_sizes(alone, live)]


def _rates(alone: Passed, live: Passed, found: list[Peer]) -> list[Row]:
    name = "StreamSignals × 500, ingest alone"
    rows = [
        Row("ingest", name, alone.rate, "obs/s", at_least(40_000), peer, _costs(alone), alone.load)
        for peer in found
    ]
    name = "StreamSignals × 500, evaluator and projections live"
    peer = Peer("ingest alone", alone.rate)
    note = f"{_costs(live)}; {live.scores:,} scores"
    target = at_least(20_000)
    rows.append(Row("ingest", name, live.rate, "obs/s", target, peer, note, live.load))
    name = "projections behind what was acknowledged, at most"
    return [*rows, Row("ingest", name, live.lag_seconds_max, "s", at_most(2), load=live.load)]


def _seals(alone: Passed) -> Row:
    """Return what seals cost where each batch is a commit of its own, the dearest case."""
    of_batch = alone.server_micros * fleet.BATCH
    note = f"{alone.seal_micros:.1f} of {of_batch:,.0f} µs, one seal for each batch"
    share = alone.seal_micros / of_batch * 100
    name = "seals of heads, of the server's processor time"
    return Row("ingest", name, share, "%", at_most(_SEALS_PERCENT), note=note, load=alone.load)


def _sizes(alone: Passed, live: Passed) -> list[Row]:
    rows = []
    for what, passed in (("ingest alone", alone), ("live", live)):
        half, full, load = passed.memory_half_mb, passed.memory_full_mb, passed.load
        name = f"server's memory in the end, {what}"
        rows.append(
            Row("ingest", name, full, "MB", at_most(400), Peer("half way", half), load=load)
        )
        name = f"server's memory, end against half way, {what}"
        rows.append(Row("ingest", name, full / half, "×", at_most(_FLAT), load=load))
    return rows


def _costs(passed: Passed) -> str:
    return (
        f"CPU per observation: server {passed.server_micros:.1f} µs, "
        f"client {passed.client_micros:.1f} µs"
    )


@dataclass(slots=True)
class Answered:
    """When which position was acknowledged, until the follower has it too."""

    times: deque[tuple[float, int]] = field(default_factory=deque)
    refusal: str = ""

    def take(self, result: BatchResult) -> None:
        """Note an answer; called by the client's thread."""
        if result.appended is None:
            self.refusal = str(result.error)
        else:
            self.times.append((time.perf_counter(), result.appended.position))

    def lag_seconds(self, projected: int, moment: float) -> float:
        """Return for how long the oldest answer has waited that the follower has not reached."""
        while self.times and self.times[0][1] <= projected:
            self.times.popleft()
        return moment - self.times[0][0] if self.times else 0.0


def _pass(run: Run, *, is_live: bool) -> Passed:
    """Send all observations to a fresh server."""
    total = run.count(OBSERVATIONS, multiple=2 * fleet.BATCH)
    what = "live ingest" if is_live else "ingest alone"
    database = run.path(f"{what}.sqlite")
    fresh(fleet.create, str(database))
    passed, acknowledged = Passed(), Answered()
    with serving(database, is_live=is_live) as server:
        watching = threading.Thread(target=_watch, args=(server, acknowledged, passed, total))
        if is_live:
            watching.start()
        cpu, own, started = server.cpu_seconds(), time.process_time(), time.perf_counter()
        last = _send(server, acknowledged, passed, total, what)
        if is_live:
            acknowledged.times.append((time.perf_counter(), last))
            watching.join()
        passed.rate = total / (time.perf_counter() - started)
        passed.server_micros = (server.cpu_seconds() - cpu) / total * 1e6
        passed.client_micros = (time.process_time() - own) / total * 1e6
        passed.memory_full_mb = server.memory_mb()
        passed.load = load_average()
    if is_live:
        passed.scores = fresh(_scores, str(database))
    passed.seal_micros = fresh(_seal_micros, str(database))
    database.unlink()
    return passed


def _send(server: Server, acknowledged: Answered, passed: Passed, total: int, what: str) -> int:
    """Stream all observations and return the position of the last."""
    progress = Progress(what, total)
    sent = 0
    with (
        LedgerClient(server.address, actor=fleet.MONITOR) as client,
        client.stream_signals(window=_WINDOW, on_result=acknowledged.take) as stream,
    ):
        for rows in fleet.batches(total, STEP):
            stream.send([(m, s, value, at, v, size) for m, s, v, value, at, size in rows])
            sent += len(rows)
            progress.reach(sent)
            if sent == total // 2:
                passed.memory_half_mb = server.memory_mb()
        stream.flush()
        assert stream.recorded == total, acknowledged.refusal
        return stream.position


def _watch(server: Server, acknowledged: Answered, passed: Passed, total: int) -> None:
    """Ask where the projections are until they have everything, and note the longest lag."""
    with grpc.insecure_channel(server.address) as channel:
        stub = priority_service_pb2_grpc.PriorityServiceStub(channel)
        projected = 0
        while projected < total:
            time.sleep(_POLL_SECONDS)
            moment = time.perf_counter()
            projected = min(
                stub.GetProjection(
                    pb.GetProjectionRequest(name=f"projections/{name}"), timeout=10
                ).projection.tracking_position
                for name in PROJECTIONS
            )
            lag = acknowledged.lag_seconds(projected, moment)
            passed.lag_seconds_max = max(passed.lag_seconds_max, lag)


def _scores(database: str) -> int:
    """Return how many scores the evaluator has written."""
    with fleet.still(database) as service:
        return len(service.store.events.of_types(fleet.ORIGIN, (ScoreComputed.TYPE,)))


def _seal_micros(database: str) -> float:
    """Return how long a head's seal takes: made again to be compared with the stored one."""
    with fleet.still(database) as service:
        store = service.store
        head = store.events.head(fleet.ORIGIN)
        started = time.process_time()
        for _ in range(_SEALS):
            store.keys.check_head(fleet.ORIGIN, head)
        return (time.process_time() - started) / _SEALS * 1e6
