"""SubmitSignals with one observation: many callers at once, and one alone.

No observation repeats another: what a look-up of repeats costs is no part of an ordinary call.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from ledger.client import LedgerClient
from tools.bench import fleet, peers
from tools.bench.rows import Peer, Row, at_least, at_most, load_average, percentile
from tools.bench.run import Run, fresh, say
from tools.bench.serving import serving

CALLERS: Final = 32
CALLS: Final = 40_000
ALONE_CALLS: Final = 2_000
_WARM_UP_CALLS: Final = 20  # of each caller
_STEP: Final = fleet.MINUTE // 30  # of data time from one observation to the next
_RAW_EVENTS: Final = 5_000


class Called(NamedTuple):
    """Calls a second, milliseconds of each call, and the load meanwhile."""

    rate: float
    milliseconds: list[float]
    load: float


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    many, alone = fresh(_pass, run, is_live=False)
    live, _ = fresh(_pass, run, is_live=True)
    say("peers at one a batch")
    loop = Peer("SQLite + SHA-256 loop", fresh(peers.raw, run.folder, run.count(_RAW_EVENTS), 1))
    recorder = Peer(
        "eventsourcing's recorder", fresh(peers.library, run.folder, run.count(_RAW_EVENTS), 1)
    )
    calls = run.count(CALLS, multiple=CALLERS)
    rust = Peer(
        f"umadb over gRPC, {CALLERS} callers", fresh(peers.rust, run.folder, calls, 1, CALLERS)
    )
    lone = fresh(peers.rust, run.made("lone"), run.count(ALONE_CALLS), 1, 1)
    name = f"SubmitSignals × 1, {CALLERS} callers"
    live_name = f"{name}, evaluator and projections live"
    rows = [
        Row("unary", name, many.rate, "calls/s", at_least(2_000), peer, load=many.load)
        for peer in (loop, recorder, rust)
    ]
    for percent, target in ((50, None), (99, at_most(30))):
        took = percentile(many.milliseconds, percent)
        rows.append(Row("unary", f"{name}, p{percent}", took, "ms", target, load=many.load))
    rows.append(
        Row("unary", live_name, live.rate, "calls/s", None, Peer(name, many.rate), load=live.load)
    )
    took = percentile(live.milliseconds, 99)
    rows.append(Row("unary", f"{live_name}, p99", took, "ms", None, load=live.load))
    mean = Peer("umadb, one caller, mean", 1000 / lone)
    name = "SubmitSignals × 1, a lone caller"
    for percent, target in ((50, at_most(5)), (99, None)):
        took = percentile(alone.milliseconds, percent)
        rows.append(Row("unary", f"{name}, p{percent}", took, "ms", target, mean, load=alone.load))
    return rows


def _pass(run: Run, *, is_live: bool) -> tuple[Called, Called]:
    """Call a fresh server from many threads, then from one."""
    database = run.path(f"unary-{'live' if is_live else 'alone'}.sqlite")
    fresh(fleet.create, str(database))
    calls = run.count(CALLS, multiple=CALLERS) // CALLERS
    with serving(database, is_live=is_live) as server:

        def connect() -> LedgerClient:
            return LedgerClient(server.address, actor=fleet.MONITOR)

        say(f"{CALLERS} callers")
        many = callers(connect, CALLERS, calls)
        say("a lone caller")
        begun = CALLERS * (_WARM_UP_CALLS + calls)
        return many, callers(connect, 1, run.count(ALONE_CALLS), begun)


def callers(connect: Callable[[], LedgerClient], count: int, calls: int, first: int = 0) -> Called:
    """Return what so many callers saw, each with one call under way at a time.

    They take turns with the numbers of the observations, from `first` on.
    """
    begin = threading.Barrier(count + 1)
    with (
        connect() as client,
        ThreadPoolExecutor(max_workers=count) as threads,
    ):
        end = first + count * (_WARM_UP_CALLS + calls)
        calling = [
            threads.submit(_call, client, begin, range(first + caller, end, count))
            for caller in range(count)
        ]
        begin.wait()
        started = time.perf_counter()
        samples = [sample for caller in calling for sample in caller.result()]
        return Called(len(samples) / (time.perf_counter() - started), samples, load_average())


def _call(client: LedgerClient, begin: threading.Barrier, numbers: range) -> list[float]:
    """Warm up, wait for the others, then call; return how long each call took."""
    samples = []
    try:
        for number in numbers[:_WARM_UP_CALLS]:
            _submit(client, number)
    except BaseException:
        begin.abort()  # or the others would never end
        raise
    begin.wait()
    for number in numbers[_WARM_UP_CALLS:]:
        started = time.perf_counter()
        _submit(client, number)
        samples.append((time.perf_counter() - started) * 1000)
    return samples


def _submit(client: LedgerClient, number: int) -> None:
    model, signal = fleet.SERIES[number % len(fleet.SERIES)]
    client.submit([(model, signal, 0.42, fleet.START + number * _STEP, "v1", 100)])
