"""The checks of `doctor` that secrets are kept from other users."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.events.notation import counted
from ledger.operations.examination import Check
from ledger.private import OTHERS_WRITE
from ledger.secrecy import exposure, is_foreign, owner_of
from ledger.settings import secret_files, secret_variables

if TYPE_CHECKING:
    from ledger.setting_sections import Settings


def checks(settings: "Settings") -> Iterator[Check]:
    """Look at the environment, the files with secrets, and the program that prints one."""
    yield _environment()
    yield _files(secret_files(settings))
    if settings.keys.command:
        yield _program(Path(settings.keys.command[0]))


def _environment() -> Check:
    """Warn of secrets in the environment, which more see than a file."""
    name, found = "environment", secret_variables()
    if not found:
        return Check(name, "ok", "it holds no secret")
    return Check(
        name,
        "warn",
        f"it holds a secret in {', '.join(found)}",
        "Every program that is started beside this one may inherit it: use a file (`keys.file`, "
        "PGPASSFILE) or a command (`keys.command`).",
    )


def _files(files: dict[str, Path]) -> Check:
    """Say which files with secrets would be refused, and which others may replace."""
    name = "secret files"
    refused: list[str] = []
    remedies: list[str] = []
    for setting, path in files.items():
        try:
            error = exposure(path)
        except OSError as missing:
            refused.append(f"{setting}: {path} cannot be read: {missing.strerror}")
            remedies.append("Check the path.")
        else:
            if error is not None:
                refused.append(f"{setting}: {path}: {error.why}")
                remedies.append(error.remedy)
    if refused:
        return Check(name, "fail", "; ".join(refused), " ".join(dict.fromkeys(remedies)))
    if loose := [fault for path in files.values() for fault in _replaceable(path.absolute())]:
        return Check(name, "warn", "; ".join(loose), _LOCK)
    return Check(name, "ok", f"{counted(len(files), 'file')}, which no other user may read")


def _program(path: Path) -> Check:
    """Say whether the program that prints the master key is there, and others may replace it."""
    name = "key command"
    try:
        found = path.stat()
    except OSError as error:
        return Check(name, "fail", f"{path} cannot be run: {error.strerror}", "Check the path.")
    faults = [*_replaceable(path)]
    if is_foreign(found):
        faults.append(f"{path} belongs to {owner_of(found)}")
    if found.st_mode & OTHERS_WRITE:
        faults.append(f"others may change {path} ({stat.S_IMODE(found.st_mode):04o})")
    if faults:
        return Check(name, "warn", "; ".join(faults), _LOCK)
    return Check(name, "ok", f"{path}, which no other user may change")


_LOCK = "Let its owner alone write there: `chmod go-w`, or choose another folder."


def _replaceable(path: Path) -> Iterator[str]:
    """Yield why others may put another file in the place of one, also behind its links."""
    for folder in dict.fromkeys((path.parent, path.resolve().parent)):
        found = folder.stat()
        if found.st_mode & OTHERS_WRITE and not found.st_mode & stat.S_ISVTX:
            yield f"others may replace what is in {folder} ({stat.S_IMODE(found.st_mode):04o})"
        elif is_foreign(found):
            yield f"{folder} belongs to {owner_of(found)}, who may replace what is in it"
