"""A database of schema version 1 becomes one of version 2, whole or not at all.

Method: `version_1.db.gz` is a file that the release before wrote (302 events with a checkpoint
over 252, a `data` ledger, a bare recorder's). For PostgreSQL the old tables are made by hand and
the rows of that file put into them. Afterwards everything verifies, goes on, and no key is in
plain text.
"""

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, NewEvent, Store, open_store
from tests.support.audits import damage
from tests.support.check_ledger import check_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import rows_of
from tests.support.stores import DATABASES, ORIGIN, START, VAULT

STORED = gzip.decompress(Path(__file__).with_name("version_1.db.gz").read_bytes())
HISTORY, PLAIN = "ledger.example.com/history", "recorder/plain"
SECRET = b"PRIVATE+KEY+"
FIRST_KEY = "ledger.example.com/fraud+7759b774+AUy1q/atefv1q7zK/MJp2FzSZR7UuIW1hp8kGu3wpbop"

OLD_TABLES = """
CREATE TABLE schema_version (version integer NOT NULL);
CREATE TABLE ledgers (ledger_id integer PRIMARY KEY, origin text COLLATE "C" NOT NULL UNIQUE,
  clock text NOT NULL, skew_seconds integer NOT NULL, vkey text NOT NULL,
  signing_key text NOT NULL);
CREATE TABLE events (ledger_id integer NOT NULL, position bigint NOT NULL,
  stream text COLLATE "C" NOT NULL, stream_version bigint NOT NULL, type text COLLATE "C" NOT NULL,
  recorded_at bigint NOT NULL, observed_at bigint, body bytea, salt bytea,
  body_hash bytea NOT NULL, prev_hash bytea NOT NULL, event_hash bytea NOT NULL,
  PRIMARY KEY (ledger_id, position),
  CONSTRAINT events_stream_version UNIQUE (ledger_id, stream, stream_version));
CREATE INDEX events_observed ON events (ledger_id, stream, observed_at, position)
  WHERE observed_at IS NOT NULL;
CREATE INDEX events_stream_type ON events (ledger_id, stream, type, position)
  WHERE observed_at IS NULL;
CREATE INDEX events_type ON events (ledger_id, type, position) WHERE observed_at IS NULL;
CREATE TABLE heads (ledger_id integer PRIMARY KEY REFERENCES ledgers, position bigint NOT NULL,
  event_hash bytea NOT NULL, recorded_at bigint NOT NULL, newest_observed_at bigint,
  tree bytea NOT NULL);
CREATE TABLE requests (ledger_id integer NOT NULL, actor text COLLATE "C" NOT NULL,
  method text COLLATE "C" NOT NULL, request_id text COLLATE "C" NOT NULL, digest bytea NOT NULL,
  first_position bigint NOT NULL, last_position bigint NOT NULL, seal bytea NOT NULL,
  PRIMARY KEY (ledger_id, actor, method, request_id));
CREATE TABLE checkpoints (ledger_id integer NOT NULL, size bigint NOT NULL, note text NOT NULL,
  PRIMARY KEY (ledger_id, size));
CREATE TABLE leases (ledger_id integer NOT NULL, name text COLLATE "C" NOT NULL,
  holder text NOT NULL, expires_at bigint NOT NULL, PRIMARY KEY (ledger_id, name));
CREATE TABLE tracking (ledger_id integer NOT NULL, consumer text COLLATE "C" NOT NULL,
  position bigint NOT NULL, PRIMARY KEY (ledger_id, consumer));
CREATE FUNCTION ledger_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only: % of % refused', TG_OP, TG_TABLE_NAME; END $$;
"""
OLD_TRIGGERS = """
CREATE TRIGGER {0}_no_edit BEFORE UPDATE OR DELETE ON {0}
  FOR EACH ROW EXECUTE FUNCTION ledger_refuse_edit();
CREATE TRIGGER {0}_no_truncate BEFORE TRUNCATE ON {0}
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_edit();
"""
FILLED = ("schema_version", "ledgers", "events", "heads", "requests", "checkpoints")


@pytest.fixture
def old_file(sqlite_url: str) -> Path:
    """The stored file, where `sqlite_url` leads."""
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    path.write_bytes(STORED)
    return path


def old_sqlite(request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{request.getfixturevalue('old_file')}"


def old_postgres(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue("postgres_url")
    with (
        closing(sqlite3.connect(request.getfixturevalue("old_file"))) as source,
        psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as target,
    ):
        target.execute(OLD_TABLES)
        for table in FILLED:
            rows = source.execute(f"SELECT * FROM {table}").fetchall()
            marks = ", ".join(["%s"] * len(rows[0]))
            target.cursor().executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        for table in ("events", "requests", "checkpoints"):
            target.execute(OLD_TRIGGERS.format(table))
    return url


MAKERS: dict[str, Callable[[pytest.FixtureRequest], str]] = {
    "sqlite": old_sqlite,
    "postgres": old_postgres,
}


@pytest.fixture(params=DATABASES)
def old_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database of version 1, of each kind."""
    return MAKERS[request.param](request)


def versions(store: Store) -> list[Any]:
    from ledger.storage.schema import schema_version

    return [row.version for row in rows_of(store, schema_version.select())]


def hold(url: str) -> None:
    """Fail unless an audit finds every ledger of a database whole.

    The file's maker named a request id in one body that it had not asked with.
    """
    found = [damage(url, origin) for origin in (ORIGIN, HISTORY, PLAIN)]
    seen = [[(one.rule, one.position) for one in each] for each in found]
    assert seen == [[], [("database.requests", 3)], []]


def test_everything_verifies_and_goes_on(old_url: str) -> None:
    store = open_store(old_url, SystemClock(), vault=VAULT, create=True)
    assert versions(store) == [6]
    assert [info.origin for info in store.ledgers.all()] == [ORIGIN, HISTORY, PLAIN]
    assert [store.events.head(origin).position for origin in (ORIGIN, HISTORY, PLAIN)] == [
        302,
        3,
        1,
    ]
    hold(old_url)
    kept = store.proofs.checkpoint(ORIGIN)
    assert kept is not None
    assert kept.size == 252
    for origin in (ORIGIN, HISTORY):
        head = store.events.head(origin)
        with pytest.raises(LedgerError, match="has no seal"):
            store.keys.check_head(origin, head)
        store.keys.adopt(origin, head)
        store.keys.check_head(origin, store.events.head(origin))
    event = NewEvent(
        "models/m1", "model.updated.v1", encode_body(actor="users/ada", data={}, request_id="after")
    )
    for origin, position in ((ORIGIN, 303), (HISTORY, 4), (PLAIN, 2)):
        request = AppendRequest(origin, "users/ada", "Test", [event] * 300, request_id="after")
        assert store.requests.append(request).first_position == position
        check_ledger(store, origin)
    again = AppendRequest(ORIGIN, "users/ada", "T", [event], request_id="r0", digest=b"\0")
    assert store.requests.append(again).repeated
    hold(old_url)
    store.close()
    reopened = open_store(old_url, SystemClock(), vault=VAULT, create=True)
    hold(old_url)
    reopened.close()


def test_keys_are_sealed_and_the_one_that_follows_is_drawn(old_url: str) -> None:
    store = open_store(old_url, SystemClock(), vault=VAULT, create=True)
    keys = store.keys.opened(ORIGIN)
    assert next(iter(keys)) == FIRST_KEY == store.ledgers.named(ORIGIN).vkey
    assert len(keys) == len(store.keys.opened(HISTORY)) == 2
    assert store.keys.opened(PLAIN) == {}
    assert store.ledgers.named(PLAIN).vkey == ""
    store.close()


def test_no_file_holds_a_key_in_plain_text(old_file: Path) -> None:
    assert SECRET in old_file.read_bytes()
    store = open_store(str(old_file), SystemClock(), create=True)
    for path in old_file.parent.iterdir():
        assert SECRET not in path.read_bytes(), path
    assert old_file.with_name("ledger.db.key").exists()
    assert next(iter(store.keys.opened(ORIGIN))) == FIRST_KEY
    store.close()


@pytest.mark.postgres
def test_without_a_master_key_nothing_is_changed(request: pytest.FixtureRequest) -> None:
    url = old_postgres(request)
    with pytest.raises(LedgerError, match=r"keys\.file"):
        open_store(url, ManualClock(START), create=True)
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchone() == (1,)
        assert connection.execute("SELECT count(signing_key) FROM ledgers").fetchone() == (3,)


def test_a_tree_that_is_not_that_of_the_events_is_left_as_evidence(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as raw:
        raw.execute("DROP TRIGGER events_no_update")
        raw.execute("UPDATE events SET event_hash = body_hash WHERE position = 100")
        raw.commit()
    before = old_file.read_bytes()
    with pytest.raises(LedgerError) as caught:
        open_store(str(old_file), ManualClock(START), vault=VAULT, create=True)
    assert caught.value.reason is Reason.CHAIN_BROKEN
    with closing(sqlite3.connect(old_file)) as raw:
        assert raw.execute("SELECT version FROM schema_version").fetchone() == (1,)
    assert SECRET in before


def test_who_only_reads_is_told_to_bring_the_database_up_to_date(old_url: str) -> None:
    with pytest.raises(LedgerError, match="schema version 1") as caught:
        open_store(old_url, ManualClock(START), read_only=True)
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
