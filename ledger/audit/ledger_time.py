"""The time by which the evaluator went: as late as the record tells, or later."""

from ledger.audit.event import AuditedEvent
from ledger.events.values import SECOND
from ledger.limits import CLOCK_STEP_SECONDS_MIN, LEAP_SECONDS_DEFAULT


class EvaluatorTime:
    """A `wall` ledger's newest record, or a `data` ledger's newest `observed_at`.

    One that leaps ahead of the next earlier one does not count: section 5 of `decision_v1.md`.
    """

    def __init__(self) -> None:
        self._newest = self._next = 0
        self._leap = LEAP_SECONDS_DEFAULT * SECOND
        self._recorded_at = 0
        self.is_data = True
        self.is_sure = True
        """Whether the newest record shows it: not where that is dated like the one before, by what
        may have been a clock that is behind."""
        self.allowance = 0
        """How much less time may have passed than the record says, in microseconds."""

    def configure(self, clock: str, skew_seconds: int, leap_seconds: int) -> None:
        """Take in how the ledger tells time."""
        self.is_data = clock == "data"
        self._leap = (leap_seconds or LEAP_SECONDS_DEFAULT) * SECOND
        step = max(skew_seconds, CLOCK_STEP_SECONDS_MIN) * SECOND
        self.allowance = 0 if self.is_data else step

    def apply(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        self.is_sure = self.is_data or event.recorded_at > self._recorded_at
        self._recorded_at = event.recorded_at
        if event.observation is None:
            return
        at = event.observation.observed_at
        if at > self._newest:
            self._newest, self._next = at, self._newest
        elif self._next < at < self._newest:
            self._next = at

    @property
    def unbelieved_before(self) -> int:
        """The time before which a clock is too far behind the record to be believed."""
        return self._recorded_at - self.allowance

    @property
    def now(self) -> int:
        """The time; 0 where there is none yet."""
        if not self.is_data:
            return self._recorded_at
        is_alone = 0 < self._next < self._newest - self._leap
        return self._next if is_alone else self._newest
