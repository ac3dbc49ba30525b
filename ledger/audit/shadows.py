"""Shadows, as the audit folds them: those that run, what each recorded, and what scores owe.

A score of the evaluator has behind it, in the same request, the score of each shadow whose scope
has its model, and the shadow's decision where that is new.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ledger.audit.assessor import Assessor, NotReplayableError
from ledger.audit.audited_model import (
    RECENT,
    AuditedDecision,
    AuditedModel,
    newest_of,
    versions_of,
)
from ledger.audit.event import AuditedEvent
from ledger.audit.parameters import Parameters
from ledger.audit.shadow_plans import AuditedShadowPlans
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.horizons import EVALUATOR
from ledger.events.models import DESCRIBING
from ledger.events.shadows import SHADOW_DECISION_TYPES, SHADOW_TYPES, ShadowScored
from ledger.governance.shadows import Shadow, Shadows

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState
    from ledger.kernel.buckets import ModelState

_BESIDE: Final = frozenset({*DECISION_TYPES, *CASE_TYPES})
"""The types of events that may come between a score and its shadows."""


@dataclass(slots=True)
class ShadowRecord:
    """The decisions and scores of one shadow about one model."""

    decisions: deque[AuditedDecision] = field(default_factory=lambda: deque(maxlen=RECENT))
    decided: int = 0
    scores: dict[tuple[object, ...], deque[tuple[int, int]]] = field(default_factory=dict)


@dataclass(slots=True)
class OwedShadows:
    """A score of the evaluator, and the shadows that are not there yet behind it."""

    score: AuditedEvent
    left: deque[Shadow]
    why_unknown: str = ""
    """Why it is not known what it owes."""
    last: AuditedEvent | None = None
    """The score of a shadow right before."""
    is_decision_due: bool | None = None
    """Whether that owes a decision; None where it is not known."""


class SecondShadowAssessor(Assessor):
    """Derives what one shadow gives: by its own last decision and score, without overrides."""

    def __init__(self, fold: "LedgerState", shadow: int, records: dict[str, ShadowRecord]) -> None:
        super().__init__(fold)
        self._shadow = shadow
        self._records = records

    def _horizon(
        self, event: AuditedEvent, data: dict[str, Any]
    ) -> tuple[AuditedModel, Parameters]:
        of_model = replace(event, stream=f"models/{event.name}")
        facts, parameters = super()._horizon(of_model, data)
        kept = self._records.get(event.name, ShadowRecord())
        real = {ScoreComputed.TYPE, *DECISION_TYPES}
        gone = {type_: at for type_, at in facts.gone_by_type.items() if type_ not in real}
        own = replace(
            facts, overrides=[], decisions=kept.decisions, decided=kept.decided,
            scores=kept.scores, gone_by_type=gone,
        )  # fmt: skip
        return own, parameters

    def _begun(self, *_of: object) -> int:
        return self._shadow

    def _state(
        self, facts: AuditedModel, parameters: Parameters, data: dict[str, Any]
    ) -> "ModelState":
        return super()._state(facts, parameters, data | {"historical": True})  # always cold


class AuditedShadows:
    """Shadows as of the events applied so far."""

    def __init__(self) -> None:
        self.running = Shadows()
        self.blind_at = 0
        """Where the body is absent of an event that begins or ends a shadow; 0 for nowhere."""
        self.owed: OwedShadows | None = None
        """The debt of the newest score of the evaluator, while it may still be paid."""
        self.next_due: bool | None = None
        """Whether the score of a shadow that is taken in next owes a decision."""
        self._blind_models: dict[str, int] = {}
        self._records: dict[int, dict[str, ShadowRecord]] = {}
        self._assessors: dict[int, SecondShadowAssessor] = {}
        self._missing: list[tuple[int, str]] = []
        self.plans = AuditedShadowPlans()

    def blind_for(self, model: str, shadow: int) -> int:
        """Return where a body is absent that a shadow may have recorded of a model; 0: nowhere."""
        at = self._blind_models.get(model, 0)
        return at if at > shadow else 0

    def decided(self, shadow: int, model: str, as_of: int) -> dict[str, Any] | None:
        """Return what a shadow decided of a model last; NotReplayableError if unknown."""
        if self.blind_for(model, shadow):
            raise NotReplayableError("a body is not there that it may have decided by")
        kept = self._records.get(shadow, {}).get(model, ShadowRecord())
        for decided in reversed(kept.decisions):
            if decided.position <= as_of:
                return decided.data
        if kept.decided > len(kept.decisions):
            raise NotReplayableError("its horizon lies further back than decisions are remembered")
        return None

    def priority(self, shadow: int, model: str, as_of: int) -> int | None:
        """Return the priority in a shadow's last score of a model; NotReplayableError if unknown.

        None where it has none.
        """
        if self.blind_for(model, shadow):
            raise NotReplayableError("a body is not there that it may have been scored by")
        kept = self._records.get(shadow, {}).get(model, ShadowRecord())
        try:
            found = newest_of(kept.scores, as_of)
        except LookupError as error:
            raise NotReplayableError(str(error)) from error
        return None if found is None else found[1]

    def assessor(self, fold: "LedgerState", shadow: int) -> SecondShadowAssessor:
        """Return the assessor of a shadow."""
        found = self._assessors.get(shadow)
        if found is None:
            records = self._records.setdefault(shadow, {})
            found = self._assessors[shadow] = SecondShadowAssessor(fold, shadow, records)
        return found

    def take(self, event: AuditedEvent, fold: "LedgerState") -> None:
        """Take in the next event; `fold` has taken in all that came before it."""
        self.plans.take(event, fold)
        if self.owed is not None:
            self._pay(self.owed, event)
        if event.type == ScoreComputed.TYPE:
            self._owe(event, fold)
        elif event.type in SHADOW_TYPES:
            if event.data is None:
                self.blind_at = self.blind_at or event.position
            self.running = self.running.applied(
                event.position, event.stream, event.type, event.data
            )
        elif event.type == ShadowScored.TYPE or event.type in SHADOW_DECISION_TYPES:
            self._record(event)

    def _record(self, event: AuditedEvent) -> None:
        data = event.data
        if data is None:
            self._blind_models[event.name] = event.position
            return
        records = self._records.setdefault(data["shadow"], {})
        kept = records.setdefault(event.name, ShadowRecord())
        if event.type == ShadowScored.TYPE:
            scores = kept.scores.setdefault(versions_of(data), deque(maxlen=RECENT))
            scores.append((event.position, data["priority"]))
        else:
            kept.decisions.append(AuditedDecision(event.position, data, None))
            kept.decided += 1

    def _owe(self, event: AuditedEvent, fold: "LedgerState") -> None:
        data = event.data
        if data is None:
            self.owed = OwedShadows(event, deque(), fold.absences.reason(event.position))
            return
        if event.actor != EVALUATOR or data["historical"]:
            return
        facts = fold.models.get(event.stream)
        described = None if facts is None else facts.description(data["as_of"])
        if facts is None or described is None or facts.newest_gone(DESCRIBING, data["as_of"]):
            self.owed = OwedShadows(event, deque(), "what the model was described as is not there")
            return
        found = self.running.for_model(event.name, described["labels"])
        why = ""
        if self.blind_at:
            why = fold.absences.reason(self.blind_at)
        elif any(fold.parameters(*one.reference) is None for one in found):
            why = "the policy of a shadow is not there"
        if found or why:
            self.owed = OwedShadows(event, deque(found), why)

    def _pay(self, owed: OwedShadows, event: AuditedEvent) -> None:
        """Take an event for what a score owes of shadows, or miss all the rest."""
        is_its = event.name == owed.score.name
        if is_its and event.type == ShadowScored.TYPE:
            self._miss_decision(owed)
            if owed.left:
                owed.left.popleft()
            owed.last, owed.is_decision_due, self.next_due = event, self.next_due, None
        elif is_its and event.type in SHADOW_DECISION_TYPES:
            owed.last, owed.is_decision_due = None, None
        elif not (is_its and event.type in _BESIDE and owed.last is None):
            self._close(owed)

    def _miss_decision(self, owed: OwedShadows) -> None:
        if owed.last is not None and owed.is_decision_due and not owed.why_unknown:
            what = "its outcome is new, and there is no decision of its shadow behind it"
            self._missing.append((owed.last.position, what))

    def _close(self, owed: OwedShadows) -> None:
        self._miss_decision(owed)
        if owed.left and not owed.why_unknown:
            named = ", ".join(str(one.position) for one in owed.left)
            what = f"the shadow of position {named} runs, and no score of it is behind this one"
            self._missing.append((owed.score.position, what))
        self.owed = None

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield every score without the shadows that it owes; the events are at their end."""
        if self.owed is not None:
            self._close(self.owed)
        yield from self._missing
