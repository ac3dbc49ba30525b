"""Rules about what must be there: an absence is found where it was due, and named."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.owed_decisions import OwedDecision
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.horizons import horizons_unbroken
from ledger.audit.rules.replay import misses_a_body
from ledger.events.decisions import DECISION_TYPES, ScoreComputed

_SCORE: Final = ScoreComputed.TYPE
_EVALUATOR: Final = "system/evaluator"


def _undecided(fold: LedgerState) -> Iterator[tuple[int, str]]:
    for owed in fold.obligations.decisions.missing():
        yield owed.position, f"{owed.why}, and there is no decision behind it"


@rule("decisions.due", _SCORE, *DECISION_TYPES, finish=_undecided)
def decisions_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A score has its decision right behind it exactly if one was asked for or its outcome is new.

    New is what differs from the decision in force in action, tier, rule, reason, what was held
    back, or the override that it is under.
    """
    if event.type in DECISION_TYPES:
        owed = fold.obligations.decisions.by(event)
        if owed is None or owed.is_due:
            return None
        return f"none was due: {owed.why}"
    data = event.known
    if data["trigger"] == "request":
        _owe(event, fold, "it was asked for", is_due=True)
        return None
    is_before = data["as_of"] < event.position and not data["historical"]
    if not is_before or horizons_unbroken(event, fold) is not None:
        return Unchecked("its horizon cannot be")
    try:
        is_new = fold.assessor.outcome(event, data).is_change
    except NotReplayableError as error:
        return Unchecked("erased" if misses_a_body(event, fold, data) else str(error))
    if misses_a_body(event, fold, data):
        return Unchecked("erased")
    why = "its outcome is new" if is_new else "its outcome was in force already"
    _owe(event, fold, why, is_due=is_new)
    return None


def _owe(event: AuditedEvent, fold: LedgerState, why: str, *, is_due: bool) -> None:
    fold.obligations.decisions.owe(OwedDecision(event.position, event.stream, is_due, why))


def _unscored(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.scores.missing


@rule("scores.due", _SCORE, finish=_unscored)
def scores_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A model that is due is scored before the evaluator has gone round twice more.

    Due is what was never scored, has news and has rested, or was silent for too long. The scores
    that the evaluator recorded of others show that it ran, and what it had seen.
    """
    if event.actor != _EVALUATOR or event.known["historical"]:
        return None
    settled = fold.obligations.rounds.scored(event.stream, event.known["as_of"])
    fold.obligations.scores.pass_over(settled, event)
    return None
