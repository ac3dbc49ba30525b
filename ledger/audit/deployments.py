"""The ground of each deployment: a job, or one that is stated, where its policy or actor needs it.

Both are recorded right behind the deployment, by the same actor in the same request.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from ledger.audit.assessor import SPECIFICITY, is_for, policy_for
from ledger.audit.authority import before_jobs, judged_at
from ledger.audit.event import AuditedEvent
from ledger.authority.state import Subject
from ledger.events.jobs import JobDeployed, JobRolledBack
from ledger.events.models import DESCRIBING, DeploymentExplained, ModelDeployed
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.values import SECOND
from ledger.jobs.deployment_grounds import DEPLOYING, counting, gates_wanted
from ledger.jobs.put_backs import OpenPutBack, PutBacks, PutBackTerms, put_back_fault

if TYPE_CHECKING:
    from ledger.audit.ledger_state import LedgerState

_GROUNDS: Final = frozenset({DeploymentExplained.TYPE, JobDeployed.TYPE, JobRolledBack.TYPE})


class AuditedDeployments:
    """The proposals that are open, and the deployments without a ground that need one."""

    def __init__(self) -> None:
        self.put_backs = PutBacks()
        self.newest: AuditedEvent | None = None
        """The event before, where it is a model's deployment."""
        self.proposed: OpenPutBack | None = None
        """The proposal that was open for its model before it."""
        self.is_first = False
        """Whether no version of its model was recorded as deployed before, bodies gone or not."""
        self._why = ""
        self._missing: list[tuple[int, str]] = []

    def take(self, event: AuditedEvent, fold: "LedgerState") -> None:
        """Take in the next event, before the rest of the fold does."""
        self._settle(event)
        self.newest = event if event.type == ModelDeployed.TYPE else None
        if self.newest is not None:
            self.proposed = self.put_backs.of(event.name)
            self.is_first = _is_first(event, fold)
            self._why = _need(event, fold)
        asked_at = event.recorded_at if fold.clock == "wall" else 0
        self.put_backs.apply(
            event.position, event.stream, event.type, event.actor, event.data, asked_at
        )

    def _settle(self, event: AuditedEvent) -> None:
        before = self.newest
        if before is None or not self._why:
            return
        if event.type not in _GROUNDS or not is_of_request(event, before):
            self._missing.append((before.position, self._why))
        self._why = ""

    def missing(self) -> Iterator[tuple[int, str]]:
        """Yield each deployment without the ground that it needs; the events are at their end."""
        yield from self._missing
        if self.newest is not None and self._why:
            yield self.newest.position, self._why


def is_of_request(event: AuditedEvent, before: AuditedEvent) -> bool:
    """Whether an event is of the request of a deployment, so far as their bodies are there."""
    if event.raw is None or before.raw is None:
        return True
    return (event.actor, event.request_id) == (before.actor, before.request_id)


def _is_first(event: AuditedEvent, fold: "LedgerState") -> bool:
    facts = fold.models.get(event.stream)
    return facts is None or not (facts.deployments or ModelDeployed.TYPE in facts.gone_by_type)


def _need(event: AuditedEvent, fold: "LedgerState") -> str:
    """Return why a deployment needs a ground; empty where it needs none."""
    gated = _gated(event, fold)
    return f"{gated}, and it is of none" if gated else _lacking(event, fold)


def _lacking(event: AuditedEvent, fold: "LedgerState") -> str:
    """Say so where the actor has no right to state a deployment, but by a job or a proposal."""
    state = fold.authority.state
    if not state.began_at or event.raw is None:
        return ""
    if not fold.roles_since:
        state = before_jobs(state)
    facts = fold.models.get(event.stream)
    described = None if facts is None else facts.description(event.position - 1)
    labels = {} if described is None else described["labels"]
    at = judged_at(event, fold)
    if state.may(event.actor, DEPLOYING, at, [Subject(event.name, None, labels)]):
        return ""
    return f"{event.actor} lacks the action {DEPLOYING}, and no job deployed it"


def _gated(event: AuditedEvent, fold: "LedgerState") -> str:
    """Return why a deployment takes a job's gates, so far as that is known; else empty."""
    facts, before = fold.models.get(event.stream), event.position - 1
    if facts is None or fold.absences.missed(fold.gone.of(ACTIVATED_TYPES), before):
        return ""
    gone = [(at, None) for type_ in DESCRIBING for at in facts.gone_by_type.get(type_, ())]
    described = sorted([*facts.described, *gone], key=lambda one: one[0])
    deployed = [one.position for one in facts.deployments]
    deployed += facts.gone_by_type.get(ModelDeployed.TYPE, [])
    placed = [(at, (at, one)) for at, one in described]
    for at, one in reversed(counting(placed, min(deployed, default=None))):
        named = None if one is None else policy_for(fold, one, before)
        parameters = None if named is None else fold.parameters(*named)
        jobs = None if parameters is None else parameters.document.get("jobs")
        if named is not None and jobs is not None and jobs["deployments"] == "gated":
            return gates_wanted(named[0], at)
    return ""


def stale_fault(event: AuditedEvent, fold: "LedgerState") -> str:
    """Return why the proposal that was open before a deployment counted no more right behind it.

    Of a ledger whose clock is `data`, by the time of the newest observation.
    """
    proposed = fold.deployments.proposed
    if proposed is None or proposed.policy is None:
        return ""
    parameters = fold.parameters(*proposed.policy)
    planning = None if parameters is None else parameters.document["planning"]
    if planning is None:
        return f"the document of the policy of the proposal at {proposed.position} is not there"
    is_known = fold.jobs.activated <= proposed.as_of
    terms = PutBackTerms(
        planning["period_seconds"] * SECOND,
        is_known or _is_in_force(proposed, fold, event.position - 1),
    )
    now = fold.newest_observed_at if fold.clock == "data" else judged_at(event, fold)
    return put_back_fault(proposed, terms, now)


def _is_in_force(proposed: OpenPutBack, fold: "LedgerState", as_of: int) -> bool:
    """Whether its policy is for its model, and no other one that it does not know decides."""
    facts = fold.models.get(f"models/{proposed.model}")
    described = None if facts is None else facts.description(as_of)
    if described is None:
        return False
    found = [one for one in fold.in_force(as_of) if is_for(one[1]["scope"], described)]
    own = [(at, one) for at, one in found if proposed.is_by(one["policy"], one["digest"])]
    if not own:
        return False
    chosen = max(found, key=lambda one: (SPECIFICITY[one[1]["scope"]["kind"]], one[0]))
    return chosen in own or chosen[0] <= proposed.as_of
