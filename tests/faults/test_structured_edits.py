"""Hundreds of ways to damage a database: each is found, and the first bad position named.

Method: a small ledger made by the store itself, with checkpoints, cosignatures, requests and tiles
of two levels. Each forgery starts from a copy of its file, whose triggers are gone; it is drawn
from a seed. The first bad position is computed here, by comparing rows with what they were: the
first that differs. Forgers who compute hashes again are the subject of `test_rewritten_ledgers`;
both together try more than a thousand.
"""

import random  # noqa: TID251 - always from a seed
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.errors import LedgerError
from ledger.storage import open_store
from tests.support.clocks import ManualClock
from tests.support.forger import COLUMNS, Forger, Row
from tests.support.outsiders import EACH, EVENTS, QUICK, Honest, grow
from tests.support.stores import ORIGIN, START, VAULT

Draw = random.Random
Edit = Callable[[Forger, Draw], object]
COUNTS = [QUICK, pytest.param(EACH, marks=pytest.mark.slow)]


# ---- edits that leave the hashes as they were ------------------------------------------------


def other(value: Any, draw: Draw) -> Any:  # noqa: ANN401 - whatever a column holds
    """Return another value of the same kind."""
    match value:
        case None:
            return START
        case int():
            return value + draw.choice((-1, 1, 1_000_000))
        case str():
            return draw.choice((value + "x", value[:-1], "a/b" if "/" in value else "a.b.v1"))
        case _:
            at = draw.randrange(len(value))
            changed = bytes([value[at] ^ 1 << draw.randrange(8)])
            return draw.choice((value[:at] + changed + value[at + 1 :], value[:-1], value + b"0"))


def edit_field(forger: Forger, draw: Draw) -> None:
    row, column = draw.choice(forger.rows), draw.choice(COLUMNS[2:])
    setattr(row, column, other(getattr(row, column), draw))


def edit_body_and_its_hashes(forger: Forger, draw: Draw) -> None:
    row = draw.choice(forger.rows)
    assert row.body is not None
    row.body = row.body.replace(b"users/ada", b"users/eve")
    row.rehash(forger.origin, row.prev_hash)


def remove_body(forger: Forger, draw: Draw) -> None:
    row = draw.choice(forger.rows)
    row.body = row.salt = None


def delete(forger: Forger, draw: Draw) -> None:
    start = draw.randrange(EVENTS)
    del forger.rows[start : start + draw.choice((1, 1, 2, 40))]


def delete_and_close_the_gap(forger: Forger, draw: Draw) -> None:
    at = draw.randrange(EVENTS - 1)
    del forger.rows[at]
    for row in forger.rows[at:]:
        row.position -= 1
    forget_versions(forger)


def swap(forger: Forger, draw: Draw) -> None:
    a, b = draw.sample(forger.rows, 2)
    a.position, b.position = b.position, a.position


def swap_neighbours(forger: Forger, draw: Draw) -> None:
    at = draw.randrange(EVENTS - 1)
    a, b = forger.rows[at : at + 2]
    a.position, b.position = b.position, a.position


def move(forger: Forger, draw: Draw) -> None:
    start, end = draw.sample(range(EVENTS), 2)
    forger.rows.insert(end, forger.rows.pop(start))
    for position, row in enumerate(forger.rows, 1):
        row.position = position


def insert(forger: Forger, draw: Draw) -> None:
    at = draw.randrange(EVENTS)
    copied = Row(*vars(draw.choice(forger.rows)).values())
    forger.rows.insert(at, copied)
    for position, row in enumerate(forger.rows, 1):
        row.position = position
    forget_versions(forger)


def append_a_copy(forger: Forger, draw: Draw) -> None:
    copied = Row(*vars(draw.choice(forger.rows)).values())
    copied.position = EVENTS + 1
    copied.stream_version += 1_000
    forger.rows.append(copied)


def truncate(forger: Forger, draw: Draw) -> None:
    del forger.rows[draw.randrange(1, EVENTS) :]


def forget_versions(forger: Forger) -> None:
    """Take away the index that would not hold two events of one version."""
    forger.database.executescript(
        "CREATE TABLE other AS SELECT * FROM events; DROP TABLE events;"
        "ALTER TABLE other RENAME TO events;"
    )


NAIVE: dict[str, Edit] = {
    function.__name__: function
    for function in (
        edit_field,
        edit_body_and_its_hashes,
        remove_body,
        delete,
        delete_and_close_the_gap,
        swap,
        swap_neighbours,
        move,
        insert,
        append_a_copy,
        truncate,
    )
}


def forge_naively(honest: Honest, path: Path, name: str, seed: int) -> None:
    """Make one forgery, audit it, and compare the position with the one expected."""
    draw = random.Random(f"{name} {seed}")
    forger = Forger(path)
    NAIVE[name](forger, draw)
    expected = honest.first_difference(forger.rows)
    try:
        forger.store_events()
    except sqlite3.IntegrityError:
        forget_versions(forger)
        forger.store_events()
    forger.close()
    assert expected, (name, seed)
    report = honest.audit(path)
    assert not report.passed, (name, seed)
    assert report.first_bad_position == expected, (name, seed, expected, report.text())


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", NAIVE)
def test_edits_without_new_hashes_are_named_at_their_first_position(
    name: str, count: int, honest: Honest, copy: Callable[[], Path]
) -> None:
    for seed in range(count):
        forge_naively(honest, copy(), name, seed)


# ---- what is stored beside the events ------------------------------------------------------------

TABLES = ("heads", "checkpoints", "cosignatures", "requests", "tiles", "signing_keys", "ledgers")


# Whether a remembered request or a kept cosignature was ever there, nothing else in the database
# says: the one is found by who repeats the request, the other by the witness that still has it.
DELETABLE = {"heads", "checkpoints", "tiles", "signing_keys", "ledgers"}


def edit_table(forger: Forger, table: str, draw: Draw) -> tuple[str, str]:
    """Delete or change one row of a table; return what was done."""
    found = forger.database.execute(f"SELECT * FROM {table}")
    columns = [column[0] for column in found.description]
    rows = [list(row) for row in found]
    at, column = draw.randrange(len(rows)), draw.choice(columns[1:])
    what = draw.choice(("change", "change", "change", "change", "delete"))
    if what == "delete" and table in DELETABLE:
        del rows[at]
    else:
        index = columns.index(column)
        rows[at][index] = other(rows[at][index], draw)
    forger.database.execute("PRAGMA ignore_check_constraints = ON")
    forger.database.execute(f"DELETE FROM {table}")
    marks = ", ".join("?" * len(columns))
    try:
        forger.database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
    except sqlite3.IntegrityError:  # two rows of one key: not even this file would hold them
        forger.database.rollback()
        return edit_table(forger, table, draw)
    return what, column


def audit_finds(honest: Honest, path: Path) -> bool:
    """Return whether an audit refuses a file."""
    try:
        return not honest.audit(path, policy=honest.policy).passed
    except LedgerError:  # it does not even hold the ledger that was asked for
        return True


def server_finds(path: Path) -> bool:
    """Return whether a server refuses the head of a file, or cannot open its keys."""
    store = open_store(str(path), ManualClock(START), read_only=True, vault=VAULT)
    try:
        store.keys.check_head(ORIGIN, store.events.head(ORIGIN))
        store.keys.opened(ORIGIN)
    except LedgerError:
        return True
    finally:
        store.close()
    return False


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("table", TABLES)
def test_edits_of_what_is_beside_the_events_are_found(
    table: str, count: int, honest: Honest, copy: Callable[[], Path]
) -> None:
    for seed in range(count):
        forger = Forger(copy())
        done = edit_table(forger, table, random.Random(f"{table} {seed}"))
        forger.close()
        assert audit_finds(honest, forger.path) or server_finds(forger.path), (table, seed, done)


# ---- the same on PostgreSQL ----------------------------------------------------------------------

# What is done to the event at a position; it is the first that is wrong then.
STATEMENTS = (
    "UPDATE events SET body = convert_to('{}', 'UTF8') WHERE position = %s",
    "UPDATE events SET salt = body_hash WHERE position = %s",
    "UPDATE events SET stream = 'models/x' WHERE position = %s",
    "UPDATE events SET type = 'a.b.v1' WHERE position = %s",
    "UPDATE events SET recorded_at = recorded_at - 1000000 WHERE position = %s",
    "UPDATE events SET stream_version = 9999 WHERE position = %s",
    "UPDATE events SET prev_hash = event_hash WHERE position = %s",
    "UPDATE events SET event_hash = prev_hash WHERE position = %s",
    "UPDATE events SET body = NULL, salt = NULL WHERE position = %s",
    "UPDATE events SET position = 100000 WHERE position = %s",
    "DELETE FROM events WHERE position = %s",
    "DELETE FROM events WHERE position >= %s",
)


@pytest.mark.postgres
def test_edits_on_postgresql_are_named_at_their_first_position(postgres_url: str) -> None:
    grow(postgres_url)
    plain = postgres_url.replace("+psycopg", "")
    draw = random.Random("postgresql")
    for statement in STATEMENTS:
        for _ in range(2):
            at = draw.randrange(3, EVENTS + 1)
            with psycopg.connect(plain) as connection:
                connection.execute("SET session_replication_role = replica")  # no triggers
                connection.execute("CREATE TABLE before AS SELECT * FROM events")
                connection.execute(statement.encode(), (at,))
            source = DatabaseSource(postgres_url, ORIGIN)
            report = Audit(source, "test", cores=1).run()
            source.close()
            assert report.first_bad_position == at, (statement, at, report.text())
            with psycopg.connect(plain) as connection:
                connection.execute("SET session_replication_role = replica")
                connection.execute("DELETE FROM events")
                connection.execute("INSERT INTO events SELECT * FROM before")
                connection.execute("DROP TABLE before")
