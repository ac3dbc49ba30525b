"""Real servers on a PostgreSQL that restarts under them, and beside a server that falls asleep.

Goal: while the database is away every call says UNAVAILABLE and why, one warning is logged, and
health follows both ways; a server that sleeps in its transaction delays no other for long, and
commits nothing when it wakes. Method: processes that are talked to over gRPC; one stops itself by
SIGSTOP while it holds the head's lock.
"""

import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.client import BusyError, LedgerClient, LedgerRefusedError
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.storage import open_store
from tests.support.check_ledger import check_ledger
from tests.support.live_fleet import ORIGIN, Observed, prepare
from tests.support.own_postgres import run
from tests.support.server_process import client, served, until

pytestmark = pytest.mark.postgres

SECONDS = 60.0
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def health_of(address: str) -> int:
    """Return what the server says about itself."""
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know no methods
        return int(stub.Check(health_pb2.HealthCheckRequest(), timeout=60).status)


def calls(ledger: LedgerClient, observed: Observed) -> dict[str, Callable[[], object]]:
    """Return calls of every kind: appends, reads of the ledger, of read models, and both."""
    return {
        "SubmitSignals": lambda: ledger.submit(observed.rows(1)),
        "ListLedgers": lambda: list(ledger.list_ledgers()),
        "GetLedger": ledger.get_ledger,
        "GetCheckpoint": ledger.get_checkpoint,
        "ListEvents": lambda: list(ledger.list_events()),
        "ListModels": lambda: list(ledger.list_models()),
        "ListSignals": lambda: list(ledger.list_signals()),
        "ListPriorities": ledger.list_priorities,
        "Evaluate": lambda: ledger.evaluate(["m0"]),
        "RotateKey": ledger.rotate_key,
        "GetProjection": lambda: ledger.get_projection("priorities"),
    }


def test_while_postgres_restarts_calls_say_so_one_warning_is_logged_and_health_follows(
    tmp_path: Path,
) -> None:
    log, observed = tmp_path / "log", Observed()
    with run() as postgres:
        url = postgres.create("led")
        with served(log, url) as (server, address), client(address) as ledger:
            prepare(ledger)
            acknowledged = ledger.submit(observed.rows(5)).position
            assert health_of(address) == SERVING
            postgres.stop()
            until(lambda: health_of(address) == NOT_SERVING, "health follows", seconds=SECONDS)
            reasons = {}
            for name, call in calls(ledger, observed).items():
                try:
                    call()
                except BusyError as error:
                    reasons[name] = error.reason
                # Everything else fails the test: what is in memory may be answered.
            assert set(reasons.values()) == {Reason.STORE_UNAVAILABLE}
            assert reasons.keys() >= {"SubmitSignals", "ListEvents", "Evaluate", "GetLedger"}
            postgres.start()
            until(lambda: health_of(address) == SERVING, "health follows back", seconds=SECONDS)
            for call in calls(ledger, observed).values():
                call()
            assert ledger.submit(observed.rows(5)).position > acknowledged
            assert server.stop() == 0
        store = open_store(url, SystemClock(), read_only=True)
        check_ledger(store, ORIGIN)
        store.close()
    said = log.read_text()
    assert "Traceback" not in said
    warnings = [line for line in said.splitlines() if "warning" in line or "error " in line]
    assert len(warnings) == 1, warnings
    assert "database.unavailable" in warnings[0]
    assert said.count("database.available") == 1


@pytest.mark.parametrize("place", ["transaction", "copy"])
def test_a_server_that_sleeps_in_its_transaction_keeps_the_other_for_seconds_only(
    tmp_path: Path, postgres_url: str, place: str
) -> None:
    clock, observed = SystemClock(), Observed()
    with (
        served(tmp_path / "a.log", postgres_url) as (sleeper, sleeping),
        served(tmp_path / "b.log", postgres_url) as (_, awake),
        client(sleeping) as first,
        client(awake) as second,
    ):
        prepare(second)
        rows = observed.rows(3)
        sleeper.sleep_in(place)
        held = threading.Thread(target=submit_in_vain, args=(first, rows), daemon=True)
        held.start()
        until(sleeper.sleeps, "it falls asleep in its transaction", seconds=SECONDS)
        began = clock.monotonic_seconds()
        others, refusals = observed.rows(3), []

        def is_taken() -> bool:
            try:
                second.submit(others, request_id="other")
            except LedgerRefusedError as error:
                refusals.append(error)
                return False
            return True

        until(is_taken, "the other acknowledges", seconds=SECONDS)
        took = clock.monotonic_seconds() - began
        sys.stdout.write(f"without acknowledgements for {took:.1f} s\n")
        assert {error.reason for error in refusals} <= {Reason.STORE_UNAVAILABLE}
        until(lambda: health_of(awake) == SERVING, "health", seconds=SECONDS)

        sleeper.process.send_signal(signal.SIGCONT)
        held.join(SECONDS)
        until(lambda: health_of(sleeping) == SERVING, "it is back", seconds=SECONDS)
        again = first.submit(rows, request_id="held")
        assert second.submit(rows, request_id="held").position == again.position
    store = open_store(postgres_url, SystemClock(), read_only=True)
    events = check_ledger(store, ORIGIN)
    store.close()
    assert sum(event.position == again.position for event in events) == 1


def submit_in_vain(ledger: LedgerClient, rows: list[Any]) -> None:
    """Submit through a server that sleeps: it is refused, or out of time."""
    with suppress(LedgerRefusedError):
        ledger.submit(rows, request_id="held")
