"""The demo's evidence: whole where it was not touched, and pointing at the row where it was.

A small ledger on a file of its own; what the demo exports is read where the demo runs.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ledger.application.ledger import LedgerApplication
from ledger.chain.note import NoteError
from ledger.errors import LedgerError
from ledger.events.envelope import encode_body
from ledger.storage import AppendRequest, CreateLedger, NewEvent, open_store
from ledger.storage.recorders import LedgerApplicationRecorder
from tests.support.clocks import ManualClock
from tools.demo.evidence import (
    broken_position,
    copy_database,
    edit_row,
    stored_links,
    verify,
)

ORIGIN = "demo.example.com/flights"


@dataclass(frozen=True)
class Written:
    """A ledger of a dozen events, and what its server would say about it."""

    path: Path
    note: str
    vkey: str


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    path = tmp_path / "ledger.db"
    clock = ManualClock(1_000_000)
    store = open_store(f"sqlite:///{path}", clock, create=True)
    try:
        info = store.ledgers.create(CreateLedger(ORIGIN, "data", 300, "users/ada"))
        body = encode_body(actor="users/ada", data={"value": "0.5"})
        for number in range(10):
            event = NewEvent(f"notes/n-{number % 3}", "note.taken.v1", body)
            store.requests.append(AppendRequest(ORIGIN, "users/ada", "Note", [event]))
        recorder = LedgerApplicationRecorder(store, ORIGIN, str)
        signed = LedgerApplication(store, info, recorder, clock).attestation.checkpoints.sign()
        yield Written(path, signed.note, signed.vkey)
    finally:
        store.close()


def test_an_untouched_ledger_verifies_against_its_checkpoint(written: Written) -> None:
    links = stored_links(written.path, ORIGIN)
    found = verify(links, origin=ORIGIN, note=written.note, vkey=written.vkey)
    assert found.events == 12


@pytest.mark.parametrize("position", [3, 7, 12])
def test_an_edited_row_is_located_and_the_original_left_alone(
    written: Written, tmp_path: Path, position: int
) -> None:
    copy = tmp_path / "copy.db"
    copy_database(written.path, copy)
    edit = edit_row(copy, position)
    assert "append-only" in edit.refusal
    assert edit.before != edit.after
    assert len(edit.before) == len(edit.after)
    assert json.loads(edit.after)["data"] == {"value": "0.4"}
    claims = {"origin": ORIGIN, "note": written.note, "vkey": written.vkey}
    assert broken_position(stored_links(copy, ORIGIN), **claims) == (
        position,
        "the body does not have the stored body hash",
    )
    assert broken_position(stored_links(written.path, ORIGIN), **claims) == (0, "")


def test_a_ledger_cut_short_is_found_by_its_checkpoint(written: Written) -> None:
    links = list(stored_links(written.path, ORIGIN))[:-2]
    with pytest.raises(LedgerError, match="position 11"):
        verify(links, origin=ORIGIN, note=written.note, vkey=written.vkey)


def test_another_key_vouches_for_nothing(written: Written, tmp_path: Path) -> None:
    clock = ManualClock(1_000_000)
    clock.random_bytes(32)  # so that another key is drawn
    store = open_store(f"sqlite:///{tmp_path / 'other.db'}", clock, create=True)
    forger = CreateLedger(ORIGIN, "data", 300, "users/eve")
    vkey = store.ledgers.create(forger).vkey
    store.close()
    links = stored_links(written.path, ORIGIN)
    with pytest.raises(NoteError):
        verify(links, origin=ORIGIN, note=written.note, vkey=vkey)


def test_a_file_that_does_not_exist_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        next(stored_links(tmp_path / "none.db", ORIGIN))
    assert not (tmp_path / "none.db").exists()
