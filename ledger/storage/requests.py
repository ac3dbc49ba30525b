"""Requests to append, on their way to the writer, and the answers that were given before."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from sqlalchemy import bindparam, select

from ledger.errors import LedgerError, Reason
from ledger.storage.checks import check_request
from ledger.storage.database import Database
from ledger.storage.erasure import check_ranges, erase
from ledger.storage.events import Events
from ledger.storage.read_connections import ReadConnections
from ledger.storage.records import AppendRequest, AppendResult
from ledger.storage.schema import requests
from ledger.storage.write_queue import WriteTransaction
from ledger.storage.writer import Writer

_ANSWER: Final = select(
    requests.c.digest, requests.c.first_position, requests.c.last_position
).where(
    requests.c.ledger_id == bindparam("ledger_id_"),
    requests.c.actor == bindparam("actor_"),
    requests.c.method == bindparam("method_"),
    requests.c.request_id == bindparam("request_id_"),
)


class Requests:
    """Takes what is to be appended. Safe between threads."""

    def __init__(
        self, database: Database, view: ReadConnections, writer: Callable[[], Writer]
    ) -> None:
        self._database = database
        self._view = view
        self._writer = writer

    def submit(self, request: AppendRequest) -> "Future[AppendResult]":
        """Queue a request for the writer: LIMIT_REACHED when it is full, DRAINING when closed.

        The future fails with the request's own LedgerError. After STORE_UNAVAILABLE the outcome is
        unknown: send the same request_id again.
        """
        check_request(request)
        return self._writer().submit(self._view.ledger(request.ledger), request)

    def append(self, request: AppendRequest) -> AppendResult:
        """Submit and wait."""
        return self.submit(request).result()

    def answered(
        self, ledger: str, actor: str, method: str, request_id: str
    ) -> tuple[bytes, int, int] | None:
        """Return (digest, first position, last position) of a request that was carried out."""
        rows = self._view.rows(
            _ANSWER,
            {
                "ledger_id_": self._view.id_of(ledger),
                "actor_": actor,
                "method_": method,
                "request_id_": request_id,
            },
        )
        return (rows[0][0], rows[0][1], rows[0][2]) if rows else None

    def erase(
        self, request: AppendRequest, ranges: Sequence[tuple[int, int]]
    ) -> tuple[AppendResult, int]:
        """Append the one event of `request`, and remove body and salt of the events in `ranges`.

        Both or neither; then what is left of them in files goes too. Also returns how many bodies
        it was that removed. Request ids go with their last body. BODY_PERMANENT, BODY_ERASED where
        all are gone already, POSITION_BEYOND_HEAD.
        """
        check_request(request)
        check_ranges(ranges)
        info = self._view.ledger(request.ledger)

        def _erase(transaction: WriteTransaction) -> tuple[AppendResult, int]:
            result, removed = erase(transaction, Events(self._view), info, request, ranges)
            if not result.repeated:
                self._database.mark_scrub(transaction.connection)
            return result, removed

        try:
            erased = self._writer().call(_erase)
        except LedgerError as refusal:
            if refusal.reason is Reason.BODY_ERASED:  # perhaps the first time ended before this
                self._scrub()
            raise
        self._scrub()
        return erased

    def _scrub(self) -> None:
        """Remove what erased text has left in the database's files, where they are ours (SQLite).

        STORE_UNAVAILABLE where a reader holds on to it for too long. The removal stays due: the
        next erasure, the next call or the next start does it.
        """
        self._writer().pause_for(self._database.scrub)
