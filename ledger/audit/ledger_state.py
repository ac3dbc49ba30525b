"""The state before an event: everything that came before it, folded by the audit itself.

Memory grows with the fleet, its policies and its streams. Of what happens without end only the
newest is kept: observations are on disk, decisions and scores of a model in short queues.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ledger.audit.absence import Absences
from ledger.audit.authority import AuditedAuthority
from ledger.audit.cases import AuditedCases
from ledger.audit.event import AuditedEvent
from ledger.audit.gone import Gone
from ledger.audit.moments import Moments
from ledger.audit.observations import Observations
from ledger.audit.parameters import Parameters, digest_of, parameters_of
from ledger.audit.recipes import AuditedRecipes
from ledger.audit.source import EventSource
from ledger.audit.stated_times import StatedTimes
from ledger.audit.verified_prefix import Node, push, root_of
from ledger.chain.link import PERMANENT
from ledger.chain.merkle import leaf_hash
from ledger.chain.seal import seal_record
from ledger.events.decisions import DECISION_TYPES, DecisionOverridden, ScoreComputed
from ledger.events.horizons import CONCERNED_TYPES, HorizonFacts, Horizons, part_of
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.plans import PlanMade
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES
from ledger.events.registry import BY_TYPE
from ledger.events.signals import DEFINED_TYPES
from ledger.events.system import CONFIGURED
from ledger.events.values import SECOND, parse_decimal, parse_time
from ledger.governance.lifecycle import LifecycleState
from ledger.limits import LEAP_SECONDS_DEFAULT
from ledger.rules.procedure import Override

if TYPE_CHECKING:
    from ledger.audit.assessor import Assessor
    from ledger.audit.obligations import Obligations
    from ledger.audit.shadows import AuditedShadows

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

    def newest_gone(self, types: tuple[str, ...], as_of: int) -> int:
        """Return the newest position of these types whose body is absent; 0 for none."""
        gone = (self.gone_by_type.get(type_, ()) for type_ in types)
        return max((at for some in gone for at in some if at <= as_of), default=0)


class LedgerState:
    """The ledger as of the events applied so far."""

    def __init__(
        self,
        source: EventSource,
        absences: Absences,
        seal_points: set[int],
        roots: dict[int, bytes],
        root_points: set[int],
    ) -> None:
        """Begin before the first event.

        `seal_points` are the positions at which a seal says how far the streams had come, `roots`
        the roots that are known by size, and `root_points` the sizes of those that are wanted too.
        """
        self.source = source
        self.absences = absences
        self.position = 0
        self.roots = dict(roots)
        self._root_points = root_points - roots.keys()
        self._root_until = max(self._root_points, default=0)
        self._edge: list[Node] = []
        self.request: tuple[str, str, str, int] | None = None
        """The request of the event before: actor, method, id, and when it was recorded."""
        self.gone = Gone()
        self.recorded_at = 0  # of the event before
        self.horizons = Horizons()
        self.moments = Moments()
        self.times = StatedTimes()
        self.clock = ""
        self.skew_micros = 0
        self.leap_micros = 0
        self.signals: set[str] = set()
        self.definitions: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        """Of each signal (position, what policies rest on) of every definition."""
        self.models: dict[str, AuditedModel] = {}
        """By stream."""
        self.drafts: dict[tuple[str, int], str] = {}
        self.drafted_at: dict[tuple[str, int], int] = {}
        """(policy, version) → its digest, and where it was drafted."""
        self.activations: list[tuple[int, dict[str, Any]]] = []
        self.plans: list[tuple[int, str, int, int]] = []
        """(position, policy, period, next price)."""
        self.authority = AuditedAuthority()
        self.cases = AuditedCases()
        self.lifecycle = LifecycleState()
        self.recipes = AuditedRecipes()
        self.observations = Observations()
        self.assessor: Assessor
        self.obligations: Obligations
        self.shadows: AuditedShadows
        self.newest_observed_at = 0
        self.permanent: set[int] = set()
        self.seals: dict[int, tuple[bytes, int]] = {}  # position → root, number of streams
        self.runs: set[str] = set()
        self._parameters: dict[tuple[str, int, str], Parameters] = {}
        self._seal_points = seal_points
        self._streams: dict[str, tuple[int, bytes]] = {}
        self.scored: AuditedEvent | None = None
        """The event before, if it is a score: a decision may follow it."""

    def source_of(self, position: int) -> tuple[str, str] | None:
        """Return stream and type of an earlier event; None where that takes too long to learn."""
        if self.source.kind == "server":
            return None
        for row in self.source.rows(position - 1, position):
            return row[1], row[3]
        return None

    def parameters(self, policy: str, version: int, digest: str) -> Parameters | None:
        """Return a drafted version's parameters; None if it was never drafted so."""
        return self._parameters.get((policy, version, digest))

    def in_force(self, as_of: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the latest activation of each scope up to a position, in order of position."""
        latest: dict[str, tuple[int, dict[str, Any]]] = {}
        for position, activated in self.activations:
            if position <= as_of:
                latest[scope_of(activated)] = position, activated
        return sorted(latest.values(), key=lambda one: one[0])

    # ---- folding ---------------------------------------------------------------------------------

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the rules have looked at."""
        self.position, self.recorded_at = event.position, event.recorded_at
        self.authority.apply(event)
        self.recipes.apply(event)
        self.cases.take(event, self)
        self.shadows.take(event, self)
        said = event.actor, event.data, event.recorded_at
        self.lifecycle.apply(event.position, event.stream, event.type, *said)
        seen = event.observation
        self.moments.take(event.position, event.recorded_at, seen.observed_at if seen else 0)
        self._streams[event.stream] = (event.stream_version, event.event_hash)
        self.scored = None
        if event.type in CONCERNED_TYPES:
            part = part_of(event.type, event.data)
            self.horizons.add(HorizonFacts(event.position, event.stream, event.type, 0, part))
        if event.type.rpartition(".")[0] in PERMANENT:
            self.permanent.add(event.position)
        if event.position <= self._root_until:
            push(self._edge, [(0, event.event_hash)])
            if event.position in self._root_points:
                self.roots[event.position] = root_of(self._edge)
        if event.run_id is not None:
            self.runs.add(event.run_id)
        if seen is not None:
            self.observations.add(event, seen)
            if (facts := self.models.get(event.stream)) is not None:
                facts.observed.append(event.position)
            self.newest_observed_at = max(self.newest_observed_at, seen.observed_at)
        elif event.stream.startswith("models/"):
            self._apply_to_model(event)
        elif event.raw is None:
            self.gone.add(event.position, event.type)
        elif event.data is not None and (apply := _APPLY.get(event.type)) is not None:
            apply(self, event, event.data)
        if event.position in self._seal_points:
            self.seals[event.position] = self._sealed()

    def _apply_to_model(self, event: AuditedEvent) -> None:
        facts = self.models.setdefault(event.stream, AuditedModel(event.name))
        if event.type not in BY_TYPE:
            facts.unknown_at = facts.unknown_at or event.position
        if event.raw is None:
            facts.gone.append(event.position)
            facts.gone_by_type.setdefault(event.type, []).append(event.position)
        if event.type == ScoreComputed.TYPE:
            self.scored = event
        apply = _APPLY_TO_MODEL.get(event.type)
        if apply is not None and (event.data is not None or apply is _retired):  # a header says it
            apply(facts, event, event.data or {})

    def _sealed(self) -> tuple[bytes, int]:
        """Return the root over the record of every stream, and how many there are."""
        edge: list[Node] = []
        for stream in sorted(self._streams):
            version, event_hash = self._streams[stream]
            record = seal_record(event_hash=event_hash.hex(), stream=stream, stream_version=version)
            push(edge, [(0, leaf_hash(record))])
        return root_of(edge), len(self._streams)

    def _configured(self, _event: AuditedEvent, data: dict[str, Any]) -> None:
        self.clock, self.skew_micros = data["clock"], data["skew_seconds"] * SECOND
        self.leap_micros = (data.get("leap_seconds") or LEAP_SECONDS_DEFAULT) * SECOND

    def _defined(self, event: AuditedEvent, data: dict[str, Any]) -> None:
        self.signals.add(data["signal"])
        self.definitions.setdefault(data["signal"], []).append((event.position, meaning_of(data)))

    def _drafted(self, event: AuditedEvent, data: dict[str, Any]) -> None:
        policy, version, digest = data["policy"], data["version"], data["digest"]
        self.drafted_at.setdefault((policy, version), event.position)
        self.drafts.setdefault((policy, version), digest)
        if digest_of(data["document"]) == digest:
            self._parameters.setdefault(
                (policy, version, digest), parameters_of(policy, version, digest, data["document"])
            )

    def _activated(self, event: AuditedEvent, data: dict[str, Any]) -> None:
        self.activations.append((event.position, data))

    def _planned(self, event: AuditedEvent, data: dict[str, Any]) -> None:
        made = (event.position, data["policy"], data["now_period"], int(data["next_price"]))
        self.plans.append(made)


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
        )
    )


def _retired(facts: AuditedModel, event: AuditedEvent, _data: dict[str, Any]) -> None:
    facts.retired_at = facts.retired_at or event.position


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


def scope_of(activated: dict[str, Any]) -> str:
    """Return what tells one scope of an activation from another."""
    scope = activated["scope"]
    return f"{scope['kind']} {scope['model']} {sorted(scope['labels'].items())}"


def meaning_of(data: dict[str, Any]) -> tuple[str, ...]:
    """Return what of a definition the limits of a policy rest on."""
    return data["kind"], data["unit"], data["direction"]


def versions_of(data: dict[str, Any]) -> tuple[object, ...]:
    """Return the model version and policy version that a score or decision names."""
    return tuple(data[name] for name in _VERSIONS)


_VERSIONS: Final = ("model_version", "policy", "policy_version", "policy_digest")
_IN_FORCE: Final = (
    "action", "tier", "rule", "reason", "held_back", "overridden", "since",
    "policy", "policy_version",
)  # fmt: skip
_APPLY: Final = {
    **dict.fromkeys(CONFIGURED, LedgerState._configured),  # noqa: SLF001 - the table of its own methods
    **dict.fromkeys(DEFINED_TYPES, LedgerState._defined),  # noqa: SLF001
    **dict.fromkeys(DRAFTED_TYPES, LedgerState._drafted),  # noqa: SLF001
    **dict.fromkeys(ACTIVATED_TYPES, LedgerState._activated),  # noqa: SLF001
    PlanMade.TYPE: LedgerState._planned,  # noqa: SLF001
}
_APPLY_TO_MODEL: Final = {
    ModelRegistered.TYPE: _described,
    ModelUpdated.TYPE: _described,
    ModelDeployed.TYPE: _deployed,
    ModelRetired.TYPE: _retired,
    DecisionOverridden.TYPE: _overridden,
    ScoreComputed.TYPE: _scored,
    **dict.fromkeys(DECISION_TYPES, _decided),
}
