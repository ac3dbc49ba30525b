"""Calls of a worker: repeated while the ledger does not answer, and stopped with the worker."""

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from ledger.client import LedgerClient
from ledger.client.errors import (
    BusyError,
    DeadlineError,
    IdentityError,
    IntegrityError,
    LedgerRefusedError,
    NotAuthorisedError,
    UnreachableError,
)
from ledger.client.jobs import RetrainingJob
from ledger.clock import Clock
from ledger.errors import Reason
from ledger.events.recipe_document import RecipeLimitsPart
from ledger.worker.stopping import StopSignal

T = TypeVar("T")
Tell = Callable[[str, str, dict[str, Any]], None]
"""Is told what happens: a name, a sentence, and the facts of it."""

GONE: Final = frozenset({Reason.LEASE_LOST, Reason.JOB_REFUSED, Reason.JOB_UNKNOWN})
"""Refusals by which a job is not this worker's any more."""
UNANSWERED: Final = (UnreachableError, BusyError, DeadlineError)
OF_THE_WORKER: Final = (*UNANSWERED, IdentityError, NotAuthorisedError, IntegrityError)
"""Errors of all that a worker could send now; any other refusal is of a single request."""
CALL_SECONDS: Final = 5.0
_FIRST_PAUSE_SECONDS: Final = 0.2
_PAUSE_SECONDS_MAX: Final = 10.0
_AGAIN_SECONDS: Final = 1.0
_LEASE_PARTS: Final = 3
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


class LeaseLostError(Exception):
    """The job is not this worker's any more: why, as a sentence."""


class StoppedError(Exception):
    """The worker was told to end."""


class PatientCalls:
    """The calls of one worker."""

    def __init__(
        self,
        client: LedgerClient,
        clock: Clock,
        stop: StopSignal,
        tell: Tell,
        patience_seconds: float = math.inf,
    ) -> None:
        self.client = client.using(deadline_seconds=CALL_SECONDS)
        self.clock = clock
        self.stop = stop
        self.tell = tell
        self._patience_seconds = patience_seconds
        self.is_wall = True

    def ask(self, call: Callable[[], T]) -> T:
        """Return an answer of the ledger, asking again while there is none; StoppedError between.

        The last error where there is none for longer than this worker is patient.
        """
        end = self.clock.monotonic_seconds() + self._patience_seconds
        pause, was_told = _FIRST_PAUSE_SECONDS, False
        while True:
            try:
                return call()
            except UNANSWERED as error:
                lasts = isinstance(error, UnreachableError) and error.is_lasting
                if lasts or self.clock.monotonic_seconds() >= end:
                    raise
                if not was_told:
                    self.tell("ledger.waiting", f"{error} It is asked again.", {})
                was_told = True
            if self.stop.wait(pause):
                raise StoppedError
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    def beat(self, job: RetrainingJob, token: int) -> RetrainingJob:
        """Ask once that a job is kept; LeaseLostError where it is not this worker's any more."""
        try:
            return self.client.heartbeat_job(job.name, token).job
        except LedgerRefusedError as error:
            if error.reason not in GONE:
                raise
            raise LeaseLostError(error.message) from None

    def now_micros(self) -> int:
        """Return the ledger's own now."""
        if self.is_wall:
            return self.clock.now_micros()
        return self._newest_micros()

    def now_of(self, model: str) -> str:
        """Return since when a version of a model serves that begins to now, as calls take it.

        That is the ledger's own now: its newest time where the clock here lags.
        """
        now = self.clock.now_micros() if self.is_wall else 0
        return _text(max(now, self._newest_of(model)))

    def stating(self, at: str, model: str, record: Callable[[str], T]) -> T:
        """Return the answer to a call that states since when a version serves, by the clock here.

        Where that runs ahead of the ledger's, the call states the ledger's newest time instead.
        """
        try:
            return record(at)
        except LedgerRefusedError as error:
            if error.reason is not Reason.CLOCK_AHEAD:
                raise
        return record(_text(self._newest_of(model)))

    def _newest_of(self, model: str) -> int:
        """Return the ledger's newest time; no earlier than a version of the model began to serve.

        It is never ahead of the ledger's clock.
        """
        deployed = self.ask(lambda: self.client.get_model(model)).deployments
        return max([self._newest_micros(), *(micros_of(one.in_service_at) for one in deployed)])

    def _newest_micros(self) -> int:
        ledger = self.ask(self.client.get_ledger)
        observed = None if self.is_wall else ledger.newest_observed_at
        at = observed or ledger.head_recorded_at
        return 0 if at is None else micros_of(at)


def micros_of(at: datetime) -> int:
    """Return a time in microseconds since the epoch."""
    return (at - _BEGINNING) // timedelta(microseconds=1)


def _text(micros: int) -> str:
    at = _BEGINNING + timedelta(microseconds=micros)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Beats:
    """Keeps a job while its step runs: called often, it sends a heartbeat whenever one is due.

    A ledger that does not answer is asked again, and the work goes on: its leases do not run out
    while it is down, and the token decides. `must_hold` is for what acts on the world: there the
    work ends where no answer came for as long as a lease lasts.
    """

    def __init__(
        self,
        calls: PatientCalls,
        job: RetrainingJob,
        token: int,
        limits: RecipeLimitsPart,
        *,
        must_hold: bool,
    ) -> None:
        self._calls = calls
        self._job = job
        self._token = token
        self._lease_seconds = limits.lease_seconds
        self.pause_seconds = min(limits.heartbeat_seconds, limits.lease_seconds / _LEASE_PARTS)
        self._must_hold = must_hold
        self._answered = calls.clock.monotonic_seconds()
        self._due = self._answered + self.pause_seconds

    def __call__(self) -> None:
        """Send a heartbeat if one is due; LeaseLostError where the work is to end."""
        now = self._calls.clock.monotonic_seconds()
        if now < self._due:
            return
        try:
            self._calls.beat(self._job, self._token)
        except UNANSWERED:
            self._due = now + _AGAIN_SECONDS
            if self._must_hold and now - self._answered >= self._lease_seconds:
                raise LeaseLostError("No heartbeat was answered for a whole lease.") from None
        else:
            self._answered = now
            self._due = now + self.pause_seconds
