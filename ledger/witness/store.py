"""The memory of a witness: one durable row for each log, in a SQLite file.

Comparing with the stored head and storing the next one is one transaction, synced before it
returns. The database itself refuses a smaller tree, another root of the same size, and deletion.
A file that was removed or replaced under the witness holds nothing of what it commits, and one that
was begun again knows nothing: both are refused.
"""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.heads import TreeHead
from ledger.chain.link import Digest
from ledger.errors import LedgerError, Reason
from ledger.private import make_file

BUSY_SECONDS: Final = 5.0

_VERSION: Final = 1
_SCHEMA: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS witnessed (
  origin TEXT NOT NULL PRIMARY KEY,
  origin_hash TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  seconds INTEGER NOT NULL,
  note BLOB NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS witnessed_never_shrinks BEFORE UPDATE ON witnessed
WHEN NEW.origin <> OLD.origin OR NEW.origin_hash <> OLD.origin_hash OR NEW.seconds < OLD.seconds
  OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER IF NOT EXISTS witnessed_never_forgets BEFORE DELETE ON witnessed
BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;
PRAGMA user_version = {_VERSION};
COMMIT;
"""


@dataclass(frozen=True, slots=True)
class CosignedHead:
    """The last cosigned head of a log: when, and the note with the cosignature."""

    head: TreeHead
    seconds: int
    note: bytes


def origin_hash(origin: str) -> str:
    """Return the hash under which a log's latest checkpoint is served."""
    return sha256(origin.encode()).hexdigest()


class WitnessStore:
    """The rows in one file; safe between threads, and between processes that share it."""

    def __init__(
        self, path: Path, *, busy_seconds: float = BUSY_SECONDS, may_begin: bool = True
    ) -> None:
        """Open the file, begun first if that may be; LedgerError if it is none of ours."""
        self._lock = threading.Lock()
        self._path = path
        if not may_begin and _identity(path) is None:
            raise _unavailable(f"{path} is missing, though the witness has a key")
        try:
            make_file(path)
            self._database = sqlite3.connect(
                path, timeout=busy_seconds, isolation_level=None, check_same_thread=False
            )
            self._prepare(path, may_begin=may_begin)
        except (OSError, sqlite3.Error) as error:
            raise _unavailable(f"{path} cannot be opened as a witness's state: {error}") from error

    def _prepare(self, path: Path, *, may_begin: bool) -> None:
        """Make every commit durable, and the table if there is none yet."""
        # All of it in the one file: a log beside it could be lost alone, with what was committed.
        self._database.execute("PRAGMA journal_mode = DELETE")
        self._database.execute("PRAGMA synchronous = EXTRA")
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        if (version, tables) == (0, 0):
            if not may_begin:
                raise _unavailable(f"{path} is empty, though the witness has a key")
            self._database.executescript(_SCHEMA)
        elif version != _VERSION:
            raise _unavailable(f"{path} is not the state of a witness of this release")
        self._identity = _identity(path)

    def advance(
        self, origin: str, step: Callable[[CosignedHead | None], CosignedHead]
    ) -> CosignedHead:
        """Store what `step` makes of the log's row, and return it once it is on disk.

        Nothing else can read or write the row in between. What `step` raises is passed on, with
        the row as it was.
        """
        with self._lock:
            try:
                self._database.execute("BEGIN IMMEDIATE")
            except sqlite3.Error as error:
                raise _unavailable(f"the state is busy or broken: {error}") from error
            try:
                self._check_file()
                after = step(self._row("origin", origin))
                self._put(origin, after)
                self._database.execute("COMMIT")
            except BaseException as error:
                self._database.execute("ROLLBACK")
                if isinstance(error, sqlite3.Error):
                    raise _unavailable(f"the state could not be stored: {error}") from error
                raise
            return after

    def _check_file(self) -> None:
        """Raise LedgerError unless the path still is the open file."""
        if _identity(self._path) != self._identity:
            raise _unavailable(f"{self._path} was removed or replaced under it")

    def latest(self, hash_: str) -> bytes | None:
        """Return the last cosigned note of the log whose origin has this hash, or None."""
        with self._lock:
            try:
                row = self._row("origin_hash", hash_)
            except sqlite3.Error as error:
                raise _unavailable(f"the state could not be read: {error}") from error
        return None if row is None else row.note

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._database.close()

    def _row(self, column: str, value: str) -> CosignedHead | None:
        """Return the row with this value in one of the two columns that name a log."""
        select = f"SELECT size, root, seconds, note FROM witnessed WHERE {column} = ?"  # noqa: S608
        row = self._database.execute(select, (value,)).fetchone()
        if row is None:
            return None
        size, root, seconds, note = row
        return CosignedHead(TreeHead(size, Digest(root)), seconds, note)

    def _put(self, origin: str, row: CosignedHead) -> None:
        """Write a log's row within the transaction."""
        self._database.execute(
            "INSERT INTO witnessed (origin, origin_hash, size, root, seconds, note)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (origin) DO UPDATE SET"
            " size = excluded.size, root = excluded.root, seconds = excluded.seconds,"
            " note = excluded.note",
            (origin, origin_hash(origin), row.head.size, row.head.root, row.seconds, row.note),
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other, under any name; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unavailable(why: str) -> LedgerError:
    """Return the refusal of a witness whose state cannot be used."""
    return LedgerError(
        Reason.STORE_UNAVAILABLE,
        f"The witness cannot go on: {why}.",
        remedy="Check the file and its disk. Never start afresh: a witness without its state "
        "would cosign a fork.",
        metadata={"why": why},
    )
