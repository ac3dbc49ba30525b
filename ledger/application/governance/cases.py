"""Escalations and tasks of one ledger: what is open, now or at a position, and answers by people.

A decision is recorded together with what it begins and ends (`evaluation/assessments.py`), the
governor records what time brings; here are the answers of people.
"""

import threading
from collections.abc import Iterable, Mapping
from typing import Final

import structlog

from ledger.application.appender import Addition, Appender, MakeData, Proposal
from ledger.application.commands import Caller, fields_named
from ledger.application.erasure import Erasures
from ledger.application.fleet.cases import same_cases, with_case
from ledger.errors import LedgerError, Reason
from ledger.events.cases import (
    CASE_TYPES,
    EscalationAcknowledged,
    EscalationData,
    EscalationResolved,
    TaskClosed,
    TaskData,
    TaskOutcome,
    TaskTaken,
)
from ledger.events.envelope import RecordedEvent
from ledger.events.models import ModelRetired
from ledger.governance.cases import ModelCases, case_fault
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5
_EARLIER_MAX: Final = 4
_log: Final = structlog.get_logger("ledger.cases")
_NONE: Final = ModelCases()
_READ: Final = CASE_TYPES | {ModelRetired.TYPE}


class Cases:
    """Escalations and tasks of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo) -> None:
        self._store = store
        self._origin = info.origin
        self._appender = Appender(store, info.origin)
        self._erasures = Erasures(store.events, info.origin)
        self._lock = threading.Lock()
        self._models: dict[str, ModelCases] = {}
        self._unreadable: dict[str, LedgerError] = {}
        """Models of which an event of their cases cannot be read; they hold up no other."""
        self._position = 0
        self._earlier: dict[tuple[int, int], Mapping[str, ModelCases]] = {}
        """By position, and by the newest erasure then."""

    # ---- reading ---------------------------------------------------------------------------------

    def open(self, as_of: int | None = None) -> Mapping[str, ModelCases]:
        """Return what is open for each model that ever had a case: now, or at a position.

        The last few are remembered, so that the pages of a list cost one fold together. A body
        that was erased since is not there for an earlier position either.
        """
        if as_of is None:
            return self.now()[1]
        key = as_of, self._erasures.newest()
        with self._lock:
            found = self._earlier.get(key)
        if found is not None:
            return found
        models: dict[str, ModelCases] = {}
        for model in self._fold(models, self._read(0, as_of)):
            models.pop(model, None)
        with self._lock:
            self._earlier = dict([*self._earlier.items(), (key, models)][-_EARLIER_MAX:])
        return models

    def now(self) -> tuple[int, Mapping[str, ModelCases]]:
        """Return the position of the head, and what is open there."""
        with self._lock:
            self._follow()
            known = {
                model: cases
                for model, cases in self._models.items()
                if model not in self._unreadable
            }
            return self._position, known

    @property
    def has_unreadable(self) -> bool:
        """Whether it is unknown what is open for some model, since an event cannot be read."""
        return bool(self._unreadable)

    def forget(self) -> None:
        """Fold all of it again, since bodies were erased."""
        with self._lock:
            self._models.clear()
            self._earlier.clear()
            self._unreadable.clear()
            self._position = 0

    def _follow(self) -> None:
        head = self._store.events.head(self._origin).position
        if head > self._position:
            self._unreadable |= self._fold(self._models, self._read(self._position, head))
            self._position = head

    def _read(self, after: int, until: int) -> Iterable[RecordedEvent]:
        return self._store.events.of_types(self._origin, _READ, after=after, at_or_before=until)

    def _fold(
        self, models: dict[str, ModelCases], events: Iterable[RecordedEvent]
    ) -> dict[str, LedgerError]:
        """Take events in; return why those models cannot be told of which one is unreadable."""
        unreadable: dict[str, LedgerError] = {}
        for event in events:
            model = event.stream.partition("/")[2]
            is_gone = event.body_bytes is None
            try:
                if is_gone and self._erasures.erased_by(event.position) is None:
                    raise self._erasures.refusal(event.position)
                models[model] = with_case(models.get(model, _NONE), event, is_gone=is_gone)
            except LedgerError as error:
                if error.reason is not Reason.EVENT_UNREADABLE:
                    raise
                _log.error("cases.model_set_aside", model=model, message=error.message)
                unreadable[model] = error
        return unreadable

    # ---- answers ---------------------------------------------------------------------------------

    def acknowledge(self, caller: Caller, model: str, escalation: int, note: str) -> AppendResult:
        """Record that a person takes an escalation on; CASE_NOT_OPEN where it is not open."""
        with fields_named():
            data = EscalationAcknowledged(model=model, escalation=escalation, note=note)
        return self.answer(caller, data)

    def resolve(self, caller: Caller, model: str, escalation: int, resolution: str) -> AppendResult:
        """Record how a person dealt with an escalation; CASE_NOT_OPEN where it is not open."""
        with fields_named():
            data = EscalationResolved(model=model, escalation=escalation, resolution=resolution)
        return self.answer(caller, data)

    def take(self, caller: Caller, model: str, task: int) -> AppendResult:
        """Record that a person works on a task; CASE_NOT_OPEN where it is not open."""
        with fields_named():
            data = TaskTaken(model=model, task=task)
        return self.answer(caller, data)

    def close(
        self, caller: Caller, model: str, task: int, outcome: TaskOutcome, note: str
    ) -> AppendResult:
        """Record the outcome of a task; CASE_NOT_OPEN where it is not open."""
        with fields_named():
            data = TaskClosed(model=model, task=task, outcome=outcome, note=note)
        return self.answer(caller, data)

    def answer(
        self, caller: Caller, data: EscalationData | TaskData, make: MakeData | None = None
    ) -> AppendResult:
        """Record an event about what is open, guarded by what was open when it was judged.

        `make`: makes the event that is recorded, where that says when it is.
        """

        def decide() -> Proposal:
            cases = self.open().get(data.model, _NONE)
            if (error := self._unreadable.get(data.model)) is not None:
                raise error
            if fault := case_fault(cases, data.TYPE, caller.actor, data.to_data()):
                raise _refused(data, caller, fault)
            open_ = cases.about(data.to_data())
            cause = None if open_ is None else open_.position
            guards = same_cases(cases, [data.stream_name])
            added = Addition(data.stream_name, data.TYPE, make or data, cause=cause)
            return Proposal([added], guards)

        return self._appender.append(caller, data.METHOD or "Governor", decide, tries=_TRIES)


def _refused(data: EscalationData | TaskData, caller: Caller, fault: str) -> LedgerError:
    if "is not a person" in fault:
        return LedgerError(
            Reason.ACTOR_NOT_AUTHORISED,
            f"{fault}: only a person answers escalations and tasks.",
            remedy="Call as the person who answers, users/NAME.",
            metadata={"actor": caller.actor},
        )
    what, command = "escalation", "`decision-ledger escalation list`"
    if isinstance(data, TaskData):
        what, command = "task", "`decision-ledger task list`"
    return LedgerError(
        Reason.CASE_NOT_OPEN,
        f"The {what} of model {data.model} is not open for this: {fault}.",
        remedy=f"List what is open: {command}.",
        metadata={"model": data.model, "why": fault},
    )
