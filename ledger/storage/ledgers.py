"""The ledgers of a store: which there are, and how one begins."""

from collections.abc import Callable

from ledger.errors import invalid_field
from ledger.limits import SKEW_SECONDS_MAX
from ledger.storage.checks import check_request
from ledger.storage.creation import CREATE_METHOD, Creation
from ledger.storage.infos import INFO, info_of
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import AppendRequest, CreateLedger, LedgerInfo
from ledger.storage.schema import ledgers
from ledger.storage.writer import Writer


class Ledgers:
    """Lists, finds and creates ledgers. Safe between threads."""

    def __init__(
        self, view: ReadConnections, writer: Callable[[], Writer], creation: Creation
    ) -> None:
        self._view = view
        self._writer = writer
        self._creation = creation

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
        return self._writer().call(lambda transaction: self._creation.create(transaction, request))

    def open_recorder(self, origin: str) -> LedgerInfo:
        """Return the ledger of a bare recorder, which starts empty: create it if there is none."""
        return self._writer().call(
            lambda transaction: self._creation.open_recorder(transaction, origin)
        )
