"""Rules about plans of policies in shadow: each is there, in its place, and comes out the same."""

from collections.abc import Iterator
from typing import Final

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.replay import differing, missed_body
from ledger.audit.shadow_plans import owed_by, planned_in_shadow
from ledger.events.plans import PLAN_TYPES
from ledger.events.shadows import ShadowPlanned

_SHARED: Final = ("plan", "as_of", "made_at", "purse_micros", "purse_cap_micros")
_VERSION: Final = ("policy", "version", "digest")
_NAMED: Final = ("policy", "policy_version", "policy_digest")


def _missing(fold: LedgerState) -> Iterator[tuple[int, str]]:
    yield from fold.shadows.plans.missing()


@rule("shadows.planned", ShadowPlanned.TYPE)
def shadows_planned(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A shadow plans with the plan before it, in order: that fleet, time and budget."""
    owed, data = fold.shadows.plans.owed, event.known
    if owed is not None and owed.why_unknown:
        return Unchecked(owed.why_unknown)
    if owed is None or not owed.left or owed.left[0].position != data["shadow"]:
        return f"the shadow of position {data['shadow']} owes no plan here"
    plan = owed.plan
    if tuple(data[name] for name in _NAMED) != owed.left[0].reference:
        return "it names a policy version that its shadow does not run"
    planned_for = data["planned_for"]
    if [planned_for[name] for name in _VERSION] != [plan.known[name] for name in _NAMED]:
        return f"it ranks another fleet than the plan at position {plan.position}"
    if any(data[name] != plan.known[name] for name in _SHARED):
        return f"it has another horizon or budget than the plan at position {plan.position}"
    if event.cause != plan.position or event.run_id is not None:
        return f"it cites position {event.cause} and run {event.run_id}"
    if (event.actor, event.request_id) != (plan.actor, plan.request_id):
        return "it was not recorded with the plan before it"
    return None


@rule("shadows.plans_due", *PLAN_TYPES, needs_data=False, finish=_missing)
def shadows_plans_due(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Behind a plan is that of each shadow that plans and has a model of it."""
    why = owed_by(event, fold).why_unknown
    return Unchecked(why) if why else None


@rule("shadows.plans_replay", ShadowPlanned.TYPE)
def shadows_plans_replay(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every plan of a shadow comes out the same from the events before it."""
    data = event.known
    if data["as_of"] >= event.position:
        return Unchecked("its horizon does not lie before it")
    try:
        fault = differing(data, planned_in_shadow(fold, data))
    except NotReplayableError as error:
        return Unchecked(missed_body(event, fold, data) or str(error))
    missed = missed_body(event, fold, data) if fault else ""
    return Unchecked(missed) if missed else fault or None
