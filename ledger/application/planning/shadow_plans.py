"""Plans of policies in shadow: what each would have planned, recorded right behind the plan.

A shadow plans the same models under the same budget, at the same position and time, by the planning
part of its own version. It has a plan wherever its scope has a model of the plan.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from ledger.application.fleet.history import History
from ledger.application.fleet.shadows import ShadowReader
from ledger.application.planning.fleet_reading import (
    UNDECIDED,
    ActionInForce,
)
from ledger.application.planning.plans import Planning, PlanRequest, plans_newest_first, ranked
from ledger.application.planning.rankings import InForce
from ledger.application.planning.reuse import FleetReuse
from ledger.application.planning.steps import PlanBefore
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError, Reason
from ledger.events.registry import typed
from ledger.events.shadows import PlannedForPart, ShadowPlanned
from ledger.events.values import parse_time
from ledger.governance.shadows import Shadow, is_for

_UNUSABLE: Final = (
    Reason.BODY_ERASED,
    Reason.EVENT_UNREADABLE,
    Reason.POLICY_INVALID,
    Reason.POLICY_UNKNOWN,
)


@dataclass(frozen=True, slots=True)
class ShadowPlanning:
    """Makes the plans of one ledger's shadows."""

    planning: Planning
    reader: ShadowReader

    def beside(self, real: PlanRequest, reuse: FleetReuse) -> Iterator[ShadowPlanned]:
        """Yield the plan of each shadow that has a model of a plan, in order of position.

        `reuse`: what the policy of the plan puts back, by which the shadow counts too.

        One whose policy was erased, or cannot be read, plans nothing, nor does one that has no
        planning part: that holds up no plan.
        """
        members = [one.history for one in reuse.fleet.members(real.policy.rules.procedure)]
        planned_for = PlannedForPart(
            policy=real.policy.policy, version=real.policy.version, digest=real.policy.digest
        )
        for shadow in self.reader.running(real.as_of).running.values():
            if not any(_has(shadow, one) for one in members):
                continue
            try:
                policy = self.reader.histories.compiled(*shadow.reference)
            except LedgerError as error:
                if error.reason not in _UNUSABLE:
                    raise
                continue
            if policy.document.planning is not None:
                yield self._planned(shadow, policy, planned_for, real, reuse)

    def again(self, data: ShadowPlanned) -> ShadowPlanned | None:
        """Return a shadow's plan as it is computed today; None if its shadow did not run."""
        shadow = self.reader.running(data.as_of).running.get(data.shadow)
        if shadow is None:
            return None
        made_at, of = parse_time(data.made_at), data.planned_for
        budget = int(data.purse_micros), int(data.purse_cap_micros)
        planned_for = self.reader.histories.compiled(of.policy, of.version, of.digest)
        real = PlanRequest(data.plan, data.as_of, made_at, planned_for, *budget)
        reuse = FleetReuse(self.planning.reading(planned_for, data.as_of, made_at))
        policy = self.reader.histories.compiled(*shadow.reference)
        return self._planned(shadow, policy, of, real, reuse)

    def _planned(
        self,
        shadow: Shadow,
        policy: CompiledPolicy,
        planned_for: PlannedForPart,
        real: PlanRequest,
        reuse: FleetReuse,
    ) -> ShadowPlanned:
        request = PlanRequest(
            real.plan, real.as_of, real.made_at, policy,
            real.budget_micros, real.budget_cap_micros,
        )  # fmt: skip

        fleet = reuse.fleet
        decided = self.reader.last_decisions(shadow.position, request.as_of)

        @cache
        def priorities() -> dict[str, int]:
            of_shadow = [one.history for one in fleet.members(policy.rules.procedure)]
            return self.reader.last_priorities(of_shadow, shadow.position)

        def priority(history: History) -> int | None:
            if not _has(shadow, history):
                return fleet.priority(history.model)
            return priorities().get(history.model)

        def action(history: History) -> ActionInForce:
            if not _has(shadow, history):
                return fleet.in_force(history.model)
            last = decided.get(history.model)
            return UNDECIDED if last is None else fleet.of_decision(last)

        before = self._plan_before(shadow, planned_for.policy, request)
        members = ranked(request, reuse, InForce(action, priority), before)
        return ShadowPlanned(**members, shadow=shadow.position, planned_for=planned_for)

    def _plan_before(
        self, shadow: Shadow, planned_for: str, request: PlanRequest
    ) -> PlanBefore | None:
        """Return the shadow's last plan of an earlier period, for that policy.

        Until it has one, it goes on from the plans beside which it runs.
        """
        events, ledger = self.reader.events, self.reader.ledger
        as_of, now_period = request.as_of, request.now_period
        for event in plans_newest_first(events, ledger, (ShadowPlanned.TYPE,), as_of):
            if event.position <= shadow.position:
                break
            if self.reader.histories.erasures.passes_over(event, as_of):
                continue
            data = typed(event, ShadowPlanned)
            is_own = (data.shadow, data.planned_for.policy) == (shadow.position, planned_for)
            if is_own and data.now_period < now_period:
                return PlanBefore(event.position, data)
        return self.planning.plan_before(planned_for, now_period, as_of)


def _has(shadow: Shadow, model: History) -> bool:
    return is_for(shadow.scope, model.model, model.described.labels)
