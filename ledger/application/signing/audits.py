"""Recording that an audit was completed.

What it found is the auditor's word; that it was of this very ledger is checked.
"""

from typing import Final

from ledger.application.commands import Caller, Written, answered_before
from ledger.application.signing.prover import Prover
from ledger.errors import invalid_field
from ledger.events.envelope import encode_body
from ledger.events.proving import AuditCompleted
from ledger.storage.store import AppendRequest, LedgerInfo, NewEvent, Store

METHOD: Final = "RecordAudit"


class Audits:
    """Records audits of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo, prover: Prover) -> None:
        self._store = store
        self._info = info
        self._prover = prover

    def record(self, caller: Caller, audit: AuditCompleted) -> Written:
        """Append an audit; FIELD_INVALID where its size and root are not those of this ledger.

        That holds for an audit that failed too: it is about this ledger or belongs elsewhere.
        """
        answered = answered_before(self._store, self._info, caller, METHOD)
        if answered is not None:
            return answered
        head = self._store.head(self._info.origin).position
        if audit.size > head:
            raise invalid_field("report.size", f"lies beyond the head, {head}", head=str(head))
        if self._prover.root_at(audit.size).hex() != audit.root:
            raise invalid_field("report.root", f"is not this ledger's root at {audit.size} events")
        body = encode_body(actor=caller.actor, data=audit.to_data(), request_id=caller.request_id)
        return Written.of(
            self._store.append(
                AppendRequest(
                    ledger=self._info.origin,
                    actor=caller.actor,
                    method=METHOD,
                    events=[NewEvent(audit.STREAM, audit.TYPE, body)],
                    request_id=caller.request_id,
                    digest=caller.digest,
                    deadline_monotonic=caller.deadline_monotonic,
                )
            )
        )
