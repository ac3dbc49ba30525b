"""The events that must be on record, followed event by event: each kind has a file of its own."""

from ledger.audit.due_scores import DueScores
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.owed_decisions import OwedDecisions
from ledger.audit.rounds import Rounds


class Obligations:
    """The debts as of the events applied so far."""

    def __init__(self, fold: LedgerState) -> None:
        self.decisions = OwedDecisions()
        self.scores = DueScores(fold)
        self.rounds = Rounds()

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the rules have looked at and the fold has taken in."""
        self.decisions.apply(event)
        self.scores.apply(event)
