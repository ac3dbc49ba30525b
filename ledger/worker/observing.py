"""The versions that a worker has deployed, and what it reports of them while they are observed."""

from collections.abc import Callable
from typing import Final

from ledger.client.errors import LedgerRefusedError
from ledger.client.jobs import RetrainingJob
from ledger.clock import uuid7
from ledger.events.recipe_document import GatePart, RecipeDocument
from ledger.events.values import PPM, SECOND
from ledger.worker.attending import StepRunner
from ledger.worker.calls import OF_THE_WORKER, PatientCalls, micros_of
from ledger.worker.recipes import RecipeFolders
from ledger.worker.reports import OBSERVATION, facts_of, send
from ledger.worker.state import ObservedJob, PendingReport, StateFile
from ledger.worker.steps import StepError

PARTS: Final = 10
"""A version is reported on whenever such a part of its window has passed."""
LAST_PARTS: Final = 4
"""Where only the last stretch of a window counts: whenever such a part of that has passed."""
_LOOK_SECONDS: Final = 5.0


def next_report_at(job: RetrainingJob, gate: GatePart, seen_micros: int) -> int:
    """Return when the next report on a version is due, after one at a time.

    Where reports count only once so much of the window is over, within that stretch: not at its
    very beginning, since the ledger's time decides.
    """
    assert gate.window_seconds is not None, "an observation has a window"
    window = gate.window_seconds * SECOND
    due = seen_micros + window // PARTS
    until = None if job.deployment is None else job.deployment.observed_until
    if gate.evidence_after_ppm is None or until is None:
        return due
    stretch = window * (PPM - gate.evidence_after_ppm) // PPM
    part = min(window // PARTS, stretch // LAST_PARTS)
    first = micros_of(until) - stretch + part
    return min(due, first) if seen_micros < first else seen_micros + part


class Observer:
    """Reports on the versions that one worker has deployed."""

    def __init__(
        self, calls: PatientCalls, recipes: RecipeFolders, runner: StepRunner, state: StateFile
    ) -> None:
        self._calls = calls
        self._recipes = recipes
        self._runner = runner
        self._state = state
        self._look_at = 0.0

    def begin(self, job: RetrainingJob, token: int, attempt: int) -> None:
        """Observe a version from now on."""
        seen = ObservedJob(token=token, attempt=attempt, seen_micros=self._calls.now_micros())
        self._state.keep(observed={**self._state.now.observed, job.name: seen})

    def look(self, each_tick: Callable[[], None], *, is_last: bool = False) -> None:
        """Report on each version whose report is due; on all of them where this look is the last.

        `each_tick` is called while a step runs.
        """
        now = self._calls.clock.monotonic_seconds()
        if now < self._look_at and not is_last:
            return
        self._look_at = now + _LOOK_SECONDS
        for name, known in list(self._state.now.observed.items()):
            job = self._calls.ask(lambda named=name: self._calls.client.get_job(named)).job  # type: ignore[misc]
            if job.state != "OBSERVING":
                left = {at: one for at, one in self._state.now.observed.items() if at != name}
                self._state.keep(observed=left)
            elif (recipe := self._recipes.of(job)) is not None:
                self._report(job, recipe, known, each_tick, is_last=is_last)

    def _report(
        self,
        job: RetrainingJob,
        recipe: RecipeDocument,
        known: ObservedJob,
        each_tick: Callable[[], None],
        *,
        is_last: bool,
    ) -> None:
        now = self._calls.now_micros()
        gate = next(one for one in recipe.gates if one.gate == OBSERVATION)
        if not gate.metrics and not gate.samples:
            return  # the ledger reads it all by itself
        is_due = now >= next_report_at(job, gate, known.seen_micros)
        if not is_last and not is_due and not known.begun:
            return
        pending = known.pending
        if pending is None and (is_due or not known.begun):
            # else a worker that was ended goes on with its report
            known = known.model_copy(update={"seen_micros": now, "begun": uuid7(self._calls.clock)})
            self._keep(job, known)
        place = self._runner.place(job, OBSERVATION, known.attempt)
        seconds = float(recipe.limits.time_seconds)
        try:
            if pending is None:
                begun = known.begun
                result = self._runner.run(job, recipe, place, seconds, each_tick, request=begun)
                facts = facts_of(job, OBSERVATION, result.found, "")
                pending = PendingReport(task=OBSERVATION, request_id=begun, facts=facts)
                known = known.model_copy(update={"pending": pending})
                self._keep(job, known)  # it is sent again as it was
            self._calls.ask(lambda: send(self._calls.client, job, known.token, pending))
        except StepError:
            self._end(job, known)
            return  # it was told, and is tried again when the next report is due
        except LedgerRefusedError as error:
            if isinstance(error, OF_THE_WORKER):
                raise
            self._end(job, known)
            why = f"the ledger does not take the report on its observation. {error.message}"
            self._runner.say(job, "report.refused", f"{why} {error.remedy}".strip())
            return
        self._end(job, known)
        self._runner.say(job, "gate.reported", "observation reported.", task=OBSERVATION)

    def _end(self, job: RetrainingJob, known: ObservedJob) -> None:
        """Remember that a report is no longer under way."""
        self._keep(job, known.model_copy(update={"begun": "", "pending": None}))

    def _keep(self, job: RetrainingJob, known: ObservedJob) -> None:
        self._state.keep(observed={**self._state.now.observed, job.name: known})
