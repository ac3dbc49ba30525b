"""The check of `doctor` that only the owner can read or change what a ledger keeps."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ledger.operations.examination import Check
from ledger.private import open_to_others

if TYPE_CHECKING:
    from ledger.setting_sections import Settings

_SHOWN_MAX: Final = 5
_OTHERS_WRITE: Final = 0o022


def rights(database: Path, elsewhere: Sequence[Path]) -> Check:
    """Return whether others may read or change the database or anything kept with it.

    The folder around it may be read by others: what lies in it may not. Changing it may replace
    the files.
    """
    open_ones = list(open_to_others(_kept(database, elsewhere)))
    open_ones += [
        (folder, mode) for folder, mode in open_to_others([database.parent]) if mode & _OTHERS_WRITE
    ]
    if not open_ones:
        return Check("rights", "ok", "only the owner may read and change what is kept")
    shown = [f"{path} ({mode:04o})" for path, mode in open_ones[:_SHOWN_MAX]]
    more = len(open_ones) - len(shown)
    return Check(
        "rights",
        "warn",
        f"others may read or change {', '.join(shown)}" + (f" and {more} more" if more else ""),
        "Take the rights away: `chmod -R go= FILE`; a ledger holds what others confided.",
    )


def kept_elsewhere(settings: "Settings") -> list[Path]:
    """Return what the settings put where it is not found by the name of the database."""
    from ledger.storage.database import sqlite_file

    places = [settings.keys.file, settings.exports.folder]
    found = [Path(place) for place in places if place]
    if settings.storage.projections and (rows := sqlite_file(settings.storage.projections)):
        found += _with_log(rows)
    return found


def _kept(database: Path, elsewhere: Iterable[Path]) -> Iterator[Path]:
    yield from _with_log(database)
    yield database.with_name(f"{database.name}.key")
    yield from database.parent.glob(f"{database.stem}.projections*")
    for place in (database.with_name(f"{database.name}.exports"), *elsewhere):
        yield place
        yield from place.rglob("*")


def _with_log(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
