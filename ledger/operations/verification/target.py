"""The kind of thing that a path or URL names: a guess that verification does not trust.

A file is known by how it begins, a folder by what lies in it; damaged beyond that it is nothing.
"""

from pathlib import Path
from typing import Final

from ledger.audit.bundle import BundleSource
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Thing
from ledger.audit.source import LedgerSource
from ledger.audit.tile_folder import TileFolderSource
from ledger.operations.failures import MisuseError
from ledger.operations.verification.audited_bundle import files_of
from ledger.reading import open_plain

_SQLITE: Final = b"SQLite format 3\x00"
_PROOF: Final = b"c2sp.org/tlog-proof@"
_TAR_AT: Final = 257
_TAR: Final = b"ustar"


def thing_at(place: str) -> Thing:
    """Return what a path or URL names; MisuseError where it is nothing that can be verified."""
    named = place.removeprefix("sqlite:///")
    if "://" in named:
        return "database"
    path = Path(named)
    if path.is_dir():
        return _folder(path)
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise _unknown(place)
    try:
        with open_plain(path) as file:
            start = file.read(_TAR_AT + len(_TAR))
    except FileNotFoundError as error:
        raise MisuseError(
            f"There is no file {path}.", "Check the path; a server is named with --server."
        ) from error
    except OSError as error:
        raise MisuseError(
            f"{path} cannot be read: {error.strerror}.", "Check the path and its rights."
        ) from error
    if start.startswith(_SQLITE):
        return "database"
    if start[_TAR_AT:] == _TAR:
        return "bundle"
    if start.startswith(_PROOF):
        return "proof"
    if start.startswith(b"{"):
        return "receipt"
    raise _unknown(place)


def _folder(path: Path) -> Thing:
    if (path / "bagit.txt").is_file() or (path / "data").is_dir():
        return "bundle"
    if (path / "checkpoint").is_file() or (path / "tile").is_dir():
        return "tiles"
    raise _unknown(str(path))


def _unknown(place: str) -> MisuseError:
    return MisuseError(
        f"{place} is nothing that can be verified.",
        "Name a database, a bundle, a receipt, a proof or a folder of tiles.",
    )


def source_at(place: str, origin: str = "") -> LedgerSource:
    """Return the log at a path or URL, opened to read only; `origin` chooses among several."""
    match thing_at(place):
        case "database":
            return DatabaseSource(place, origin)
        case "bundle":
            return BundleSource(Path(place), verify=files_of)
        case "tiles":
            return TileFolderSource(Path(place))
        case other:
            raise MisuseError(
                f"{place} is a {other}, and no whole log.",
                f"Verify it with `decision-ledger verify {place}`.",
            )
