"""The events that must be on record, followed event by event: each kind has a file of its own."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.due_scores import DueScores
from ledger.audit.event import AuditedEvent
from ledger.audit.gaps import score_remarks, span_remarks
from ledger.audit.late_scores import late_remarks
from ledger.audit.ledger_state import LedgerState
from ledger.audit.owed_decisions import OwedDecisions
from ledger.audit.owed_overrides import OwedOverrides
from ledger.audit.owed_terms import OwedTerms
from ledger.audit.rounds import Rounds
from ledger.audit.service_accounts import ServiceAccounts
from ledger.audit.signed_reviews import SignedReview

_UNEVALUATED: Final = "A score that was due there is missed only where others were scored."
_UNSEALED: Final = "A seal that was taken out there is not missed."
_UNCOUNTED: Final = (
    "No account says whether refusals are recorded: none was refused there, or none was recorded, "
    "or a count was taken out."
)
_UNWATCHED: Final = "Reads of that span may not be on record."


class Obligations:
    """The debts as of the events applied so far."""

    def __init__(self, fold: LedgerState) -> None:
        self.decisions = OwedDecisions()
        self.rounds = Rounds()
        self.scores = DueScores(fold, self.rounds)
        self.overrides = OwedOverrides(fold, self.scores)
        self.accounts = ServiceAccounts(fold.moments)
        self.terms = OwedTerms(fold)
        self.packs: list[SignedReview] = []
        """Reviews whose pack is to be made again, of the events up to it."""

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the rules have looked at and the fold has taken in."""
        self.decisions.apply(event)
        self.scores.apply(event)
        self.overrides.apply(event)
        self.accounts.apply(event)
        self.terms.apply(event)


def gap_remarks(fold: LedgerState) -> Iterator[str]:
    """Yield a sentence for each span in which something that was due cannot be missed."""
    kept = fold.obligations
    for uncovered, who, meaning in (
        (kept.accounts.unevaluated, "service that evaluates", _UNEVALUATED),
        (kept.accounts.unsealed_spans, "service that seals on schedule", _UNSEALED),
        (kept.accounts.uncounted, "service that counted a refused request", _UNCOUNTED),
        (kept.accounts.unwatched, "service that records every kind of read", _UNWATCHED),
    ):
        yield from span_remarks(uncovered.end(), who, meaning)
    said = kept.accounts.unevaluated.end()
    yield from score_remarks(
        [
            one
            for one in kept.scores.gaps()
            if not one.is_judged
            or not any(gap.first <= one.first and one.last <= gap.last for gap in said)
        ]
    )
    yield from kept.overrides.remarks()
    yield from kept.terms.remarks()
    yield from late_remarks(kept.scores.late(kept.accounts.last_landed_at), kept.accounts)
