"""Secrets kept from others: files that one user may read, texts, and what child processes inherit.

Looked at are owner and mode of a file. An access control list that gives more than the mode shows,
and a folder in which others may put another file in its place, are not: `doctor` names the folder.
"""

import errno
import os
import re
import stat
from collections.abc import Collection
from pathlib import Path
from pwd import getpwuid
from typing import Final

from ledger.private import OTHERS
from ledger.reading import open_plain, read_from

DATABASE_PASSWORDS: Final = frozenset({"PGPASSWORD"})
"""Variables by which the driver of a database is told a secret."""
_OURS: Final = "LEDGER_"
_MOUNTED: Final = (
    " For a volume whose mode is not yours to change, ledger/docs/configuration.md says what to do."
)
_TOKEN: Final = re.compile(
    r"dlt_[0-9A-Za-z]+_[0-9A-Za-z_-]{8,}"  # which a ledger has issued
    r"|eyJ[0-9A-Za-z_-]{6,}\.[0-9A-Za-z_-]*(?:\.[0-9A-Za-z_-]*)?"  # a JWT
)


class ExposedError(PermissionError):
    """A file with a secret that another user may read or change: why so, and what to do."""

    def __init__(self, path: Path, why: str, remedy: str) -> None:
        super().__init__(errno.EPERM, why, str(path))
        self.why = why
        self.remedy = remedy


def read_secret(path: Path, most: int) -> bytes:
    """Return what a file with a secret holds, at most so many bytes.

    ExposedError where others than its owner have any right to it, or where it is owned by another
    user than this process's and root. A symbolic link is followed, unless another user owns it; the
    file is judged that was opened, not what its name leads to by then. OSError where it cannot be
    read.
    """
    with open_plain(path) as source:
        _refuse_exposed(path, os.fstat(source.fileno()))
        return read_from(source, most, str(path))


def exposure(path: Path) -> ExposedError | None:
    """Return why `read_secret` would refuse a file that is there; None if it would not."""
    try:
        _refuse_exposed(path, path.stat())
    except ExposedError as error:
        return error
    return None


def is_foreign(found: os.stat_result) -> bool:
    """Whether something belongs to another user than this process's and root, who may do all."""
    return found.st_uid not in (0, os.geteuid())


def owner_of(found: os.stat_result) -> str:
    """Return the name of the user that something belongs to, or a number where it has none."""
    try:
        return getpwuid(found.st_uid).pw_name
    except KeyError:
        return f"user {found.st_uid}"


def without_tokens(text: str) -> str:
    """Return a text of others without bearer tokens, which may be where none belongs."""
    return _TOKEN.sub("(a token)", text) if "dlt_" in text or "eyJ" in text else text


def child_environment(needed: Collection[str] = ()) -> dict[str, str]:
    """Return the environment of a child process: without settings, and without passwords.

    It is told of the settings what it has to know. `needed`: passwords that it uses by itself.
    """
    withheld = DATABASE_PASSWORDS.difference(needed)
    return {
        name: text
        for name, text in os.environ.items()
        if name not in withheld and not name.upper().startswith(_OURS)
    }


def _refuse_exposed(path: Path, found: os.stat_result) -> None:
    link = path.lstat()
    if stat.S_ISLNK(link.st_mode) and is_foreign(link):
        raise ExposedError(
            path,
            f"it is a symbolic link of {owner_of(link)}, who may let it lead elsewhere",
            "Name the file itself.",
        )
    if is_foreign(found):
        raise ExposedError(
            path,
            f"it belongs to {owner_of(found)}, who may change it",
            "Run this as that user, or give the file to the user who runs this: `chown USER FILE`.",
        )
    if found.st_mode & OTHERS:
        mounted = "" if found.st_mode & OTHERS & ~stat.S_IRGRP else _MOUNTED
        raise ExposedError(
            path,
            f"others may read or change it (mode {stat.S_IMODE(found.st_mode):04o})",
            f"Run `chmod 600 {path}`.{mounted} If one of them may have read it, replace the "
            "secret.",
        )
