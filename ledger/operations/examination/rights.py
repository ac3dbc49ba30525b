"""The check of `doctor` that only the owner can read or change what a ledger keeps."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from stat import S_IMODE
from typing import TYPE_CHECKING, Final

from ledger.operations.examination import Check
from ledger.private import OTHERS, OTHERS_WRITE
from ledger.secrecy import is_foreign, owner_of

if TYPE_CHECKING:
    from ledger.setting_sections import Settings

_SHOWN_MAX: Final = 5


def rights(database: Path, elsewhere: Sequence[Path]) -> Check:
    """Return whether others may read or change the database or anything kept with it.

    The folder around it may be read by others: what lies in it may not. Changing it may replace
    the files.
    """
    found = [*_open_to_others(_kept(database, elsewhere), OTHERS)]
    found += _open_to_others([database.parent], OTHERS_WRITE)
    if not found:
        return Check("rights", "ok", "only the owner may read and change what is kept")
    more = len(found) - _SHOWN_MAX
    shown = ", ".join(found[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return Check(
        "rights",
        "warn",
        f"others may read or change {shown}",
        "Take the rights away: `chmod -R go= FILE`, or `chown` what belongs to another user; a "
        "ledger holds what others confided.",
    )


def _open_to_others(paths: Iterable[Path], rights: int) -> Iterator[str]:
    """Yield those of these files and folders that others have such a right to, with the reason."""
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue
        if found.st_mode & rights:
            yield f"{path} ({S_IMODE(found.st_mode):04o})"
        elif is_foreign(found):
            yield f"{path} (of {owner_of(found)})"


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
    for what in ("projections", "notifications"):
        yield from database.parent.glob(f"{database.stem}.{what}*")
    for place in (database.with_name(f"{database.name}.exports"), *elsewhere):
        yield place
        yield from place.rglob("*")


def _with_log(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in ("", "-wal", "-shm")]
