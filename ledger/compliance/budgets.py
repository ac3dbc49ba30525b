"""The money of jobs: what was set aside for each, approved beyond that, and spent in the end.

Beside it the budgets that pay: who set each to which terms, and what of it is spent.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from ledger.compliance.facts import FactFilter, FactSource
from ledger.compliance.tables import Table, table_of
from ledger.events import notation
from ledger.events.budgets import (
    BUDGET_TYPES,
    BudgetOverspendingApproved,
    BudgetReserved,
    BudgetSet,
    BudgetSpent,
)
from ledger.events.facts import Fact
from ledger.jobs.budgets import ENVELOPES, Budget, BudgetError, applied, erased

_KEYS: Final = ("budget", "job", "envelope")


@dataclass(slots=True)
class JobMoney:
    """The money of one job in one envelope, from its reservation to its end."""

    reserved: Fact
    data: dict[str, Any]
    unit: str
    """Empty where the terms of the budget were erased."""
    added_micros: int = 0
    """Set aside later, as the job cost more."""
    ended: Fact | None = None


def spending_table(source: FactSource, scope: FactFilter) -> Table:
    """Return the reservations of the period, each with what was approved beyond it and its cost."""
    found: list[JobMoney] = []
    open_: dict[tuple[str, ...], JobMoney] = {}
    approved: dict[tuple[str, ...], list[Fact]] = {}
    units: dict[str, str] = {}
    lost = 0
    for fact in source.facts(tuple(sorted(BUDGET_TYPES))):
        data = fact.data
        if data is None:
            lost += 1
        elif fact.type == BudgetSet.TYPE:
            units[data["budget"]] = data["unit"]
        elif fact.type == BudgetOverspendingApproved.TYPE:
            approved.setdefault(_key(data), []).append(fact)
        elif fact.type == BudgetReserved.TYPE and data["adds_to"] is not None:
            if (held := open_.get(_key(data))) is not None:
                held.added_micros += int(data["amount_micros"])
        elif fact.type == BudgetReserved.TYPE:
            made = JobMoney(fact, data, units.get(data["budget"], ""))
            open_[_key(data)] = made
            found.append(made)
        elif (held := open_.pop(_key(data), None)) is not None:
            held.ended = fact
    return table_of(
        "spending",
        "Money of jobs",
        (
            ("position", "integer", "where it was set aside"),
            ("reserved_at", "time", "when, by the ledger's clock"),
            ("budget", "text", "out of which budget"),
            ("envelope", "text", "for the job, or for the test of its candidate"),
            ("job", "text", "for which job"),
            ("model", "text", "of which model"),
            ("top_tier", "boolean", "whether it might use what is kept for the top tier"),
            ("reserved", "text", "how much was set aside when it was proposed"),
            ("added", "text", "how much more was set aside as it cost more"),
            ("approved", "text", "how much more a person let it cost"),
            ("approved_by", "text", "the persons who did"),
            ("spent", "text", "its actual cost"),
            ("state", "text", "open, spent or released"),
            ("ended_at", "time", "when that was recorded"),
            ("ended_position", "integer", "where"),
        ),
        [
            _row(one, approved.get(_key(one.data), []))
            for one in found
            if scope.takes(one.reserved) and scope.has_model(one.data["model"])
        ],
        f"Events of budgets without a readable body: {lost}." if lost else "",
        page=(
            ("Reserved", ("reserved_at", "position")),
            ("Budget", ("budget", "envelope", "top_tier")),
            ("Job", ("job", "model")),
            ("Amount", ("reserved", "added", "approved", "approved_by")),
            ("Cost", ("spent",)),
            ("State", ("state", "ended_at", "ended_position")),
        ),
    )


def _key(data: dict[str, Any]) -> tuple[str, ...]:
    return tuple(data[name] for name in _KEYS)


def _row(one: JobMoney, approvals: list[Fact]) -> dict[str, Any]:
    ended, data = one.ended, one.data
    more = sum(int((fact.data or {})["amount_micros"]) for fact in approvals)
    is_spent = ended is not None and ended.type == BudgetSpent.TYPE
    cost = int((ended.data or {})["spent_micros"]) if ended is not None and is_spent else 0
    state = "open" if ended is None else "spent" if is_spent else "released"
    return {
        "position": one.reserved.position,
        "reserved_at": one.reserved.recorded_at,
        "budget": data["budget"],
        "envelope": data["envelope"],
        "job": data["job"],
        "model": data["model"],
        "top_tier": data["is_top_tier"],
        "reserved": notation.money(int(data["amount_micros"]), one.unit),
        "added": notation.money(one.added_micros, one.unit) if one.added_micros else None,
        "approved": notation.money(more, one.unit) if approvals else None,
        "approved_by": ", ".join(sorted({fact.actor for fact in approvals})) or None,
        "spent": None if ended is None else notation.money(cost, one.unit),
        "state": state,
        "ended_at": None if ended is None else ended.recorded_at,
        "ended_position": None if ended is None else ended.position,
    }


# ---- what budgets were granted, and by whom ------------------------------------------------------


@dataclass(slots=True)
class RecordedBudgets:
    """The budgets of a source as their events left them."""

    budgets: dict[str, Budget] = field(default_factory=dict)
    terms: list[dict[str, Any]] = field(default_factory=list)
    """The terms of each event that set one, beside those before it."""
    approved: list[tuple[Fact, dict[str, Any]]] = field(default_factory=list)
    """The overspending that persons approved."""
    impossible: int = 0
    """How many events no budget could have."""

    def apply(self, fact: Fact) -> None:
        """Take in an event of a budget."""
        name, data = fact.stream.partition("/")[2], fact.data
        before = self.budgets.get(name)
        if data is not None and fact.type == BudgetSet.TYPE:
            self.terms.append(_terms(fact, data, before))
        if data is not None and fact.type == BudgetOverspendingApproved.TYPE:
            self.approved.append((fact, data))
        if data is None and before is None:
            before = erased(name)
        try:
            self.budgets[name] = applied(before, fact.position, fact.type, data)
        except BudgetError:
            self.impossible += 1


def recorded_budgets(source: FactSource, until: int | None) -> RecordedBudgets:
    """Return every budget as its events before a time left it."""
    found = RecordedBudgets()
    for fact in source.facts(tuple(sorted(BUDGET_TYPES))):
        if until is None or fact.recorded_at < until:
            found.apply(fact)
    return found


def _terms(fact: Fact, data: dict[str, Any], before: Budget | None) -> dict[str, Any]:
    """Return the terms of a budget, and which of them are more than before."""
    unit, flows = data["unit"], {name: data[name] for name in ENVELOPES}
    raised: list[str] = []
    if before is not None and not before.is_gone:
        for name, flow in flows.items():
            was = before.envelopes[name]
            rates = (
                int(flow["refill_micros"]) * before.period_seconds,
                was.refill_micros * data["period_seconds"],
            )
            raised += [f"refill for {name}"] if rates[0] > rates[1] else []
            raised += [f"cap for {name}"] if int(flow["cap_micros"]) > was.cap_micros else []
    return {
        "position": fact.position,
        "set_at": fact.recorded_at,
        "budget": data["budget"],
        "actor": fact.actor,
        "period_seconds": data["period_seconds"],
        "reserve": notation.money(int(data["reserve_micros"]), unit),
        "raised": ", ".join(raised) or None,
        "is_first": before is None,
        "reason": data["reason"],
    } | {
        f"{name}_{part}": notation.money(int(flow[f"{part}_micros"]), unit)
        for name, flow in flows.items()
        for part in ("refill", "cap")
    }


def budget_terms_table(found: RecordedBudgets) -> Table:
    """Return who set each budget, to which terms, and what of them was raised."""
    return table_of(
        "budget_terms",
        "Terms of budgets",
        (
            ("position", "integer", "where it is recorded"),
            ("set_at", "time", "when, by the ledger's clock"),
            ("budget", "text", "which budget"),
            ("actor", "text", "who set it"),
            ("period_seconds", "span", "how often it is refilled"),
            ("jobs_refill", "text", "by how much, for jobs"),
            ("jobs_cap", "text", "how much of it is kept at most"),
            ("tests_refill", "text", "by how much, for tests of candidates"),
            ("tests_cap", "text", "how much of that is kept at most"),
            ("reserve", "text", "kept for jobs of the top tier"),
            ("is_first", "boolean", "whether it was not set before"),
            ("raised", "text", "what is more than before"),
            ("reason", "prose", "the reason given"),
        ),
        found.terms,
        page=(
            ("Set", ("set_at", "position", "actor")),
            ("Budget", ("budget", "period_seconds", "is_first")),
            ("For jobs", ("jobs_refill", "jobs_cap", "reserve")),
            ("For tests", ("tests_refill", "tests_cap")),
            ("Raised", ("raised",)),
            ("Why", ("reason",)),
        ),
    )


def envelopes_table(found: RecordedBudgets) -> Table:
    """Return what each envelope was granted, and what of that was spent and set aside."""
    approved: dict[tuple[str, str], int] = {}
    for _, data in found.approved:
        key = data["budget"], data["envelope"]
        approved[key] = approved.get(key, 0) + int(data["amount_micros"])
    records = []
    for name, budget in sorted(found.budgets.items()):
        for envelope, state in budget.envelopes.items():
            reserved = budget.reserved_micros(envelope)
            amounts = {
                "granted": state.granted_micros,
                "approved": approved.get((name, envelope), 0),
                "spent": state.spent_micros,
                "reserved": reserved,
                "free": state.free_micros,
            }
            is_over = state.spent_micros + reserved > state.granted_micros
            record: dict[str, Any] = {"budget": name, "envelope": envelope, "is_exceeded": is_over}
            shown = {what: notation.money(micros, budget.unit) for what, micros in amounts.items()}
            unknown = dict.fromkeys((*shown, "is_exceeded")) if budget.is_gone else {}
            records.append(record | shown | unknown)
    return table_of(
        "envelopes",
        "Envelopes of budgets",
        (
            ("budget", "text", "which budget"),
            ("envelope", "text", "for jobs, or for tests of candidates"),
            ("granted", "text", "opening, refills that were kept, and what persons approved"),
            ("approved", "text", "the part of that which persons approved beyond the refills"),
            ("spent", "text", "what jobs that are over have cost"),
            ("reserved", "text", "what is set aside for those that are not"),
            ("free", "text", "what is left, as of its last event"),
            ("is_exceeded", "boolean", "whether more was spent and set aside than granted"),
        ),
        records,
        f"Events of budgets that no budget could have: {found.impossible}."
        if found.impossible
        else "",
    )
