"""Places of databases that a person names, looked at before anything opens them."""

from ledger.operations.failures import MisuseError


def check_place(place: str, named: str) -> None:
    """Refuse a folder, or a device, as a place of a ledger; `named` is what names it."""
    from ledger.storage.database import sqlite_file

    path = sqlite_file(place)
    if path is not None and path.exists() and not path.is_file():
        what = "a folder" if path.is_dir() else "no file"
        raise MisuseError(f"{named}: {path} is {what}.", "Name the file that holds the ledger.")


def check_file(place: str, named: str) -> None:
    """Refuse a place without a file, too; CHAIN_BROKEN where its log or key is left there."""
    from ledger.storage.database import sqlite_file
    from ledger.storage.held_file import refuse_orphans

    check_place(place, named)
    path = sqlite_file(place)
    if path is not None and not path.exists():
        refuse_orphans(path)
        raise MisuseError(f"{named}: there is no file {path}.", "Check the path.")
