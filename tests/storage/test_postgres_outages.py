"""What PostgreSQL does under a running server: restarts, fail-overs, other settings, other words.

Goal: nothing acknowledged is lost unseen, whatever waits is answered STORE_UNAVAILABLE with the
cause, and the writer comes back by itself. Method: a server of the test's own is stopped, crashed,
reconfigured and swapped for an older copy under an open store.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import structlog

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.events.values import DAY
from ledger.storage import AppendRequest, AppendResult, NewEvent, Store, open_store
from ledger.storage.postgres import READERS_MAX
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of, listening, on_writer, replace_connect, writing
from tests.support.own_postgres import OwnPostgres, run
from tests.support.server_process import until
from tests.support.stores import ORIGIN, VAULT, asking, begun, note

pytestmark = pytest.mark.postgres

SECONDS = 60.0
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def postgres() -> Iterator[OwnPostgres]:
    with run() as server:
        yield server


@pytest.fixture
def name(postgres: OwnPostgres) -> Iterator[str]:
    """A database of its own, on a server with its defaults."""
    name = f"led_{next(_numbers)}"
    postgres.create(name)
    yield name
    for setting in ("synchronous_commit", "fsync", "full_page_writes", "wal_writer_delay"):
        postgres.alter(setting, None)


@pytest.fixture
def store(postgres: OwnPostgres, name: str) -> Iterator[Store]:
    store = begun(postgres.url(name), SystemClock())
    yield store
    store.close()


def opened(url: str) -> Store:
    return open_store(url, SystemClock(), vault=VAULT, create=True)


def append(store: Store, request_id: str | None = None) -> AppendResult:
    return store.requests.append(asking(note(), request_id=request_id, digest=b"1"))


def refused(call: Callable[[], object]) -> LedgerError:
    with pytest.raises(LedgerError) as caught:
        call()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    return caught.value


def lose_the_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the next commit happen, and its answer lost with the connection."""
    dialect: Any = database_of(store).writer.dialect
    commit = dialect.do_commit

    def lost(raw: Any) -> None:  # noqa: ANN401 - the driver's connection
        commit(raw)
        monkeypatch.undo()
        raise psycopg.OperationalError("the answer to COMMIT was lost")

    monkeypatch.setattr(dialect, "do_commit", lost)


def is_well(store: Store) -> bool:
    return store.writer_failure is None


def in_session(store: Store, statement: str) -> Any:  # noqa: ANN401 - any column
    """Return what the writer's own session answers."""
    return on_writer(store, lambda turn: turn.connection.exec_driver_sql(statement).scalar_one())


def test_a_restart_refuses_what_waits_and_the_writer_comes_back_by_itself(
    postgres: OwnPostgres, store: Store
) -> None:
    append(store)
    with structlog.testing.capture_logs() as logs:
        postgres.stop()
        until(lambda: not is_well(store), "the outage is noticed", seconds=SECONDS)
        for call in (lambda: append(store), lambda: store.events.head(ORIGIN), store.ledgers.all):
            refusal = refused(call)
            assert refusal.retry_after_seconds
            assert "did not" in refusal.message
        postgres.start()
        until(lambda: is_well(store), "the writer is back", seconds=SECONDS)
        assert append(store).last_position == store.events.head(ORIGIN).position == 4
    told = [(log["log_level"], log["event"]) for log in logs if log["log_level"] != "debug"]
    assert told == [("warning", "database.unavailable"), ("info", "database.available")]
    check_ledger(store, ORIGIN)


def test_a_connection_that_was_lost_while_idle_costs_no_request(
    postgres: OwnPostgres, name: str, store: Store
) -> None:
    for _ in range(3):
        postgres.cut_off(name)
        append(store)
        assert store.events.head(ORIGIN).position == len(check_ledger(store, ORIGIN))
    assert is_well(store)


def test_no_connection_from_before_an_outage_is_read_on_again_or_left_open(
    store: Store,
) -> None:
    engine = database_of(store).reader
    with engine.connect() as idle, engine.connect() as busy:
        kept = [one.connection.driver_connection for one in (idle, busy)]
        idle.close()
        database_of(store).after_failure("57P01")
        busy.exec_driver_sql("SELECT 1")
    with contextlib.ExitStack() as stack:
        later = [stack.enter_context(engine.connect()) for _ in range(READERS_MAX - 2)]
        raw = [one.connection.driver_connection for one in later]
    assert all(one.closed for one in kept)
    assert not any(one in kept for one in raw)


def test_a_listener_that_cannot_listen_is_closed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[psycopg.Connection[Any]] = []

    def cut_off() -> psycopg.Connection[Any]:
        cut: psycopg.Connection[Any] = connect()
        made.append(cut)
        cut.execute("SET statement_timeout = 1")
        cut.execute("BEGIN")
        with contextlib.suppress(psycopg.Error):
            cut.execute("SELECT pg_sleep(60)")  # a failed transaction takes no more
        return cut

    connect = replace_connect(store, cut_off, monkeypatch)
    assert listening(store) is None
    until(lambda: all(one.closed for one in made), "also the one that the watcher made")


def test_a_commit_in_doubt_is_answered_as_unknown_and_a_repeat_learns_its_positions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_the_answer(store, monkeypatch)
    refusal = refused(lambda: append(store, "r"))
    assert "unknown" in refusal.message
    again = append(store, "r")
    assert (again.first_position, again.repeated) == (3, True)
    assert len(check_ledger(store, ORIGIN)) == 3


def test_a_confirmation_of_the_clock_in_doubt_is_found_by_a_repeat(
    postgres: OwnPostgres, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = ManualClock(SystemClock().now_micros())
    store = begun(postgres.url(name), clock)
    append(store)
    clock.step(2 * DAY)
    stated = AppendRequest(ORIGIN, "users/ada", "ConfirmClock", [], request_id="r", digest=b"1")
    body = encode_body(actor="users/ada", data={"note": "x"})

    def confirm() -> AppendResult:
        new = NewEvent("models/a", "model.updated.v1", body)
        return store.clocks.confirm(stated, lambda _: new)

    lose_the_answer(store, monkeypatch)
    assert "unknown" in refused(confirm).message
    again = confirm()
    assert (again.first_position, again.repeated) == (4, True)
    assert append(store).last_position == 5
    check_ledger(store, ORIGIN)
    store.close()


@pytest.mark.parametrize("default", ["off", "local", "remote_write", "on", "remote_apply"])
def test_commits_are_durable_whatever_the_default_of_the_server_becomes(
    postgres: OwnPostgres, name: str, store: Store, default: str
) -> None:
    postgres.alter("synchronous_commit", default)
    good = {"on", "remote_apply"}
    assert in_session(store, "SHOW synchronous_commit") in good
    postgres.cut_off(name)
    append(store)
    kept = in_session(store, "SHOW synchronous_commit")
    assert kept == (default if default in good else "on"), "a fresh connection sets it again"


def test_a_crash_loses_nothing_acknowledged_though_the_default_is_not_to_wait(
    postgres: OwnPostgres, store: Store
) -> None:
    postgres.alter("wal_writer_delay", "10s")
    postgres.alter("synchronous_commit", "off")
    acknowledged = [append(store).last_position for _ in range(40)][-1]
    postgres.stop(mode="immediate")
    postgres.start()
    until(lambda: is_well(store), "the writer is back", seconds=SECONDS)
    assert store.events.head(ORIGIN).position == acknowledged
    check_ledger(store, ORIGIN)


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes"])
def test_a_server_that_is_made_unsafe_while_it_runs_takes_no_appends_until_it_is_safe(
    postgres: OwnPostgres, store: Store, setting: str
) -> None:
    postgres.alter(setting, "off")
    until(lambda: not is_well(store), "it is noticed", seconds=SECONDS)
    refusal = refused(lambda: append(store))
    assert f"{setting} = off" in refusal.message
    assert f"Set {setting} = on" in refusal.remedy
    refused(lambda: opened(str(database_of(store).writer.url)))
    assert store.events.head(ORIGIN).position == 2, "reads go on"
    postgres.alter(setting, "on")
    until(lambda: is_well(store), "it is safe again", seconds=SECONDS)
    assert append(store).last_position == 3


def test_a_database_that_is_read_only_for_a_moment_stops_nothing_for_good(
    postgres: OwnPostgres, name: str, store: Store
) -> None:
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgres.cut_off(name)
    until(lambda: not is_well(store), "it is noticed", seconds=SECONDS)
    refusal = refused(lambda: append(store))
    assert "read-only" in refusal.message
    assert refusal.metadata["database_error"] == "25006"
    postgres.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    until(lambda: is_well(store), "it may be written to again", seconds=SECONDS)
    assert append(store).last_position == 3


def test_a_statement_that_is_refused_as_read_only_passes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the server becomes a standby between the look and the first write."""
    begin = writing(store).begin

    def becomes_read_only() -> Any:  # noqa: ANN401 - a transaction
        monkeypatch.undo()
        transaction = begin()
        transaction.connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        return transaction

    monkeypatch.setattr(writing(store), "begin", becomes_read_only)
    assert refused(lambda: append(store)).metadata["database_error"] == "25006"
    assert append(store).last_position == 3


def test_a_database_that_is_not_utf8_is_refused_by_name(postgres: OwnPostgres) -> None:
    options = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    refusal = refused(lambda: opened(postgres.create("latin", options)))
    assert "LATIN1" in refusal.message
    assert "ENCODING 'UTF8'" in refusal.remedy


@pytest.mark.parametrize(("later", "reason"), [(0, Reason.LEDGER_BEHIND), (5, Reason.CHAIN_BROKEN)])
def test_a_fail_over_that_lost_acknowledged_events_stops_the_writer_for_good(
    postgres: OwnPostgres, name: str, store: Store, later: int, reason: Reason
) -> None:
    """The copy has either nothing in their place, or what another server appended there."""
    copy = postgres.copy(name)
    acknowledged = [append(store).last_position for _ in range(3)][-1]
    other = opened(postgres.url(copy))
    for _ in range(later):
        append(other)
    other.close()
    postgres.swap(name, copy)
    until(lambda: not is_well(store), "it is noticed without a request", seconds=SECONDS)

    def is_final() -> bool:
        failure = store.writer_failure
        return failure is not None and failure.reason is reason

    until(is_final, "the writer stops", seconds=SECONDS)
    with pytest.raises(LedgerError, match=f"acknowledged position {acknowledged}") as caught:
        append(store)
    assert caught.value.reason is reason
    assert store.events.head(ORIGIN).position == 2 + later, "reads go on"


def test_a_fail_over_that_lost_nothing_goes_on(
    postgres: OwnPostgres, name: str, store: Store
) -> None:
    append(store)
    postgres.swap(name, postgres.copy(name))
    until(lambda: is_well(store), "the writer is back", seconds=SECONDS)
    assert append(store).last_position == 4
