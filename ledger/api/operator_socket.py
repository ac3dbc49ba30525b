"""The operator's Unix socket: only the user that serves may connect, from its first moment on.

It is bound in a folder that others cannot enter, given its rights there, and only then linked to
its name: no setting of a umask, and no moment in between, lets another user in.
"""

import os
import socket
import stat
from pathlib import Path
from typing import Final

from ledger.clock import Clock
from ledger.errors import LedgerError, invalid_field
from ledger.private import FILE_MODE, FOLDER_MODE
from ledger.secrecy import is_foreign

_PATH_BYTES_MAX: Final = 107  # what the system takes, with a byte for the end
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_BOUND: Final = "s"


class OperatorSocket:
    """One socket; FIELD_INVALID where its place cannot be used. It is bound and removed once."""

    def __init__(self, place: str, clock: Clock) -> None:
        self.path = Path(place).absolute()
        self._folder = self.path.parent / f".{clock.random_bytes(4).hex()}"
        self._identity: tuple[int, int] | None = None
        longest = max(os.fsencode(self.path), os.fsencode(self._folder / _BOUND), key=len)
        if len(longest) > _PATH_BYTES_MAX:
            raise _refused(place, "is longer than a socket's path may be", "Choose a shorter one.")

    @property
    def target(self) -> str:
        """The target that a client is given."""
        return f"unix:{self.path}"

    def refuse_taken(self) -> None:
        """Raise FIELD_INVALID unless the path is free or holds what a server of ours left there."""
        place = str(self.path)
        try:
            folder = self.path.parent.stat()
        except OSError as error:
            raise _refused(
                place, f"cannot be made: {error.strerror}", "Check its folder."
            ) from error
        if folder.st_mode & _OTHERS_WRITE and not folder.st_mode & stat.S_ISVTX:
            raise _refused(
                place,
                "lies in a folder that others may change",
                f"Run `chmod go-w {self.path.parent}`.",
            )
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(found.st_mode):
            raise _refused(place, "is there already, and no socket", "Choose another path.")
        if is_foreign(found):
            raise _refused(place, "belongs to another user", "Choose another path.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(1.0)
            try:
                probe.connect(place)
            except ConnectionRefusedError:
                return  # left behind by a server that was killed
            except OSError:
                pass
        raise _refused(place, "is served by another process", "Stop it, or choose another path.")

    def prepare(self) -> str:
        """Return the address to bind, in a folder for this user only."""
        self.refuse_taken()
        self._folder.mkdir(FOLDER_MODE)
        return f"unix:{self._folder / _BOUND}"

    def publish(self) -> None:
        """Give what was bound its rights and its name."""
        bound = self._folder / _BOUND
        try:
            bound.chmod(FILE_MODE)
            self.refuse_taken()
            self.path.unlink(missing_ok=True)
            os.link(bound, self.path)  # which never replaces what came there meanwhile
            found = self.path.lstat()
            self._identity = found.st_dev, found.st_ino
        except OSError as error:
            raise _refused(
                str(self.path), f"cannot be made: {error.strerror}", "Check its folder."
            ) from error
        finally:
            self.forget()

    def forget(self) -> None:
        """Remove the folder in which the socket was bound; the named socket stays."""
        (self._folder / _BOUND).unlink(missing_ok=True)
        if self._folder.is_dir():
            self._folder.rmdir()

    def remove(self) -> None:
        """Remove the named socket, if it is still this one."""
        try:
            found = self.path.lstat()
        except OSError:
            return
        if (found.st_dev, found.st_ino) == self._identity:
            self.path.unlink(missing_ok=True)


def _refused(place: str, why: str, remedy: str) -> LedgerError:
    return invalid_field("server.socket", f"{place[:160]} {why}", remedy=remedy)
