"""Scopes of budgets: which budget pays for the jobs of a model.

The most specific one does: labels go before a team, a team before the ledger, more labels before
fewer. Where neither of two goes before and one model can be in both, the later is not set.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ledger.jobs.budgets import Budget


def covers(scope: Mapping[str, Any], owner: str, labels: Mapping[str, str]) -> bool:
    """Whether a scope has a model of this owner with these labels."""
    if scope["kind"] == "team":
        return bool(scope["team"] == owner)
    return all(labels.get(key) == value for key, value in scope["labels"].items())


def rank(scope: Mapping[str, Any]) -> tuple[int, int]:
    """Return how specific a scope is: labels before a team before the ledger, more before fewer."""
    return ("ledger", "team", "labels").index(scope["kind"]), len(scope["labels"])


def ties(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two scopes are as specific and can hold one model, so that neither goes before."""
    if rank(one) != rank(other) or one["team"] != other["team"]:
        return False
    return all(other["labels"].get(key, value) == value for key, value in one["labels"].items())


def scope_fault(budgets: Iterable[Budget], name: str, scope: Mapping[str, Any]) -> str:
    """Return why a budget cannot have a scope beside the others; empty where it can."""
    for one in sorted(budgets, key=lambda budget: budget.name):
        if one.name != name and not one.is_gone and ties(one.scope, scope):
            return f"budget {one.name} has a scope as specific, and one model can be in both"
    return ""


def counted_on(
    budgets: Iterable[Budget], owner: str, labels: Mapping[str, str], unit: str
) -> Budget | None:
    """Return the budget that plans count on for a model: that which pays, if it is in their unit.

    `unit` is that of the ledger's costs; where it names none they are in that of each budget.
    """
    found = governing(budgets, owner, labels)
    return found if found is not None and unit in ("", found.unit) else None


def governing(budgets: Iterable[Budget], owner: str, labels: Mapping[str, str]) -> Budget | None:
    """Return the budget that pays for the jobs of a model: the most specific; None for none."""
    found = [one for one in budgets if not one.is_gone and covers(one.scope, owner, labels)]
    return max(found, key=lambda one: rank(one.scope), default=None)
