"""Budgets, folded from their events in order: what is free, set aside and spent in each envelope.

`set_event` and `made` reckon the next event of a budget, or say why there can be none; `applied`
takes one in, and `erased` is one whose first terms are gone. Amounts are millionths of the budget's
unit, times microseconds since the epoch.

The rules of an envelope:
1. Refills come at the boundaries of whole periods, counted from 1970; what is free never exceeds
   the cap, and what would is not kept. A clock that steps back refills nothing and takes nothing.
2. A reservation takes what is free, but for the reserve if its tier is not the top one; the rest
   must be covered by overspending that a person approved for that job.
3. A job is reserved for once in an envelope, which may be added to, and spent or released once.
4. A cost above the reservation takes what is free, then what was approved; without cover it is
   refused. Below it, the rest is free again, and approved money that was not needed lapses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

from ledger.events.budgets import (
    BudgetData,
    BudgetOverspendingApproved,
    BudgetReleased,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
)
from ledger.events.values import SECOND, format_time, parse_time
from ledger.jobs.envelopes import Claim, Claims, EnvelopeState, Reservation
from ledger.limits import BUDGET_PERIOD_SECONDS_MIN

T = TypeVar("T", bound=BudgetData)

ENVELOPES: Final = ("jobs", "tests")


class BudgetError(Exception):
    """There can be no such event; `short_micros` is how much is missing, 0 if it is no money."""

    def __init__(self, fault: str, short_micros: int = 0) -> None:
        super().__init__(fault)
        self.fault = fault
        self.short_micros = short_micros


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget as its events left it; a value."""

    name: str
    unit: str
    scope: Mapping[str, Any]
    period_seconds: int
    reserve_micros: int
    envelopes: Mapping[str, EnvelopeState]
    at: int
    begun_at: int
    """When it was first set, or its periods were given another length."""
    set_at: int
    """The position of the event that set it last."""
    reason: str
    events: int = 1
    """How many events its stream has."""
    reservations: Mapping[Claim, Reservation] = field(default_factory=dict)
    approved: Mapping[Claim, int] = field(default_factory=dict)
    """Approved for a job that has not ended, and not part of its reservation."""
    ended: Claims = field(default_factory=Claims)
    is_gone: bool = False
    """Whether the body of one of its events is gone, so that its balance is not known."""

    @property
    def period(self) -> int:
        """The number of the period in which its last event lies."""
        return self.at // (self.period_seconds * SECOND)

    @property
    def balances(self) -> dict[str, str]:
        """Return what is free in each envelope, as events have it."""
        return {name: str(self.envelopes[name].free_micros) for name in ENVELOPES}

    def reserved_micros(self, envelope: str) -> int:
        """Return what is set aside in an envelope."""
        return sum(one.micros for one in self.reservations.values() if one.envelope == envelope)

    def available_micros(self, envelope: str, *, is_top_tier: bool) -> int:
        """Return what a job may take out of an envelope."""
        kept = 0 if is_top_tier or envelope == "tests" else self.reserve_micros
        return max(0, self.envelopes[envelope].free_micros - kept)

    def with_envelope(self, name: str, state: EnvelopeState) -> "Budget":
        """Return it with one envelope replaced."""
        return replace(self, envelopes={**self.envelopes, name: state})


# ---- what an event may be, and what it leaves ----------------------------------------------------


def refilled(budget: Budget, at: int) -> Budget:
    """Return a budget as of a time, with the refills of the whole periods that began since."""
    if at <= budget.at:
        return budget
    begun = at // (budget.period_seconds * SECOND) - budget.period
    envelopes = {}
    for name, one in budget.envelopes.items():
        room = max(0, one.cap_micros - one.free_micros)
        added = min(room, one.refill_micros * begun)
        envelopes[name] = replace(
            one, free_micros=one.free_micros + added, granted_micros=one.granted_micros + added
        )
    return replace(budget, at=at, envelopes=envelopes)


def made(budget: Budget, cls: type[T], at: int, **members: object) -> tuple[T, Budget]:
    """Return the next event of a budget and what it leaves; BudgetError where there can be none.

    Its place is not known yet: what it leaves has position 0.
    """
    if budget.is_gone:
        raise BudgetError("the body of one of its events was erased, so its balance is not known")
    data = {"budget": budget.name, "at": format_time(max(at, budget.at)), **members}
    after = _CHANGES[cls.TYPE](budget, 0, data)
    return cls.from_data({**data, "balances": after.balances}), after


def set_event(before: Budget | None, at: int, terms: Mapping[str, Any]) -> tuple[BudgetSet, Budget]:
    """Return the event that sets a budget, and what it leaves; BudgetError where it cannot be.

    `terms`: the members of the event but for time and balances. Without an opening balance a new
    budget begins with one refill.
    """
    since = 0 if before is None else before.at
    is_new = before is None or before.is_gone
    opening = terms.get("opening")
    if is_new and opening is None:
        opening = {name: _one_refill(terms[name]) for name in ENVELOPES}
    data = {**terms, "opening": opening, "at": format_time(max(at, since))}
    zero = {"jobs": "0", "tests": "0"}
    BudgetSet.from_data({**data, "balances": zero})  # what has no form is not reckoned with
    after = _set(before, 0, data)
    return BudgetSet.from_data({**data, "balances": after.balances}), after


def _one_refill(flow: Mapping[str, str]) -> str:
    return str(min(int(flow["refill_micros"]), int(flow["cap_micros"])))


def erased(name: str) -> Budget:
    """Return a budget of which nothing is known, as the body of its first event is gone."""
    nothing = {one: EnvelopeState(0, 0, 0, 0) for one in ENVELOPES}
    return Budget(
        name=name, unit="", scope={"kind": "ledger", "labels": {}, "team": ""},
        period_seconds=BUDGET_PERIOD_SECONDS_MIN, reserve_micros=0, envelopes=nothing,
        at=0, begun_at=0, set_at=0, reason="", events=0, is_gone=True,
    )  # fmt: skip


def applied(
    before: Budget | None, position: int, type_: str, data: Mapping[str, Any] | None
) -> Budget:
    """Return a budget after one of its events; BudgetError where that cannot have been.

    `data` None: the body is gone. Where nothing was known before it, `before` is `erased`.
    """
    if data is None:
        assert before is not None, "a budget without its first terms begins as an erased one"
        return replace(before, is_gone=True, events=before.events + 1)
    if type_ == BudgetSet.TYPE and not (before and before.is_gone and data["opening"] is None):
        after = _set(before, position, data)
    elif before is None:
        raise BudgetError("it was not set")
    elif before.is_gone:
        after = _unknown(before, data)
    else:
        after = _CHANGES[type_](before, position, data)
    events = 1 if before is None else before.events + 1
    return replace(after, events=events)


def _unknown(before: Budget, data: Mapping[str, Any]) -> Budget:
    """Return a budget without a balance after one more event: its job has no other."""
    return replace(before, ended=before.ended.with_one(_claim(data))) if "job" in data else before


def _set(before: Budget | None, position: int, data: Mapping[str, Any]) -> Budget:
    at, opening = parse_time(data["at"]), data["opening"]
    is_new = before is None or before.is_gone
    if is_new == (opening is None):
        raise BudgetError(
            "it was not set before, so it needs an opening balance"
            if is_new
            else "it was set before: its balance goes on, and no other opens it"
        )
    flows = {
        name: (int(data[name]["refill_micros"]), int(data[name]["cap_micros"]))
        for name in ENVELOPES
    }
    common = {
        "name": data["budget"], "unit": data["unit"], "scope": data["scope"],
        "period_seconds": data["period_seconds"], "reserve_micros": int(data["reserve_micros"]),
        "at": at, "set_at": position, "reason": data["reason"],
    }  # fmt: skip
    if before is None or before.is_gone:
        envelopes = {
            name: EnvelopeState(*flow, int(opening[name]), int(opening[name]))
            for name, flow in flows.items()
        }
        ended = Claims() if before is None else before.ended
        for claim in () if before is None else before.reservations:
            ended = ended.with_one(claim)
        return Budget(**common, envelopes=envelopes, begun_at=at, ended=ended)
    if data["unit"] != before.unit:
        raise BudgetError(f"it is in {before.unit}, and {data['unit']} cannot take its place")
    now = refilled(before, at)
    is_kept = data["period_seconds"] == before.period_seconds
    envelopes = {}
    for name, (refill, cap) in flows.items():
        one = replace(now.envelopes[name], refill_micros=refill, cap_micros=cap)
        envelopes[name] = replace(one.freed(0), taken=one.taken if is_kept else {})
    begun_at = before.begun_at if is_kept else at
    return replace(now, **common, envelopes=envelopes, begun_at=begun_at)


def _reserved(before: Budget, position: int, data: Mapping[str, Any]) -> Budget:
    claim, amount = _claim(data), int(data["amount_micros"])
    now = refilled(before, parse_time(data["at"]))
    held = _added_to(now, data)
    is_top_tier, approved = data["is_top_tier"], now.approved.get(claim, 0)
    own = min(amount, now.available_micros(claim[1], is_top_tier=is_top_tier))
    if amount - own > approved:
        raise _shortage(now, claim, amount - own - approved, is_top_tier=is_top_tier)
    if held is None:
        made_ = Reservation(
            position, claim[0], data["model"], data["envelope"], is_top_tier, own, amount - own,
            now.period,
        )  # fmt: skip
    else:
        made_ = held._replace(
            own_micros=held.own_micros + own, approved_micros=held.approved_micros + amount - own
        )
    one = now.envelopes[claim[1]]
    one = replace(one, free_micros=one.free_micros - own).took(now.period, amount)
    return replace(
        now.with_envelope(claim[1], one),
        reservations={**now.reservations, claim: made_},
        approved=_with(now.approved, claim, approved - (amount - own)),
    )


def _added_to(now: Budget, data: Mapping[str, Any]) -> Reservation | None:
    """Return the reservation that is made larger; None where this is the job's first."""
    claim = _claim(data)
    if data["adds_to"] is None:
        if claim in now.reservations or claim in now.ended:
            raise BudgetError(
                f"job {claim[0]} was reserved for in the envelope of {claim[1]} before"
            )
        return None
    held = _held(now, data, "adds_to")
    if (held.model, held.is_top_tier) != (data["model"], data["is_top_tier"]):
        raise BudgetError(f"job {claim[0]} was reserved for otherwise")
    return held


def _spent(before: Budget, _: int, data: Mapping[str, Any]) -> Budget:
    now = refilled(before, parse_time(data["at"]))
    held, cost = _held(now, data), int(data["spent_micros"])
    claim = held.job, held.envelope
    own = min(cost, held.own_micros)
    approved = min(cost - own, held.approved_micros)
    over = cost - own - approved
    available = now.available_micros(held.envelope, is_top_tier=held.is_top_tier)
    more = min(over, available)
    if over - more > now.approved.get(claim, 0):
        missing = over - more - now.approved.get(claim, 0)
        raise _shortage(now, claim, missing, is_top_tier=held.is_top_tier)
    approved += over - more
    one = now.envelopes[held.envelope]
    one = replace(one, free_micros=one.free_micros - more, spent_micros=one.spent_micros + cost)
    return _ended(now.with_envelope(held.envelope, one), held, cost, own, approved)


def _released(before: Budget, _: int, data: Mapping[str, Any]) -> Budget:
    now = refilled(before, parse_time(data["at"]))
    return _ended(now, _held(now, data), 0, 0, 0)


def _ended(now: Budget, held: Reservation, cost: int, own: int, approved: int) -> Budget:
    """Return what is left once a job has cost so much: its own part is free, an approval lapses."""
    claim = held.job, held.envelope
    unused = held.approved_micros + now.approved.get(claim, 0) - approved
    one = now.envelopes[held.envelope].freed(held.own_micros - own)
    one = replace(one, lapsed_micros=one.lapsed_micros + unused)
    return replace(
        now.with_envelope(held.envelope, one.took(held.period, cost - held.micros)),
        reservations={key: kept for key, kept in now.reservations.items() if key != claim},
        approved=_with(now.approved, claim, 0),
        ended=now.ended.with_one(claim),
    )


def _approved(before: Budget, _: int, data: Mapping[str, Any]) -> Budget:
    claim, amount = _claim(data), int(data["amount_micros"])
    if claim in before.ended:
        raise BudgetError(f"job {claim[0]} has ended in the envelope of {claim[1]}")
    if not amount:
        raise BudgetError("nothing is approved by 0")
    now = refilled(before, parse_time(data["at"]))
    one = now.envelopes[claim[1]]
    one = replace(one, granted_micros=one.granted_micros + amount)
    approved = _with(now.approved, claim, now.approved.get(claim, 0) + amount)
    return replace(now.with_envelope(claim[1], one), approved=approved)


def _held(now: Budget, data: Mapping[str, Any], cited: str = "reservation") -> Reservation:
    claim = _claim(data)
    held = now.reservations.get(claim)
    if held is None:
        raise BudgetError(f"nothing is reserved for job {claim[0]} in the envelope of {claim[1]}")
    if held.position != data[cited]:
        raise BudgetError(f"the reservation of job {claim[0]} is at position {held.position}")
    return held


def _shortage(now: Budget, claim: Claim, missing: int, *, is_top_tier: bool) -> BudgetError:
    available = now.available_micros(claim[1], is_top_tier=is_top_tier)
    return BudgetError(
        f"the envelope of {claim[1]} has {available} micros for job {claim[0]}: "
        f"{missing} are missing",
        missing,
    )


def _claim(data: Mapping[str, Any]) -> Claim:
    return data["job"], data["envelope"]


def _with(amounts: Mapping[Claim, int], claim: Claim, amount: int) -> Mapping[Claim, int]:
    kept = {key: one for key, one in amounts.items() if key != claim}
    return {**kept, claim: amount} if amount else kept


_CHANGES: Final[dict[str, Callable[[Budget, int, Mapping[str, Any]], Budget]]] = {
    BudgetReserved.TYPE: _reserved,
    BudgetSpent.TYPE: _spent,
    BudgetReleased.TYPE: _released,
    BudgetOverspendingApproved.TYPE: _approved,
}
