"""Which scores owe a decision: it is recorded right behind its score, or not at all."""

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.audit.event import AuditedEvent
from ledger.events.decisions import DECISION_TYPES


@dataclass(frozen=True, slots=True)
class OwedDecision:
    """The decision that a score owes, or does not owe, and why."""

    position: int
    stream: str
    is_due: bool
    why: str


class OwedDecisions:
    """Remembers the newest score's debt until the event behind it is there."""

    def __init__(self) -> None:
        self._owed: OwedDecision | None = None
        self._missing: list[OwedDecision] = []

    def owe(self, owed: OwedDecision) -> None:
        """Note what the next event, a score, owes; so it is no decision of the one before it."""
        self._close(is_paid=False)
        self._owed = owed

    def by(self, decision: AuditedEvent) -> OwedDecision | None:
        """Return what the score right before a decision of the same model owes; None if unknown."""
        owed = self._owed
        is_its = owed is not None and owed.position == decision.position - 1
        return owed if is_its and owed is not None and owed.stream == decision.stream else None

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event: the one behind a score is its decision, or there is none."""
        owed = self._owed
        if owed is not None and owed.position != event.position:
            self._close(is_paid=event.type in DECISION_TYPES and event.stream == owed.stream)

    def _close(self, *, is_paid: bool) -> None:
        if self._owed is not None and self._owed.is_due and not is_paid:
            self._missing.append(self._owed)
        self._owed = None

    def missing(self) -> Iterator[OwedDecision]:
        """Yield every score without the decision that it owes; the events are at their end."""
        yield from self._missing
        if self._owed is not None and self._owed.is_due:
            yield self._owed
