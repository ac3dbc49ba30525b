"""Rules about policies in shadow: which run, what they owe, and that it comes out the same."""

from collections.abc import Iterator
from typing import Any, Final

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.replay import POLICY_BODIES, differing
from ledger.audit.shadows import OwedShadows
from ledger.events.policies import (
    ACTIVATED_TYPES,
    DRAFTED_TYPES,
    PolicyScheduled,
    PolicySubmitted,
)
from ledger.events.shadows import (
    SHADOW_DECISION_TYPES,
    PolicyShadowed,
    ShadowEnded,
    ShadowScored,
)
from ledger.events.signals import DEFINED_TYPES
from ledger.governance.shadows import begin_fault, came_into_force, end_fault, promotion_fault

_SCORED: Final = ShadowScored.TYPE
_AT: Final = ("model", "as_of", "evaluated_at", "trigger", "historical")
_CITED: Final = (*_AT, "shadow", "model_version", "policy", "policy_version", "policy_digest")


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.shadows.missing()


def _unended(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.obligations.terms.missed("shadows.ended")


def _blind(fold: LedgerState) -> Unchecked | None:
    """Return why it is not known which shadows run."""
    at = fold.shadows.blind_at
    return Unchecked(fold.absences.reason(at)) if at else None


@rule("shadows.begun", PolicyShadowed.TYPE)
def shadows_begun(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A shadow runs a drafted version, for a time to come, alone on its scope, beside a few.

    Of a ledger whose time its data tell it is not known by which time it was begun: they may have
    moved that on before the record. Then it ends at once.
    """
    data = event.known
    if fold.drafts.get((data["policy"], data["version"])) != data["digest"]:
        if fold.gone.lacks(DRAFTED_TYPES):
            return Unchecked("a body is not there that may have drafted it")
        return f"{data['policy']} has no version {data['version']} with that digest"
    if (unchecked := _blind(fold)) is not None:
        return unchecked
    now = event.recorded_at if fold.clock == "wall" else 0
    return begin_fault(fold.shadows.running, data, now) or None


@rule("shadows.ended", ShadowEnded.TYPE, finish=_unended)
def shadows_ended(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A shadow that runs is ended: as was asked, by its time, or by its version's activation."""
    if (unchecked := _blind(fold)) is not None:
        return unchecked
    data, running = event.known, fold.shadows.running
    if fault := end_fault(running, data, event.actor, fold.work_times(event)[1]):
        return fault
    one = running.running[data["shadow"]]
    if data["ground"] != "activated":
        return None if event.cause == one.position else f"it cites position {event.cause}"
    for position, activated in fold.activations:
        if position == event.cause and position > one.position and came_into_force(one, activated):
            return None
    if fold.gone.lacks(ACTIVATED_TYPES):
        return Unchecked("a body is not there that may bring a policy into force")
    return f"position {event.cause} does not bring its version into force for its scope"


@rule("shadows.recorded", _SCORED, *SHADOW_DECISION_TYPES)
def shadows_recorded(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A shadow scores with the evaluator's score before it, in order, and decides right behind."""
    if (unchecked := _blind(fold)) is not None:
        return unchecked
    owed = fold.shadows.owed
    if owed is None or owed.score.name != event.name:
        return "no score of the evaluator is right before it whose model a shadow has"
    if owed.why_unknown:
        return Unchecked(owed.why_unknown)
    if event.run_id is not None or event.actor != owed.score.actor:
        return "it was not recorded with the score before it"
    if event.type == _SCORED:
        return _scored_fault(event, owed) or None
    last, place = owed.last, event.known["score_position"]
    if last is None or not place == event.cause == last.position == event.position - 1:
        return f"it cites a score at position {place} and a cause at {event.cause}"
    if last.data is None:
        return Unchecked(fold.absences.reason(last.position))
    is_same = _members(event.known, *_CITED) == _members(last.data, *_CITED)
    return None if is_same else "the score that it cites has another horizon"


@rule("shadows.promoted", PolicySubmitted.TYPE, PolicyScheduled.TYPE, *ACTIVATED_TYPES)
def shadows_promoted(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A step of a version cites its own shadow on that scope, or the definition that needs it."""
    if event.cause is None:
        return None
    if event.type in ACTIVATED_TYPES and _is_definition(event.cause, fold):
        return None
    fault = promotion_fault(fold.shadows.running, event.cause, event.known)
    if fault and (fold.shadows.blind_at or fold.gone.lacks(DEFINED_TYPES)):
        return Unchecked("a body is not there that may be its cause")
    return fault or None


def _is_definition(position: int, fold: LedgerState) -> bool:
    return any(position == at for known in fold.definitions.values() for at, _ in known)


def _scored_fault(event: AuditedEvent, owed: OwedShadows) -> str:
    data, score = event.known, owed.score
    if not owed.left or owed.left[0].position != data["shadow"]:
        return f"the shadow of position {data['shadow']} owes no score here"
    named = data["policy"], data["policy_version"], data["policy_digest"]
    if named != owed.left[0].reference:
        return f"it names {named[0]} version {named[1]}, which its shadow does not run"
    if event.cause != score.position or _members(data, *_AT) != _members(score.known, *_AT):
        return f"it has another horizon than the score at position {score.position}"
    return ""


def _members(data: dict[str, Any], *names: str) -> list[Any]:
    return [data[name] for name in names]


@rule("shadows.due", _SCORED, *SHADOW_DECISION_TYPES, needs_data=False, finish=_missing)
def shadows_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Behind a score of the evaluator is that of each shadow, and its decision exactly if new."""
    owed, data = fold.shadows.owed, event.data
    fold.shadows.next_due = None
    if data is None:
        return Unchecked(fold.absences.reason(event.position))
    if event.type != _SCORED:
        is_not_due = owed is not None and owed.is_decision_due is False
        return (
            "none was due: its outcome was in force in the shadow already" if is_not_due else None
        )
    if missed := _missed(event, fold, data):
        return Unchecked(missed)
    try:
        derived = fold.shadows.assessor(fold, data["shadow"]).outcome(event, data)
    except NotReplayableError as error:
        return Unchecked(str(error))
    fold.shadows.next_due = derived.is_change
    return None


@rule("shadows.replay", _SCORED, *SHADOW_DECISION_TYPES)
def shadows_replay(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every score and decision of a shadow comes out the same from the events before it."""
    data = event.known
    if missed := _missed(event, fold, data):
        return Unchecked(missed)
    assessor = fold.shadows.assessor(fold, data["shadow"])
    derive = assessor.score if event.type == _SCORED else assessor.decision
    try:
        derived = derive(event, data) | {"shadow": data["shadow"]}
    except NotReplayableError as error:
        return Unchecked(str(error))
    return differing(data, derived) or None


def _missed(event: AuditedEvent, fold: LedgerState, data: dict[str, Any]) -> str:
    """Return why what a shadow gives cannot be derived; empty where it can."""
    if data["as_of"] >= event.position:
        return "its horizon does not lie before it"
    if blind_at := fold.shadows.blind_for(event.name, data["shadow"]):
        return fold.absences.reason(blind_at)
    facts = fold.models.get(f"models/{event.name}")
    own = () if facts is None else facts.gone
    return fold.absences.missed([*own, *fold.gone.of(POLICY_BODIES)], data["as_of"])
