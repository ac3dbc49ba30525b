"""Rules that derive again what was derived: scores, decisions and plans, bit for bit."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from ledger.audit.assessor import NotReplayableError
from ledger.audit.event import AuditedEvent
from ledger.audit.ledger_state import LedgerState
from ledger.audit.plan_steps import budgets_alone, steps_alone, without_steps
from ledger.audit.planning import planned
from ledger.audit.registry import Unchecked, Verdict, rule
from ledger.audit.rules.overrides import overrides_over
from ledger.events.budgets import BUDGET_TYPES
from ledger.events.canonical import encode
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.horizons import FLEET_TYPES
from ledger.events.jobs import JOB_TYPES
from ledger.events.plans import PLAN_TYPES, PlanMadeV2
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.shadows import ShadowPlanned

POLICY_BODIES: Final = frozenset({*ACTIVATED_TYPES, *DRAFTED_TYPES})
"""Types outside the models' streams on which what is derived rests; a plan also on the last one."""
_PLANS: Final = frozenset({*FLEET_TYPES, ShadowPlanned.TYPE, *BUDGET_TYPES, *JOB_TYPES})
_SHOWN: Final = 3  # differences named in a finding
_ABSENT: Final = object()
Derive = Callable[[AuditedEvent, dict[str, Any]], dict[str, Any]]
Part = Callable[[dict[str, Any]], dict[str, Any]]


@rule("replay.score", ScoreComputed.TYPE)
def replay_score(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every score comes out the same from the events before it."""
    return _replayed(event, fold, fold.assessor.score)


@rule("replay.decision", *DECISION_TYPES)
def replay_decision(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every decision comes out the same from the events before it."""
    if overrides_over(event, fold) is not None:
        return None  # that rule's business, by its name
    return _replayed(event, fold, fold.assessor.decision)


@rule("replay.plan", *PLAN_TYPES)
def replay_plan(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """Every plan comes out the same from the events before it."""
    return _replayed(
        event, fold, lambda one, data: planned(fold, one.position, data), without_steps
    )


@rule("plans.steps", PlanMadeV2.TYPE)
def plans_steps(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A plan says what the steps around its planner read, and what each of them changed."""
    return _replayed(event, fold, lambda one, data: planned(fold, one.position, data), steps_alone)


@rule("plans.budgets", PlanMadeV2.TYPE)
def plans_budgets(event: AuditedEvent, fold: LedgerState) -> Verdict:
    """A plan says what the budgets of its models had, and a step bounds it by that."""
    return _replayed(
        event, fold, lambda one, data: planned(fold, one.position, data), budgets_alone
    )


def _replayed(
    event: AuditedEvent, fold: LedgerState, derive: Derive, part: Part | None = None
) -> Verdict:
    """Compare what was derived with what comes out; of both a part alone, where one is named."""
    data = event.known
    if data["as_of"] >= event.position:
        return Unchecked("its horizon does not lie before it")
    try:
        derived = derive(event, data)
    except NotReplayableError as error:
        return Unchecked(missed_body(event, fold, data) or str(error))
    recorded = data if part is None else part(data)
    derived = derived if part is None else part(derived)
    if derived == recorded:
        return None
    if missed := missed_body(event, fold, data):
        return Unchecked(missed)
    return differing(recorded, derived)


def differing(recorded: object, derived: object) -> str:
    """Return in which members two values differ; empty where they are equal."""
    found = [] if recorded == derived else list(differences(recorded, derived))
    if not found:
        return ""
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"it comes out otherwise: {'; '.join(found[:_SHOWN])}{more}"


def missed_body(event: AuditedEvent, fold: LedgerState, data: dict[str, Any]) -> str:
    """Return why a body is not there that it may have rested on; empty where all are there."""
    facts = fold.models.get(event.stream)
    gone = [*(() if facts is None else facts.gone), *fold.gone.of(POLICY_BODIES)]
    if event.type in _PLANS:
        ledgers = fold.gone.of({*POLICY_BODIES, *_PLANS})
        gone = [*ledgers, *(at for one in fold.models.values() for at in one.gone)]
    return fold.absences.missed(gone, data["as_of"])


def differences(recorded: object, derived: object, path: str = "") -> Iterator[str]:
    """Yield each leaf in which two values differ, with both."""
    if isinstance(recorded, dict) and isinstance(derived, dict):
        for key in sorted({*recorded, *derived}):
            where = f"{path}.{key}" if path else key
            yield from differences(recorded.get(key, _ABSENT), derived.get(key, _ABSENT), where)
    elif isinstance(recorded, list) and isinstance(derived, list):
        for at in range(max(len(recorded), len(derived))):
            one = recorded[at] if at < len(recorded) else _ABSENT
            other = derived[at] if at < len(derived) else _ABSENT
            yield from differences(one, other, f"{path}[{at}]")
    elif recorded != derived:
        yield f"{path} is recorded as {_shown(recorded)} and derived as {_shown(derived)}"


def _shown(value: object) -> str:
    return "nothing" if value is _ABSENT else encode(value).decode()[:120]
