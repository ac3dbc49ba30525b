"""Several servers on one PostgreSQL database: one gap-free chain, news that reach all of them."""

import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.fast import observed_body, observed_body_parts
from ledger.events.values import format_time
from ledger.storage import AppendRequest, Guard, NewEvent
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of
from tests.support.server_process import until
from tests.support.stores import ORIGIN, START, asking, begun, edit, note

pytestmark = pytest.mark.postgres

ROOT = Path(__file__).parents[2]
SERVERS, REQUESTS = 3, 200
HOUR = 3_600_000_000
UPDATED = "model.updated.v1"


def test_servers_that_append_at_once_make_one_gap_free_chain(postgres_url: str) -> None:
    store = begun(postgres_url, SystemClock())
    burst = Path(__file__).with_name("append_burst.py")
    servers = [
        subprocess.Popen(
            [sys.executable, str(burst), postgres_url, f"s{n}", str(REQUESTS)],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
        )
        for n in range(SERVERS)
    ]
    assert [server.wait() for server in servers] == [0] * SERVERS
    events = check_ledger(store, ORIGIN)
    by_server = [e.data["server"] for e in events[2:]]
    sizes = [1 + n % 4 for n in range(REQUESTS)]
    shared = sum(size for n, size in enumerate(sizes) if n % 10 == 0)
    own = sum(sizes) - shared
    assert len(by_server) == SERVERS * own + shared
    assert all(by_server.count(f"s{n}") >= own for n in range(SERVERS))
    store.close()


def test_servers_take_turns_and_agree_on_guards_and_request_ids(
    postgres_url: str, clock: ManualClock
) -> None:
    one, two = (begun(postgres_url, clock) for _ in range(2))
    for turn in range(6):
        server = (one, two)[turn % 2]
        count = Guard("models/a", frozenset({UPDATED}), expected_count=turn)
        assert server.requests.append(asking(note(), guards=[count])).last_position == 3 + turn
    with pytest.raises(LedgerError) as caught:
        one.requests.append(asking(note(), guards=[Guard("models/a", None, after_position=7)]))
    assert caught.value.reason is Reason.VERSION_CONFLICT
    first = one.requests.append(asking(note(), request_id="r", digest=b"1"))
    assert (
        two.requests.append(asking(note(), request_id="r", digest=b"1")).last_position
        == first.last_position
    )
    assert len(check_ledger(two, ORIGIN)) == 9
    one.close()
    two.close()


def test_a_commit_of_one_server_wakes_the_listeners_of_another(
    postgres_url: str, clock: ManualClock
) -> None:
    one, two = (begun(postgres_url, clock) for _ in range(2))
    heard = threading.Event()
    two.commits.subscribe(lambda _origin, position: heard.set() if position == 3 else None)
    one.requests.append(asking(note()))
    assert heard.wait(60)
    assert two.commits.newest(ORIGIN) == 3
    one.close()
    two.close()


def test_only_one_server_holds_a_lease(postgres_url: str, clock: ManualClock) -> None:
    one, two = (begun(postgres_url, clock) for _ in range(2))
    assert one.leases.take(ORIGIN, "evaluator", "one", 10)
    assert not two.leases.take(ORIGIN, "evaluator", "two", 10)
    one.close()
    two.close()


def test_a_lease_is_counted_by_the_databases_clock_and_ends_when_given_back(
    postgres_url: str,
) -> None:
    ahead, behind = (begun(postgres_url, ManualClock(START + hours * HOUR)) for hours in (1, -1))
    for one, other in ((ahead, behind), (behind, ahead)):
        assert one.leases.take(ORIGIN, "evaluator", "one", 60)
        assert not other.leases.take(ORIGIN, "evaluator", "other", 60)
        assert not other.leases.take(ORIGIN, "evaluator", "other", 0), "not hers to give back"
        assert not other.leases.take(ORIGIN, "evaluator", "other", 60)
        assert not one.leases.take(ORIGIN, "evaluator", "one", 0)
        assert other.leases.take(ORIGIN, "evaluator", "other", 60), "at once"
        other.leases.take(ORIGIN, "evaluator", "other", 0)
        # As one that dies without giving it back: it runs out by itself.
        assert one.leases.take(ORIGIN, "evaluator", "one", 0.3)
        until(partial(other.leases.take, ORIGIN, "evaluator", "other", 60), "it runs out")
        other.leases.take(ORIGIN, "evaluator", "other", 0)
    ahead.close()
    behind.close()


def test_a_lease_that_another_clock_wrote_far_ahead_holds_up_no_server(
    postgres_url: str, clock: ManualClock
) -> None:
    """As after a fail-over to a database an hour behind, or from a release that used its own."""
    store = begun(postgres_url, clock)
    assert store.leases.take(ORIGIN, "evaluator", "one", 10)
    edit(store, f"UPDATE leases SET expires_at = expires_at + {HOUR}")
    assert store.leases.take(ORIGIN, "evaluator", "two", 10)
    store.close()


def test_a_lost_connection_costs_no_request_and_the_chain_goes_on(
    postgres_url: str, clock: ManualClock
) -> None:
    store = begun(postgres_url, clock)
    with database_of(store).reader.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    assert store.requests.append(asking(note(), request_id="r")).last_position == 3
    assert len(check_ledger(store, ORIGIN)) == 3
    store.close()


def test_what_one_server_recorded_is_a_duplicate_on_the_other(
    postgres_url: str, clock: ManualClock
) -> None:
    one, two = (begun(postgres_url, clock) for _ in range(2))

    def observed(hour: int, name: str) -> AppendRequest:
        time = START + hour * HOUR
        body = observed_body(
            observed_body_parts("users/ada", name), "v1", format_time(time), 1, "loss", "0.5"
        )
        new = [NewEvent("models/a", "signal.observed.v1", body, time)]
        return AppendRequest(
            ORIGIN, "users/ada", "Test", new, request_id=name, leave_out_duplicates=True
        )

    for hour in range(4):  # in turns, so that each server finds what the other has appended
        store, other = (one, two) if hour % 2 else (two, one)
        first = store.requests.append(observed(hour, f"first-{hour}"))
        assert first.duplicates.found == 0
        again = other.requests.append(observed(hour, f"again-{hour}"))
        place = first.last_position
        assert again.duplicates == (1, 1, place, place)
        assert again.last_position == place
    assert one.events.head(ORIGIN).position == 2 + 4
    one.close()
    two.close()
