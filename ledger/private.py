"""Files and folders for their owner only, under any umask.

For all that a server or a client keeps and for every export (bundles, receipts, tables): it holds
what others confided, or keys. To hand an export over, its owner opens it to its readers. Published
files (tiles, checkpoints, proofs) hold no bodies, and are not written through here.
"""

import os
from pathlib import Path
from typing import IO, Any, Final

FILE_MODE: Final = 0o600
FOLDER_MODE: Final = 0o700
OTHERS: Final = 0o077  # rights of users who are not the owner
OTHERS_WRITE: Final = 0o022


def open_file(path: Path, mode: str = "wb", *, buffering: int = -1) -> IO[Any]:
    """Open a file; one that this makes is its owner's alone, one that is there stays as it is."""
    encoding = None if "b" in mode else "utf-8"
    return open(path, mode, buffering, encoding, opener=_opener)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags, FILE_MODE)


def make_file(path: Path) -> None:
    """Make an empty file unless there is one, for a library that would make it for everybody."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, FILE_MODE))


def write_whole(path: Path, data: bytes) -> None:
    """Write or replace a file: after a crash, and for readers, all of it is there or nothing.

    It is durable, under its name, when this returns.
    """
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)  # with whose rights it was left there
    with open_file(new, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """Make durable what was made, renamed or removed in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it that are missing; one that is there stays as it is."""
    for each in (*reversed(folder.parents), folder):
        if not each.is_dir():
            each.mkdir(FOLDER_MODE, exist_ok=True)
