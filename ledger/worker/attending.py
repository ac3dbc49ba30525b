"""A step from its beginning to its result: what it is told, its end, and the files that it left."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ledger.client.jobs import Artifact
from ledger.environment import code_record
from ledger.events.recipe_document import RecipeDocument
from ledger.worker.calls import PatientCalls, StoppedError
from ledger.worker.recipes import RecipeFolders
from ledger.worker.reports import Found
from ledger.worker.running import (
    LOG_BYTES_MAX,
    RunningStep,
    StepEnd,
    StepPlace,
    environment_of,
)
from ledger.worker.state import WorkerError
from ledger.worker.steps import (
    RETURN,
    StepError,
    StepGrounds,
    StepReport,
    WorkedOn,
    artifacts_of,
    read_report,
    stated_cost,
    told,
    write_told,
)
from ledger.worker.surroundings import known_environment

_TICK_SECONDS: Final = 1.0
_STATED: Final = frozenset({"training", "observation", RETURN})
"""Tasks whose environment is the step's to state, or is not asked for."""


class StepResult(NamedTuple):
    """The result of a step that ended well."""

    report: StepReport
    place: StepPlace
    artifacts: tuple[Artifact, ...]

    @property
    def found(self) -> Found:
        """Its part that is reported."""
        return Found(self.report, self.artifacts, self.place.log_sha256())


class StepRunner:
    """Runs the steps of one worker, one below the other at most twice."""

    def __init__(
        self, calls: PatientCalls, recipes: RecipeFolders, folder: Path, ledger: str
    ) -> None:
        self._calls = calls
        self._recipes = recipes
        self._folder = folder.resolve()
        self._ledger = ledger

    def place(self, job: WorkedOn, task: str, attempt: int) -> StepPlace:
        """Return the files of a task in an attempt at a job."""
        return StepPlace(self._folder / "jobs" / job.job / f"attempt-{attempt}", task)

    def run(
        self,
        job: WorkedOn,
        recipe: RecipeDocument,
        place: StepPlace,
        seconds: float,
        each_tick: Callable[[], None],
        serving: str | None = None,
        request: str = "",
    ) -> StepResult:
        """Run a step to its end, at most so many seconds; StepError where it has no result.

        `each_tick` is called every second or so; what it raises ends the step. `serving` is the
        version that the step is told to be in service; that which is, if left out. `request` tells
        this run from another one of the task in the same attempt, unless it is the same again.
        """
        task, folder = place.task, self._recipes.folder(job)
        if serving is None:
            model = self._calls.ask(lambda: self._calls.client.get_model(job.model))
            serving = model.version_in_service
        try:
            place.prepare(folder)
            grounds = StepGrounds(serving, self._ledger, code_record(folder), request)
            write_told(place.told, told(job, recipe, task, grounds))
        except OSError as error:
            raise WorkerError(
                f"{error.filename} cannot be used: {error.strerror}.", "See --work and --recipes."
            ) from None
        self.say(job, "step.began", f"the step of {task} begins.", task=task)
        try:
            end = self._attended(RunningStep(recipe, place, seconds), each_tick)
            report = self._told_where(read_report(place.report), recipe, place, grounds.code)
            found = StepResult(report, place, artifacts_of(report, place.files))
        except StepError as error:
            lines = place.last_lines()
            said = "".join(f"\n  | {line}" for line in lines)
            why = f"the step of {task} failed. {error} Its log is {place.log}{said}"
            self.say(job, "step.failed", why, task=task, fault=str(error), last_lines=lines)
            digest = place.log_sha256() if place.log.is_file() else ""
            what = f"The step of {task}: {error}"
            raise StepError(what, stated_cost(place.report), digest) from None
        self.say(job, "step.ended", f"the step of {task} ended.", task=task, peak_kib=end.peak_kib)
        return found

    @staticmethod
    def _told_where(
        report: StepReport, recipe: RecipeDocument, place: StepPlace, code: Mapping[str, Any]
    ) -> StepReport:
        """Return a report with so much of the step's environment as is known, if it states none."""
        if report.environment is not None or place.task in _STATED:
            return report
        path = environment_of(recipe, place)["PATH"]
        known = known_environment(recipe.run.argv, path, code)
        return report.model_copy(update={"environment": known})

    def _attended(self, step: RunningStep, each_tick: Callable[[], None]) -> StepEnd:
        is_over = False
        try:
            while not is_over:
                if self._calls.stop.wait(_TICK_SECONDS, [step.fileno()]):
                    raise StoppedError
                if step.log_is_too_long:
                    raise StepError(f"It printed more than {LOG_BYTES_MAX} bytes.")
                is_over = step.is_over
                if not is_over:
                    each_tick()
            end = step.end()
        finally:
            if not is_over:
                step.stop()
        if end.fault:
            raise StepError(end.fault)
        return end

    def say(self, job: WorkedOn, event: str, sentence: str, **facts: Any) -> None:  # noqa: ANN401
        """Tell what happens to a job."""
        known = {"job": job.job, "model": job.model, **facts}
        self._calls.tell(event, f"Job {job.job}: {sentence}", known)
