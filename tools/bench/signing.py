"""The cost of a signed checkpoint every second for a client that submits observations.

The same stream of batches to the same server, in turns with and without the signer, so that both
see the machine as it is at the time. Each signed pass is compared with its neighbour.
"""

import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from ledger.client import LedgerClient
from ledger.v1 import ledger_service_pb2 as pb
from ledger.v1 import ledger_service_pb2_grpc
from tools.bench import fleet
from tools.bench.ingest import Answered
from tools.bench.rows import Peer, Row, at_least, at_most, load_average
from tools.bench.run import Run, fresh, say
from tools.bench.serving import Server, serving

OBSERVATIONS: Final = 300_000
ROUNDS: Final = 7
COVERED_SECONDS: Final = 1.0
_ADDED_MAX: Final = 0.03
_STEP: Final = 10 * fleet.MINUTE
_WINDOW: Final = 8
_POLL_SECONDS: Final = 0.05


@dataclass(slots=True)
class Passed:
    """The figures of one pass: a rate, the server's processor time, how late checkpoints were."""

    rate: float = 0.0
    server_micros: float = 0.0
    uncovered_seconds_max: float = 0.0


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    total = run.count(OBSERVATIONS, multiple=fleet.BATCH)
    signed: list[Passed] = []
    unsigned: list[Passed] = []
    rounds = run.count(ROUNDS)  # a tiny run proves that it runs, not what it measures
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}")
        for seconds in (0.0, COVERED_SECONDS) if turn % 2 else (COVERED_SECONDS, 0.0):
            (signed if seconds else unsigned).append(fresh(_pass, run, total, seconds))
    ratios = [with_.rate / without.rate for with_, without in zip(signed, unsigned, strict=True)]
    covered = fresh(_pass, run, total, COVERED_SECONDS, is_watched=True)
    load = load_average()
    name = "StreamSignals × 500, a checkpoint each second"
    peer = Peer("the same, unsigned", _median(unsigned, "rate"))
    note = (
        f"median of {rounds} rounds; server's own CPU per observation "
        f"{_median(signed, 'server_micros'):.1f} µs, unsigned "
        f"{_median(unsigned, 'server_micros'):.1f} µs"
    )
    pairs = f"median of neighbours, {min(ratios):.3f} to {max(ratios):.3f}"
    return [
        Row("signing", name, _median(signed, "rate"), "obs/s", None, peer, note, load),
        Row(
            "signing",
            "ingest signed against unsigned",
            statistics.median(ratios),
            "×",
            at_least(1 / (1 + _ADDED_MAX)),
            note=pairs,
            load=load,
        ),
        Row(
            "signing",
            "longest wait for a checkpoint under this load",
            covered.uncovered_seconds_max,
            "s",
            at_most(COVERED_SECONDS),
            note=f"seen every {_POLL_SECONDS:g} s over the API",
            load=load,
        ),
    ]


def _median(passes: Sequence[Passed], what: str) -> float:
    return float(statistics.median(getattr(each, what) for each in passes))


def _pass(run: Run, total: int, seconds: float, *, is_watched: bool = False) -> Passed:
    """Send all observations to a fresh server that signs every so many seconds."""
    database = run.path("signing.sqlite")
    fresh(fleet.create, str(database))
    passed, answered = Passed(), Answered()
    with (
        serving(database, is_live=False, checkpoint_seconds=seconds) as server,
        LedgerClient(server.address, actor=fleet.MONITOR) as client,
    ):
        watching = threading.Thread(target=_watch, args=(server, answered, passed, total))
        if is_watched:
            watching.start()
        cpu, started = server.cpu_seconds(), time.perf_counter()
        with client.stream_signals(window=_WINDOW, on_result=answered.take) as stream:
            for rows in fleet.batches(total, _STEP):
                stream.send([(m, s, value, at, v, size) for m, s, v, value, at, size in rows])
            stream.flush()
            assert stream.recorded == total, answered.refusal
        passed.rate = total / (time.perf_counter() - started)
        passed.server_micros = (server.cpu_seconds() - cpu) / total * 1e6
        if is_watched:
            watching.join()
    for path in run.folder.glob("signing.*"):
        path.unlink()
    return passed


def _watch(server: Server, answered: Answered, passed: Passed, total: int) -> None:
    """Ask which checkpoint is the newest until all is covered; note the longest wait for one."""
    size = 0
    with grpc.insecure_channel(server.address) as channel:
        stub = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        while size < total:
            time.sleep(_POLL_SECONDS)
            moment = time.perf_counter()
            request = pb.ListCheckpointsRequest(after_size=size, page_size=1000)
            for found in stub.ListCheckpoints(request, timeout=10).checkpoints:
                size = found.size
            waited = answered.lag_seconds(size, moment)
            passed.uncovered_seconds_max = max(passed.uncovered_seconds_max, waited)
