"""Every byte of a small database file is changed: no change goes unnoticed.

Each flip is made in a copy of a closed file, and the copy is audited and its keys opened. Either
that fails, or every row that the format speaks of is what it was: the byte was in free space, or in
a page's bookkeeping that says the same thing twice.
"""

import itertools
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.storage import CreateLedger, NewEvent, Store, open_store
from ledger.storage.schema import (
    checkpoints,
    cosignatures,
    events,
    heads,
    ledgers,
    requests,
    signing_keys,
    tiles,
)
from tests.support.audits import damage
from tests.support.clocks import ManualClock
from tests.support.hooks import rows_of
from tests.support.stores import ORIGIN, START, VAULT, asking, cosigned, erasing, note

SAMPLE = 300
PARTS = 8  # of the whole file, for as many processes
TIME = "2026-03-01T10:00:00.000000Z"


def write_small_ledger(path: Path) -> None:
    """A ledger with every kind of row, on the smallest pages there are."""
    raw = sqlite3.connect(path)
    raw.executescript("PRAGMA page_size=512; CREATE TABLE t (x); DROP TABLE t; VACUUM;")
    raw.close()
    store = open_store(str(path), ManualClock(START), vault=VAULT, create=True)
    store.ledgers.create(
        CreateLedger(ORIGIN, "wall", 300, "users/ada", request_id="c", digest=b"c")
    )
    for n in range(3):
        name = f"r-{n}"
        data = {"observed_at": TIME, "value": str(n)}
        observed = encode_body(actor="users/ada", data=data, request_id=name)
        both = (
            NewEvent("models/a", "signal.observed.v1", observed, START),
            note(words="n" * 40, request_id=name),
        )
        store.requests.append(asking(*both, request_id=name, digest=bytes([n]) * 32))
    cosigned(store)
    assert store.requests.erase(erasing((4, 4), request_id="e"), [(4, 4)])[1] == 1
    store.close()


def content(reader: Store) -> list[Any]:
    return [
        tuple(row)
        for table in (
            ledgers,
            events,
            heads,
            requests,
            checkpoints,
            cosignatures,
            tiles,
            signing_keys,
        )
        for row in rows_of(reader, select(table))
    ]


def verified_content(path: Path) -> list[Any] | None:
    """The rows of a file that verifies and whose keys open; None where it is found damaged."""
    try:
        store = open_store(str(path), ManualClock(START), read_only=True, vault=VAULT)
    except LedgerError:
        return None
    try:
        if damage(str(path)):
            return None
        store.keys.check_head(ORIGIN, store.events.head(ORIGIN))
        store.keys.opened(ORIGIN)
        return content(store)
    except LedgerError:
        return None
    finally:
        store.close()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "ledger.db"
    write_small_ledger(path)
    assert not path.with_name("ledger.db-wal").exists()
    return path


def unnoticed(original: Path, copy: Path, places: list[int]) -> tuple[list[int], int]:
    """Flip byte by byte; return where rows changed silently, and how many flips were found."""
    data = bytearray(original.read_bytes())
    truth = verified_content(original)
    assert truth is not None
    silent, found = [], 0
    for place in places:
        data[place] ^= 0xFF if place % 2 else 1 << place % 8
        copy.write_bytes(data)
        for suffix in ("-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        rows = verified_content(copy)
        data[place] ^= 0xFF if place % 2 else 1 << place % 8
        if rows is None:
            found += 1
        elif rows != truth:
            silent.append(place)
    return silent, found


def test_no_changed_byte_of_a_sample_goes_unnoticed(small: Path, tmp_path: Path) -> None:
    size = small.stat().st_size
    places = list(itertools.islice(range(0, size, max(1, size // SAMPLE)), SAMPLE))
    silent, found = unnoticed(small, tmp_path / "copy.db", places)
    assert silent == []
    assert found > len(places) / 4


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_changed_byte_of_the_whole_file_goes_unnoticed(
    small: Path, tmp_path: Path, part: int
) -> None:
    places = list(range(part, small.stat().st_size, PARTS))
    silent, found = unnoticed(small, tmp_path / "copy.db", places)
    assert silent == []
    assert found > len(places) / 4


def test_a_changed_name_of_a_function_in_the_tables_words_is_told_as_damage(
    small: Path, tmp_path: Path
) -> None:
    data = bytearray(small.read_bytes())
    data[data.index(b"length(body)")] ^= 0xFF  # SQLite's error holds the name as it stands
    copy = tmp_path / "copy.db"
    copy.write_bytes(data)
    with pytest.raises(LedgerError) as raised:
        damage(str(copy))
    assert raised.value.reason is Reason.CHAIN_BROKEN


def test_damage_in_an_event_is_located(small: Path, tmp_path: Path) -> None:
    data = small.read_bytes()
    needle = b'"value":"1"'  # in the body of position 5
    assert data.count(needle) == 1
    copy = tmp_path / "copy.db"
    copy.write_bytes(data.replace(needle, b'"value":"9"'))
    assert [(one.rule, one.position) for one in damage(str(copy))] == [("chain", 5)]
