"""Plans of shadows, as the audit folds and derives them.

A plan has behind it, in the same request, that of each shadow that plans and has a model of it.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ledger.audit.assessor import NotReplayableError, is_for
from ledger.audit.audited_model import AuditedModel
from ledger.audit.event import AuditedEvent
from ledger.audit.plan_state import AuditedPlan
from ledger.audit.planning import (
    Decided,
    SecondInForce,
    decided_of,
    now_period_of,
    planning_of,
    priority_of,
    ranked,
)
from ledger.events.plans import PLAN_TYPES
from ledger.events.shadows import ShadowPlanned
from ledger.governance.shadows import Shadow

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState


@dataclass(slots=True)
class OwedPlans:
    """A plan, and the shadows whose plans are not there yet behind it."""

    plan: AuditedEvent
    left: deque[Shadow]
    why_unknown: str = ""
    """Why it is not known what it owes."""


class AuditedShadowPlans:
    """The plans of shadows as of the events applied so far."""

    def __init__(self) -> None:
        self.owed: OwedPlans | None = None
        """The debt of the newest plan, while it may still be paid."""
        self._made: list[tuple[int, AuditedPlan]] = []
        """Each with its shadow, and the policy that it was planned for."""
        self._missing: list[tuple[int, str]] = []

    def take(self, event: AuditedEvent, fold: "LedgerState") -> None:
        """Take in the next event; `fold` has taken in all that came before it."""
        if event.type == ShadowPlanned.TYPE:
            if self.owed is not None and self.owed.left:
                self.owed.left.popleft()
            if (data := event.data) is not None:
                made = AuditedPlan.of(event.position, data["planned_for"]["policy"], data)
                self._made.append((data["shadow"], made))
            return
        self._close()
        if event.type in PLAN_TYPES:
            self.owed = owed_by(event, fold)

    def before(self, data: Mapping[str, Any], now_period: int) -> AuditedPlan | None:
        """Return the last plan of an earlier period of a plan's shadow."""
        own = data["shadow"], data["planned_for"]["policy"]
        for shadow, one in reversed(self._made):
            is_earlier = one.position <= data["as_of"] and one.period < now_period
            if is_earlier and (shadow, one.policy) == own:
                return one
        return None

    def _close(self) -> None:
        owed, self.owed = self.owed, None
        if owed is not None and owed.left and not owed.why_unknown:
            named = ", ".join(str(one.position) for one in owed.left)
            what = f"the shadow of position {named} runs, and no plan of it is behind this one"
            self._missing.append((owed.plan.position, what))

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield every plan without those of shadows that it owes; the events are at their end."""
        self._close()
        yield from self._missing


def owed_by(event: AuditedEvent, fold: "LedgerState") -> OwedPlans:
    """Return what a plan owes: that of each shadow that plans and has a model of it, in order."""
    data, running = event.data, fold.shadows.running.running.values()
    if fold.shadows.blind_at:
        return OwedPlans(event, deque(), fold.absences.reason(fold.shadows.blind_at))
    if not running or data is None:
        why = fold.absences.reason(event.position) if running else ""
        return OwedPlans(event, deque(), why)
    found: deque[Shadow] = deque()
    for one in running:
        parameters = fold.parameters(*one.reference)
        if parameters is None:
            return OwedPlans(event, deque(), "the policy of a shadow is not there")
        if parameters.planner is None:
            continue
        for row in data["backlog"]:
            facts = fold.models.get(f"models/{row['model']}")
            described = None if facts is None else facts.description(data["as_of"])
            if described is None:
                return OwedPlans(event, deque(), "what a model was described as is not there")
            if is_for(dict(one.scope), described):
                found.append(one)
                break
    return OwedPlans(event, found)


def planned_in_shadow(fold: "LedgerState", data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data that a shadow's plan should have; NotReplayableError if unknown."""
    shadow, as_of = fold.shadows.running.running.get(data["shadow"]), data["as_of"]
    if shadow is None:
        raise NotReplayableError("its shadow does not run")
    parameters, of = planning_of(fold, data), data["planned_for"]
    scope = dict(shadow.scope)

    def decided(facts: AuditedModel) -> Decided:
        described = facts.description(as_of)
        assert described is not None, "a candidate is described"
        if is_for(scope, described):
            return fold.shadows.decided(shadow.position, facts.name, as_of)
        return decided_of(facts, as_of)

    def priority(facts: AuditedModel) -> int | None:
        described = facts.description(as_of)
        if described is not None and is_for(scope, described):
            return fold.shadows.priority(shadow.position, facts.name, as_of)
        return priority_of(facts, as_of)

    now_period = now_period_of(parameters, data)
    before = fold.shadows.plans.before(data, now_period)
    if before is None:
        before = fold.planning.before(of["policy"], now_period, as_of)
    planned_for = fold.parameters(of["policy"], of["version"], of["digest"])
    if planned_for is None:
        raise NotReplayableError("the policy version that it is planned for was never drafted")
    members = ranked(fold, data, parameters, planned_for, SecondInForce(decided, priority), before)
    return members | {"shadow": shadow.position, "planned_for": of}
