"""One client that takes what it can shuts out no other, and what it leaves keeps no server running.

Method: the real server in a process of its own; attackers on connections of their own, an honest
client beside them. Attacks are small here; the larger counts are slow tests, and how long honest
calls take under attack is measured by `tools/dev.py bench --only overload`.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.client import ClientError, RetryOptions
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.limits import WAITS_PER_CONNECTION
from ledger.storage import open_store
from tests.support.check_ledger import check_ledger
from tests.support.hooks import channel_of
from tests.support.live_fleet import ORIGIN, Observed, prepare
from tests.support.served import refusal
from tests.support.server_process import ServerProcess, client, served, until
from tools.bench.attackers import ATTACKS, Attacker

Served = tuple[ServerProcess, str]

ROUNDS = 10
ANSWERED_MIN = 0.95
STOP_SECONDS_MAX = 15.0
HELD_SECONDS = 0.5  # for which an attacker keeps what it has before it begins again
GROWN_BYTES_MAX = 5_000_000
THREADS_MORE_MAX = 3  # gRPC has some of its own, and begins and ends them as it likes
PERSISTENT = RetryOptions(attempts_max=5)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    """A server of a prepared ledger."""
    with served(tmp_path / "server.log", str(tmp_path / "ledger.sqlite")) as (process, address):
        with client(address) as ledger:
            prepare(ledger)
        yield process, address


def honest_share(address: str, rounds: int = ROUNDS) -> float:
    """Return the share of an honest client's calls that are answered; it tries as clients do."""
    answered = asked = 0
    observed = Observed()
    with client(address, retry=PERSISTENT) as ledger:
        health: Any = health_pb2_grpc.HealthStub(channel_of(ledger))
        for _ in range(rounds):
            for call in (
                lambda: ledger.submit(observed.rows(1)),
                lambda: ledger.get_ledger(min_position=ledger.get_ledger().head_position),
                lambda: next(ledger.watch_events()),
                lambda: health.Check(health_pb2.HealthCheckRequest(), timeout=60),
            ):
                asked += 1
                try:
                    call()
                except (ClientError, grpc.RpcError):
                    continue
                answered += 1
    return answered / asked


def status_of(process: ServerProcess, field: str) -> int:
    """Return a number of a process's status, such as Threads or VmRSS in kilobytes."""
    for line in Path(f"/proc/{process.process.pid}/status").read_text("ascii").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    raise AssertionError(field)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_honest_client_is_answered_under_attack_and_the_attack_takes_no_thread(
    server: Served, name: str
) -> None:
    process, address = server
    attack, count = ATTACKS[name]
    assert honest_share(address, 1) == 1.0
    threads = status_of(process, "Threads")
    with Attacker(address) as attacker:
        attack(attacker, count)
        assert honest_share(address) >= ANSWERED_MIN
        assert status_of(process, "Threads") <= threads + THREADS_MORE_MAX


def test_reads_that_wait_are_limited_for_a_connection_and_end_when_their_caller_is_gone(
    server: Served,
) -> None:
    _, address = server
    with Attacker(address) as attacker:
        attacker.far_reads(WAITS_PER_CONNECTION + 1)
        until(lambda: any(call.done() for call in attacker.calls), "one too many is refused")
        (beyond,) = (call for call in attacker.calls if call.done())
        assert refusal(beyond.exception()).reason == Reason.LIMIT_REACHED.value
        for call in attacker.calls:
            call.cancel()

        def is_waiting() -> bool:
            call = attacker.far_read()
            try:
                call.exception(0.5)
            except grpc.FutureTimeoutError:
                return True
            return False

        until(is_waiting, "a place that was given back is there for another read")


def leave_everything_open(attacker: Attacker) -> None:
    """Leave behind what each once kept a server from stopping."""
    attacker.malformed_streams(3)
    attacker.calls_without_a_message(20)
    attacker.health_watches(10)
    attacker.reflection_streams(10)
    attacker.far_reads(20)
    attacker.stream("/ledger.v1.SignalService/StreamSignals", b"")
    attacker.stream("/ledger.v1.LedgerService/WatchEvents", b"")
    attacker.stream("/ledger.v1.PriorityService/WatchPriorities", b"")


def test_a_server_stops_in_time_whatever_its_clients_leave_open(
    tmp_path: Path, server: Served
) -> None:
    process, address = server
    with Attacker(address) as attacker:
        leave_everything_open(attacker)
        with client(address) as ledger:
            position = ledger.submit(Observed().rows(1)).position
        assert process.stop(STOP_SECONDS_MAX) == 0
    store = open_store(str(tmp_path / "ledger.sqlite"), SystemClock())
    events = check_ledger(store, ORIGIN)
    store.close()
    assert events[-1].position >= position, "what was acknowledged is on record"


@pytest.mark.slow
def test_fifty_thousand_malformed_calls_leave_no_memory_behind_and_the_server_stops(
    server: Served,
) -> None:
    process, address = server
    with Attacker(address) as attacker:
        attacker.malformed_calls(5_000)  # what gRPC and Python keep for good, they have then
        before = status_of(process, "VmRSS")
        attacker.malformed_calls(50_000)
        grown = (status_of(process, "VmRSS") - before) * 1024
        assert grown <= GROWN_BYTES_MAX
        attacker.malformed_streams(3)
        assert process.stop(STOP_SECONDS_MAX) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_honest_clients_are_answered_while_an_attack_goes_on_and_on(
    server: Served, name: str
) -> None:
    _, address = server
    attack, count = ATTACKS[name]
    over = threading.Event()

    def again_and_again() -> None:
        while not over.is_set():
            with Attacker(address) as attacker:
                try:
                    attack(attacker, count)
                except grpc.RpcError:
                    continue  # refused, as it should be
                over.wait(HELD_SECONDS)

    attackers = [threading.Thread(target=again_and_again) for _ in range(2)]
    for thread in attackers:
        thread.start()
    try:
        assert honest_share(address, 2 * ROUNDS) >= ANSWERED_MIN
    finally:
        over.set()
        for thread in attackers:
            thread.join()
