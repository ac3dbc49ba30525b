"""The governor: records what time brings, as `system/governor`, once its time has come.

An escalation without an answer goes on to the next tier, and a task is overdue; a policy comes into
force at its time; an emergency that was not ratified ends, and so does a shadow in its time. With
a model end its escalation and its tasks. The
review of a policy is due. All that it appends is judged as the auditor judges it, and guarded:
several servers do it once.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import structlog

from ledger.application.appender import MakeData
from ledger.application.commands import Caller, ledger_time, work_time
from ledger.application.fleet.shadowing import Shadowing
from ledger.application.governance.cases import Cases
from ledger.application.periodic_task import GovernorTurn, PeriodicTask, record_each, try_each
from ledger.application.policies.history import PolicyHistory
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason
from ledger.events.cases import (
    GOVERNOR,
    EscalationData,
    EscalationEscalated,
    TaskData,
    TaskOverdue,
)
from ledger.events.decisions import DecisionMade
from ledger.events.registry import typed
from ledger.events.shadows import ShadowEnd
from ledger.governance.cases import ModelCases, OpenEscalation, lapses, passed_on
from ledger.storage.records import LedgerInfo, Place
from ledger.storage.store import Store

CALLER: Final = Caller(GOVERNOR)
_SECONDS: Final = 5.0
_PASSED: Final = frozenset({Reason.CASE_NOT_OPEN, Reason.VERSION_CONFLICT})
"""Another server, or a person, was sooner."""
_UNKNOWN: Final = frozenset({Reason.BODY_ERASED, Reason.EVENT_UNREADABLE, Reason.POLICY_UNKNOWN})
_log: Final = structlog.get_logger("ledger.governor")


class _Due(NamedTuple):
    """An event that is due, and its maker where the event says when it is recorded."""

    data: EscalationData | TaskData
    make: MakeData | None = None


class Settled(NamedTuple):
    """As of when nothing was left to record: a position, and the ledger's time."""

    position: int
    at: int


class Governor(PeriodicTask):
    """Looks every few seconds at what is due on one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        cases: Cases,
        policies: PolicyHistory,
        clock: Clock,
        shadowing: Shadowing,
        others: Sequence[Callable[[], GovernorTurn]],
    ) -> None:
        """`others` record what is due by now of themselves."""
        self._store = store
        self._info = info
        self._cases = cases
        self._policies = policies
        self._others = others
        self._shadowing = shadowing
        self.settled: Settled | None = None
        """As of when nothing was left to record that was due; None as long as there is none."""
        super().__init__(f"governor {info.origin}", self.run_due, _SECONDS, clock)

    def run_due(self) -> int:
        """Record all that is due by the ledger's time; return how many events that were.

        What cannot be recorded holds up nothing else; the last failure is raised in the end.
        """
        head = self._store.events.head(self._info.origin)
        at, turn = ledger_time(self._info, self._store, head), [GovernorTurn()]
        parts = (*self._others, self._answer_due, self._end_shadows)
        try_each(parts, lambda part: turn.append(turn[-1] + part()))
        if turn[-1] == GovernorTurn() and not self._cases.has_unreadable:
            self.settled = Settled(head.position, at)
        return turn[-1].recorded

    def _answer_due(self) -> GovernorTurn:
        """Record what time brings to escalations and tasks."""
        now = ledger_time(self._info, self._store, self._store.events.head(self._info.origin))
        due = [
            one
            for model, cases in self._cases.open().items()
            for one in self._due(model, cases, now)
        ]
        return record_each(due, lambda one: self._cases.answer(CALLER, *one), _PASSED)

    def _end_shadows(self) -> GovernorTurn:
        """End the shadows whose time is over, or whose version came into force for their scope."""
        now = work_time(self._info, self._store, self._store.events.head(self._info.origin))

        running = self._shadowing.running().running
        activated = {at: self._policies.activation_of(one) for at, one in running.items()}

        def end(position: int) -> None:
            cause = activated[position]
            ground: ShadowEnd = "time" if cause is None else "activated"
            reason = "Its time is over." if cause is None else "Its version is in force there."
            self._shadowing.end(CALLER, position, reason, ground=ground, cause=cause)

        due = [
            position
            for position, one in running.items()
            if one.until <= now or activated[position] is not None
        ]
        return record_each(due, end, {Reason.SHADOW_REFUSED, Reason.VERSION_CONFLICT})

    def _due(self, model: str, cases: ModelCases, now: int) -> Iterator[_Due]:
        if cases.retired_at:
            for lapse in lapses(model, cases):
                yield _Due(lapse)
            return
        for task in cases.tasks.values():
            if task.due_at <= now and not task.is_overdue:
                yield _Due(TaskOverdue(model=model, task=task.task))
        open_ = cases.escalation
        if open_ is not None and open_.is_due(now):
            document = self._document(open_)
            following = None if document is None else passed_on(open_, document, now)
            if document is not None and following is not None:
                _log.warning(
                    "escalation.escalated", ledger=self._info.origin, model=model,
                    escalation=open_.escalation, tier=following.tier,
                )  # fmt: skip
                yield _Due(following, _at_its_place(open_, document))

    def _document(self, open_: OpenEscalation) -> Mapping[str, Any] | None:
        """Return the policy that raised an escalation; None where it cannot be read."""
        event = self._store.events.event(self._info.origin, open_.escalation)
        if event is None or event.body_bytes is None:
            return None
        try:
            data = typed(event, DecisionMade)
            policy = self._policies.compiled(data.policy, data.policy_version, data.policy_digest)
        except LedgerError as error:
            if error.reason not in _UNKNOWN:
                raise
            return None
        return policy.document.model_dump(mode="json")


def _at_its_place(open_: OpenEscalation, document: Mapping[str, Any]) -> MakeData:
    """Return what makes the event by which an escalation goes on, once it is known when."""

    def made(place: Place) -> EscalationEscalated:
        following = passed_on(open_, document, place.recorded_at)
        assert following is not None, "which tier follows is a matter of the policy"
        return following

    return made
