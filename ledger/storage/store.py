"""The event store: one writer, reads, notifications and leases, over SQLAlchemy Core."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, func, select

from ledger.chain.keys import SecretKey
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.limits import SKEW_SECONDS_MAX
from ledger.storage.checks import (
    check_request,
    check_tracking,
    cosignature_row,
    read_tracking,
    request_key,
    set_tracking,
)
from ledger.storage.creation import CREATE_METHOD, Creation
from ledger.storage.database import Database, open_database, unavailable
from ledger.storage.erasure import check_ranges, erase
from ledger.storage.jobs import WriteTransaction
from ledger.storage.leases import Leases
from ledger.storage.notifications import CommitNotifications, CommitWatcher
from ledger.storage.reader import Reader
from ledger.storage.records import (
    AppendRequest,
    AppendResult,
    CommitCallback,
    CreateLedger,
    KeptCosignature,
    LedgerInfo,
    NewEvent,
    Step,
)
from ledger.storage.schema import checkpoints, cosignatures, signing_keys
from ledger.storage.sealed_keys import SealedKeys
from ledger.storage.times import MachineTime
from ledger.storage.vault import Vault
from ledger.storage.writer import Writer

T = TypeVar("T")


class Store(Reader):
    """The one store there is, on SQLite or PostgreSQL. Safe between threads; close it when done."""

    def __init__(
        self, database: Database, clock: Clock, keys: SealedKeys, *, read_only: bool = False
    ) -> None:
        super().__init__(database)
        self._clock = clock
        self._keys = keys
        self._times = MachineTime(clock)
        self._creation = Creation(database, self._times, keys)
        self._notifications = CommitNotifications(clock)
        self._writer = (
            None
            if read_only
            else Writer(database, clock, keys, self._times, self._notifications.publish)
        )
        self._watcher = (
            CommitWatcher(database, self._notifications) if read_only or database.shared else None
        )
        self.leases = Leases(database, clock, self.ledger, self._call)
        """Who may do at the moment what one server is to do."""
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

    # ---- ledgers -----------------------------------------------------------------------------

    def create_ledger(self, request: CreateLedger) -> LedgerInfo:
        """Begin a ledger by events 1 and 2; ALREADY_EXISTS unless it repeats the same request."""
        if request.clock not in ("wall", "data"):
            raise invalid_field("clock", "must be wall or data")
        if not 0 <= request.skew_seconds <= SKEW_SECONDS_MAX:
            raise invalid_field("skew_seconds", f"must be between 0 and {SKEW_SECONDS_MAX}")
        check_request(AppendRequest(request.origin, request.actor, CREATE_METHOD, ()))
        return self._call(lambda transaction: self._creation.create(transaction, request))

    def open_recorder(self, origin: str) -> LedgerInfo:
        """Return the ledger of a bare recorder, which starts empty: create it if there is none."""
        return self._call(lambda transaction: self._creation.open_recorder(transaction, origin))

    # ---- appending ---------------------------------------------------------------------------

    def submit(self, request: AppendRequest) -> "Future[AppendResult]":
        """Queue a request for the writer: LIMIT_REACHED when it is full, DRAINING when closed.

        The future fails with the request's own LedgerError. After STORE_UNAVAILABLE the outcome is
        unknown: send the same request_id again.
        """
        check_request(request)
        return self._open_writer().submit(self.ledger(request.ledger), request)

    def append(self, request: AppendRequest) -> AppendResult:
        """Submit and wait."""
        return self.submit(request).result()

    def erase(
        self, request: AppendRequest, ranges: Sequence[tuple[int, int]]
    ) -> tuple[AppendResult, int]:
        """Append the one event of `request`, and remove body and salt of the events in `ranges`.

        Both or neither; then `scrub`. Also returns how many bodies it was that removed. Request
        ids go with their last body. BODY_PERMANENT, BODY_ERASED where all are gone already,
        POSITION_BEYOND_HEAD.
        """
        check_request(request)
        check_ranges(ranges)
        info = self.ledger(request.ledger)

        def _erase(transaction: WriteTransaction) -> tuple[AppendResult, int]:
            result, removed = erase(transaction, self, info, request, ranges)
            if not result.repeated:
                self._database.mark_scrub(transaction.connection)
            return result, removed

        try:
            erased = self._call(_erase)
        except LedgerError as refusal:
            if refusal.reason is Reason.BODY_ERASED:  # perhaps the first time ended before this
                self.scrub()
            raise
        self.scrub()
        return erased

    def scrub(self) -> None:
        """Remove what erased text has left in the database's files, where they are ours (SQLite).

        STORE_UNAVAILABLE where a reader holds on to it for too long. What is due stays due: the
        next erasure, the next call or the next start does it.
        """
        self._open_writer().pause_for(self._database.scrub)

    # ---- time --------------------------------------------------------------------------------

    def now_micros(self, ledger: str) -> int:
        """Return the machine's time; CLOCK_AHEAD where a `wall` ledger cannot believe it."""
        info = self.ledger(ledger)
        if info.clock == "data":
            return self._clock.now_micros()
        return self._times.now(info, lambda: self.head(ledger).recorded_at)

    def confirm_clock(
        self, request: AppendRequest, event: Callable[[Step], NewEvent]
    ) -> AppendResult:
        """Believe the machine's clock from now on, and append the event that says so.

        FIELD_INVALID where the clock is as expected. A repeat finds its own event, and the clock is
        believed from when that was recorded.
        """
        check_request(request)
        info = self.ledger(request.ledger)
        before = self._times.believed(info)

        def _confirm(transaction: WriteTransaction) -> AppendResult:
            key = request_key(info, request)
            transaction.group.begin([info], [key] if key else [])
            if key is not None and transaction.group.knows(key):
                answered = transaction.group.admit(info, request)
                self._times.found(info, key)
                return answered
            step = self._times.confirm(info, transaction.group.newest_time(info))
            return transaction.group.admit(info, replace(request, events=[event(step)]))

        try:
            return self._call(_confirm)
        except BaseException:
            self._times.restore(info, before, request_key(info, request))
            raise

    def clock_behind(self, ledger: str) -> LedgerError | None:
        """Return what to answer whom this clock contradicts, where it is behind the newest event.

        None where it is not, or is believed all the same. Within the bounds of the ledger, that is:
        the skew of a `wall` ledger, and the years that a `data` ledger's times may lie ahead.
        """
        return self._times.behind(self.ledger(ledger), lambda: self.head(ledger).recorded_at)

    # ---- keys and signatures -----------------------------------------------------------------

    def signing_keys(self, ledger: str) -> dict[str, SecretKey]:
        """Return the ledger's keys by verifier key, opened, in order of arrival: secrets.

        Which of them signs, and which is the next one, is what the ledger's events say.
        STORE_UNAVAILABLE where the master key is missing or does not open them.
        """
        statement = (
            select(signing_keys.c.vkey, signing_keys.c.secret)
            .where(signing_keys.c.ledger_id == self._id(ledger))
            .order_by(signing_keys.c.number)
        )
        with self._database.reading() as connection:
            return self._keys.opened(connection, connection.execute(statement))

    def draw_key(self, origin: str) -> SecretKey:
        """Return a fresh key of a ledger; an append keeps it."""
        return self._keys.draw(origin)

    def save_checkpoint(self, ledger: str, size: int, note: str, *, after: int) -> bool:
        """Keep a signed checkpoint for ever if the largest kept one has size `after` (0: none).

        False where it has not, or where `size` is not larger: somebody else was faster.
        """
        ledger_id = self._id(ledger)

        def _save(transaction: WriteTransaction) -> bool:
            self._lock_head(transaction, ledger)
            newest = select(func.max(checkpoints.c.size)).where(
                checkpoints.c.ledger_id == ledger_id
            )
            if (transaction.connection.execute(newest).scalar() or 0) != after or size <= after:
                return False
            transaction.connection.execute(
                checkpoints.insert().values(ledger_id=ledger_id, size=size, note=note)
            )
            return True

        return self._call(_save)

    def add_cosignature(self, ledger: str, size: int, name: str, key_id: bytes, line: str) -> bool:
        """Keep a witness's signature line; False where one of that key is kept for that size.

        CHECKPOINT_UNKNOWN where no checkpoint of that size is kept.
        """
        ledger_id = self._id(ledger)
        row = cosignature_row(ledger_id, KeptCosignature(size, name, key_id, line))

        def _add(transaction: WriteTransaction) -> bool:
            self._lock_head(transaction, ledger)
            signed = select(checkpoints.c.size).where(
                checkpoints.c.ledger_id == ledger_id, checkpoints.c.size == size
            )
            if transaction.connection.execute(signed).first() is None:
                raise LedgerError(
                    Reason.CHECKPOINT_UNKNOWN,
                    f"No checkpoint of size {size} was signed.",
                    remedy="Cosign one of the checkpoints that the ledger lists.",
                    metadata={"ledger": ledger, "size": str(size)},
                )
            known = select(cosignatures.c.size).filter_by(
                ledger_id=ledger_id, size=size, name=name, key_id=key_id
            )
            if transaction.connection.execute(known).first() is not None:
                return False
            transaction.connection.execute(cosignatures.insert().values(**row))
            return True

        return self._call(_add)

    # ---- tracking ----------------------------------------------------------------------------

    def track(
        self,
        ledger: str,
        consumer: str,
        position: int,
        update: Callable[[Connection], object] | None = None,
    ) -> None:
        """Move a consumer's tracking position forward; VERSION_CONFLICT where it would not.

        `update` writes tables of the consumer's own in the same transaction.
        """
        info = self.ledger(ledger)

        def _track(transaction: WriteTransaction) -> None:
            self._lock_head(transaction, ledger)
            known = read_tracking(transaction.connection, info.ledger_id, consumer)
            check_tracking(consumer, known, position)
            set_tracking(transaction.connection, info.ledger_id, consumer, position)
            if update is not None:
                update(transaction.connection)

        self._call(_track)

    def tracked(self, ledger: str, consumer: str) -> int | None:
        """Return a consumer's tracking position, None before the first."""
        with self._database.reading() as connection:
            return read_tracking(connection, self._id(ledger), consumer)

    # ---- news --------------------------------------------------------------------------------

    def subscribe(self, callback: CommitCallback) -> Callable[[], None]:
        """Call back after each commit, other servers' included; returns how to stop it.

        Callbacks run on the store's threads: set a flag and return.
        """
        return self._notifications.subscribe(callback)

    def wait_for(self, ledger: str, position: int, timeout_seconds: float) -> bool:
        """Wait until the head has reached a position; False when time is up."""
        if self.head(ledger).position >= position:
            return True
        return self._notifications.wait_for(ledger, position, timeout_seconds)

    def heard(self, ledger: str) -> int:
        """Return the newest head position heard of, by commits here and news from elsewhere."""
        return self._notifications.newest(ledger)

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

    # ---- the writer --------------------------------------------------------------------------

    def _call(self, function: Callable[[WriteTransaction], T]) -> T:
        return self._open_writer().call(function)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise unavailable(
                "This database was opened to read only.",
                remedy="Append through the server that serves it.",
                retry=False,
            )
        return self._writer

    def _lock_head(self, transaction: WriteTransaction, ledger: str) -> None:
        """Keep other servers' writers out of this ledger until the transaction commits."""
        transaction.group.begin([self.ledger(ledger)], [])


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
    file, made with the first ledger. PostgreSQL has no such place: who signs there names one.

    STORE_UNAVAILABLE where the database cannot be opened, is newer than this release, would not
    keep what it acknowledges, or (SQLite) is served by another process already. CHAIN_BROKEN where
    it is damaged, or a log lies beside it that is not its own or not whole.
    """
    database = open_database(url, read_only=read_only, create=create, companions=companions)
    try:
        keys = SealedKeys(vault, database.key_file, clock, read_only=read_only)
        database.prepare(keys, create=create)
        return Store(database, clock, keys, read_only=read_only)
    except BaseException:
        database.close()
        raise
