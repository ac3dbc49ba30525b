"""The priorities projection: per model its last score, its decision in force and its last plan.

A row is a function of the model's deployments, of the newest event of each other type in its stream
and of the newest plan, never of the way there: that is what lets `as_of` find the rows of any
earlier position by index. Historical scores and decisions change nothing. Where the newest event of
a type was erased, that member of the row is None: an older one is out of date, and is not shown in
its place. The deployment recorded next makes the version in service known again.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, TypedDict, cast

from ledger.events.decisions import DECISION_TYPES, DecisionMade, ScoreComputed, SignalOutputPart
from ledger.events.envelope import RecordedEvent
from ledger.events.models import (
    ModelDeployed,
    ModelDescribed,
    ModelRegistered,
    ModelRetired,
    ModelUpdated,
)
from ledger.events.plans import PLAN_TYPES, PlanMade
from ledger.events.registry import typed
from ledger.events.values import PPM
from projections.projection import Row, model_of

CONTRIBUTIONS_MAX: Final = 8  # more signals than this explain nothing to a reader of a table


class LatestDescription(TypedDict):
    """The values of the newest description; impact and risk in ppm."""

    owner: str
    tier: str
    labels: dict[str, str]
    impact: int
    risk: int
    position: int


class KnownDeployment(TypedDict):
    """A deployment whose body is there."""

    model_version: str
    kind: str
    in_service_at: str
    position: int


class ScoreContribution(TypedDict):
    """One signal's part in a score, in ppm. `points` is what it adds to the degradation."""

    signal: str
    share: int
    points: int
    effective: int
    magnitude: int
    trend: int
    sustained: bool


class LatestScore(TypedDict):
    """The last score that is not historical; ratios in ppm."""

    priority: int
    raw_priority: int
    degradation: int
    coverage: int
    evaluated_at: str
    position: int
    as_of: int
    model_version: str | None
    policy: str
    policy_version: int
    policy_digest: str
    contributions: list[ScoreContribution]
    """The signals with the largest share, at most `CONTRIBUTIONS_MAX`, largest first."""


class LatestDecision(TypedDict):
    """The last decision that is not historical."""

    action: str
    tier: str
    rule: str
    reason: str
    held_back: str | None
    is_overridden: bool
    position: int
    since: str
    evaluated_at: str
    run_id: str | None


class LatestPlanEntry(TypedDict):
    """The model's entry in the newest plan. `place` counts from 1 in the order of the backlog."""

    plan: str
    place: int
    outcome: str
    rank: str
    reason: str
    position: int


class PriorityRow(TypedDict):
    """One model. Rows that are not `visible` wait for a registration, or mark a retirement.

    A member is None where there is nothing yet, or where it was erased.
    """

    model: str
    registered: int | None
    """Position of the registration."""
    retired: int | None
    """Position of the retirement, which is for good: everything else is None then."""
    described: LatestDescription | None
    latest_deployed: KnownDeployment | None
    """Of the deployments that are known, the latest by its stated time."""
    deployed: KnownDeployment | None
    """The version in service: that one, unless the deployment recorded last was erased."""
    score: LatestScore | None
    decision: LatestDecision | None
    plan: LatestPlanEntry | None


def empty_row(model: str) -> PriorityRow:
    """Return the row of a model of which nothing is known."""
    return {
        "model": model,
        "registered": None,
        "retired": None,
        "described": None,
        "latest_deployed": None,
        "deployed": None,
        "score": None,
        "decision": None,
        "plan": None,
    }


def is_visible(row: PriorityRow) -> bool:
    """Return whether a row is of a model in the fleet: registered and not retired."""
    return row["registered"] is not None and row["retired"] is None


def visible(rows: Mapping[str, Row]) -> dict[str, PriorityRow]:
    """Return the rows of models in the fleet, by model."""
    found = ((key, cast("PriorityRow", row)) for key, row in rows.items())
    return {key: row for key, row in found if is_visible(row)}


class PrioritiesProjection:
    """Folds descriptions, deployments, scores, decisions, plans and retirements."""

    name: ClassVar[str] = "priorities"
    version: ClassVar[int] = 4  # 4: what is in service after one that was erased, by stated time
    handles: ClassVar[frozenset[str]] = frozenset(
        {
            ModelRegistered.TYPE,
            ModelUpdated.TYPE,
            ModelDeployed.TYPE,
            ModelRetired.TYPE,
            ScoreComputed.TYPE,
            *DECISION_TYPES,
            *PLAN_TYPES,
        }
    )

    def __init__(self) -> None:
        self._rows: dict[str, PriorityRow] = {}
        self._planned: set[str] = set()
        self._dirty: set[str] = set()
        self._folds: dict[str, Callable[[RecordedEvent], None]] = {
            **dict.fromkeys(PLAN_TYPES, self._plan_made),
            ModelRetired.TYPE: self._retired,
            ModelDeployed.TYPE: self._model_deployed,
        }

    def apply(self, event: RecordedEvent) -> None:
        """Fold one event; EVENT_UNREADABLE leaves the state as it was."""
        self._folds.get(event.type, self._model_changed)(event)

    def changes(self) -> dict[str, Row | None]:
        """Return the rows touched since the last call."""
        changed: dict[str, Row | None] = {
            model: cast("Row", dict(self._rows[model])) for model in self._dirty
        }
        self._dirty.clear()
        return changed

    def load(self, rows: Mapping[str, Row]) -> None:
        """Take up stored rows."""
        assert not self._rows, "load comes first"
        self._rows = {key: cast("PriorityRow", dict(row)) for key, row in rows.items()}
        self._planned = {key for key, row in self._rows.items() if row["plan"] is not None}

    def _model_changed(self, event: RecordedEvent) -> None:
        parts = parts_of(event)
        row = self._touch(model_of(event))
        if row["retired"] is None:
            row.update(parts)

    def _model_deployed(self, event: RecordedEvent) -> None:
        parts_of(event)  # what cannot be read leaves the state as it was
        row = self._touch(model_of(event))
        if row["retired"] is None:
            deploy(row, event)

    def _retired(self, event: RecordedEvent) -> None:
        if event.body_bytes is not None:
            typed(event, ModelRetired)
        model = model_of(event)
        row = self._touch(model)
        row.update(empty_row(model))
        row["retired"] = event.position
        self._planned.discard(model)

    def _plan_made(self, event: RecordedEvent) -> None:
        """Replace every model's entry: a model that is not in the newest plan has none."""
        entries = plan_entries(event)
        for model in self._planned - entries.keys():
            self._touch(model)["plan"] = None
        self._planned = set()
        for model, entry in entries.items():
            row = self._touch(model)
            if row["retired"] is None:
                row["plan"] = entry
                self._planned.add(model)

    def _touch(self, model: str) -> PriorityRow:
        row = self._rows.get(model)
        if row is None:
            row = self._rows[model] = empty_row(model)
        self._dirty.add(model)
        return row


def deploy(row: PriorityRow, event: RecordedEvent) -> None:
    """Set a row's version in service: the latest known by stated time; None after an erased one."""
    now, latest = parts_of(event)["deployed"], row["latest_deployed"]
    if now is not None:
        if latest is None or now["in_service_at"] >= latest["in_service_at"]:
            row["latest_deployed"] = now
        now = row["latest_deployed"]
    row["deployed"] = now


def parts_of(event: RecordedEvent) -> PriorityRow:
    """Return the members of its model's row that an event sets; none for a historical one.

    For every handled type but retirements and plans. EVENT_UNREADABLE where its data is not what
    the type says. Whether an erased score or decision was historical is not known: it counts.
    """
    if event.body_bytes is None:
        parts: dict[str, Any] = dict.fromkeys(_MEMBERS[event.type])
        if event.type == ModelRegistered.TYPE:
            parts["registered"] = event.position
        return cast("PriorityRow", parts)
    return cast("PriorityRow", _PARTS[event.type](event))


def _registered(event: RecordedEvent) -> dict[str, Any]:
    return {
        "registered": event.position,
        "described": _described(event, typed(event, ModelRegistered)),
    }


def _updated(event: RecordedEvent) -> dict[str, Any]:
    return {"described": _described(event, typed(event, ModelUpdated))}


def _described(event: RecordedEvent, model: ModelDescribed) -> LatestDescription:
    return {
        "owner": model.owner,
        "tier": model.tier,
        "labels": dict(model.labels),
        "impact": model.impact_ppm,
        "risk": model.risk_ppm,
        "position": event.position,
    }


def _deployed(event: RecordedEvent) -> dict[str, Any]:
    deployed = typed(event, ModelDeployed)
    part: KnownDeployment = {
        "model_version": deployed.model_version,
        "kind": deployed.kind,
        "in_service_at": deployed.in_service_at,
        "position": event.position,
    }
    return {"deployed": part}


def _scored(event: RecordedEvent) -> dict[str, Any]:
    score = typed(event, ScoreComputed)
    if score.historical:
        return {}
    part: LatestScore = {
        "priority": score.priority,
        "raw_priority": score.raw_priority,
        "degradation": score.degradation,
        "coverage": score.coverage,
        "evaluated_at": score.evaluated_at,
        "position": event.position,
        "as_of": score.as_of,
        "model_version": score.model_version,
        "policy": score.policy,
        "policy_version": score.policy_version,
        "policy_digest": score.policy_digest,
        "contributions": _contributions(score),
    }
    return {"score": part}


def _contributions(score: ScoreComputed) -> list[ScoreContribution]:
    loudest = sorted(
        (part for part in score.signals if part.share), key=lambda part: (-part.share, part.signal)
    )
    return [_contribution(part, score.degradation) for part in loudest[:CONTRIBUTIONS_MAX]]


def _contribution(part: SignalOutputPart, degradation: int) -> ScoreContribution:
    return {
        "signal": part.signal,
        "share": part.share,
        "points": part.share * degradation // PPM,
        "effective": part.effective,
        "magnitude": part.magnitude,
        "trend": part.trend,
        "sustained": part.sustained,
    }


def _decided(event: RecordedEvent) -> dict[str, Any]:
    decision = typed(event, DecisionMade)
    if decision.historical:
        return {}
    part: LatestDecision = {
        "action": decision.action,
        "tier": decision.tier,
        "rule": decision.rule,
        "reason": decision.reason,
        "held_back": decision.held_back,
        "is_overridden": decision.overridden is not None,
        "position": event.position,
        "since": decision.since,
        "evaluated_at": decision.evaluated_at,
        "run_id": event.body.run_id,
    }
    return {"decision": part}


_PARTS: Final[dict[str, Callable[[RecordedEvent], dict[str, Any]]]] = {
    ModelRegistered.TYPE: _registered,
    ModelUpdated.TYPE: _updated,
    ModelDeployed.TYPE: _deployed,
    ScoreComputed.TYPE: _scored,
    **dict.fromkeys(DECISION_TYPES, _decided),
}
_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    ModelRegistered.TYPE: ("registered", "described"),
    ModelUpdated.TYPE: ("described",),
    ModelDeployed.TYPE: ("deployed",),
    ScoreComputed.TYPE: ("score",),
    **dict.fromkeys(DECISION_TYPES, ("decision",)),
}
"""The members of a row that an event of a type sets."""


def plan_entries(event: RecordedEvent) -> dict[str, LatestPlanEntry]:
    """Return a plan's entry for each model of its backlog; none where the plan was erased."""
    if event.body_bytes is None:
        return {}
    plan = typed(event, PlanMade)
    return {
        row.model: {
            "plan": plan.plan,
            "place": place,
            "outcome": row.outcome,
            "rank": row.rank,
            "reason": row.reason,
            "position": event.position,
        }
        for place, row in enumerate(plan.backlog, start=1)
    }
