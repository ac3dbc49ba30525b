"""Recording that an audit was completed.

What it found is the auditor's word; that it was of this very ledger is checked.
"""

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, CommandResult
from ledger.application.signing.prover import Prover
from ledger.errors import invalid_field
from ledger.events.proving import AuditCompleted
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


class Audits:
    """Records audits of one ledger."""

    def __init__(self, store: Store, info: LedgerInfo, prover: Prover) -> None:
        self._store = store
        self._info = info
        self._appender = Appender(store, info.origin)
        self._prover = prover

    def record(self, caller: Caller, audit: AuditCompleted) -> CommandResult:
        """Append an audit; FIELD_INVALID where its size and root are not those of this ledger.

        That holds for an audit that failed too: it is about this ledger or belongs elsewhere.
        """

        def decide() -> Proposal:
            head = self._store.events.head(self._info.origin).position
            if audit.size > head:
                raise invalid_field("report.size", f"lies beyond the head, {head}", head=str(head))
            if self._prover.root_at(audit.size).hex() != audit.root:
                fault = f"is not this ledger's root at {audit.size} events"
                raise invalid_field("report.root", fault)
            return Proposal([Addition.of(audit)])

        return self._appender.append(caller, AuditCompleted.METHOD, decide)
