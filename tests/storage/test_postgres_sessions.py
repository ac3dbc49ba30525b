"""What an error of PostgreSQL means, and which sessions may not be used.

Method: the table of meanings is asked about codes as the server gives them; a pooler is played by
connections that answer which process serves them, as PgBouncer was seen to do in each of its modes.
"""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, Self

import psycopg
import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError, Reason, is_outage
from ledger.postgres import PostgresSession, Purpose, check_session, prepare_session
from ledger.storage.database import Fault
from ledger.storage.postgres import PostgresDatabase

SOUND = PostgresSession(7, "on", "on", "on", "off")
PASSING = ["08000", "08006", "25006", "25P03", "40001", "53300", "53100", "55P03", "57014"]
PASSING += ["57P01", "57P02", "57P03", "58030"]


@pytest.fixture
def database() -> PostgresDatabase:
    """One that is never connected to."""
    return PostgresDatabase(make_url("postgresql+psycopg://nobody@127.0.0.1:1/none"))


def error(code: str | None) -> DBAPIError:
    """Return an error as SQLAlchemy raises it."""
    cause = psycopg.errors.lookup(code)("why") if code else psycopg.OperationalError("why")
    return DBAPIError("SELECT 1", None, cause)


@pytest.mark.parametrize("code", [*PASSING, None])
def test_what_passes_is_store_unavailable_with_a_pause(
    database: PostgresDatabase, code: str | None
) -> None:
    refusal = database.refusal(error(code))
    assert isinstance(refusal, LedgerError)
    assert refusal.reason is Reason.STORE_UNAVAILABLE
    assert refusal.retry_after_seconds
    assert refusal.metadata["database_error"] == (code or "connection")
    assert is_outage(refusal)
    assert database.may_go_on(database.fault_of(error(code))[0])


@pytest.mark.parametrize("code", ["28P01", "3D000", "42501", "42P01"])
def test_what_lasts_is_store_unavailable_and_stops_no_writer(
    database: PostgresDatabase, code: str
) -> None:
    refusal = database.refusal(error(code))
    assert isinstance(refusal, LedgerError)
    assert (refusal.reason, refusal.retry_after_seconds) == (Reason.STORE_UNAVAILABLE, None)
    assert database.may_go_on(Fault.LASTS)


@pytest.mark.parametrize("code", ["XX001", "XX002"])
def test_damage_that_postgres_found_is_told_as_damage(
    database: PostgresDatabase, code: str
) -> None:
    refusal = database.refusal(error(code))
    assert isinstance(refusal, LedgerError)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert not database.may_go_on(Fault.DAMAGE)


@pytest.mark.parametrize("code", ["23505", "22021", "42601", "25P02"])
def test_a_defect_of_ours_stays_one(database: PostgresDatabase, code: str) -> None:
    raised = error(code)
    assert database.refusal(raised) is raised
    assert not database.may_go_on(Fault.DEFECT)


@pytest.mark.parametrize("code", ["26000", "42P05"])
def test_a_statement_prepared_by_another_client_names_the_pooler(
    database: PostgresDatabase, code: str
) -> None:
    assert "pool_mode = session" in str(database.refusal(error(code)))


class Pooled:
    """A connection through a pooler, which tells a process of its own making at the start."""

    def close(self) -> None:
        """Do nothing: there is no connection."""

    def __init__(self, pids: Sequence[int], *, told: int = 999) -> None:
        self.info = SimpleNamespace(backend_pid=told)
        self._pids = iter(pids)
        self.said: list[str] = []
        self.rows: Iterator[tuple[Any, ...]] = iter(())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    cursor = __enter__

    def commit(self) -> None:
        """Do nothing."""

    def execute(self, statement: str | bytes, _values: object = None) -> "Pooled":
        text = statement if isinstance(statement, str) else statement.decode()
        self.said.append(text)
        if "pg_backend_pid" in text:
            self.rows = iter([(next(self._pids),)])
        elif "encoding" in text:
            self.rows = iter([("UTF8",)])
        else:
            self.rows = iter([("on",)])
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the row of the last statement."""
        return next(self.rows, None)


def prepared(one: Pooled, other: Pooled) -> int:
    """Prepare the first as a writer's session; the second is what a further client gets."""
    return prepare_session(one, Purpose.WRITES, lambda: other)  # type: ignore[arg-type,return-value]


MIXED = {
    "the newest first, as PgBouncer does": ([7, 7], [7]),
    "in turn (server_round_robin)": ([7, 8], [9]),
    "in turn, with one process": ([7, 7], [7]),
}


@pytest.mark.parametrize("mode", MIXED)
def test_a_pooler_that_mixes_sessions_is_refused_by_name_before_anything_is_set(mode: str) -> None:
    pids, others = MIXED[mode]
    one = Pooled(pids)
    with pytest.raises(LedgerError, match="pooler in transaction or statement mode") as caught:
        prepared(one, Pooled(others))
    assert "pool_mode = session" in caught.value.remedy
    assert not any("set_config" in said for said in one.said)


def test_a_pooler_in_session_mode_and_postgres_itself_are_used() -> None:
    pooled, itself = Pooled([7, 7]), Pooled([7], told=7)
    assert prepared(pooled, Pooled([8])) == 7
    assert prepared(itself, Pooled([])) == 7
    for one in (pooled, itself):
        assert any("set_config" in said for said in one.said)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pid": 8}, "pooler"),
        ({"read_only": "on"}, "read-only"),
        ({"fsync": "off"}, "fsync = off"),
        ({"full_page_writes": "off"}, "full_page_writes = off"),
        ({"synchronous_commit": "off"}, "synchronous_commit = off"),
        ({"synchronous_commit": "local"}, "synchronous_commit = local"),
        ({"synchronous_commit": "remote_write"}, "synchronous_commit = remote_write"),
    ],
)
def test_a_transaction_in_a_session_that_is_not_as_it_was_is_refused(
    change: dict[str, Any], said: str
) -> None:
    check_session(SOUND, 7)
    members = {name: getattr(SOUND, name) for name in PostgresSession.__slots__}
    with pytest.raises(LedgerError, match=said) as caught:
        check_session(PostgresSession(**(members | change)), 7)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_what_the_driver_says_of_a_lost_connection_is_not_on_standard_error() -> None:
    """Method: a process of its own, since pytest listens to whatever is logged in this one."""
    program = (
        "import logging, ledger.storage.postgres; logging.getLogger('psycopg').warning('ignored')"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert ran.stderr == ""
