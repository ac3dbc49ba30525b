"""The event store over SQLAlchemy Core: reader, writer and hints behind the `Store` contract."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, and_, func, select

from ledger.chain.keys import SigningKey
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.values import SECOND
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
from ledger.storage.hints import Hints, Watcher
from ledger.storage.jobs import Turn
from ledger.storage.reader import SqlReader
from ledger.storage.schema import checkpoints, cosignatures, leases, signing_keys
from ledger.storage.sealed_keys import SealedKeys
from ledger.storage.store import (
    AppendRequest,
    AppendResult,
    CommitCallback,
    CreateLedger,
    KeptCosignature,
    LedgerInfo,
    NewEvent,
)
from ledger.storage.timekeeping import Step
from ledger.storage.times import MachineTime
from ledger.storage.vault import Vault
from ledger.storage.writer import Writer

T = TypeVar("T")


class SqlStore(SqlReader):
    """Answers the `Store` contract. Safe between threads; close it when done."""

    def __init__(
        self, database: Database, clock: Clock, keys: SealedKeys, *, read_only: bool = False
    ) -> None:
        super().__init__(database)
        self._clock = clock
        self._keys = keys
        self._times = MachineTime(clock)
        self._creation = Creation(database, self._times, keys)
        self._hints = Hints(clock)
        self._writer = (
            None if read_only else Writer(database, clock, keys, self._times, self._hints.publish)
        )
        self._watcher = Watcher(database, self._hints) if read_only or database.shared else None
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
        return self._call(lambda turn: self._creation.create(turn, request))

    def open_recorder(self, origin: str) -> LedgerInfo:
        """Return the ledger of a bare recorder, which starts empty: create it if there is none."""
        return self._call(lambda turn: self._creation.open_recorder(turn, origin))

    # ---- appending ---------------------------------------------------------------------------

    def submit(self, request: AppendRequest) -> "Future[AppendResult]":
        """Queue a request for the writer; see the contract for what it may refuse."""
        check_request(request)
        return self._open_writer().submit(self.ledger(request.ledger), request)

    def append(self, request: AppendRequest) -> AppendResult:
        """Submit and wait."""
        return self.submit(request).result()

    def erase(
        self, request: AppendRequest, ranges: Sequence[tuple[int, int]]
    ) -> tuple[AppendResult, int]:
        """Append the event of `request`, remove the bodies in `ranges`, both or neither; scrub."""
        check_request(request)
        check_ranges(ranges)
        info = self.ledger(request.ledger)

        def _erase(turn: Turn) -> tuple[AppendResult, int]:
            result, removed = erase(turn, self, info, request, ranges)
            if not result.repeated:
                self._database.mark_scrub(turn.connection)
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
        """Remove what erased text has left in the database's files, where they are ours."""
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

        FIELD_INVALID where the clock is as expected.
        """
        check_request(request)
        info = self.ledger(request.ledger)
        before = self._times.believed(info)

        def _confirm(turn: Turn) -> AppendResult:
            key = request_key(info, request)
            turn.group.begin([info], [key] if key else [])
            if key is not None and turn.group.knows(key):
                answered = turn.group.admit(info, request)
                self._times.found(info, key)
                return answered
            step = self._times.confirm(info, turn.group.newest_time(info))
            return turn.group.admit(info, replace(request, events=[event(step)]))

        try:
            return self._call(_confirm)
        except BaseException:
            self._times.restore(info, before, request_key(info, request))
            raise

    def clock_behind(self, ledger: str) -> LedgerError | None:
        """Return what to answer whom this clock contradicts, where it is behind the newest event.

        None where it is not, or is believed all the same.
        """
        return self._times.behind(self.ledger(ledger), lambda: self.head(ledger).recorded_at)

    # ---- keys and signatures -----------------------------------------------------------------

    def signing_keys(self, ledger: str) -> dict[str, SigningKey]:
        """Return the ledger's keys by verifier key, opened, in order of arrival: secrets."""
        statement = (
            select(signing_keys.c.vkey, signing_keys.c.secret)
            .where(signing_keys.c.ledger_id == self._id(ledger))
            .order_by(signing_keys.c.number)
        )
        with self._database.reading() as connection:
            return self._keys.opened(connection, connection.execute(statement))

    def draw_key(self, origin: str) -> SigningKey:
        """Return a fresh key of a ledger; an append keeps it."""
        return self._keys.draw(origin)

    def save_checkpoint(self, ledger: str, size: int, note: str, *, after: int) -> bool:
        """Keep a signed checkpoint if the largest kept one has size `after`; False if not."""
        ledger_id = self._id(ledger)

        def _save(turn: Turn) -> bool:
            self._lock_head(turn, ledger)
            newest = select(func.max(checkpoints.c.size)).where(
                checkpoints.c.ledger_id == ledger_id
            )
            if (turn.connection.execute(newest).scalar() or 0) != after or size <= after:
                return False
            turn.connection.execute(
                checkpoints.insert().values(ledger_id=ledger_id, size=size, note=note)
            )
            return True

        return self._call(_save)

    def add_cosignature(self, ledger: str, size: int, name: str, key_id: bytes, line: str) -> bool:
        """Keep a witness's signature line; False where one of that key is kept for that size."""
        ledger_id = self._id(ledger)
        row = cosignature_row(ledger_id, KeptCosignature(size, name, key_id, line))

        def _add(turn: Turn) -> bool:
            self._lock_head(turn, ledger)
            signed = select(checkpoints.c.size).where(
                checkpoints.c.ledger_id == ledger_id, checkpoints.c.size == size
            )
            if turn.connection.execute(signed).first() is None:
                raise LedgerError(
                    Reason.CHECKPOINT_UNKNOWN,
                    f"No checkpoint of size {size} was signed.",
                    remedy="Cosign one of the checkpoints that the ledger lists.",
                    metadata={"ledger": ledger, "size": str(size)},
                )
            known = select(cosignatures.c.size).filter_by(
                ledger_id=ledger_id, size=size, name=name, key_id=key_id
            )
            if turn.connection.execute(known).first() is not None:
                return False
            turn.connection.execute(cosignatures.insert().values(**row))
            return True

        return self._call(_add)

    # ---- leases and tracking -----------------------------------------------------------------

    def lease(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back.

        The time is the database's, whatever the servers' clocks say. A lease that would last for
        more than twice what is asked was written by another clock, and counts as over. Leases save
        work, they do not guard it: what must not happen twice is guarded in the append itself.
        """
        ledger_id, length = self._id(ledger), round(seconds * SECOND)

        def _take(turn: Turn) -> bool:
            self._lock_head(turn, ledger)
            now = self._database.lease_micros(turn.connection, self._clock)
            where = and_(leases.c.ledger_id == ledger_id, leases.c.name == name)
            found = turn.connection.execute(select(leases).where(where)).first()
            others = found if found is not None and found.holder != holder else None
            if others and (not length or 0 < others.expires_at - now <= 2 * length):
                return False
            turn.connection.execute(leases.delete().where(where))
            if length:
                lease = {"holder": holder, "expires_at": now + length}
                turn.connection.execute(
                    leases.insert().values(ledger_id=ledger_id, name=name, **lease)
                )
            return length > 0

        return self._call(_take)

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

        def _track(turn: Turn) -> None:
            self._lock_head(turn, ledger)
            known = read_tracking(turn.connection, info.ledger_id, consumer)
            check_tracking(consumer, known, position)
            set_tracking(turn.connection, info.ledger_id, consumer, position)
            if update is not None:
                update(turn.connection)

        self._call(_track)

    def tracked(self, ledger: str, consumer: str) -> int | None:
        """Return a consumer's tracking position, None before the first."""
        with self._database.reading() as connection:
            return read_tracking(connection, self._id(ledger), consumer)

    # ---- news --------------------------------------------------------------------------------

    def subscribe(self, callback: CommitCallback) -> Callable[[], None]:
        """Call back after each commit, other servers' included; returns how to stop it."""
        return self._hints.subscribe(callback)

    def wait_for(self, ledger: str, position: int, timeout_seconds: float) -> bool:
        """Wait until the head has reached a position; False when time is up."""
        if self.head(ledger).position >= position:
            return True
        return self._hints.wait_for(ledger, position, timeout_seconds)

    def heard(self, ledger: str) -> int:
        """Return the newest head position heard of; reads nothing."""
        return self._hints.newest(ledger)

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

    def _call(self, function: Callable[[Turn], T]) -> T:
        return self._open_writer().call(function)

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise unavailable(
                "This database was opened to read only.",
                remedy="Append through the server that serves it.",
                retry=False,
            )
        return self._writer

    def _lock_head(self, turn: Turn, ledger: str) -> None:
        """Keep other servers' writers out of this ledger until the turn commits."""
        turn.group.begin([self.ledger(ledger)], [])


def open_store(
    url: str,
    clock: Clock,
    *,
    read_only: bool = False,
    create: bool = False,
    companions: Sequence[Path] = (),
    vault: Vault | None = None,
) -> SqlStore:
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
        return SqlStore(database, clock, keys, read_only=read_only)
    except BaseException:
        database.close()
        raise
