"""The ledgers of a store: which there are, and how one begins.

A ledger begins with its row, two keys, the head of an empty chain, and two events. The second key
signs nothing yet. Its digest is in event 2, so that a thief of the first key cannot choose which
key follows.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection, func, select

from ledger.chain.key_history import vkey_digest
from ledger.chain.keys import SecretKey
from ledger.chain.link import GENESIS
from ledger.chain.merkle import CompactRange
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.base import EventData
from ledger.events.envelope import encode_body
from ledger.events.system import LedgerConfiguredV3, LedgerCreated
from ledger.events.values import ORIGIN, format_time
from ledger.limits import SKEW_SECONDS_MAX
from ledger.storage.checks import check_request, request_key
from ledger.storage.database import Database
from ledger.storage.read_connections import INFO, ReadConnections, info_of
from ledger.storage.records import AppendRequest, CreateLedger, Head, LedgerInfo, NewEvent
from ledger.storage.schema import heads, ledgers
from ledger.storage.vault import SealedKeys
from ledger.storage.wall_clock import WallClock
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer

FORMAT: Final = "decision-ledger/1"
CREATE_METHOD: Final = "CreateLedger"


class Ledgers:
    """Lists, finds and creates ledgers. Safe between threads."""

    def __init__(
        self,
        database: Database,
        view: ReadConnections,
        writer: Callable[[], Writer],
        times: WallClock,
        keys: SealedKeys,
    ) -> None:
        self._database = database
        self._view = view
        self._writer = writer
        self._times = times
        self._keys = keys

    def all(self) -> list[LedgerInfo]:
        """Return every ledger of the database, in order of creation."""
        return [info_of(row) for row in self._view.rows(INFO.order_by(ledgers.c.ledger_id))]

    def named(self, origin: str) -> LedgerInfo:
        """Return one ledger; LEDGER_UNKNOWN where there is none."""
        return self._view.ledger(origin)

    def create(self, request: CreateLedger) -> LedgerInfo:
        """Begin a ledger by events 1 and 2; ALREADY_EXISTS unless it repeats the same request."""
        if request.clock not in ("wall", "data"):
            raise invalid_field("clock", "must be wall or data")
        if not 0 <= request.skew_seconds <= SKEW_SECONDS_MAX:
            raise invalid_field("skew_seconds", f"must be between 0 and {SKEW_SECONDS_MAX}")
        check_request(AppendRequest(request.origin, request.actor, CREATE_METHOD, ()))
        return self._writer().call(lambda transaction: self._create(transaction, request))

    def open_recorder(self, origin: str) -> LedgerInfo:
        """Return the ledger of a bare recorder, which starts empty: create it if there is none."""
        return self._writer().call(lambda transaction: self._open_recorder(transaction, origin))

    def _create(self, transaction: WriteTransaction, request: CreateLedger) -> LedgerInfo:
        self._database.lock_ledgers(transaction.connection)
        if (known := _find(transaction.connection, request.origin)) is not None:
            return _repeated(transaction, known, request)
        _check_judged(transaction, request)
        now = self._times.now_of_new() if request.clock == "wall" else 0
        _check_origin(request.origin)
        first, following = (self._keys.draw(request.origin) for _ in range(2))
        vkey = str(first.verifier_key)
        info = self._insert(transaction.connection, request, vkey)
        transaction.group.begin([info], [])
        created = LedgerCreated(
            created_at=format_time(now), format=FORMAT, origin=info.origin, vkey=vkey
        )
        configured = LedgerConfiguredV3.from_data(
            {
                "clock": info.clock,
                "leap_seconds": info.leap_seconds,
                "next_key_digest": vkey_digest(str(following.verifier_key)),
                "skew_seconds": info.skew_seconds,
                "unit_of_cost": info.unit_of_cost or None,
            }
        )
        first_events = (created, configured, request.administrator)
        data = tuple(one for one in first_events if one is not None)
        transaction.group.admit(info, _as_append(request, data, keys=(first, following)))
        return info

    def _open_recorder(self, transaction: WriteTransaction, origin: str) -> LedgerInfo:
        self._database.lock_ledgers(transaction.connection)
        known = _find(transaction.connection, origin)
        if known is not None:
            return known
        _check_origin(origin)
        request = CreateLedger(origin, "wall", 0, "services/recorder")
        return self._insert(transaction.connection, request, "")

    def _insert(self, connection: Connection, request: CreateLedger, vkey: str) -> LedgerInfo:
        """Insert a ledger without events: its row, and the head of an empty chain."""
        newest = connection.execute(select(func.max(ledgers.c.ledger_id))).scalar()
        info = LedgerInfo(
            (newest or 0) + 1,
            request.origin,
            request.clock,
            request.skew_seconds,
            vkey,
            request.unit_of_cost,
            request.leap_seconds,
        )
        connection.execute(
            ledgers.insert().values(
                ledger_id=info.ledger_id,
                origin=info.origin,
                clock=info.clock,
                skew_seconds=info.skew_seconds,
                vkey=info.vkey,
            )
        )
        head = Head(0, GENESIS, 0, None, CompactRange().to_bytes())
        seal = self._keys.head_seal(connection, info, head)
        values = {"ledger_id": info.ledger_id, **asdict(head), "seal": seal}
        connection.execute(heads.insert().values(values))
        return info


def _repeated(
    transaction: WriteTransaction, known: LedgerInfo, request: CreateLedger
) -> LedgerInfo:
    """Return the ledger if this request made it; its name is taken otherwise."""
    key = request_key(known, _as_append(request))
    if key is not None:
        transaction.group.begin([known], [key])
        if transaction.group.knows(key):
            transaction.group.admit(known, _as_append(request))  # refuses another digest
            return known
    raise LedgerError(
        Reason.ALREADY_EXISTS,
        f"There is a ledger {known.origin} already.",
        remedy="Use it, or choose another name.",
        metadata={"ledger": known.origin},
    )


def _check_judged(transaction: WriteTransaction, request: CreateLedger) -> None:
    """Refuse for now unless the first ledger is still as the caller was judged by it."""
    row = transaction.connection.execute(INFO.order_by(ledgers.c.ledger_id).limit(1)).first()
    if request.guards is None or row is None:
        return
    first = info_of(row)
    if not request.guards:
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            "The first ledger came while the request was carried out; nothing was written.",
            remedy="Send the same request again.",
            retry_after_seconds=0.1,
        )
    transaction.group.begin([first], [])
    transaction.group.check_guards(first, request.guards)


def _check_origin(origin: str) -> None:
    if ORIGIN.fullmatch(origin) is None:
        raise invalid_field("origin", f"{origin[:255]!r} is not a ledger's name")


def _find(connection: Connection, origin: str) -> LedgerInfo | None:
    """Return a ledger as the transaction sees it."""
    row = connection.execute(INFO.where(ledgers.c.origin == origin)).first()
    return info_of(row) if row is not None else None


def _as_append(
    request: CreateLedger, data: tuple[EventData, ...] = (), keys: tuple[SecretKey, ...] = ()
) -> AppendRequest:
    """Return the creation of a ledger as the append that it is."""
    return AppendRequest(
        request.origin,
        request.actor,
        CREATE_METHOD,
        [
            NewEvent(
                event.STREAM,
                event.TYPE,
                encode_body(
                    actor=request.actor, data=event.to_data(), request_id=request.request_id
                ),
            )
            for event in data
        ],
        request_id=request.request_id,
        digest=request.digest,
        keys=keys,
    )
