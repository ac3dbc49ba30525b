"""A worker: it leases jobs, takes each through the stages that are an executor's, and observes.

One job at a time. Each request is remembered before it is sent, so that a worker that was killed
goes on: with its lease if its token is still the newest, otherwise without its results. A ledger
that does not answer is asked again.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError
from ledger.client.jobs import ReportedGate, RetrainingJob
from ledger.clock import Clock, uuid7
from ledger.errors import Reason
from ledger.events.recipe_document import RecipeDocument
from ledger.limits import TEXT_CHARS_MAX
from ledger.worker.attending import StepResult, StepRunner
from ledger.worker.calls import (
    GONE,
    OF_THE_WORKER,
    UNANSWERED,
    Beats,
    LeaseLostError,
    PatientCalls,
    StoppedError,
    Tell,
)
from ledger.worker.observing import Observer
from ledger.worker.put_backs import PutBackRunner
from ledger.worker.recipes import RecipeFolders
from ledger.worker.reports import DEPLOYMENT, facts_of, served_instead, states_no_time
from ledger.worker.sending import ReportSender
from ledger.worker.state import HeldJob, PendingReport, StateFile, WorkerError
from ledger.worker.steps import RETURN, StepError
from ledger.worker.stopping import StopSignal


@dataclass(frozen=True, slots=True)
class WorkerOptions:
    """How a worker works."""

    recipes: Path
    """A folder with a folder for each recipe, under its id."""
    folder: Path
    """Where the worker keeps its state, and its jobs their files."""
    is_once: bool = False
    """Whether it ends once nothing is left to do."""
    poll_seconds: float = 5.0
    """How long it waits before it looks for work again."""
    patience_seconds: float = math.inf
    """How long a ledger that does not answer is asked again."""
    gives_up: bool = False
    """Whether it gives its job up when it is told to end, rather than go on once it is back."""


@dataclass(frozen=True, slots=True)
class WorkedJob:
    """A job that a worker had, and how far it came with it."""

    job: str
    model: str
    attempt: int
    end: str
    """`observing`, `awaiting_approval`, `succeeded`, `failed`, `rolled_back` … as the ledger has
    it; `step_failed` or `lost` where the worker could not go on, `lapsed` where nothing was
    left."""
    reason: str


class NothingLeftError(Exception):
    """Nothing is left to do of a job: why, as a sentence."""


class Worker:
    """One worker. For one thread."""

    def __init__(
        self,
        client: LedgerClient,
        options: WorkerOptions,
        clock: Clock,
        stop: StopSignal,
        tell: Tell,
    ) -> None:
        self._calls = PatientCalls(client, clock, stop, tell, options.patience_seconds)
        self._client = self._calls.client
        self._options = options
        self._recipes = RecipeFolders(
            options.recipes,
            lambda name, version: self._calls.ask(lambda: self._client.get_recipe(name, version)),
            tell,
        )
        self._worked: list[WorkedJob] = []
        self._rests: dict[str, float] = {}
        """Until when a job that this worker gave up is left to others, on the monotonic clock."""

    def run(self) -> list[WorkedJob]:
        """Work until told to end, or, once, until nothing is left; return what became of jobs.

        UnreachableError where no ledger answers for too long, LedgerRefusedError where it refuses
        this worker altogether, WorkerError for a folder or state that it cannot work with.
        """
        with StateFile(self._options.folder) as self._state:
            with suppress(StoppedError):
                self._begin()
                self._work()
            if self._options.gives_up and self._calls.stop.is_told:
                self._give_up_what_is_held()
        return self._worked

    def _work(self) -> None:
        while not self._calls.stop.is_told:
            if self._work_on_one():
                continue
            self._observer.look(lambda: None, is_last=self._options.is_once)
            if self._options.is_once:
                break
            self._calls.stop.wait(self._options.poll_seconds)

    def _begin(self) -> None:
        ledger = self._calls.ask(self._client.get_ledger)
        known = self._state.now.ledger
        if known not in {"", ledger.origin}:
            raise WorkerError(
                f"{self._options.folder} is of a worker for {known}, and this is {ledger.origin}.",
                "Name another folder: --work.",
            )
        self._calls.is_wall = ledger.clock == "WALL"
        if known != ledger.origin:
            self._state.keep(ledger=ledger.origin)
        folder = self._options.folder
        self._runner = StepRunner(self._calls, self._recipes, folder, ledger.origin)
        self._observer = Observer(self._calls, self._recipes, self._runner, self._state)
        self._sender = ReportSender(
            self._calls, self._runner, self._observer, self._state, self._options.patience_seconds
        )
        self._put_backs = PutBackRunner(self._calls, self._recipes, self._runner)
        what = f"Working for {ledger.origin} by the recipes in {self._options.recipes}."
        self._calls.tell("worker.began", what, {"ledger": ledger.origin})

    # ---- one job ---------------------------------------------------------------------------------

    def _work_on_one(self) -> bool:
        """Go on with the job that is held, or take one; return whether there was any."""
        if (held := self._state.now.held) is not None:
            job = self._calls.ask(lambda: self._client.get_job(held.name)).job
            self._work_on(job, self._recipes.of(job))
            return True
        for state in ("rolling_back", "ready"):
            if state == "ready" and self._put_back_one():
                return True
            jobs = self._calls.ask(lambda named=state: self._client.list_jobs(state=named))  # type: ignore[misc]
            for job in reversed(jobs):  # the oldest first
                if (recipe := self._recipes.of(job)) is None or self._rests_from(job):
                    continue
                if self._served_instead(job):
                    continue
                self._state.keep(held=HeldJob(name=job.name, request_id=uuid7(self._calls.clock)))
                if self._work_on(job, recipe):
                    return True
        return False

    def _put_back_one(self) -> bool:
        """Put back one version that the ledger proposed; return whether there was any for here."""
        done = self._put_backs.do_one(lambda: self._observer.look(lambda: None))
        if done is None:
            return False
        work = done.work
        self._worked.append(WorkedJob(work.job, work.model, work.attempt, done.end, done.reason))
        return True

    def _work_on(self, job: RetrainingJob, recipe: RecipeDocument | None) -> bool:
        """Take a job as far as it goes; return whether it was this worker's."""
        try:
            leased = self._leased(job)
            if leased is None:
                self._state.keep(held=None)
                return False
            job = self._staged(leased, recipe)
        except LeaseLostError as error:
            self._leave(job, "lost", str(error))
        except NothingLeftError as error:
            self._leave(job, "lapsed", str(error))
        except StepError as error:
            self._give_up(job, recipe, error)
            self._leave(job, "step_failed", str(error))
        else:
            self._leave(job, str(job.outcome or job.state or "").lower(), job.reason)
        return True

    def _leave(self, job: RetrainingJob, end: str, reason: str) -> None:
        attempt = self._held.attempt or job.attempt
        self._state.keep(held=None)
        self._worked.append(WorkedJob(job.job, job.model, attempt, end, reason))
        said = f"{end.replace('_', ' ')}. {reason}".strip()
        self._runner.say(job, "job.left", said, end=end, reason=reason)

    def _give_up(self, job: RetrainingJob, recipe: RecipeDocument | None, error: StepError) -> None:
        """Give a job up whose step failed, so that its next attempt need not wait for the lease.

        It is the others' for as long as the lease would have lasted: a machine on which all steps
        fail is not to use up the attempts of a job. A return is not given up, as the ledger says.
        A cost beyond what its budget has is not taken: then it is given up without it.
        The record keeps the digest of the step's log, whose last lines are told here alone.
        """
        if job.deployment is not None:
            return
        log = f" Its log has the SHA-256 {error.log_sha256}." if error.log_sha256 else ""
        try:
            self._hand_back(job, _short(str(error), len(log)) + log, error.cost_micros)
        except LedgerRefusedError as refused:
            if refused.reason not in GONE:
                raise
        if recipe is not None:
            now = self._calls.clock.monotonic_seconds()
            self._rests[job.name] = now + recipe.limits.lease_seconds

    def _hand_back(self, job: RetrainingJob, why: str, cost_micros: int) -> None:
        token = self._held.token
        if cost_micros:
            cost = self._calls.ask(lambda: self._client.get_job(job.name)).job.cost_micros
            try:
                self._calls.ask(
                    lambda: self._client.give_up_job(
                        job.name, token, why, cost_micros=cost + cost_micros
                    )
                )
            except LedgerRefusedError as error:
                if error.reason in GONE or isinstance(error, OF_THE_WORKER):
                    raise
            else:
                return
        self._calls.ask(lambda: self._client.give_up_job(job.name, token, why))

    def _rests_from(self, job: RetrainingJob) -> bool:
        return self._rests.get(job.name, 0.0) > self._calls.clock.monotonic_seconds()

    def _give_up_what_is_held(self) -> None:
        """Give the job up on the way out; without an answer its lease runs out.

        A report that may have been sent is not thrown away: the next start sends it again.
        """
        held = self._state.now.held
        if held is None or not held.token or held.pending is not None:
            return
        with suppress(LedgerRefusedError, *UNANSWERED):
            self._client.give_up_job(held.name, held.token, "Its worker was told to end.")
            self._state.keep(held=None)

    @property
    def _held(self) -> HeldJob:
        held = self._state.now.held
        assert held is not None, "a job is remembered before it is asked for"
        return held

    def _leased(self, job: RetrainingJob) -> RetrainingJob | None:
        """Return the job under a lease of this worker; None where another one has it."""
        held = self._held
        if held.token:
            if held.pending is not None:
                return job  # its report is sent again, and the ledger judges the token
            return self._calls.ask(lambda: self._calls.beat(job, held.token))
        try:
            given = self._calls.ask(
                lambda: self._client.lease_job(job.name, request_id=held.request_id)
            )
        except LedgerRefusedError as error:
            if error.reason not in GONE:
                raise
            return None  # another worker was sooner
        lease = given.job.lease
        if lease is None:
            return None
        attempt = given.job.attempt
        self._state.keep_held(token=lease.token, attempt=attempt)
        said = f"leased, attempt {attempt} of {given.job.attempts}."
        self._runner.say(given.job, "job.leased", said, token=lease.token, attempt=attempt)
        return given.job

    def _staged(self, job: RetrainingJob, recipe: RecipeDocument | None) -> RetrainingJob:
        """Take a leased job through its stages until it is not this worker's turn any more."""
        if recipe is None:
            raise StepError("Its recipe cannot be run here any more.")
        while True:
            if self._held.pending is None:
                if job.attempt != self._held.attempt:
                    raise LeaseLostError("Another attempt followed.")
                if job.state != "LEASED":
                    return job
                if job.lease is None or job.lease.token != self._held.token:
                    raise LeaseLostError("Another lease followed.")
                self._do(job, recipe)
            job = self._report(job, recipe)

    def _do(self, job: RetrainingJob, recipe: RecipeDocument) -> None:
        """Run the step of the task that is next, and remember its report, which is sent then."""
        passed = [gate.lower() for gate in job.gates[: job.gates_passed]]
        task = RETURN if job.deployment is not None else job.gates[job.gates_passed].lower()
        if serving := self._served_instead(job):
            raise NothingLeftError(f"{serving} serves in the place of its version already.")
        for gate in [] if task == RETURN else passed:
            place = self._runner.place(job, gate, self._held.attempt)
            if gate != "approval" and not place.done.exists():
                said = f"{gate} was passed elsewhere; its step runs here again."
                self._runner.say(job, "step.again", said, task=gate)
                self._hold_against_record(job, gate, self._step(job, recipe, gate))
                place.done.touch()
        result = self._step(job, recipe, task)
        is_own_time = states_no_time(task, result.report)
        now_text = self._calls.now_of(job.model) if is_own_time else ""
        facts = facts_of(job, task, result.found, now_text)
        request_id = uuid7(self._calls.clock)
        pending = PendingReport(
            task=task, request_id=request_id, facts=facts, is_own_time=is_own_time
        )
        self._state.keep_held(pending=pending)

    def _served_instead(self, job: RetrainingJob) -> str:
        """Return the version that serves in the place of a job's; empty where its own does."""
        if job.deployment is None:
            return ""
        model = self._calls.ask(lambda: self._client.get_model(job.model))
        return served_instead(job, model.version_in_service)

    def _hold_against_record(self, job: RetrainingJob, gate: str, result: StepResult) -> None:
        """Refuse artifacts that are not those which passed a gate: StepError where one differs."""
        reports = self._calls.ask(lambda: self._client.get_job(job.name)).reports
        for report in reports:
            made = {one.name: one.sha256 for one in result.artifacts}
            if report.gate.lower() == gate and dict(report.artifacts) != made:
                raise StepError(f"Made again, the files of {gate} are not those that passed it.")

    def _step(self, job: RetrainingJob, recipe: RecipeDocument, task: str) -> StepResult:
        """Run a step under the lease, within what is left of the time of the attempt."""
        held = self._held
        acts = task in {DEPLOYMENT, RETURN}
        if acts:  # on the world: only under a lease that is surely in force
            self._calls.ask(lambda: self._calls.beat(job, held.token))
        beats = Beats(self._calls, job, held.token, recipe.limits, must_hold=acts)

        def each_tick() -> None:
            beats()
            self._observer.look(beats)

        place = self._runner.place(job, task, held.attempt)
        left = max(1.0, recipe.limits.time_seconds - held.used_seconds)
        began = self._calls.clock.monotonic_seconds()
        try:
            return self._runner.run(job, recipe, place, left, each_tick)
        finally:
            used = self._calls.clock.monotonic_seconds() - began
            self._state.keep_held(used_seconds=held.used_seconds + used)

    def _report(self, job: RetrainingJob, recipe: RecipeDocument) -> RetrainingJob:
        """Send the report that is remembered; return the job after it.

        No refusal of a single report ends the worker: it goes on with other jobs.
        """
        held = self._held
        pending = held.pending
        assert pending is not None, "a report waits"
        try:
            job, reported = self._sender.send(job, held, pending, recipe)
        except LedgerRefusedError as error:
            if error.reason is Reason.LEASE_LOST:
                raise LeaseLostError(error.message) from None
            if isinstance(error, OF_THE_WORKER):
                raise
            self._calls.ask(lambda: self._calls.beat(job, held.token))  # is it still ours?
            why = f"The ledger does not take the report on {pending.task}. {error.message}"
            spent = (pending.facts.get("cost_micros") or job.cost_micros) - job.cost_micros
            raise StepError(why, spent) from None
        if job.state == "OBSERVING" and pending.task == DEPLOYMENT:
            self._observer.begin(job, held.token, held.attempt)
        if pending.task != RETURN:
            self._runner.place(job, pending.task, held.attempt).done.touch()
        self._state.keep_held(pending=None)
        self._say_reported(job, pending.task, reported)
        return job

    def _say_reported(self, job: RetrainingJob, task: str, reported: ReportedGate | None) -> None:
        if reported is None or reported.verdict is None:
            said = "" if job.deployment is None else f"{job.deployment.replaces} serves again."
            self._runner.say(job, "job.returned", said, task=task)
            return
        verdict = reported.verdict
        what = "passed" if verdict.is_passed else "not passed"
        said = " ".join([f"{task} {what}.", *(one.sentence for one in verdict.criteria)])
        self._runner.say(job, "gate.judged", said, task=task, is_passed=verdict.is_passed)


def _short(why: str, room: int) -> str:
    """Return a reason within the bound of texts, less some room."""
    most = TEXT_CHARS_MAX - room
    return why if len(why) <= most else why[: most - 1] + "…"
