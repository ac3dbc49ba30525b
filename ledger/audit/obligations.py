"""The events that must be on record, followed event by event: each kind has a file of its own."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.due_scores import DueScores
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.owed_decisions import OwedDecisions
from ledger.audit.rounds import Rounds
from ledger.audit.service_accounts import ServiceAccounts
from ledger.events.values import format_time

_GAPS_MAX: Final = 10


class Obligations:
    """The debts as of the events applied so far."""

    def __init__(self, fold: LedgerState) -> None:
        self.decisions = OwedDecisions()
        self.scores = DueScores(fold)
        self.rounds = Rounds()
        self.accounts = ServiceAccounts()

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the rules have looked at and the fold has taken in."""
        self.decisions.apply(event)
        self.scores.apply(event)
        self.accounts.apply(event)


def gap_remarks(fold: LedgerState) -> Iterator[str]:
    """Yield a sentence for each span in which no service says that it evaluated."""
    gaps = fold.obligations.accounts.end()
    for gap in gaps[:_GAPS_MAX]:
        began = f" from {format_time(gap.first_at)}" if gap.first_at else ""
        until = f" until {format_time(gap.last_at)}" if gap.last_at else ""
        yield (
            f"Gap: no service that evaluates accounts for positions {gap.first} to {gap.last}, "
            f"recorded{began}{until}. A score that was due there is "
            "missed only where others were scored."
        )
    if len(gaps) > _GAPS_MAX:
        yield f"Gap: likewise for {len(gaps) - _GAPS_MAX} more spans."
