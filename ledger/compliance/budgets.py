"""The money of jobs: what was set aside for each, approved beyond that, and spent in the end."""

from dataclasses import dataclass
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
