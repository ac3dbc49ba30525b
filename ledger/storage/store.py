"""The event store: its parts over one database, one writer and one way to read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ledger.clock import Clock
from ledger.errors import LedgerError
from ledger.storage.clocks import LedgerClocks
from ledger.storage.consumers import Consumers
from ledger.storage.database import Database, open_database, unavailable
from ledger.storage.events import Events
from ledger.storage.keys import LedgerKeys
from ledger.storage.leases import Leases
from ledger.storage.ledgers import Ledgers
from ledger.storage.notifications import CommitNotifications, CommitWatcher
from ledger.storage.proofs import Proofs
from ledger.storage.read_connections import ReadConnections
from ledger.storage.requests import Requests
from ledger.storage.vault import SealedKeys, Vault
from ledger.storage.wall_clock import WallClock
from ledger.storage.writer import Writer


class StoreMoment(NamedTuple):
    """The parts of a store as they are at one moment, to be read on one thread."""

    events: Events
    proofs: Proofs


class Store:
    """The one store there is, on SQLite or PostgreSQL. Callers name the part that they use.

    Safe between threads; close it when done.
    """

    def __init__(
        self, database: Database, clock: Clock, sealed: SealedKeys, *, read_only: bool = False
    ) -> None:
        times = WallClock(clock)
        view = ReadConnections(database)
        self._database = database
        self._view = view
        self.commits = CommitNotifications()
        """News of what was committed, by this server and others."""
        self._writer = (
            None if read_only else Writer(database, clock, sealed, times, self.commits.publish)
        )
        self._watcher = (
            CommitWatcher(database, self.commits) if read_only or database.shared else None
        )
        writer = self._open_writer
        self.ledgers = Ledgers(database, view, writer, times, sealed)
        """Which ledgers there are, and how one begins."""
        self.events = Events(view)
        """The recorded events, and the head."""
        self.requests = Requests(database, view, writer)
        """Requests to append or erase, and their answers."""
        self.proofs = Proofs(view, writer)
        """Tiles, checkpoints, cosignatures and stream heads."""
        self.keys = LedgerKeys(view, writer, sealed)
        """The keys that sign: secrets; and the seals of heads."""
        self.clocks = LedgerClocks(view, writer, clock, times)
        """The time of a ledger."""
        self.consumers = Consumers(view, writer)
        """How far others have read."""
        self.leases = Leases(database, clock, view, writer)
        """The leases of tasks that one server does at a time."""
        self._closed = False

    @property
    def writer_failure(self) -> LedgerError | None:
        """Why nothing can be appended at the moment, or any more; None while all is well."""
        return self._writer.failure if self._writer is not None else None

    @property
    def had_log(self) -> bool:
        """Whether a log of what was committed lay beside the file when it was opened (SQLite)."""
        return self._database.had_log

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back, on any thread, whenever `writer_failure` comes or goes."""
        if self._writer is not None:
            self._writer.on_change(callback)

    @contextmanager
    def snapshot(self) -> Iterator[StoreMoment]:
        """Give what is read of one moment: all answers fit. For one thread, and not for long.

        On SQLite the log cannot start again while it lasts.
        """
        with self._view.at_one_moment() as view:
            yield StoreMoment(Events(view), Proofs(view, _no_writer))

    def close(self) -> None:
        """Finish what is queued and release files and connections; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._watcher is not None:
            self._watcher.close()
        if self._writer is not None:
            self._writer.close()
        self._database.close()

    def _open_writer(self) -> Writer:
        return self._writer or _no_writer()


def _no_writer() -> Writer:
    raise unavailable(
        "This database was opened to read only.",
        remedy="Append through the server that serves it.",
        retry=False,
    )


def open_store(
    url: str,
    clock: Clock,
    *,
    read_only: bool = False,
    create: bool = False,
    companions: Sequence[Path] = (),
    vault: Vault | None = None,
) -> Store:
    """Return the store at a URL; see `ledger.storage.database.open_database` for its forms.

    `create`: begin an empty store where there is none. Not over remains of one that is missing: a
    log, a key, or `companions`, files that exist only together with the database.

    `vault` seals the signing keys; None for the master key in `<database>.key` beside a SQLite
    file, made with the first ledger. PostgreSQL has no such place: name one to sign there.

    STORE_UNAVAILABLE where the database cannot be opened, is newer than this release, would not
    keep what it acknowledges, or (SQLite) is served by another process already. CHAIN_BROKEN where
    it is damaged, or a log lies beside it that is not its own or not whole.
    """
    database = open_database(url, read_only=read_only, create=create, companions=companions)
    try:
        sealed = SealedKeys(vault, database.key_file, clock, read_only=read_only)
        database.prepare(sealed, create=create)
        return Store(database, clock, sealed, read_only=read_only)
    except BaseException:
        database.close()
        raise
