"""Versions that the ledger proposed to put back: a worker does it by the step of a return.

There is no lease. The step may be run twice, as its page says, and of two workers the ledger takes
one record: a proposal is over with the first deployment of its model.
"""

from collections.abc import Callable
from dataclasses import dataclass

from ledger.client.errors import LedgerRefusedError
from ledger.client.jobs import PutBack
from ledger.clock import uuid7
from ledger.events.recipe_document import RecipeDocument
from ledger.worker.attending import StepRunner
from ledger.worker.calls import OF_THE_WORKER, PatientCalls
from ledger.worker.recipes import RecipeFolders
from ledger.worker.steps import RETURN, StepError


@dataclass(frozen=True, slots=True)
class PutBackWork:
    """A version that is to serve again, as a step is told of it: like a job without one."""

    job: str
    run_id: str
    attempt: int
    model: str
    recipe: str
    recipe_version: int
    recipe_digest: str
    returns_to: tuple[str, ...]

    @classmethod
    def of(cls, row: PutBack) -> "PutBackWork":
        """Return the work that a proposal asks for."""
        return cls(
            f"put-back-{row.position}",
            "",
            1,
            row.model,
            row.recipe,
            row.recipe_version,
            row.recipe_digest,
            (row.put_back,),
        )


@dataclass(frozen=True, slots=True)
class DonePutBack:
    """How far a worker came with a proposal: `put_back`, `step_failed` or `refused`, and why."""

    work: PutBackWork
    end: str
    reason: str


class PutBackRunner:
    """Puts versions back, for one worker."""

    def __init__(self, calls: PatientCalls, recipes: RecipeFolders, runner: StepRunner) -> None:
        self._calls = calls
        self._recipes = recipes
        self._runner = runner
        self._rests: dict[int, float] = {}
        """Until when a proposal whose step failed here is left to others."""

    def do_one(self, each_tick: Callable[[], None]) -> DonePutBack | None:
        """Put one version back, the oldest proposal first; None where there is none for here."""
        client = self._calls.client
        for row in self._calls.ask(client.list_put_backs):
            if self._rests.get(row.position, 0.0) > self._calls.clock.monotonic_seconds():
                continue
            work = PutBackWork.of(row)
            recipe = self._recipes.of(work) if row.recipe else None
            if recipe is not None:
                return self._put_back(row, work, recipe, each_tick)
        return None

    def _put_back(
        self, row: PutBack, work: PutBackWork, recipe: RecipeDocument, each_tick: Callable[[], None]
    ) -> DonePutBack:
        now = self._calls.clock.monotonic_seconds()
        self._rests[row.position] = now + recipe.limits.lease_seconds
        place = self._runner.place(work, RETURN, 1)
        seconds = float(recipe.limits.time_seconds)
        request = uuid7(self._calls.clock)
        try:
            result = self._runner.run(
                work, recipe, place, seconds, each_tick, row.in_service, request
            )
        except StepError as error:
            return DonePutBack(work, "step_failed", str(error))
        try:
            self._record(row, result.report.in_service_at)
        except LedgerRefusedError as error:
            if isinstance(error, OF_THE_WORKER):
                raise
            why = f"the ledger does not take it that {row.put_back} serves. {error.message}"
            self._runner.say(work, "report.refused", f"{why} {error.remedy}".strip())
            return DonePutBack(work, "refused", error.message)
        said = f"{row.put_back} serves again."
        self._runner.say(work, "job.returned", said, task=RETURN)
        return DonePutBack(work, "put_back", said)

    def _record(self, row: PutBack, stated: str) -> None:
        """Record that a version serves again, since a time that its step stated, or since now."""
        request_id = uuid7(self._calls.clock)

        def record(at: str) -> None:
            self._calls.ask(
                lambda: self._calls.client.put_back_version(
                    row.model, row.position, in_service_at=at, request_id=request_id
                )
            )

        if stated:
            record(stated)
        else:
            self._calls.stating(self._calls.now_of(row.model), row.model, record)
