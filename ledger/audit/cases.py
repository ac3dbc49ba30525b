"""Escalations and tasks, as the audit folds them: those that are open, and those that are owed.

A decision's consequences are recorded right behind it. They are derived here from the decision and
its policy, so that each that is missing, or that no decision asks for, is found exactly.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ledger.audit.event import AuditedEvent
from ledger.events.cases import CASE_TYPES, EscalationData, EscalationRaised, TaskData
from ledger.events.decisions import DECISION_TYPES
from ledger.events.models import DESCRIBING, ModelRetired
from ledger.governance.cases import Decided, ModelCases, consequences

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState

_NONE: Final = ModelCases()


class Asking(NamedTuple):
    """A decision that asks something of people, and what is not there of it yet."""

    event: AuditedEvent
    make: Callable[[int], list[EscalationData | TaskData]]
    """Makes the events that it asks for, by the time at which they are recorded."""
    owed: deque[EscalationData | TaskData]

    def next_at(self, recorded_at: int) -> EscalationData | TaskData:
        """Return what is owed next, as it would say that it was recorded at a time."""
        return self.make(recorded_at)[-len(self.owed)]


class AuditedCases:
    """Escalations and tasks as of the events applied so far."""

    def __init__(self) -> None:
        self._models: dict[str, ModelCases] = {}
        self._documents: dict[str, Mapping[str, Any]] = {}
        """By model, the policy by which its escalation was raised."""
        self._blind: dict[str, int] = {}
        """Models of which a body is absent that may say what is open, and where."""
        self._asking: Asking | None = None
        self._missing: list[tuple[int, str]] = []

    def of(self, model: str) -> ModelCases:
        """Return what is open for a model."""
        return self._models.get(model, _NONE)

    def blind_at(self, model: str) -> int:
        """Return the position of a body without which it is not known what is open; 0 for none."""
        return self._blind.get(model, 0)

    def document(self, model: str) -> Mapping[str, Any] | None:
        """Return the policy by which a model's escalation was raised."""
        return self._documents.get(model)

    def asking(self, event: AuditedEvent) -> Asking | None:
        """Return the decision whose consequence an event right behind it may be."""
        found = self._asking
        return found if found is not None and found.event.name == event.name else None

    def take(self, event: AuditedEvent, fold: "LedgerState") -> None:
        """Take in the next event; `fold` has taken in all that came before it."""
        self._pay(event)
        if event.type in DECISION_TYPES:
            self._decide(event, fold)
        elif event.type == ModelRetired.TYPE:
            known = self.of(event.name).applied(event.position, event.type, event.actor, event.data)
            self._models[event.name] = known
        elif event.type in CASE_TYPES:
            if event.data is None:
                self._blind.setdefault(event.name, event.position)
            self._models[event.name] = self.of(event.name).applied(
                event.position, event.type, event.actor, event.data
            )

    def _decide(self, event: AuditedEvent, fold: "LedgerState") -> None:
        data, facts = event.data, fold.models.get(event.stream)
        if data is not None and data["historical"]:
            return
        known = described = None
        if data is not None and facts is not None:
            if not facts.newest_gone(DESCRIBING, data["as_of"]):
                described = facts.description(data["as_of"])
            known = fold.parameters(data["policy"], data["policy_version"], data["policy_digest"])
        if data is None or known is None or described is None:
            self._blind.setdefault(event.name, event.position)
        if data is None or known is None or described is None or self.blind_at(event.name):
            return
        decided = Decided(
            event.name, event.position, data["action"], data["tier"], event.recorded_at
        )
        before, document, owner = self.of(event.name), known.document, described["owner"]

        def make(recorded_at: int) -> list[EscalationData | TaskData]:
            asked = decided._replace(recorded_at=recorded_at)
            return consequences(before, asked, document, owner)

        owed = make(event.recorded_at)
        if any(isinstance(one, EscalationRaised) for one in owed):
            self._documents[event.name] = document
        self._asking = Asking(event, make, deque(owed)) if owed else None

    def _pay(self, event: AuditedEvent) -> None:
        """Take an event for what the decision before it asks for next, or miss all the rest."""
        asking = self._asking
        if asking is None:
            return
        if event.type == asking.owed[0].TYPE and event.name == asking.event.name:
            asking.owed.popleft()
            if asking.owed:
                return
        else:
            self._missing += _unpaid(asking)
        self._asking = None

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield every decision without what it asks for; the events are at their end."""
        yield from self._missing
        if self._asking is not None:
            yield from _unpaid(self._asking)


def _unpaid(asking: Asking) -> Iterator[tuple[int, str]]:
    named = ", ".join(one.TYPE for one in asking.owed)
    yield asking.event.position, f"it asks for {named} right behind it, which is not there"
