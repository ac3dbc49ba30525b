"""Rules in few words, for tests of what they decide."""

from collections.abc import Sequence
from typing import TypeVar

from ledger.events.base import Part
from ledger.events.policy_document import Action, DecisionPart, RulePart

P = TypeVar("P", bound=Part)


def rule(name: str, when: str, action: Action, tier: str, *, hold: str | None = None) -> RulePart:
    return RulePart(id=name, when=when, hold=hold, action=action, tier=tier, rationale="")


def rules_of(
    rules: Sequence[RulePart],
    otherwise: Action,
    otherwise_tier: str,
    error_tier: str,
    *,
    cool_down_hours: int = 0,
) -> DecisionPart:
    return DecisionPart(
        procedure="rules/1",
        rules=list(rules),
        otherwise_action=otherwise,
        otherwise_tier=otherwise_tier,
        error_tier=error_tier,
        cool_down_hours=cool_down_hours,
        max_priority_step=None,
    )


def changed(part: P, **changes: object) -> P:
    """Return a part with other values, whatever they are."""
    return part.model_copy(update=changes)
