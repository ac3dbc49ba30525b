"""The state before an event: everything that came before it, folded by the audit itself.

Memory grows with the fleet, its policies and its streams. Of what happens without end only the
newest is kept: observations are on disk, decisions and scores of a model in short queues.
"""

from typing import TYPE_CHECKING, Any, Final

from ledger.audit.absence import Absences
from ledger.audit.audited_model import AuditedModel, apply_to_model
from ledger.audit.authority import AuditedAuthority
from ledger.audit.budgets import AuditedBudgets
from ledger.audit.cases import AuditedCases
from ledger.audit.event import OBSERVED, AuditedEvent, AuditedRequest
from ledger.audit.gone import Gone
from ledger.audit.job_money import OwedMoves
from ledger.audit.jobs import AuditedJobs
from ledger.audit.moments import Moments
from ledger.audit.observations import Observations
from ledger.audit.parameters import Parameters, digest_of, parameters_of
from ledger.audit.plan_state import AuditedPlanning
from ledger.audit.recipes import AuditedRecipes
from ledger.audit.source import EventSource
from ledger.audit.stated_times import StatedTimes
from ledger.audit.verified_prefix import Node, push, root_of
from ledger.chain.link import PERMANENT
from ledger.chain.merkle import leaf_hash
from ledger.chain.seal import seal_record
from ledger.events.decisions import DecisionOverriddenV2, ScoreComputed
from ledger.events.horizons import CONCERNED_TYPES, HorizonFacts, Horizons, part_of
from ledger.events.policies import (
    ACTIVATED_TYPES,
    DRAFTED_TYPES,
    PolicyActivatedV2,
    PolicyDraftedV3,
)
from ledger.events.proving import ServiceAccountedV3
from ledger.events.registry import BY_TYPE
from ledger.events.signals import DEFINED_TYPES
from ledger.events.system import CONFIGURED
from ledger.events.values import SECOND
from ledger.governance.lifecycle import LifecycleState
from ledger.limits import LEAP_SECONDS_DEFAULT

if TYPE_CHECKING:
    from ledger.audit.assessor import Assessor
    from ledger.audit.deployments import AuditedDeployments
    from ledger.audit.obligations import Obligations
    from ledger.audit.shadows import AuditedShadows


class LedgerState:
    """The ledger as of the events applied so far."""

    assessor: "Assessor"
    deployments: "AuditedDeployments"
    is_newest_sure = True
    """Whether no observation lacks its body, which may be newer."""
    roles_since = 0
    """The first event of a release that records overrides with their role, and knows jobs; 0 before
    any."""

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
        self.roots, self._root_points = dict(roots), root_points - roots.keys()
        self._root_until = max(self._root_points, default=0)
        self._edge: list[Node] = []
        self.request: AuditedRequest | None = None
        """The request of the event before; None where it has no id, or its method is not known."""
        self.gone = Gone()
        self.recorded_at = 0  # of the event before
        self.horizons = Horizons()
        self.moments = Moments()
        self.times = StatedTimes()
        self.clock = ""
        self.skew_micros = 0
        self.leap_micros = 0
        self.unit_of_cost = ""
        self.signals: set[str] = set()
        self.definitions: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        """Of each signal (position, what policies rest on) of every definition."""
        self.models: dict[str, AuditedModel] = {}
        """By stream."""
        self.drafts: dict[tuple[str, int], str] = {}
        self.drafted_at: dict[tuple[str, int], int] = {}
        """(policy, version) → its digest, and where it was drafted."""
        self.activations: list[tuple[int, dict[str, Any]]] = []
        self.planning = AuditedPlanning()
        self.authority = AuditedAuthority()
        self.cases = AuditedCases()
        self.budgets = AuditedBudgets()
        self.money = OwedMoves()
        self.lifecycle = LifecycleState()
        self.jobs = AuditedJobs()
        self.recipes = AuditedRecipes()
        self.observations = Observations()
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

    def work_times(self, event: AuditedEvent) -> tuple[int, int]:
        """Return the earliest and the latest that the time of jobs may be where an event is.

        Of a ledger of data it is the newest `observed_at`, and before any the time of the record.
        """
        latest = event.recorded_at
        if self.clock == "wall" or (not self.newest_observed_at and self.is_newest_sure):
            return latest, latest
        newest = self.newest_observed_at
        return newest, newest if self.is_newest_sure else latest

    # ---- folding ---------------------------------------------------------------------------------

    def apply(self, event: AuditedEvent) -> None:
        """Take in an event that the rules have looked at."""
        self.position, self.recorded_at = event.position, event.recorded_at
        self.deployments.take(event, self)
        self.authority.apply(event)
        self.jobs.take(event)
        self.planning.take(event)
        self.recipes.apply(event)
        self.cases.take(event, self)
        self.money.take(event, self.jobs, self.budgets)
        self.budgets.take(event)
        self.shadows.take(event, self)
        said = event.actor, event.data, event.recorded_at
        self.lifecycle.apply(event.position, event.stream, event.type, *said)
        seen = event.observation
        self.moments.take(event.position, event.recorded_at, seen.observed_at if seen else 0)
        self._streams[event.stream] = (event.stream_version, event.event_hash)
        self.scored = None
        self._take_type(event)
        if event.type.rpartition(".")[0] in PERMANENT:
            self.permanent.add(event.position)
        if event.position <= self._root_until:
            push(self._edge, [(0, event.event_hash)])
            if event.position in self._root_points:
                self.roots[event.position] = root_of(self._edge)
        if event.run_id is not None:
            self.runs.add(event.run_id)
        if event.raw is None and event.type in OBSERVED:
            self.is_newest_sure = False
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

    def _take_type(self, event: AuditedEvent) -> None:
        """Take in what follows from the type of an event, its body there or not."""
        if not self.roles_since and event.type in _WITH_ROLES:
            self.roles_since = event.position
        if event.type in CONCERNED_TYPES:
            part = part_of(event.type, event.data)
            self.horizons.add(HorizonFacts(event.position, event.stream, event.type, 0, part))

    def _apply_to_model(self, event: AuditedEvent) -> None:
        facts = self.models.setdefault(event.stream, AuditedModel(event.name))
        if event.type not in BY_TYPE:
            facts.unknown_at = facts.unknown_at or event.position
        if event.raw is None:
            facts.gone.append(event.position)
            facts.gone_by_type.setdefault(event.type, []).append(event.position)
        if event.type == ScoreComputed.TYPE:
            self.scored = event
        apply_to_model(facts, event)

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
        self.unit_of_cost = data.get("unit_of_cost") or ""
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


def scope_of(activated: dict[str, Any]) -> str:
    """Return what tells one scope of an activation from another."""
    scope = activated["scope"]
    return f"{scope['kind']} {scope['model']} {sorted(scope['labels'].items())}"


def meaning_of(data: dict[str, Any]) -> tuple[str, ...]:
    """Return what of a definition the limits of a policy rest on."""
    return data["kind"], data["unit"], data["direction"]


_WITH_ROLES: Final = frozenset({
    DecisionOverriddenV2.TYPE, PolicyActivatedV2.TYPE, PolicyDraftedV3.TYPE,
    ServiceAccountedV3.TYPE,
})  # fmt: skip
"""Types that only a release writes that records overrides with their role: an earlier one does not
open a database in which it has written."""
_APPLY: Final = {
    **dict.fromkeys(CONFIGURED, LedgerState._configured),  # noqa: SLF001 - the table of its own methods
    **dict.fromkeys(DEFINED_TYPES, LedgerState._defined),  # noqa: SLF001
    **dict.fromkeys(DRAFTED_TYPES, LedgerState._drafted),  # noqa: SLF001
    **dict.fromkeys(ACTIVATED_TYPES, LedgerState._activated),  # noqa: SLF001
}
