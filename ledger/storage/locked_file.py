"""A SQLite file that one process serves: found under one name, locked itself, looked at again.

A file is its device and inode, not its name: symbolic links are followed, more than one hard link
is refused, and the lock is on the file, so that nothing that is deleted beside it lets a second
server in. The descriptor stays open as long as SQLite has the file: closing any descriptor of a
file drops the locks that SQLite holds on it in this process. (`flock`, which keeps servers apart,
and the `fcntl` locks of SQLite do not meet.)
"""

import fcntl
import os
import stat
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, Reason
from ledger.private import FILE_MODE, flush_folder, make_folder
from ledger.storage.database import damaged, unavailable
from ledger.storage.wal_file import (
    HEADER_BYTES,
    MAGIC,
    WalFile,
    WalIndex,
    application_id,
    parse_claim,
    read_claim,
    statement,
)

_SHARED_BYTE: Final = 0x4000_0002  # SQLite's readers lock here; the last to close locks them out
_LOCKS: Final = Path("/proc/locks")

_MEANT: Final = "If a new ledger is meant, move what lies there to another folder first."
_COPY: Final = (
    "If the file is a copy that was put in place, move {log} and {index} elsewhere first and keep "
    "them: they may hold what was acknowledged later."
)


class FileLostError(Exception):
    """The file or its log is not what this process has open; nothing may be acknowledged any more.

    `failure` says it to people.
    """

    def __init__(self, failure: LedgerError) -> None:
        super().__init__(failure.message)
        self.failure = failure


class LockedFile:
    """The file of a database, open and locked until `close`. One thread at a time."""

    def __init__(self, path: Path, *, create: bool, companions: Sequence[Path] = ()) -> None:
        """Take a file, which `path` names without symbolic links; make it where `create` says so.

        `companions` are files that there cannot be without it, beside those that SQLite makes.
        STORE_UNAVAILABLE where it is not there, cannot be used or is taken; CHAIN_BROKEN where it
        is damaged, where its log belongs to another file, and where others lie there without it.
        """
        self.path = path
        self._log_path, self._index_path = log_of(path), index_of(path)
        self.had_log = os.path.lexists(self._log_path)
        self._log: WalFile | None = None
        self.log_bytes = 0
        """How long the log was when it was last looked at."""
        self.is_sound = False
        """Whether file and log were, when last looked at, what is open."""
        self._index: int | None = None
        self._stated = b""
        if not os.path.lexists(path):
            refuse_orphans(path, companions)
            if not create:
                raise no_file(path)
            _make(path)
        self._descriptor = _opened(path)
        try:
            self._identity = self._lock()
            self._claim = self._look(create, companions)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _lock(self) -> tuple[int, int]:
        """Keep every other server out; return device and inode."""
        found = os.fstat(self._descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise unavailable(f"{self.path} is no file.", remedy="Check the path.", retry=False)
        if found.st_nlink != 1:
            raise unavailable(
                f"{self.path} is one of {found.st_nlink} names of the same file. A log is found by "
                "its file's name, so under another name what it holds would be missed.",
                remedy=f"See `find -inum {found.st_ino}`; keep one name, and copy the file where "
                "another is needed.",
                retry=False,
            )
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise unavailable(
                f"{self.path} is already served by {_holder(found)}.",
                remedy="Talk to that server, or stop it first; several servers need PostgreSQL.",
                retry=False,
            ) from error
        return found.st_dev, found.st_ino

    def _look(self, create: bool, companions: Sequence[Path]) -> WalIndex | None:  # noqa: FBT001
        """Refuse what SQLite would damage or take for empty; return what the log's index claims."""
        header = os.pread(self._descriptor, HEADER_BYTES, 0)
        if not header:
            others = [other for other in companions if other.exists()]
            others += [self._log_path] if _size(self._log_path) else []
            if others or not create:
                raise damaged(
                    f"{self.path} is empty, 0 bytes"
                    + (f", though beside it lies {others[0]}" if others else "")
                )
            return None
        return look(self.path, header)

    # ---- while it is served ------------------------------------------------------------------

    def hold_log(self) -> None:
        """Take up the log that SQLite has opened meanwhile. Before anything else is written.

        CHAIN_BROKEN where SQLite found fewer whole frames in it than were committed.
        """
        try:
            self._log = WalFile(os.open(self._log_path, os.O_RDONLY))
            self._index = os.open(self._index_path, os.O_RDONLY)
        except OSError as error:
            raise unavailable(
                f"The log of {self.path} cannot be opened: {error.strerror}.",
                remedy="Check the rights to the files, and that the file system is a local one.",
                retry=False,
            ) from error
        found = self._index_claim()
        if found is not None:
            _refuse_fewer(self.path, self._claim, found.salts, found.frames)
        self.is_sound = True
        self.note_log()

    def guard(self) -> None:
        """Keep SQLite, in this process and in others, from emptying or removing the log on closing.

        A lock of this descriptor, which no other closing drops; where the system has none of
        that kind, SQLite's own must do. Taken once the file is in WAL mode.
        """
        self._lock_readers(fcntl.F_RDLCK)

    def let_go(self) -> None:
        """Let the last connection that closes move the log into the file, as SQLite does."""
        self._lock_readers(fcntl.F_UNLCK)

    def _lock_readers(self, kind: int) -> None:
        if hasattr(fcntl, "F_OFD_SETLK"):
            request = struct.pack("hhqqi4x", kind, os.SEEK_SET, _SHARED_BYTE, 1, 0)
            fcntl.fcntl(self._descriptor, fcntl.F_OFD_SETLK, request)

    def check(self) -> None:
        """Raise FileLostError unless path and log are what is open, the log no shorter than it was.

        Two calls of `stat` and one of `fstat`, a few microseconds.
        """
        try:
            self._check()
        except FileLostError:
            self.is_sound = False
            raise

    def _check(self) -> None:
        if (lost := _lost(self.path, self._identity)) is not None:
            raise FileLostError(self._gone(self.path, self._descriptor, lost))
        if self._log is None:
            return
        before = self.log_bytes  # first: a reader's thread looks while the writer's lets it grow
        held = os.fstat(self._log.descriptor)
        if (lost := _lost(self._log_path, (held.st_dev, held.st_ino))) is not None:
            raise FileLostError(self._gone(self._log_path, self._log.descriptor, lost))
        if held.st_size < before:
            self._check_emptied(held.st_size)

    def _check_emptied(self, size: int) -> None:
        """Tell a log that was emptied into the file, as SQLite does, from one cut off."""
        found = self._index_claim()
        if found is None or self._log is None or found.frames > self._log.frames():
            raise FileLostError(
                damaged(
                    f"{self._log_path} was cut from {self.log_bytes} to {size} bytes under the "
                    "server, and acknowledged events may have been in what is missing"
                )
            )
        self.note_log()

    def _index_claim(self) -> WalIndex | None:
        assert self._index is not None
        return parse_claim(os.pread(self._index, HEADER_BYTES, 0))

    def _gone(self, path: Path, descriptor: int, how: str) -> LedgerError:
        """Return what to say of a file that is not under its name any more."""
        place = f"/proc/{os.getpid()}/fd/{descriptor}"
        rescue = (
            f"As long as this process runs, the file can be had back: move away what lies there, "
            f"then `cp {place} {path}`. Then stop this server and start the server again"
            if Path(place).exists()
            else "Bring the file back and start the server again"
        )
        return unavailable(
            f"{path} {how} under the server. Nothing was acknowledged after that was noticed.",
            remedy=f"{rescue}, or restore a copy.",
            retry=False,
        )

    def note_log(self) -> None:
        """Remember how long the log is now: it may grow from here."""
        if self._log is not None:
            self.log_bytes = os.fstat(self._log.descriptor).st_size

    def due_statement(self) -> tuple[bytes, int] | None:
        """Return the log's salts and the number that it is to state; None where it has."""
        salts = self._log.salts() if self._log is not None else b""
        if salts == self._stated or not salts:
            return None
        return salts, statement(os.pread(self._descriptor, HEADER_BYTES, 0), salts)

    def note_statement(self, salts: bytes) -> None:
        """Remember that the log with these salts has stated its file."""
        self._stated = salts

    def is_moved(self) -> bool:
        """Return whether all of the log is in the file, so that the next transaction begins it."""
        claim = self._index_claim()
        return claim is not None and claim.moved >= claim.frames

    def application_id(self) -> int:
        """Return the number in the file's header in which logs state their file."""
        return application_id(os.pread(self._descriptor, HEADER_BYTES, 0))

    def close(self) -> None:
        """Give the file up, once SQLite has closed it."""
        if self._log is not None:
            os.close(self._log.descriptor)
        if self._index is not None:
            os.close(self._index)
        os.close(self._descriptor)
        self._log = self._index = None


def log_of(path: Path) -> Path:
    """Return the path of a file's write-ahead log."""
    return path.with_name(path.name + "-wal")


def index_of(path: Path) -> Path:
    """Return the path of the index of a file's log."""
    return path.with_name(path.name + "-shm")


def no_file(path: Path) -> LedgerError:
    """Return the refusal to begin a ledger that was not asked for."""
    return unavailable(
        f"There is no ledger at {path}.",
        remedy="Check the path. A new ledger is begun by `decision-ledger serve --create ORIGIN`.",
        retry=False,
    )


def refuse_orphans(path: Path, companions: Sequence[Path] = ()) -> None:
    """Raise CHAIN_BROKEN where a database is missing but what only comes with one is there."""
    sqlite = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", "-journal", ".key")]
    found = [f"{each} ({_size(each)} bytes)" for each in (*sqlite, *companions) if each.exists()]
    if found:
        raise LedgerError(
            Reason.CHAIN_BROKEN,
            f"There is no database at {path}, but there is what only comes with one: "
            f"{', '.join(found)}. Acknowledged events may be in them.",
            remedy=f"Bring the database back, or restore a copy. {_MEANT}",
            metadata={"position": "0", "why": "the database is missing"},
        )


def look(path: Path, header: bytes) -> WalIndex | None:
    """Refuse a file that SQLite would damage with what lies beside it; return the index's claim.

    CHAIN_BROKEN where it is no database, where the log was written for another file, and where
    frames are missing that the index knows to be committed.
    """
    if not header.startswith(MAGIC) or not set(header[18:20]) <= {1, 2}:  # who may write and read
        raise damaged(f"{path} does not begin as a SQLite file does")
    log_path, index_path = log_of(path), index_of(path)
    copied = _COPY.format(log=log_path.name, index=index_path.name)
    claim = read_claim(index_path)
    try:
        descriptor = os.open(log_path, os.O_RDONLY)
    except FileNotFoundError:
        if claim is not None and claim.moved < claim.frames:
            why = (
                f"the log {log_path} is missing, and {claim.frames - claim.moved} pages that were "
                "committed in it are not in the file"
            )
            raise _foreign(path, why, f"Bring the log back. {copied}") from None
        return claim
    except OSError as error:
        raise unavailable(
            f"{log_path} cannot be opened: {error.strerror}.",
            remedy="Check the rights to the files.",
            retry=False,
        ) from error
    try:
        log = WalFile(descriptor)
        if not log.goes_with(header):
            why = f"the log {log_path} was written for another file"
            raise _foreign(path, why, f"Bring back the file that the log goes with. {copied}")
        if os.fstat(descriptor).st_size:
            _refuse_fewer(path, claim, log.salts(), log.frames())
    finally:
        os.close(descriptor)
    return claim


def _refuse_fewer(path: Path, claim: WalIndex | None, salts: bytes, frames: int) -> None:
    """Refuse a log of which less is left than is known to have been committed to it."""
    if claim is None or claim.moved >= claim.frames or (salts and salts != claim.salts):
        return
    if frames < claim.frames:
        log = log_of(path)
        why = f"of {claim.frames} pages that were committed to {log}, {frames} are left"
        raise _foreign(
            path,
            why,
            "Bring the whole log back, or restore a copy. "
            + _COPY.format(log=log.name, index=index_of(path).name),
        )


def _foreign(path: Path, why: str, remedy: str) -> LedgerError:
    return LedgerError(
        Reason.CHAIN_BROKEN,
        f"{path} cannot be served: {why}. Nothing was changed.",
        remedy=remedy,
        metadata={"position": "0", "why": why},
    )


def _lost(path: Path, identity: tuple[int, int]) -> str | None:
    """Return what became of a path, None where it is still that file."""
    try:
        found = os.stat(path)  # noqa: PTH116 - before every commit
    except FileNotFoundError:
        return "was removed"
    except OSError as error:
        return f"cannot be looked at ({error.strerror})"
    return None if (found.st_dev, found.st_ino) == identity else "was replaced by another file"


def _make(path: Path) -> None:
    """Make an empty file for its owner only, under any umask, in a folder that is there then."""
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.close(descriptor)
        flush_folder(path.parent)
    except OSError as error:
        raise _unopened(path, error) from error


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise _unopened(path, error) from error


def _unopened(path: Path, error: OSError) -> LedgerError:
    return unavailable(
        f"{path} cannot be opened for writing: {error.strerror}.",
        remedy="Check that the folder exists and may be written to.",
        retry=False,
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _holder(found: os.stat_result) -> str:
    """Return who holds the lock on a file, as far as the system says it."""
    device = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    try:
        locks = [line.split() for line in _LOCKS.read_text("ascii").splitlines()]
    except OSError:
        locks = []
    holders = [words[4] for words in locks if words[1] == "FLOCK" and words[5] == device]
    return f"process {holders[0]}" if holders else "another process"
