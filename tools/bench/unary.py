"""SubmitSignals with one observation: many callers at once, and one alone."""

import threading
import time
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
_RAW_EVENTS: Final = 5_000


class Called(NamedTuple):
    """Calls a second, milliseconds of each call, and the load meanwhile."""

    rate: float
    milliseconds: list[float]
    load: float


def measure(run: Run) -> list[Row]:
    """Return the rows of this section."""
    many, alone = fresh(_pass, run)
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
    rows = [
        Row("unary", name, many.rate, "calls/s", at_least(2_000), peer, load=many.load)
        for peer in (loop, recorder, rust)
    ]
    for percent, target in ((50, None), (99, at_most(30))):
        took = percentile(many.milliseconds, percent)
        rows.append(Row("unary", f"{name}, p{percent}", took, "ms", target, load=many.load))
    mean = Peer("umadb, one caller, mean", 1000 / lone)
    name = "SubmitSignals × 1, a lone caller"
    for percent, target in ((50, at_most(5)), (99, None)):
        took = percentile(alone.milliseconds, percent)
        rows.append(Row("unary", f"{name}, p{percent}", took, "ms", target, mean, load=alone.load))
    return rows


def _pass(run: Run) -> tuple[Called, Called]:
    """Call a fresh server from many threads, then from one."""
    database = run.path("unary.sqlite")
    fresh(fleet.create, str(database))
    calls = run.count(CALLS, multiple=CALLERS) // CALLERS
    with serving(database, is_live=True) as server:
        say(f"{CALLERS} callers")
        many = _callers(server.address, CALLERS, calls)
        say("a lone caller")
        return many, _callers(server.address, 1, run.count(ALONE_CALLS))


def _callers(address: str, count: int, calls: int) -> Called:
    """Return what so many callers saw, each with one call under way at a time."""
    begin = threading.Barrier(count + 1)
    found: list[list[float]] = [[] for _ in range(count)]
    with LedgerClient(address, actor=fleet.MONITOR) as client:
        threads = [
            threading.Thread(target=_call, args=(client, begin, calls, caller, samples))
            for caller, samples in enumerate(found)
        ]
        for thread in threads:
            thread.start()
        begin.wait()
        started = time.perf_counter()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - started
    samples = [sample for one in found for sample in one]
    assert len(samples) == count * calls, "a caller was refused; see above"
    return Called(len(samples) / seconds, samples, load_average())


def _call(
    client: LedgerClient, begin: threading.Barrier, calls: int, caller: int, samples: list[float]
) -> None:
    """Warm up, wait for the others, then call and note how long each call took."""
    for number in range(-_WARM_UP_CALLS, calls):
        if number == 0:
            begin.wait()
        model, signal = fleet.SERIES[(caller * calls + number) % len(fleet.SERIES)]
        observed_at = fleet.START + (number + _WARM_UP_CALLS) * fleet.MINUTE
        started = time.perf_counter()
        client.submit([(model, signal, 0.42, observed_at, "v1", 100)])
        if number >= 0:
            samples.append((time.perf_counter() - started) * 1000)
