"""The facts of a bundle that its report tells, kept while the events pass.

The writer takes events as it writes them, a verifier as it reads them: both keep the same, so that
both render the same report. Memory does not grow with the events.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ledger.authority.believed import SeenCallers, shows_callers
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.link import EventRow, Link
from ledger.events.canonical import decode, encode
from ledger.events.decisions import (
    DECISION_TYPES,
    OVERRIDDEN_TYPES,
    DecisionMade,
    DecisionOverridden,
    ScoreComputed,
)
from ledger.events.plans import PLAN_TYPES, PlanMade
from ledger.events.policies import ACTIVATED_TYPES, DRAFTED_TYPES, PolicyActivated
from ledger.events.system import CONFIGURED
from ledger.events.values import format_time
from ledger.export.scope import BundleScope

DECISIONS_SHOWN: Final = 500  # each with its explanation, which takes some ms
OTHERS_SHOWN: Final = 200

_KEPT: Final = {
    DecisionMade.TYPE: DECISIONS_SHOWN,
    DecisionOverridden.TYPE: OTHERS_SHOWN,
    PlanMade.TYPE: OTHERS_SHOWN // 4,
    PolicyActivated.TYPE: OTHERS_SHOWN,
}
_KINDS: Final = (
    dict.fromkeys(PLAN_TYPES, PlanMade.TYPE)
    | dict.fromkeys(OVERRIDDEN_TYPES, DecisionOverridden.TYPE)
    | dict.fromkeys(DECISION_TYPES, DecisionMade.TYPE)
    | dict.fromkeys(ACTIVATED_TYPES, PolicyActivated.TYPE)
)
"""The kind that each type is kept under; all versions of one together."""
_READ: Final = frozenset({*_KINDS, ScoreComputed.TYPE, *DRAFTED_TYPES, *CONFIGURED})
_UNSET: Final = format_time(0)
_BODY_BYTES_MAX: Final = 1 << 18  # far more than any of these has; signed nonsense must not fill
_BODIES_BYTES_MAX: Final = dict.fromkeys(DRAFTED_TYPES, 1 << 20) | dict.fromkeys(
    PLAN_TYPES, 1 << 23
)


class KeptEvent(NamedTuple):
    """An event that a report tells."""

    position: int
    recorded_at: str
    type: str
    body: bytes
    score: tuple[int, bytes]
    """Position and body of the last score before it, 0 if there was none: a decision's own."""


class ReportFacts:
    """Counts, times, and the newest events of the kinds that a report tells."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.first = self.last = 0
        self.first_time = self.last_time = ""
        self.first_data_time = ""
        """The first time that is not from before any data; empty if there is none."""
        self.newest: dict[str, deque[KeptEvent]] = {
            type_: deque(maxlen=count) for type_, count in _KEPT.items()
        }
        self.unit_of_cost = ""
        self.callers = SeenCallers()
        self._score: tuple[int, bytes] = (0, b"")
        self._drafts: OrderedDict[bytes, bytes] = OrderedDict()

    @property
    def events(self) -> int:
        """How many events there were."""
        return self.counts.total()

    def take(self, row: "EventRow | Link", *, has_body: bool) -> None:
        """Take the next event; `has_body` where its body is in the bundle."""
        position, type_, time, body = row[0], row[3], row[4], row[5]
        self.counts[type_] += 1
        self.last, self.last_time = position, time
        if not self.first:
            self.first, self.first_time = position, time
        if not self.first_data_time and time != _UNSET:
            self.first_data_time = time
        if shows_callers(type_):
            self.callers.take(position, type_, _data(body) if has_body and body else None)
        if has_body and body is not None and type_ in _READ:
            self._keep(position, time, type_, body)

    def _keep(self, position: int, time: str, type_: str, body: bytes) -> None:
        if len(body) > _BODIES_BYTES_MAX.get(type_, _BODY_BYTES_MAX):
            return
        if type_ == ScoreComputed.TYPE:
            self._score = position, body
            return
        if kind := _KINDS.get(type_):
            self.newest[kind].append(KeptEvent(position, time, type_, body, self._score))
            return
        data = _data(body)
        if type_ in DRAFTED_TYPES:
            self._drafts[_draft_key(data, "version", "digest")] = body
            if len(self._drafts) > OTHERS_SHOWN:
                self._drafts.popitem(last=False)
        else:
            self.unit_of_cost = str(data.get("unit_of_cost") or "")

    def policy_of(self, decision: dict[str, Any]) -> dict[str, Any] | None:
        """Return the data of the policy version that a decision names, if it is in the bundle."""
        body = self._drafts.get(_draft_key(decision, "policy_version", "policy_digest"))
        return None if body is None else _data(body)


@dataclass(frozen=True, slots=True)
class ReportSubject:
    """The parts of a bundle that its report is about."""

    scope: BundleScope
    facts: ReportFacts
    checkpoint: CheckpointBody
    note: bytes
    erased_proven: int
    """How many bodies are missing that an event of the bundle says were erased."""
    reach: str
    """Up to where the bundle is complete, in a sentence."""


def _data(body: bytes) -> dict[str, Any]:
    """Return the data of a body, which is an object in every event."""
    data: dict[str, Any] = decode(body)["data"]
    return data


def _draft_key(data: dict[str, Any], *names: str) -> bytes:
    """Return policy, version and digest as one value, be they of any type."""
    return encode([data.get(name) for name in ("policy", *names)])
