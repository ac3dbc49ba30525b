"""Rules about the review of policies in force: when it is due, and what came of it."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.governance import moment_of
from ledger.audit.signed_reviews import SignedReview, wrong_packs
from ledger.events.reviews import PolicyReviewDue, PolicyReviewed
from ledger.governance.lifecycle import LIFECYCLE_TYPES, scope_key
from ledger.governance.pack_parts import ReviewSubject
from ledger.governance.review_pack import PACK_TYPES
from ledger.governance.reviews import begun, due_fault, pack_fault, reviewed_fault

_GAP: Final = Unchecked("a body is not there that may say otherwise")


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
        return _GAP
    return fault or None


def _other_packs(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from wrong_packs(fold.source, fold.obligations.packs)


@rule("reviews.signed", PolicyReviewed.TYPE, finish=_other_packs)
def reviews_signed(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A review is signed by another person than the author, who may, by a pack of the events."""
    state, authority, data = fold.lifecycle, fold.authority.state, event.known
    moment = moment_of(event, fold)
    fault = reviewed_fault(state, authority, event.actor, data, moment)
    if fault and fold.gone.lacks(LIFECYCLE_TYPES):
        return _GAP
    if fault:
        return fault
    turn = state.turns[scope_key(data["scope"])]
    if data["as_of"] >= event.position:
        return f"its pack is of position {data['as_of']}, which is not before it"
    if event.cause != (turn.due or None):
        return f"it cites position {event.cause}"
    until = _recorded_at(data["as_of"], fold)
    if fault := pack_fault(until, moment.at):
        return fault
    if missed := fold.absences.missed(_absent(fold), data["as_of"]):
        return Unchecked(missed)
    subject = ReviewSubject(
        *turn.activation.named, turn.activation.scope, begun(turn), data["as_of"],
        turn.began_at, until,
    )  # fmt: skip
    fold.obligations.packs.append(SignedReview(event.position, subject, data["pack"]))
    return None


def _recorded_at(position: int, fold: LedgerState) -> int:
    """Return when an earlier event was recorded."""
    moment = fold.moments.at(position)
    if moment is not None:
        return moment.recorded_at
    return next((row[4] for row in fold.source.rows(position - 1, position)), 0)


def _absent(fold: LedgerState) -> Iterator[int]:
    """Yield where a body is absent that a pack is made of."""
    yield from fold.gone.of(PACK_TYPES)
    for facts in fold.models.values():
        for type_, positions in facts.gone_by_type.items():
            if type_ in PACK_TYPES:
                yield from positions
