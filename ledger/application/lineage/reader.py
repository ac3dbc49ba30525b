"""The lineage of one run, read by indexes: its own events, and those that they rest on.

Events that name the run are found by the index over how bodies end; the others by stream and type,
from the run's first event on. Its cost goes by the run, never by the ledger.
"""

from collections.abc import Iterator
from typing import Final

from ledger.application.commands import case_streams
from ledger.application.decisions.grounds import GroundsReader
from ledger.errors import LedgerError, Reason
from ledger.events.budgets import BudgetOverspendingApproved
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.envelope import RecordedEvent
from ledger.events.jobs import JobProposed
from ledger.events.registry import typed
from ledger.events.reuse import ReuseProposed, RollBackAsked
from ledger.jobs.lineage import Lineage, lineage_of
from ledger.limits import RUN_EVENTS_MAX
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

_NOT_THERE: Final = frozenset({Reason.BODY_ERASED, Reason.EVENT_UNREADABLE})


class LineageReader:
    """Reads the runs of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, grounds: GroundsReader) -> None:
        self._events = store.events
        self._origin = info.origin
        self._grounds = grounds

    def lineage(self, run_id: str, as_of: int | None = None) -> Lineage:
        """Return a run's lineage as of a position, the head if none; RUN_UNKNOWN.

        At most RUN_EVENTS_MAX events name it there: of a longer run the first ones.
        """
        if as_of is None:
            as_of = self._events.head(self._origin).position
        found = self._events.of_run(
            self._origin, run_id, at_or_before=as_of, limit=RUN_EVENTS_MAX + 1
        )
        if not found:
            raise run_unknown(run_id)
        is_whole = len(found) <= RUN_EVENTS_MAX
        own = found[:RUN_EVENTS_MAX]
        until = as_of if is_whole else own[-1].position
        model = _model_of(own[0])
        events = {event.position: event for event in own}
        for event in self._cited(own, model, until):
            events.setdefault(event.position, event)
        ordered = [events[at] for at in sorted(events)]
        return lineage_of(run_id, model, ordered, as_of, is_whole=is_whole)

    def _cited(self, own: list[RecordedEvent], model: str, until: int) -> Iterator[RecordedEvent]:
        """Yield what a run's events rest on without being of it."""
        proposals = [typed(one, JobProposed) for one in own if one.type == JobProposed.TYPE]
        at = {one.plan for one in proposals if one.plan is not None}
        first_score = next((one for one in own if one.type == ScoreComputed.TYPE), None)
        if first_score is not None:
            at |= self._observations(first_score)
        for position in sorted(at):
            event = self._events.event(self._origin, position)
            if event is not None:
                yield event
        yield from self._cases(own, model, until)
        yield from self._approved_money(proposals, until)
        first, last = own[0].position, own[-1].position
        for type_, stream in ((ReuseProposed.TYPE, "reuse"), (RollBackAsked.TYPE, "roll_backs")):
            yield from self._events.of_types(
                self._origin,
                (type_,),
                stream=f"{stream}/{model}",
                after=first,
                at_or_before=last,
            )

    def _observations(self, scored: RecordedEvent) -> set[int]:
        """Return where the newest observations of each signal are that a score counted.

        None where it cannot be derived again, as one of them was erased since.
        """
        try:
            found = self._grounds.grounds(typed(scored, ScoreComputed))
        except LedgerError as error:
            if error.reason not in _NOT_THERE:
                raise
            return set()
        return {one.position for reports in found.reports.values() for one in reports}

    def _cases(self, own: list[RecordedEvent], model: str, until: int) -> Iterator[RecordedEvent]:
        """Yield what the run's decisions asked of people, and what became of it."""
        decisions = {one.position for one in own if one.type in DECISION_TYPES}
        for stream in case_streams(model) if decisions else ():
            noun = {"escalations": "escalation", "tasks": "task"}[stream.partition("/")[0]]
            for event in self._events.of_types(
                self._origin, CASE_TYPES, stream=stream, after=min(decisions), at_or_before=until
            ):
                if event.body_bytes is not None and event.data.get(noun) in decisions:
                    yield event

    def _approved_money(self, proposals: list[JobProposed], until: int) -> Iterator[RecordedEvent]:
        """Yield what people allowed the run's jobs beyond their budgets, before or after it began.

        The other moves of a budget for a job name its run.
        """
        jobs = {one.job for one in proposals}
        for budget in sorted({one.budget for one in proposals if one.budget is not None}):
            for event in self._events.of_types(
                self._origin,
                (BudgetOverspendingApproved.TYPE,),
                stream=f"budgets/{budget}",
                at_or_before=until,
            ):
                if event.body_bytes is not None and event.data["job"] in jobs:
                    yield event


def run_unknown(run_id: str) -> LedgerError:
    """Return the refusal of a run that no event names."""
    return LedgerError(
        Reason.RUN_UNKNOWN,
        f"No event names the run {run_id[:160]!r}.",
        remedy="`decision-ledger job show JOB` and `decision-ledger decision show` name runs; "
        "bodies that were erased name none.",
        metadata={"run": run_id[:160]},
    )


def _model_of(event: RecordedEvent) -> str:
    """Return the model that a run is about, as its first event says."""
    noun, _, name = event.stream.partition("/")
    return name if noun == "models" else str(event.data.get("model", ""))
