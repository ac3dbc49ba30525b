"""Rules about the review of policies in force: when it is due, and what came of it."""

from collections.abc import Iterator

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.governance import moment_of
from ledger.events.reviews import PolicyReviewDue
from ledger.governance.lifecycle import LIFECYCLE_TYPES
from ledger.governance.reviews import due_fault


def _unrecorded(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("reviews.due")


@rule("reviews.due", PolicyReviewDue.TYPE, finish=_unrecorded)
def reviews_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """The review of a version in force is due at its time and not before, and that is recorded."""
    state, authority = fold.lifecycle, fold.authority.state
    moment = moment_of(event, fold)
    fault = due_fault(state, authority, event.actor, event.known, moment)
    if not fault and event.cause != (event.known["review"] or event.known["activation"]):
        return f"it cites position {event.cause}"
    if fault and fold.gone.lacks(LIFECYCLE_TYPES):
        return Unchecked("a body is not there that may say otherwise")
    return fault or None
