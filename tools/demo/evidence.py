"""Evidence that the demo leaves for sceptics, and the fate of an edit of it.

An auditor's view: events come as `Link`s with the bytes that were hashed, whether from the server
or straight from a database file, and only `ledger.chain` judges them. The edit is made to a copy of
the file by someone who holds the database and drops its triggers, as no part of the ledger would.
"""

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.chain.checkpoint import open_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.link import ChainVerifier, Link
from ledger.chain.merkle import CompactRange
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.values import format_time
from ledger.export.verify import verify_bundle
from ledger.operations.bundle_fetch import BundleDownload

BUNDLE: Final = "bundle"
KEY_FILE: Final = "vkey"

_VALUE: Final = b'"value":"'
_COLUMNS: Final = (
    "position, stream, stream_version, type, recorded_at, body, salt, "
    "body_hash, prev_hash, event_hash"
)


@dataclass(frozen=True, slots=True)
class Verified:
    """A ledger found whole: so many events, ending in this hash, under this Merkle root."""

    events: int
    head: bytes
    root: bytes


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit of one row."""

    position: int
    type: str
    before: bytes
    after: bytes
    refusal: str
    """The database's refusal before its triggers were dropped."""


def verify(links: Iterable[Link], *, origin: str, note: str, vkey: str) -> Verified:
    """Check every event strictly, and the whole against a signed checkpoint.

    Raises LedgerError (CHAIN_BROKEN) that names the first bad position, and NoteError where the
    checkpoint's signature is not that of the key.
    """
    stated = open_checkpoint(note.encode(), origin=origin, keys=[VerifierKey.parse(vkey)])
    size = stated.checkpoint.size
    verifier, tree = ChainVerifier(origin=origin), CompactRange()
    for link in links:
        if link.position > size:
            break
        verifier.feed(link)
        tree.append(link.event_hash)
    if tree.size < size:
        raise chain_broken(tree.size + 1, f"the checkpoint covers {size} events")
    if tree.root() != stated.checkpoint.root:
        raise chain_broken(size, "the events do not have the root that the checkpoint signs")
    return Verified(size, verifier.head, tree.root())


def broken_position(links: Iterable[Link], *, origin: str, note: str, vkey: str) -> tuple[int, str]:
    """Return the first bad position and what is wrong there; (0, "") if nothing is."""
    try:
        verify(links, origin=origin, note=note, vkey=vkey)
    except LedgerError as error:
        if error.reason is not Reason.CHAIN_BROKEN:
            raise
        return int(error.metadata["position"]), error.metadata["why"]
    return 0, ""


def stored_links(database: Path, origin: str) -> Iterator[Link]:
    """Read the events of a ledger from its SQLite file, opened read only, in order of position."""
    with contextlib.closing(_opened(database)) as connection:
        query = (
            f"SELECT {_COLUMNS} FROM events JOIN ledgers USING (ledger_id) "  # noqa: S608 - constant
            "WHERE origin = ? ORDER BY position"
        )
        for position, stream, version, type_, recorded_at, *rest in connection.execute(
            query, (origin,)
        ):
            yield Link(position, stream, version, type_, format_time(recorded_at), *rest)


def copy_database(database: Path, copy: Path) -> None:
    """Copy a database with all that is still in its write-ahead log; the server may be running."""
    with (
        contextlib.closing(_opened(database)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)


def edit_row(database: Path, position: int) -> Edit:
    """Lower the value of one observation, past the triggers, and leave all else as it was.

    The forger is careful: a digit for a digit, so that the body still is the JSON it was.
    """
    with contextlib.closing(sqlite3.connect(database)) as connection:
        type_, before = connection.execute(
            "SELECT type, body FROM events WHERE position = ?", (position,)
        ).fetchone()
        after = _with_lower_value(before)
        refusal = ""
        statement = "UPDATE events SET body = ? WHERE position = ?"
        try:
            connection.execute(statement, (after, position))
        except sqlite3.DatabaseError as error:
            refusal = str(error)
        triggers = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'events'"
        ).fetchall()
        for (name,) in triggers:
            connection.execute(f'DROP TRIGGER "{name}"')
        connection.execute(statement, (after, position))
        connection.commit()
    return Edit(position, type_, before, after, refusal)


def keep(client: LedgerClient, directory: Path, vkey: str) -> None:
    """Have the server export the ledger, keep the bundle in a directory, and the key beside it."""
    fetch = BundleDownload(client, directory / BUNDLE, time.sleep)
    export = fetch.ask({"kind": "FULL", "purpose": "the demo's evidence"}, SystemClock())
    fetch.fetch(fetch.follow(export, _quiet), _quiet)
    verify_bundle(fetch.archive, [VerifierKey.parse(vkey)])
    fetch.keep()
    (directory / KEY_FILE).write_text(f"{vkey}\n", "ascii")


def _quiet(done: int, total: int) -> None:
    """Show nothing: the demo says what it does itself."""


def _opened(database: Path) -> sqlite3.Connection:
    """Open a database that must exist, for reading only."""
    return sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)


def _with_lower_value(body: bytes) -> bytes:
    """Return the body with the first digit above 0 of its value lowered by one."""
    start = body.index(_VALUE) + len(_VALUE)
    for index in range(start, len(body)):
        digit = body[index : index + 1]
        if digit.isdigit() and digit != b"0":
            return body[:index] + b"%d" % (int(digit) - 1) + body[index + 1 :]
    raise ValueError("the value holds no digit to lower")
