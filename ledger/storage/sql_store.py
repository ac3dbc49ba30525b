"""The event store over SQLAlchemy Core: reader, writer and hints behind the `Store` contract."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from sqlalchemy import Connection, and_, func, select

from ledger.chain.keys import KEY_BYTES, SigningKey
from ledger.chain.link import GENESIS
from ledger.chain.merkle import CompactRange
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import encode_body
from ledger.events.system import LedgerConfigured, LedgerCreated
from ledger.events.values import ORIGIN, SECOND, format_time
from ledger.limits import SKEW_SECONDS_MAX
from ledger.storage.checks import (
    check_request,
    check_tracking,
    read_tracking,
    request_key,
    set_tracking,
)
from ledger.storage.database import Database, open_database, unavailable
from ledger.storage.hints import Hints, Watcher
from ledger.storage.reader import SqlReader
from ledger.storage.schema import checkpoints, heads, leases, ledgers
from ledger.storage.store import (
    AppendRequest,
    AppendResult,
    CommitCallback,
    CreateLedger,
    LedgerInfo,
    NewEvent,
)
from ledger.storage.writer import Turn, Writer

T = TypeVar("T")

FORMAT: Final = "decision-ledger/1"
CREATE_METHOD: Final = "CreateLedger"


class SqlStore(SqlReader):
    """Answers the `Store` contract. Safe between threads; close it when done."""

    def __init__(self, database: Database, clock: Clock, *, read_only: bool = False) -> None:
        super().__init__(database)
        self._clock = clock
        self._hints = Hints(clock)
        self._writer = None if read_only else Writer(database, clock, self._hints.publish)
        self._watcher = Watcher(database, self._hints) if read_only or database.shared else None
        self._closed = False

    @property
    def writer_failure(self) -> LedgerError | None:
        """Why nothing can be appended any more, or None."""
        return self._writer.failure if self._writer is not None else None

    def on_failure(self, callback: Callable[[], None]) -> None:
        """Call back, once and on any thread, when nothing can be appended any more."""
        if self._writer is not None:
            self._writer.on_failure(callback)

    # ---- ledgers -----------------------------------------------------------------------------

    def create_ledger(self, request: CreateLedger) -> LedgerInfo:
        """Begin a ledger by events 1 and 2; ALREADY_EXISTS unless it repeats the same request."""
        if request.clock not in ("wall", "data"):
            raise invalid_field("clock", "must be wall or data")
        if not 0 <= request.skew_seconds <= SKEW_SECONDS_MAX:
            raise invalid_field("skew_seconds", f"must be between 0 and {SKEW_SECONDS_MAX}")
        check_request(AppendRequest(request.origin, request.actor, CREATE_METHOD, ()))
        return self._call(lambda turn: self._create(turn, request))

    def open_recorder(self, origin: str) -> LedgerInfo:
        """Return the ledger of a bare recorder, which starts empty: create it if there is none."""
        return self._call(lambda turn: self._open_recorder(turn, origin))

    def _create(self, turn: Turn, request: CreateLedger) -> LedgerInfo:
        """Insert the ledger and its first two events in the turn's transaction."""
        self._database.lock_ledgers(turn.connection)
        if (known := _find(turn.connection, request.origin)) is not None:
            return self._repeated(turn, known, request)
        now = self._clock.now_micros() if request.clock == "wall" else 0
        info = self._insert_ledger(turn.connection, request)
        turn.group.begin([info], [])
        created = LedgerCreated(
            created_at=format_time(now), format=FORMAT, origin=info.origin, vkey=info.vkey
        )
        configured = LedgerConfigured.from_data(
            {"clock": info.clock, "skew_seconds": info.skew_seconds}
        )
        new = [
            NewEvent(
                data.STREAM,
                data.TYPE,
                encode_body(
                    actor=request.actor, data=data.to_data(), request_id=request.request_id
                ),
            )
            for data in (created, configured)
        ]
        turn.group.admit(info, _as_append(request, new))
        return info

    def _repeated(self, turn: Turn, known: LedgerInfo, request: CreateLedger) -> LedgerInfo:
        """Return the ledger if this request made it; its name is taken otherwise."""
        key = request_key(known, _as_append(request, []))
        if key is not None:
            turn.group.begin([known], [key])
            if turn.group.knows(key):
                turn.group.admit(known, _as_append(request, []))  # refuses another digest
                return known
        raise LedgerError(
            Reason.ALREADY_EXISTS,
            f"There is a ledger {known.origin} already.",
            remedy="Use it, or choose another name.",
            metadata={"ledger": known.origin},
        )

    def _open_recorder(self, turn: Turn, origin: str) -> LedgerInfo:
        self._database.lock_ledgers(turn.connection)
        known = _find(turn.connection, origin)
        if known is not None:
            return known
        request = CreateLedger(origin, "wall", 0, "services/recorder")
        return self._insert_ledger(turn.connection, request)

    def _insert_ledger(self, connection: Connection, request: CreateLedger) -> LedgerInfo:
        """Insert a ledger without events: its key, and the head of an empty chain."""
        if ORIGIN.fullmatch(request.origin) is None:
            raise invalid_field("origin", f"{request.origin[:255]!r} is not a ledger's name")
        key = SigningKey(request.origin, request.seed or self._clock.random_bytes(KEY_BYTES))
        newest = connection.execute(select(func.max(ledgers.c.ledger_id))).scalar()
        info = LedgerInfo(
            (newest or 0) + 1,
            request.origin,
            request.clock,
            request.skew_seconds,
            str(key.verifier_key),
        )
        connection.execute(
            ledgers.insert().values(
                ledger_id=info.ledger_id,
                origin=info.origin,
                clock=info.clock,
                skew_seconds=info.skew_seconds,
                vkey=info.vkey,
                signing_key=key.to_secret_text(),
            )
        )
        connection.execute(
            heads.insert().values(
                ledger_id=info.ledger_id,
                position=0,
                event_hash=GENESIS,
                recorded_at=0,
                newest_observed_at=None,
                tree=CompactRange().to_bytes(),
            )
        )
        return info

    # ---- appending ---------------------------------------------------------------------------

    def submit(self, request: AppendRequest) -> "Future[AppendResult]":
        """Queue a request for the writer; see the contract for what it may refuse."""
        check_request(request)
        return self._open_writer().submit(self.ledger(request.ledger), request)

    def append(self, request: AppendRequest) -> AppendResult:
        """Submit and wait."""
        return self.submit(request).result()

    def save_checkpoint(self, ledger: str, size: int, note: str) -> None:
        """Keep a signed checkpoint for ever; a second one of the same size changes nothing."""
        ledger_id = self._id(ledger)

        def _save(turn: Turn) -> None:
            where = and_(checkpoints.c.ledger_id == ledger_id, checkpoints.c.size == size)
            self._lock_head(turn, ledger)
            if turn.connection.execute(select(checkpoints.c.size).where(where)).first() is None:
                turn.connection.execute(
                    checkpoints.insert().values(ledger_id=ledger_id, size=size, note=note)
                )

        self._call(_save)

    def lease(self, ledger: str, name: str, holder: str, seconds: float) -> bool:
        """Take or renew a lease; False while another holder has it. Zero seconds gives it back.

        Leases save work, they do not guard it: servers' clocks differ, so what must not happen
        twice is guarded in the append itself.
        """
        ledger_id = self._id(ledger)

        def _take(turn: Turn) -> bool:
            self._lock_head(turn, ledger)
            now = self._clock.now_micros()
            where = and_(leases.c.ledger_id == ledger_id, leases.c.name == name)
            found = turn.connection.execute(select(leases).where(where)).first()
            if found is not None and found.holder != holder and found.expires_at > now:
                return False
            values = {"holder": holder, "expires_at": now + round(seconds * SECOND)}
            if found is None:
                turn.connection.execute(
                    leases.insert().values(ledger_id=ledger_id, name=name, **values)
                )
            else:
                turn.connection.execute(leases.update().where(where).values(**values))
            return seconds > 0

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
        with self._database.reader.connect() as connection:
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


def open_store(url: str, clock: Clock, *, read_only: bool = False) -> SqlStore:
    """Return the store at a URL; see `ledger.storage.database.open_database` for its forms.

    STORE_UNAVAILABLE where the database cannot be opened, is newer than this release, would not
    keep what it acknowledges, or (SQLite) is served by another process already.
    """
    database = open_database(url, read_only=read_only)
    try:
        database.prepare()
        return SqlStore(database, clock, read_only=read_only)
    except BaseException:
        database.close()
        raise


def _find(connection: Connection, origin: str) -> LedgerInfo | None:
    """Return a ledger as the transaction sees it."""
    row = connection.execute(
        select(
            ledgers.c.ledger_id,
            ledgers.c.origin,
            ledgers.c.clock,
            ledgers.c.skew_seconds,
            ledgers.c.vkey,
        ).where(ledgers.c.origin == origin)
    ).first()
    return LedgerInfo(*row) if row is not None else None


def _as_append(request: CreateLedger, new: list[NewEvent]) -> AppendRequest:
    """Return the creation of a ledger as the append that it is."""
    return AppendRequest(
        request.origin,
        request.actor,
        CREATE_METHOD,
        new,
        request_id=request.request_id,
        digest=request.digest,
    )
