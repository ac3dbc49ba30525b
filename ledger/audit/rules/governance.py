"""Rules about the life of policies: who approved what, and what came into force by it."""

from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.events.policies import ACTIVATED_TYPES, STEP_CLASSES
from ledger.events.values import SECOND
from ledger.governance.activations import activation_fault
from ledger.governance.steps import StepTimes, step_fault

_LATE_MICROS = 300 * SECOND
"""How much later than it was judged a step may be recorded."""
_GAP = Unchecked("a body is not there that may say otherwise")


def _moment(event: AuditedEvent, fold: LedgerState) -> StepTimes:
    """Return the times by which a step was judged; a `data` ledger's tell nothing of an expiry."""
    at = event.recorded_at - _LATE_MICROS if fold.clock == "wall" else 0
    return StepTimes(at, at, event.recorded_at)


@rule("policies.steps", *(cls.TYPE for cls in STEP_CLASSES))
def policies_steps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every step in the life of a version was taken by those who may, as things were there."""
    state, authority = fold.lifecycle, fold.authority.state
    moment = _moment(event, fold)
    fault = step_fault(state, authority, event.type, event.actor, event.known, moment)
    return _GAP if fault and fold.has_gaps else fault or None


@rule("policies.approved", *ACTIVATED_TYPES)
def policies_approved(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every version came into force by the approvals asked for, or by what may take their place."""
    state, authority = fold.lifecycle, fold.authority.state
    if (event.known["policy"], event.known["version"]) not in state.drafts:
        return None  # another rule's business
    fault = activation_fault(state, authority, event.actor, event.known, _moment(event, fold))
    return _GAP if fault and fold.has_gaps else fault or None
