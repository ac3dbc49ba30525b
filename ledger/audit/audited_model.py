"""One model's story as the audit folds it, in order of position, so that any horizon can be asked.

Of decisions and scores, which happen without end, only the newest are kept.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final

from ledger.audit.event import AuditedEvent
from ledger.events.decisions import DECISION_TYPES, OVERRIDDEN_TYPES, ScoreComputed
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.values import parse_decimal, parse_time
from ledger.rules.procedure import Override

RECENT: Final = 256
"""Decisions and scores of a model that are remembered: a horizon lies a moment back, not a year."""


@dataclass(frozen=True, slots=True)
class AuditedDeployment:
    """A version in service from a stated time on."""

    position: int
    version: str
    is_trained: bool
    in_service_at: int
    trained_through: int
    baseline_nano: int
    actor: str


@dataclass(frozen=True, slots=True)
class AuditedDecision:
    """A decision that is, or was, in force."""

    position: int
    data: dict[str, Any]
    run_id: str | None


@dataclass(slots=True)
class AuditedModel:
    """One model's story. Lists are in order of position, so that any horizon can be asked for."""

    name: str
    described: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    deployments: list[AuditedDeployment] = field(default_factory=list)
    overrides: list[Override] = field(default_factory=list)
    decisions: deque[AuditedDecision] = field(default_factory=lambda: deque(maxlen=RECENT))
    decided: int = 0
    """How many decisions there were, those forgotten included."""
    scores: dict[tuple[object, ...], deque[tuple[int, int]]] = field(default_factory=dict)
    """(position, priority) by model version and policy version."""
    retired_at: int = 0
    retired_by: str = ""
    """The actor of that; empty where its body is absent."""
    unknown_at: int = 0
    """The first event of a type that is not known here; it may change the meaning of all."""
    gone: list[int] = field(default_factory=list)
    """Events whose bodies are absent."""
    gone_by_type: dict[str, list[int]] = field(default_factory=dict)
    """The same, by what they would say."""
    observed: deque[int] = field(default_factory=lambda: deque(maxlen=RECENT))
    """Where it was observed last."""

    def description(self, as_of: int) -> dict[str, Any] | None:
        """Return the description in force at a position."""
        known: dict[str, Any]
        for position, known in reversed(self.described):
            if position <= as_of:
                return known
        return None

    def deployed(self, as_of: int) -> list[AuditedDeployment]:
        """Return the deployments up to a position."""
        if not self.deployments or self.deployments[-1].position <= as_of:
            return self.deployments
        return [one for one in self.deployments if one.position <= as_of]

    def latest(self, as_of: int) -> AuditedDeployment | None:
        """Return the deployment stated to be the latest; None where a newer one has no body."""
        if self.is_version_lost(as_of):
            return None
        deployed = self.deployed(as_of)
        return max(deployed, key=lambda one: (one.in_service_at, one.position), default=None)

    def is_version_lost(self, as_of: int) -> bool:
        """Whether the body of the newest deployment up to a position is absent."""
        deployed = self.deployed(as_of)
        newest = deployed[-1].position if deployed else 0
        return self.newest_gone((ModelDeployed.TYPE,), as_of) > newest

    def in_force(self, as_of: int) -> AuditedDecision | None:
        """Return the decision in force at a position; LookupError where it is forgotten.

        None where a newer one has lost its body.
        """
        gone = self.newest_gone(DECISION_TYPES, as_of)
        for decided in reversed(self.decisions):
            if decided.position <= as_of:
                return decided if decided.position > gone else None
        if gone:
            return None
        if self.decided > len(self.decisions):
            raise LookupError("its horizon lies further back than decisions are remembered")
        return None

    def last_priority(self, versions: tuple[object, ...], after: int, as_of: int) -> int | None:
        """Return the priority of the last score of these versions between two positions.

        None where a newer score has lost its body: its versions are not known.
        """
        kept = self.scores.get(versions, ())
        after = max(after, self.newest_gone((ScoreComputed.TYPE,), as_of))
        for position, priority in reversed(kept):
            if position <= as_of:
                return priority if position > after else None
        if len(kept) == RECENT:
            raise LookupError("its horizon lies further back than scores are remembered")
        return None

    def newest_priority(self, as_of: int) -> int | None:
        """Return the priority of the newest score up to a position, of any versions.

        As `newest_of`; None where a newer one has lost its body.
        """
        found = newest_of(self.scores, as_of)
        gone = self.newest_gone((ScoreComputed.TYPE,), as_of)
        return None if found is None or found[0] < gone else found[1]

    def newest_gone(self, types: tuple[str, ...], as_of: int) -> int:
        """Return the newest position of these types whose body is absent; 0 for none."""
        gone = (self.gone_by_type.get(type_, ()) for type_ in types)
        return max((at for some in gone for at in some if at <= as_of), default=0)


def newest_of(
    scores: dict[tuple[object, ...], deque[tuple[int, int]]], as_of: int
) -> tuple[int, int] | None:
    """Return the newest (position, priority) up to a position; LookupError where it is forgotten.

    None where there is none.
    """
    known = []
    for kept in scores.values():
        up_to = [one for one in kept if one[0] <= as_of]
        if not up_to and len(kept) == RECENT:
            raise LookupError("its horizon lies further back than scores are remembered")
        known += up_to[-1:]
    return max(known, default=None)


def apply_to_model(facts: AuditedModel, event: AuditedEvent) -> None:
    """Take in an event of the model's stream; what is not there says nothing."""
    apply = _APPLY_TO_MODEL.get(event.type)
    if apply is not None and (event.data is not None or apply is _retired):  # a header says it
        apply(facts, event, event.data or {})


def _described(facts: AuditedModel, event: AuditedEvent, data: dict[str, Any]) -> None:
    facts.described.append((event.position, data))


def _deployed(facts: AuditedModel, event: AuditedEvent, data: dict[str, Any]) -> None:
    facts.deployments.append(
        AuditedDeployment(
            event.position,
            data["model_version"],
            data["kind"] == "trained",
            parse_time(data["in_service_at"]),
            parse_time(data["trained_through"]),
            parse_decimal(data["baseline_loss"]),
            event.actor,
        )
    )


def _retired(facts: AuditedModel, event: AuditedEvent, _data: dict[str, Any]) -> None:
    if not facts.retired_at:
        facts.retired_at, facts.retired_by = event.position, event.actor


def _overridden(facts: AuditedModel, event: AuditedEvent, data: dict[str, Any]) -> None:
    facts.overrides.append(
        Override(
            event.position,
            data["action"],
            data["tier"],
            parse_time(data["effective_from"]),
            parse_time(data["effective_until"]),
        )
    )


def _scored(facts: AuditedModel, event: AuditedEvent, data: dict[str, Any]) -> None:
    if data["historical"]:
        return
    versions = versions_of(data)
    kept = facts.scores.get(versions)
    if kept is None:
        kept = facts.scores[versions] = deque(maxlen=RECENT)
    kept.append((event.position, data["priority"]))


def _decided(facts: AuditedModel, event: AuditedEvent, data: dict[str, Any]) -> None:
    if not data["historical"]:
        kept = {name: data[name] for name in _IN_FORCE}
        facts.decisions.append(AuditedDecision(event.position, kept, event.run_id))
        facts.decided += 1


def versions_of(data: dict[str, Any]) -> tuple[object, ...]:
    """Return the model version and policy version that a score or decision names."""
    return tuple(data[name] for name in _VERSIONS)


_VERSIONS: Final = ("model_version", "policy", "policy_version", "policy_digest")
_IN_FORCE: Final = (
    "action", "tier", "rule", "reason", "held_back", "overridden", "since",
    "policy", "policy_version",
)  # fmt: skip
_APPLY_TO_MODEL: Final = {
    ModelRegistered.TYPE: _described,
    ModelUpdated.TYPE: _described,
    ModelDeployed.TYPE: _deployed,
    ModelRetired.TYPE: _retired,
    **dict.fromkeys(OVERRIDDEN_TYPES, _overridden),
    ScoreComputed.TYPE: _scored,
    **dict.fromkeys(DECISION_TYPES, _decided),
}
