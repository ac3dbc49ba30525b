"""Airflow: a DAG is the executor of jobs. A sensor takes one, operators run its steps and report.

    from airflow.sdk import dag
    from ledger.adapters.airflow import JobSensor, JobStepOperator

    @dag(schedule="@hourly", catchup=False)
    def retraining():
        job = JobSensor(task_id="job", recipe="weekly", mode="reschedule")
        trial = JobStepOperator(task_id="trial", step="candidate", job=job.output, run=try_it)
        …

`run` is called with the order and returns the report of a step, `step/1`, as a worker's program
has them: `ledger/docs/worker.md`. While it runs the job is kept by heartbeats. The Airflow
connection `decision_ledger` says where the ledger is: host and port, as login the actor, as
password a bearer token; in its extra `ledger`, `tls` (true) and `tls_ca`.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final

from airflow.sdk import BaseHook, BaseOperator, BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from pydantic import ValidationError

from ledger.client import LedgerClient
from ledger.client.errors import LedgerRefusedError
from ledger.client.jobs import GateJudgement, RetrainingJob
from ledger.clock import SystemClock, uuid7
from ledger.environment import code_record
from ledger.events.canonical import encode
from ledger.worker.calls import GONE, Beats, LeaseLostError, PatientCalls
from ledger.worker.recipes import fetched_recipe
from ledger.worker.reports import (
    DEPLOYMENT,
    OBSERVATION,
    Found,
    facts_of,
    send,
    served_instead,
    states_no_time,
)
from ledger.worker.state import PendingReport
from ledger.worker.steps import RETURN, StepError, StepGrounds, StepReport, artifacts_of, told
from ledger.worker.stopping import StopSignal

CONNECTION: Final = "decision_ledger"
_PORT: Final = 50_051
_TICK_SECONDS: Final = 1.0
Order = Mapping[str, Any]
"""The order to a step, as the file has it that `DECISION_LEDGER_STEP` names."""


@contextmanager
def connected(connection: str) -> Iterator[LedgerClient]:
    """Return a client of the ledger that an Airflow connection names."""
    found = BaseHook.get_connection(connection)
    more = found.extra_dejson
    scheme = "ledgers://" if more.get("tls") else ""
    with LedgerClient(
        f"{scheme}{found.host}:{found.port or _PORT}",
        ledger=more.get("ledger", ""),
        actor=found.login or "",
        token=found.password or None,
        tls_ca=more.get("tls_ca"),
    ) as client:
        yield client


class JobSensor(BaseSensorOperator):  # type: ignore[misc] # Airflow is not here when types are checked
    """Waits for an approved job of a recipe, and leases it: its result names job and token.

    The oldest one is taken, of `model` alone if that is given; one that another executor was sooner
    with is left to it. `state` is `rolling_back` for a job whose version before is to serve again.
    The lease runs from here on, so the recipe's `lease` is longer than a step waits for its turn.
    """

    template_fields: ClassVar = ("recipe", "model")

    def __init__(
        self,
        *,
        recipe: str,
        model: str = "",
        state: str = "ready",
        connection: str = CONNECTION,
        **options: Any,  # noqa: ANN401 - those of every sensor
    ) -> None:
        super().__init__(**options)
        self.recipe = recipe
        self.model = model
        self.state = state
        self.connection = connection

    def poke(self, context: Mapping[str, Any]) -> PokeReturnValue:  # noqa: ARG002 - as sensors are
        """Look once, and lease what is there."""
        with connected(self.connection) as client:
            jobs = client.list_jobs(self.model, state=self.state)
            for job in reversed(jobs):  # the oldest first
                leased = self._leased(client, job) if job.recipe == self.recipe else None
                if leased is not None and leased.lease is not None:
                    self.log.info("Leased %s, attempt %s.", job.name, leased.attempt)
                    found = {"job": job.name, "token": leased.lease.token, "run": leased.run_id}
                    return PokeReturnValue(is_done=True, xcom_value=found)
        return PokeReturnValue(is_done=False)

    def _leased(self, client: LedgerClient, job: RetrainingJob) -> RetrainingJob | None:
        try:
            return client.lease_job(job.name).job
        except LedgerRefusedError as error:
            if error.reason not in GONE:
                raise
            return None  # another executor was sooner


class JobStepOperator(BaseOperator):  # type: ignore[misc] # as above
    """Runs one step of a leased job and reports its evidence; the ledger judges the gate.

    `step` is a gate of the recipe, or `roll_back`; `job` the result of the sensor. Files that the
    report names are in `folder`, whose code the order tells. A gate that is not passed fails the
    task for good, or skips it and what follows if `skips` says so. A task that is tried again after
    its gate was judged gives that verdict and runs nothing.
    """

    template_fields: ClassVar = ("job", "folder")

    def __init__(
        self,
        *,
        step: str,
        job: Any,  # noqa: ANN401 - the sensor's result, or what becomes it
        run: Callable[[Order], Mapping[str, Any]],
        folder: str = ".",
        skips: bool = False,
        connection: str = CONNECTION,
        **options: Any,  # noqa: ANN401 - those of every operator
    ) -> None:
        super().__init__(**options)
        self.step = step
        self.job = job
        self.run_step = run
        self.folder = folder
        self.skips = skips
        self.connection = connection

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as operators are
        """Run the step, report, and return what the ledger judged."""
        with connected(self.connection) as client:
            try:
                job, verdict = self._judged(client, self.job["job"], int(self.job["token"]))
            except (LeaseLostError, StepError) as error:
                raise AirflowFailException(str(error)) from error
            except LedgerRefusedError as error:
                if error.reason not in GONE:
                    raise
                raise AirflowFailException(str(error)) from error
        said = [] if verdict is None else [one.sentence for one in verdict.criteria]
        if verdict is not None and not verdict.is_passed:
            refused = AirflowSkipException if self.skips else AirflowFailException
            raise refused(f"The gate {self.step} was not passed. {' '.join(said)}")
        passed = None if verdict is None else verdict.is_passed
        state = str(job.outcome or job.state or "").lower()
        return {"step": self.step, "is_passed": passed, "criteria": said, "state": state}

    def _judged(
        self, client: LedgerClient, name: str, token: int
    ) -> tuple[RetrainingJob, GateJudgement | None]:
        """Return the job after the step, and the verdict on its gate; None of an observation."""
        known = client.get_job(name)
        for verdict in known.verdicts:
            if verdict.gate.lower() == self.step:
                return known.job, verdict
        folder = Path(self.folder)
        attended = _Attended(client, known.job, token, self.step)
        report = attended.kept(lambda: self._reported(attended.order(folder)))
        found = Found(report, artifacts_of(report, folder), "")
        is_own_time = states_no_time(self.step, report)
        now_text = attended.calls.now_of(known.job.model) if is_own_time else ""
        facts = facts_of(known.job, self.step, found, now_text)
        named = encode([name, token, self.step, facts, attended.request])
        request_id = f"airflow-{hashlib.sha256(named).hexdigest()}"
        pending = PendingReport(task=self.step, request_id=request_id, facts=facts)
        job, reported = send(client, known.job, token, pending)
        return job, None if reported is None else reported.verdict

    def _reported(self, order: Order) -> StepReport:
        try:
            return StepReport.model_validate({"format": "step/1", **self.run_step(order)})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the report"
            why = f"Its report is not of the form step/1: {place}: {first['msg']}."
            raise StepError(why) from None


class _Attended:
    """A leased job while one of its steps runs."""

    def __init__(self, client: LedgerClient, job: RetrainingJob, token: int, step: str) -> None:
        ledger = client.get_ledger()
        self.calls = PatientCalls(client, SystemClock(), StopSignal(), lambda *_: None)
        self.calls.is_wall = ledger.clock == "WALL"
        self._origin = ledger.origin
        self._serving = client.get_model(job.model).version_in_service
        self._recipe = fetched_recipe(job, client.get_recipe(job.recipe, job.recipe_version))
        self._job = job
        self._token = token
        self._step = step
        self.request = uuid7(self.calls.clock) if step == OBSERVATION else ""
        """Each report of an observation is its own, though it states the same numbers."""

    def order(self, folder: Path) -> Order:
        """Return what the step is told."""
        grounds = StepGrounds(self._serving, self._origin, code_record(folder), self.request)
        return told(self._job, self._recipe, self._step, grounds)

    def kept(self, run: Callable[[], StepReport]) -> StepReport:
        """Return what `run` does while the job is kept; LeaseLostError where it could not be."""
        if self._step == OBSERVATION:
            return run()  # it has no lease: the window is open for as long as it is
        acts = self._step in {DEPLOYMENT, RETURN}
        if self._step == RETURN and (serving := served_instead(self._job, self._serving)):
            raise StepError(f"Nothing is to be put back: {serving} serves already.")
        self.calls.beat(self._job, self._token)
        limits = self._recipe.limits
        beats = Beats(self.calls, self._job, self._token, limits, must_hold=acts)
        is_over, lost = threading.Event(), list[LeaseLostError]()

        def keep() -> None:
            while not lost and not is_over.wait(_TICK_SECONDS):
                try:
                    beats()
                except LeaseLostError as error:
                    lost.append(error)

        keeper = threading.Thread(target=keep, name="decision-ledger-heartbeats", daemon=True)
        keeper.start()
        try:
            report = run()
        finally:
            is_over.set()
            keeper.join()
        if lost:
            raise lost[0]
        return report
