"""Budgets, as the audit folds them: a second writing of what is free, set aside and spent.

It shares no arithmetic with the service. Amounts are millionths of a budget's unit, times
microseconds since the epoch.
"""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from ledger.audit.event import AuditedEvent
from ledger.events.budgets import (
    BUDGET_TYPES,
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
)
from ledger.events.values import SECOND, parse_time

_NAMES: Final = ("jobs", "tests")
Claim = tuple[str, str]


class Held(NamedTuple):
    """A reservation: its place, and its two sources."""

    position: int
    own: int
    approved: int
    is_top_tier: bool


@dataclass(slots=True)
class AuditedBudget:
    """One budget as of the events applied so far."""

    unit: str
    scope: Mapping[str, Any]
    period: int
    at: int
    kept: int
    """For the top tier."""
    flows: dict[str, tuple[int, int]]
    """Refill and cap of each envelope."""
    free: dict[str, int]
    spent: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_NAMES, 0))
    held: dict[Claim, Held] = field(default_factory=dict)
    allowed: dict[Claim, int] = field(default_factory=dict)
    over: set[Claim] = field(default_factory=set)

    def reserved(self, envelope: str) -> int:
        """Return what is set aside in an envelope."""
        return sum(
            one.own + one.approved for (_, name), one in self.held.items() if name == envelope
        )

    def usable(self, envelope: str, *, is_top_tier: bool) -> int:
        """Return how much of what is free a job may take."""
        kept = self.kept if envelope == "jobs" and not is_top_tier else 0
        return max(self.free[envelope] - kept, 0)

    def refill(self, at: int) -> None:
        """Let time go on, never back: each boundary of a period that it passes brings a refill."""
        boundaries = max(at // self.period - self.at // self.period, 0)
        for name, (refill, cap) in self.flows.items():
            filled = min(self.free[name] + boundaries * refill, cap)
            self.free[name] = max(self.free[name], filled)
        self.at = max(self.at, at)

    def end(self, claim: Claim, cost: int) -> int:
        """End a reservation at a cost; return how much of it nothing covers."""
        held = self.held.pop(claim)
        self.spent[claim[1]] += cost
        left = cost
        for source in (held.own, held.approved):
            left -= min(left, source)
        usable = self.usable(claim[1], is_top_tier=held.is_top_tier)
        taken = min(left, usable)
        unused = held.own - min(cost, held.own)
        _, cap = self.flows[claim[1]]
        self.free[claim[1]] = min(self.free[claim[1]] - taken + unused, cap)
        short = max(left - taken - self.allowed.pop(claim, 0), 0)
        self.over.add(claim)
        return short


class AuditedBudgets:
    """Budgets as of the events applied so far."""

    def __init__(self) -> None:
        self._known: dict[str, AuditedBudget] = {}
        self._blind: dict[str, int] = {}
        """Budgets of which a body is absent, and where."""
        self._over: dict[str, set[Claim]] = {}
        """Of those, the jobs that were reserved for."""
        self._events: list[AuditedEvent] = []

    def of(self, name: str) -> AuditedBudget | None:
        """Return a budget; None where it was not set."""
        return self._known.get(name)

    def others(self, name: str) -> Iterator[tuple[str, AuditedBudget]]:
        """Yield every other budget, by name."""
        yield from ((key, one) for key, one in sorted(self._known.items()) if key != name)

    def blind_at(self, name: str) -> int:
        """Return the position of a body without which a budget is not known; 0 for none."""
        return self._blind.get(name, 0)

    def is_held(self, name: str, job: str, envelope: str) -> bool:
        """Whether a budget is known to have set something aside for a job."""
        known = self._known.get(name)
        return known is not None and (job, envelope) in known.held

    def any_blind(self) -> int:
        """Return the same of any budget."""
        return min(self._blind.values(), default=0)

    def take(self, event: AuditedEvent) -> None:
        """Take in the next event."""
        if event.type not in BUDGET_TYPES:
            return
        self._events.append(event)
        name, data = event.name, event.data
        known = self._known.get(name)
        if data is None:
            self._lose(name, event.position)
        elif event.type == BudgetSet.TYPE and data["opening"] is not None:
            over = set() if known is None else known.over | known.held.keys()
            self._known[name] = _opened(data, over | self._over.pop(name, set()))
            self._blind.pop(name, None)
        elif known is not None:
            reckon(known, event.type, data, event.position)
        elif name in self._blind and "job" in data:
            self._over[name].add((data["job"], data["envelope"]))

    def as_of(self, position: int) -> "AuditedBudgets":
        """Return the budgets as of an earlier position."""
        if not self._events or self._events[-1].position <= position:
            return self
        earlier = AuditedBudgets()
        for event in self._events:
            if event.position <= position:
                earlier.take(event)
        return earlier

    def _lose(self, name: str, position: int) -> None:
        known = self._known.pop(name, None)
        over = set() if known is None else known.over | known.held.keys()
        self._over.setdefault(name, set()).update(over)
        self._blind.setdefault(name, position)


def reckoned(
    known: AuditedBudget | None, type_: str, data: Mapping[str, Any]
) -> tuple[dict[str, str], int]:
    """Return what is free behind an event that may be, and how much of it nothing covers."""
    if known is None:
        opened = _opened(data, set())
        return _balances(opened), 0
    after = deepcopy(known)
    short = reckon(after, type_, data, 0)
    return _balances(after), short


def reckon(known: AuditedBudget, type_: str, data: Mapping[str, Any], position: int) -> int:
    """Take an event in; return how much of it nothing covers."""
    known.refill(parse_time(data["at"]))
    if type_ == BudgetSet.TYPE:
        fresh = _opened(data, set())
        known.scope, known.period, known.kept = fresh.scope, fresh.period, fresh.kept
        known.flows = fresh.flows
        known.free = {name: min(known.free[name], fresh.flows[name][1]) for name in _NAMES}
        return 0
    claim = data["job"], data["envelope"]
    if type_ == BudgetOverspendingApproved.TYPE:
        known.allowed[claim] = known.allowed.get(claim, 0) + int(data["amount_micros"])
        return 0
    if type_ == BudgetReserved.TYPE:
        return _reserve(known, data, position)
    assert type_ in {BudgetSpent.TYPE, BudgetReleased.TYPE}
    if claim not in known.held:
        return 0
    return known.end(claim, int(data["spent_micros"]) if type_ == BudgetSpent.TYPE else 0)


def _reserve(known: AuditedBudget, data: Mapping[str, Any], position: int) -> int:
    claim, amount = (data["job"], data["envelope"]), int(data["amount_micros"])
    is_top_tier = data["is_top_tier"]
    own = min(amount, known.usable(claim[1], is_top_tier=is_top_tier))
    allowed = known.allowed.pop(claim, 0)
    before = known.held.get(claim, Held(position, 0, 0, is_top_tier))
    approved = min(amount - own, allowed)
    if allowed > approved:
        known.allowed[claim] = allowed - approved
    known.free[claim[1]] -= own
    known.held[claim] = before._replace(own=before.own + own, approved=before.approved + approved)
    return amount - own - approved


def _opened(data: Mapping[str, Any], over: set[Claim]) -> AuditedBudget:
    flows = {
        name: (int(data[name]["refill_micros"]), int(data[name]["cap_micros"])) for name in _NAMES
    }
    opening = data["opening"] or dict.fromkeys(_NAMES, "0")
    return AuditedBudget(
        unit=data["unit"],
        scope=data["scope"],
        period=data["period_seconds"] * SECOND,
        at=parse_time(data["at"]),
        kept=int(data["reserve_micros"]),
        flows=flows,
        free={name: int(opening[name]) for name in _NAMES},
        over=over,
    )


def _balances(known: AuditedBudget) -> dict[str, str]:
    return {name: str(known.free[name]) for name in _NAMES}
