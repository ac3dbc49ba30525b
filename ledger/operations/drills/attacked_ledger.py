"""The ledger that is attacked: a copy of one in a SQLite file, or a small one of its own.

The copy is made by SQLite's backup, so it is of one moment while a server goes on; what is attacked
is a copy of that copy, and the ledger itself is only read. Of a database on PostgreSQL there is no
such copy: its drills are performed on a small ledger that is made for them.
"""

import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.events.values import SECOND
from ledger.limits import IDLE_SECONDS_MAX
from ledger.operations.drills.detection import audited, started
from ledger.operations.drills.small_ledger import OWN, make_small
from ledger.operations.drills.stepped_clock import SteppedClock
from ledger.operations.failures import MisuseError
from ledger.setting_sections import (
    AccessSettings,
    AccountSettings,
    CheckpointSettings,
    KeySettings,
    RefusalSettings,
    SealSettings,
    ServiceSettings,
    Settings,
    StorageSettings,
)
from ledger.storage.database import sqlite_file

_COPIES = 3  # the copy, one of it that is attacked, and what an attack writes


@dataclass(frozen=True, slots=True)
class AttackedLedger:
    """A ledger to attack: its file, its name, and where its master key is."""

    database: Path
    origin: str
    keys: KeySettings
    is_copy: bool

    def copied(self, name: str) -> "AttackedLedger":
        """Return the same ledger in another file beside it."""
        database = self.database.with_name(f"{name}.sqlite")
        back_up(self.database, database)
        return AttackedLedger(database, self.origin, self.keys, self.is_copy)

    def settings(
        self, *, published: Path | None = None, keys: KeySettings | None = None
    ) -> Settings:
        """Return how it is served: nothing is done unasked, and no one else is told of it."""
        return quiet_settings(self.database, keys or self.keys, published)

    def clock(self, clock: Clock) -> SteppedClock:
        """Return a clock that a server of it can begin with, however old its newest event is."""
        with closing(sqlite3.connect(self.database)) as connection:
            (newest,) = connection.execute("SELECT max(recorded_at) FROM heads").fetchone()
        away = newest + SECOND - clock.now_micros()
        return SteppedClock(clock, away if abs(away) > IDLE_SECONDS_MAX * SECOND // 2 else 0)

    def remove(self) -> None:
        """Remove its files."""
        for path in self.database.parent.glob(f"{self.database.name}*"):
            path.unlink()


def quiet_settings(database: Path, keys: KeySettings, published: Path | None = None) -> Settings:
    """Return the settings of a server that signs, seals, evaluates and records only when asked."""
    return Settings(
        storage=StorageSettings(database=str(database)),
        service=ServiceSettings(evaluate=False, project=False),
        keys=keys,
        checkpoints=CheckpointSettings(seconds=0.0, published=str(published or "")),
        seals=SealSettings(seconds=0.0),
        refusals=RefusalSettings(seconds=0.0),
        access=AccessSettings(seconds=0.0, recorded=()),
        accounts=AccountSettings(seconds=0.0),
    )


class AttackedLedgers:
    """The ledgers that drills attack, each made when it is first asked for."""

    def __init__(self, settings: Settings, origin: str, folder: Path, clock: Clock) -> None:
        self._settings = settings
        self._origin = origin
        self._folder = folder
        self._clock = clock

    @cached_property
    def own(self) -> AttackedLedger:
        """A small ledger that is made for drills."""
        database = self._folder / "own.sqlite"
        make_small(quiet_settings(database, KeySettings()), self._clock)
        return AttackedLedger(database, OWN, _beside(database), is_copy=False)

    @cached_property
    def copy(self) -> AttackedLedger:
        """A copy of the ledger that the settings name; the small one where there is no file of it.

        MisuseError where it does not hold before it is attacked, or cannot be copied.
        """
        source = sqlite_file(self._settings.storage.database)
        if source is None or not source.is_file():
            return self.own
        _refuse_full(source, self._folder)
        database = self._folder / "copy.sqlite"
        back_up(source, database)
        keys = self._settings.keys
        is_named = bool(keys.file or keys.secret or keys.command)
        keys = keys if is_named else _beside(source)
        subject = AttackedLedger(database, _chosen(database, self._origin), keys, is_copy=True)
        _require_sound(subject, self._clock)
        return subject


def _beside(database: Path) -> KeySettings:
    """Return that the master key lies beside a database, as it does unless another is named."""
    return KeySettings(file=str(database.with_name(f"{database.name}.key")))


def back_up(source: Path, copy: Path) -> None:
    """Copy a database as it is at one moment; MisuseError where it cannot be read."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as theirs,
            closing(sqlite3.connect(copy)) as ours,
        ):
            theirs.backup(ours)
    except sqlite3.Error as error:
        raise MisuseError(f"{source} cannot be copied: {error}.") from error


def _refuse_full(source: Path, folder: Path) -> None:
    needed, free = source.stat().st_size * _COPIES, shutil.disk_usage(folder).free
    if needed > free:
        raise MisuseError(
            f"Copies of {source} need {needed // 1024**2} MiB in {folder.parent}, and "
            f"{free // 1024**2} MiB are free there.",
            "Name a folder with more room in the variable TMPDIR.",
        )


def _chosen(copy: Path, origin: str) -> str:
    """Return the ledger that is attacked: the one that is named, or the first one."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            found: Sequence[tuple[str]] = connection.execute(
                "SELECT origin FROM ledgers ORDER BY ledger_id"
            ).fetchall()
    except sqlite3.Error as error:
        raise MisuseError(f"The database holds no ledger: {error}.") from error
    names = [name for (name,) in found]
    if not names or (origin and origin not in names):
        raise MisuseError(f"The database has no ledger {origin}.".replace(" .", "."))
    return origin or names[0]


def _require_sound(subject: AttackedLedger, clock: Clock) -> None:
    """Raise MisuseError unless the checks find nothing before there is an attack."""
    remedy = "See `decision-ledger doctor` and `decision-ledger audit run`, then drill again."
    try:
        started(subject.settings(), subject.clock(clock))
    except LedgerError as error:
        raise MisuseError(f"No server starts on the copy: {error.message}", remedy) from error
    for rule, what in audited(subject.database, subject.origin):
        raise MisuseError(f"The ledger does not hold before it is attacked: {rule}: {what}", remedy)
