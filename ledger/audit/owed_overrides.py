"""The decisions that must follow once an override is over, each until it is there or is missed.

The evaluator decides again as soon as the override is over that a decision in force is under. The
service's account says as of which position no model was left that was due.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, Final

from ledger.audit.due_scores import DueScores
from ledger.audit.event import AuditedEvent
from ledger.audit.gaps import GAPS_MAX
from ledger.audit.ledger_state import LedgerState
from ledger.events.decisions import DECISION_TYPES
from ledger.events.models import ModelRetired
from ledger.events.proving import ACCOUNTED, BodyErased
from ledger.events.system import ClockStepped
from ledger.events.values import format_time
from ledger.rules.procedure import Override

_SETTLING: Final = frozenset({*DECISION_TYPES, ModelRetired.TYPE})


@dataclass(slots=True)
class AppliedOverride:
    """An override that the decision in force of a model is under."""

    model: str
    override: Override
    decision: int
    """The position of that decision."""
    over_since: int = 0
    """The position as of which the evaluator knew that it is over; 0 while it may not be."""
    said: str = ""
    """How an account shows that the decision that must follow is missing."""

    @property
    def what(self) -> str:
        """The words for what was due."""
        until = format_time(self.override.effective_until)
        return (
            f"the override of {self.model} was over at {until}, and the decision at position "
            f"{self.decision} is under it and in force still"
        )


class OwedOverrides:
    """Follows what is in force under overrides; told of each event after the fold and `scores`."""

    def __init__(self, fold: LedgerState, scores: DueScores) -> None:
        self._fold = fold
        self._scores = scores
        self._applied: dict[str, AppliedOverride] = {}
        self._alarms: list[tuple[int, str]] = []
        self._missing: list[AppliedOverride] = []

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the fold has taken in."""
        if event.type in _SETTLING:
            self._settle(event)
        elif event.type in {ClockStepped.TYPE, BodyErased.TYPE}:
            self._begin_again()
        time = self._scores.time
        while time.is_sure and self._alarms and self._alarms[0][0] <= time.now:
            applied = self._applied.get(heappop(self._alarms)[1])
            if applied is not None and self._due_at(applied) <= time.now:
                applied.over_since = applied.over_since or event.position
        if event.type in ACCOUNTED and event.data is not None:
            self._account(event.data)

    def missed(self) -> Iterator[tuple[int, str]]:
        """Yield each override that is over without the decision that must follow."""
        for one in self._missing:
            yield one.override.position, f"{one.what}; {one.said}"

    def remarks(self) -> Iterator[str]:
        """Yield a sentence for each that no service accounts for."""
        left = [one for one in self._applied.values() if one.over_since and not one.said]
        for one in left[:GAPS_MAX]:
            yield (
                f"Gap: positions {one.override.position} to {self._fold.position}: {one.what}; no "
                "service that evaluates accounts for it."
            )
        if len(left) > GAPS_MAX:
            yield f"Gap: likewise for {len(left) - GAPS_MAX} more overrides."

    def _settle(self, event: AuditedEvent) -> None:
        """Take in a decision, or the end of a model: what was in force is so no more."""
        data, facts = event.data, self._fold.models[event.stream]
        if event.type in DECISION_TYPES and data is not None and data["historical"]:
            return
        self._applied.pop(event.stream, None)
        replaced = None if data is None else data.get("overridden")
        if replaced is None:
            return
        found = next((one for one in facts.overrides if one.position == replaced["position"]), None)
        if found is not None:  # that it is not there is told by the replay of the decision
            applied = AppliedOverride(event.name, found, event.position)
            self._applied[event.stream] = applied
            heappush(self._alarms, (self._due_at(applied), event.stream))

    def _begin_again(self) -> None:
        """Have what is over be so from here on: a clock was set, or a body is gone."""
        for stream, applied in self._applied.items():
            if applied.over_since and not applied.said:
                applied.over_since = 0
                heappush(self._alarms, (self._due_at(applied), stream))

    def _due_at(self, applied: AppliedOverride) -> int:
        return applied.override.effective_until + self._scores.time.allowance

    def _account(self, data: dict[str, Any]) -> None:
        """Miss what was over by the position as of which no model was left that was due."""
        through = data["evaluated_through"]
        for stream, applied in self._applied.items():
            is_known = 0 < applied.over_since <= through and self._scores.can_be_scored(stream)
            if is_known and not applied.said:
                applied.said = (
                    f"account {data['number']} of service {data['service']} says that no model was "
                    f"left that was due as of position {through}"
                )
                self._missing.append(applied)
