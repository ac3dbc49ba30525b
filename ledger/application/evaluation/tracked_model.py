"""One model as the evaluator knows it, warm: its history, its buckets and what is new."""

from dataclasses import dataclass, field

from ledger.application.evaluation.due import Moment
from ledger.application.evaluation.warm_shadows import WarmShadows
from ledger.application.fleet.history import History
from ledger.application.fleet.service_period import ServicePeriod
from ledger.application.policies.compiled import CompiledPolicy
from ledger.events.envelope import RecordedEvent
from ledger.events.fast import parse_observed
from ledger.kernel.buckets import ModelState


@dataclass(slots=True)
class TrackedModel:
    """One model as the evaluator knows it at its position."""

    history: History
    policy: CompiledPolicy | None
    state: ModelState | None
    service: ServicePeriod | None
    """The version in service when the state was built: what the state is of."""
    newest: int | None
    """Newest observed_at among the selected observations."""
    is_marked: bool
    """Whether something that counts was observed since the last score."""
    is_changed: bool
    """Whether the model's description, its version or a policy changed since the last score."""
    marked_by: int | None = None
    """Position of the newest observation that counts, as far as it is known."""
    scored: Moment | None = None
    """When it was last scored, as far as that counts for what is due."""
    pending: int = 0
    """Where the last score of our own is; until it is folded, nothing is due."""
    shadows: WarmShadows = field(default_factory=WarmShadows)

    def observe(self, event: RecordedEvent) -> None:
        """Add an observation to the state if it is selected, and mark the model."""
        seen = parse_observed(event)
        self.shadows.observe(seen)
        if self.state is None or self.service is None:
            return
        if not self.service.selects(seen.model_version, seen.observed_at):
            return
        self.state.observe(seen.signal, seen.value, seen.observed_at, seen.sample_size, seen.source)
        if self.newest is None or seen.observed_at > self.newest:
            self.newest = seen.observed_at
        self.is_marked = True
        self.marked_by = event.position

    def is_over(self, now: int) -> bool:
        """Whether another version is in service by now than the one that the state is of."""
        if self.service is not None:
            return self.service.until is not None and self.service.until <= now
        first = min((one.in_service_at for one in self.history.deployments), default=None)
        history = self.history
        is_scored = self.policy is not None and not (
            history.is_version_erased or history.is_retired
        )
        return is_scored and first is not None and first <= now
