"""The horizon of what is derived: nothing that bears on it comes between it and the record.

The guards of an append refuse it. Start, signer, verification and audit look for it again: with
write access to a database alone, a score that was once true could otherwise be recorded once more
as the newest one. All of them take the rule from here.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from ledger.events.budgets import BUDGET_TYPES
from ledger.events.canonical import CanonicalError, decode
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.jobs import GateJudged, JobClosed, JobProposed
from ledger.events.models import DESCRIBING, ModelDeployed, ModelRetired
from ledger.events.plans import PLAN_TYPES, PlanMadeV2
from ledger.events.policies import ACTIVATED_TYPES
from ledger.events.proving import BodyErased
from ledger.events.registry import EVENT_CLASSES
from ledger.events.reuse import ReuseProposed
from ledger.events.signals import OBSERVED_TYPES

EVALUATOR: Final = "system/evaluator"

_SCORE: Final = ScoreComputed.TYPE
_ACTIVATED: Final = frozenset(ACTIVATED_TYPES)
_ERASED: Final = BodyErased.TYPE
_SCORED: Final = frozenset({_SCORE, *DECISION_TYPES})
_OF_A_MODEL: Final = frozenset(
    cls.TYPE for cls in EVENT_CLASSES if cls.STREAM.startswith("models/")
) - {*OBSERVED_TYPES}
FLEET_TYPES: Final = (*PLAN_TYPES, ReuseProposed.TYPE)
"""Types of what is derived of a whole fleet, at the ledger's time."""
DERIVED_TYPES: Final = _SCORED | {*FLEET_TYPES}
_OF_WORK: Final = frozenset(
    {
        *PLAN_TYPES,
        *BUDGET_TYPES,
        *DESCRIBING,
        ModelDeployed.TYPE,
        ModelRetired.TYPE,
        JobProposed.TYPE,
        GateJudged.TYPE,
        JobClosed.TYPE,
    }
)
CONCERNED_TYPES: Final = _OF_A_MODEL | _ACTIVATED | _OF_WORK | {*FLEET_TYPES, _ERASED}
"""Types that have a horizon, or bear on one."""

# Bodies are canonical, so their members have one order; the actor's name needs no escape.
_HORIZON: Final = re.compile(
    rb'\{"actor":"(?P<actor>[^"\\]+)","causation_position":(?:null|[1-9][0-9]*),'
    rb'"data":\{(?:"action":"[A-Z_]+",)?"as_of":(?P<as_of>[1-9][0-9]{0,15}),'
)
_TRIGGER: Final = b'"trigger":"'
_UNSAID: Final = "its body does not say its horizon as the format has it"


class Bearing(NamedTuple):
    """Events that bear on something derived: those of these types in a stream; None for in all."""

    stream: str | None
    types: frozenset[str]


PLANS: Final = Bearing(None, frozenset(PLAN_TYPES))
WORK: Final = Bearing(None, _OF_WORK)
"""Of a plan with candidate tests: jobs and their verdicts, money, and the versions in service.

Leases do not bear on it, as a plan would hardly be made among them: whether an executor has a job,
which holds a version off that is to be put back, is counted as of the horizon.
"""
ACTIVATIONS: Final = Bearing(None, _ACTIVATED)
ERASURES: Final = Bearing(BodyErased.STREAM, frozenset({_ERASED}))


def bearing_on(type_: str, stream: str) -> tuple[Bearing, ...]:
    """Return what bears on a score, decision or plan in its stream.

    Of a model that is every event but observations, and a policy that comes into force for it; of
    a plan or of a version to be put back, other plans and every activation; of a plan by
    `excess/2` what is in `WORK` as well; of all of them, an erasure.
    """
    return _of_its_kind(type_) or Bearing(stream, _OF_A_MODEL), ACTIVATIONS, ERASURES


def _of_its_kind(type_: str) -> Bearing | None:
    """Return what bears on something derived of a whole fleet; None for what is of a model."""
    if type_ == PlanMadeV2.TYPE:
        return WORK
    return PLANS if type_ in FLEET_TYPES else None


def trigger_fault(trigger: str, actor: str) -> str | None:
    """Say so where an actor cannot have begun what has this trigger.

    Only the evaluator scores by schedule or on ingest, and it does nothing on request.
    """
    if (trigger == "request") != (actor == EVALUATOR):
        return None
    return f"its trigger is {trigger}, and {actor} recorded it"


class HorizonFacts(NamedTuple):
    """The facts of an event about horizons, its own or those of others."""

    position: int
    stream: str
    type: str
    as_of: int = 0
    """Its horizon; 0 where it has none or its body is not there, -1 where its form is another."""
    part: Mapping[str, Any] | None = None
    """The scope of an activation, the labels of a description."""
    trigger_fault: str | None = None


def facts_of(position: int, stream: str, type_: str, body: bytes | None) -> HorizonFacts:
    """Return what of an event of a concerned type concerns horizons."""
    if body is None:
        return HorizonFacts(position, stream, type_)
    if type_ in DERIVED_TYPES:
        found = _HORIZON.match(body)
        if found is None:  # without a horizon it cannot be read, and counts for nothing
            has_one = "as_of" in (_data_of(body) or {})
            return HorizonFacts(position, stream, type_, -1 if has_one else 0)
        fault = None
        if type_ in _SCORED:
            trigger = body[body.rfind(_TRIGGER) + len(_TRIGGER) :].partition(b'"')[0]
            fault = trigger_fault(trigger.decode("ascii", "replace"), found["actor"].decode())
        return HorizonFacts(position, stream, type_, int(found["as_of"]), None, fault)
    return HorizonFacts(position, stream, type_, 0, part_of(type_, _data_of(body)))


def part_of(type_: str, data: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return what of an event's data decides on which model an activation bears."""
    if data is None or (type_ not in _ACTIVATED and type_ not in DESCRIBING):
        return None
    part = data.get("scope" if type_ in _ACTIVATED else "labels")
    return part if isinstance(part, dict) else None


def _data_of(body: bytes) -> Mapping[str, Any] | None:
    try:
        data = decode(body)["data"]
    except (CanonicalError, KeyError, TypeError):
        return None  # that it is none is found by other means
    return data if isinstance(data, dict) else None


Earlier: TypeAlias = Callable[[Bearing, int, int, int | None], Sequence[tuple[int, bytes | None]]]
"""Returns the newest events of those that bear, as (position, body), newest first.

After a position and up to another; so many at most, None for all.
"""


class Horizons:
    """Takes in a ledger's concerned events in order, and tells which horizon is broken by what.

    Begun after a position, it asks `earlier` about what lies up to there, only for horizons that
    reach behind it.
    """

    def __init__(self, after: int = 0, earlier: Earlier | None = None) -> None:
        self._after = 0 if earlier is None else after
        self._earlier: Earlier = earlier or (lambda *_: ())
        self._models: dict[str, tuple[int, int, bool]] = {}
        """The two newest events of each model, and whether the newest is a score."""
        self._labels: dict[str, Mapping[str, Any]] = {}
        self._activations: list[tuple[int, Mapping[str, Any]]] = []
        self._newest = dict.fromkeys((PLANS, WORK, ERASURES), 0)
        self._asked: dict[Bearing, int] = {}

    def take(self, facts: HorizonFacts) -> str | None:
        """Take in the next event; say what is wrong with it where anything is."""
        if facts.as_of < 0:
            fault: str | None = _UNSAID
        elif facts.as_of >= facts.position:
            fault = f"its horizon {facts.as_of} does not lie before it"
        else:
            fault = self.broken(facts) if facts.as_of else None
        self.add(facts)
        return fault or facts.trigger_fault

    def add(self, facts: HorizonFacts) -> None:
        """Take in the next event, unjudged."""
        position, stream, type_ = facts.position, facts.stream, facts.type
        if type_ in _OF_A_MODEL:
            _, newest, _ = self._models.get(stream, (0, 0, False))
            self._models[stream] = newest, position, type_ == _SCORE
            if facts.part is not None:
                self._labels[stream] = facts.part
        elif facts.part is not None:
            self._activations.append((position, facts.part))
        for bearing in self._newest:
            if type_ in bearing.types:
                self._newest[bearing] = position

    def broken(self, facts: HorizonFacts) -> str | None:
        """Say what bears on an event and lies behind its horizon; None where nothing does."""
        as_of = facts.as_of
        own = _of_its_kind(facts.type)
        newest = self._newest_of_model(facts) if own is None else self._newest_of(own, as_of)
        newest = max(newest, self._newest_of(ERASURES, as_of))
        newest = max(newest, self._came_into_force(facts, max(newest, as_of)))
        if newest <= as_of:
            return None
        return f"its horizon is {as_of}, and position {newest} holds what it should have known"

    def _newest_of(self, bearing: Bearing, as_of: int) -> int:
        """Return the newest of all that bear, here or before this began."""
        return self._newest[bearing] or self._newest_earlier(bearing, as_of)

    def _newest_earlier(self, bearing: Bearing, as_of: int) -> int:
        """Return the newest of all that bear and lie up to where this began; asked for once."""
        if as_of >= self._after:
            return 0
        if bearing not in self._asked:
            found = self._earlier(bearing, 0, self._after, 1)
            self._asked[bearing] = found[0][0] if found else 0
        return self._asked[bearing]

    def _newest_of_model(self, facts: HorizonFacts) -> int:
        """Return the newest event of a model, but the score that a decision came with."""
        before, newest, is_score = self._models.get(facts.stream, (0, 0, False))
        own = facts.position - 1 if facts.type != _SCORE else 0
        if newest == own and is_score:
            newest = before
        if newest or facts.as_of >= self._after:
            return newest
        until = self._after - 1 if own == self._after else self._after
        bearing = Bearing(facts.stream, _OF_A_MODEL)
        found = self._earlier(bearing, facts.as_of, until, 1)
        return found[0][0] if found else 0

    def _came_into_force(self, facts: HorizonFacts, above: int) -> int:
        """Return the newest activation that bears on an event above a position; 0 for none."""
        for position, scope in self._activations[::-1]:
            if position <= above:
                return 0
            if self._is_for(scope, facts):
                return position
        if self._newest_earlier(ACTIVATIONS, facts.as_of) <= above:
            return 0
        for position, body in self._earlier(ACTIVATIONS, above, self._after, None):
            part = None if body is None else part_of(ACTIVATED_TYPES[0], _data_of(body))
            if part is not None and self._is_for(part, facts):
                return position
        return 0

    def _is_for(self, scope: Mapping[str, Any], facts: HorizonFacts) -> bool:
        if facts.type in FLEET_TYPES or scope.get("kind") == "ledger":
            return True
        if scope.get("kind") == "model":
            return facts.stream == f"models/{scope.get('model')}"
        wanted, labels = scope.get("labels"), self._labels_of(facts.stream)
        return isinstance(wanted, dict) and wanted.items() <= labels.items()

    def _labels_of(self, stream: str) -> Mapping[str, Any]:
        known = self._labels.get(stream)
        if known is None:
            described = Bearing(stream, frozenset(DESCRIBING))
            found = self._earlier(described, 0, self._after, 1)
            body = found[0][1] if found else None
            part = None if body is None else part_of(DESCRIBING[0], _data_of(body))
            known = self._labels[stream] = part or {}
        return known
