"""Rules about the moment of what is derived: nothing came between, and who may have begun it.

They hold what guards an append: so an old score cannot be recorded again as the newest one.
"""

from typing import Final

from ledger.audit.assessor import is_for
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Verdict, rule
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.plans import PlanMade

_SCORE: Final = ScoreComputed.TYPE
_PLAN: Final = PlanMade.TYPE
_EVALUATOR: Final = "system/evaluator"


@rule("horizons.unbroken", _SCORE, *DECISION_TYPES, _PLAN)
def horizons_unbroken(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Nothing that bears on what is derived was recorded between its horizon and its record.

    Of a score or decision that is every event of its model but observations, and a policy that came
    into force for it; of a plan, another plan or activation; of all of them, an erasure.
    """
    as_of = event.known["as_of"]
    between = _plan_breaks(fold) if event.type == _PLAN else _model_breaks(event, fold)
    newest = max(between, fold.erased_at)
    if newest <= as_of:
        return None
    return f"its horizon is {as_of}, and position {newest} holds what it should have known"


def _plan_breaks(fold: LedgerState) -> int:
    planned = fold.plans[-1][0] if fold.plans else 0
    activated = fold.activations[-1][0] if fold.activations else 0
    return max(planned, activated)


def _model_breaks(event: AuditedEvent, fold: LedgerState) -> int:
    facts = fold.models.get(event.stream)
    if facts is None:
        return 0  # another rule's business
    before, newest = facts.guarded
    own = 0 if event.type == _SCORE else int(event.known["score_position"])
    if newest == own:
        newest = before  # its own score, which is recorded together with it
    description = facts.description(event.position)
    for position, activated in reversed(fold.activations):
        if position <= newest:
            break
        if description is not None and is_for(activated["scope"], description):
            newest = position
            break
    return int(newest)


@rule("triggers", _SCORE, *DECISION_TYPES)
def triggers(event: AuditedEvent, _fold: LedgerState) -> Verdict:
    """Only the evaluator scores by schedule or on ingest, and it does nothing on request."""
    trigger = event.known["trigger"]
    if (trigger == "request") != (event.actor == _EVALUATOR):
        return None
    return f"its trigger is {trigger}, and {event.actor} recorded it"
