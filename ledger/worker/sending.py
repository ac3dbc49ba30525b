"""Reports on their way to the ledger: one that is not taken yet is sent again, for a while.

Two refusals pass with time. A person may let a job cost more than its budget has, and a time that
lies ahead of the ledger's clock comes. The job is kept meanwhile, and what is observed is
reported on.
"""

from typing import Final

from ledger.client.errors import LedgerRefusedError
from ledger.client.jobs import ReportedGate, RetrainingJob
from ledger.errors import Reason
from ledger.events.recipe_document import RecipeDocument
from ledger.worker.attending import StepRunner
from ledger.worker.calls import Beats, PatientCalls, StoppedError
from ledger.worker.observing import Observer
from ledger.worker.reports import send
from ledger.worker.state import HeldJob, PendingReport, StateFile

_PASSING: Final = frozenset({Reason.BUDGET_EXHAUSTED, Reason.CLOCK_AHEAD})
_STATED: Final = "in_service_at"
AGAIN_SECONDS: Final = 10.0


class ReportSender:
    """Sends the reports on the job that one worker holds."""

    def __init__(
        self,
        calls: PatientCalls,
        runner: StepRunner,
        observer: Observer,
        state: StateFile,
        patience_seconds: float,
    ) -> None:
        self._calls = calls
        self._runner = runner
        self._observer = observer
        self._state = state
        self._patience_seconds = patience_seconds

    def send(
        self, job: RetrainingJob, held: HeldJob, pending: PendingReport, recipe: RecipeDocument
    ) -> tuple[RetrainingJob, ReportedGate | None]:
        """Return the job after a report, and the answer to one on a gate.

        LedgerRefusedError where the ledger does not take it, by the time of a lease at the latest,
        and no later than this worker is patient; LeaseLostError and StoppedError between.
        """

        def record(at: str) -> tuple[RetrainingJob, ReportedGate | None]:
            nonlocal pending
            if at != pending.facts.get(_STATED, ""):  # kept as it is sent, under its id
                pending = pending.model_copy(update={"facts": pending.facts | {_STATED: at}})
                self._state.keep_held(pending=pending)
            return self._calls.ask(lambda: send(self._calls.client, job, held.token, pending))

        now = self._calls.clock.monotonic_seconds
        waits = min(float(recipe.limits.lease_seconds), self._patience_seconds)
        end, was_told = now() + waits, False
        beats = Beats(self._calls, job, held.token, recipe.limits, must_hold=False)
        while True:
            try:
                at = pending.facts.get(_STATED, "")
                return (
                    self._calls.stating(at, job.model, record)
                    if pending.is_own_time
                    else record(at)
                )
            except LedgerRefusedError as error:
                if error.reason not in _PASSING:
                    raise
                if not was_told:
                    why = f"the report on {pending.task} is not taken yet. {error.message}"
                    said = f"{why} {error.remedy}".strip()
                    self._runner.say(
                        job, "report.waiting", said, task=pending.task, reason=error.reason.value
                    )
                was_told = True
                if now() >= end:
                    raise
            if self._calls.stop.wait(min(AGAIN_SECONDS, beats.pause_seconds)):
                raise StoppedError
            beats()
            self._observer.look(beats)
