"""Whether the rules of a policy can decide: what can never be, what comes too late, what fails.

Only what is certain is said (`ledger.rules.conditions`): for all environments, by ranges of single
variables and equal parts. A rule that does not compile is for `rule_problems` to tell.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.events.policy_document import DecisionPart, RulePart
from ledger.rules.conditions import Box, boxes_of, implies, is_covered, is_never_false
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    activation_of,
    compile_expression,
)
from ledger.rules.failing import failing_part
from ledger.rules.policy_findings import PolicyFinding
from ledger.rules.vocabulary import VOCABULARIES

_REMOVE_ONE: Final = "Remove one of the two rules."
_FIRST: Final = "Put it before that rule, or remove one of the two."
_FAILING: Final = "Compare the variables with limits; a rule whose condition fails decides nothing."

Boxes = tuple[Box, ...] | None
"""The boxes of a condition (see `boxes_of`); None where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class _Condition:
    """The conditions of one rule: `certain` are the boxes in which it matches in any case."""

    rule: RulePart
    when: Boxes
    hold: Boxes

    @property
    def certain(self) -> tuple[Box, ...]:
        """The boxes in which the rule matches, whether it is in force or not."""
        if self.when is None or self.rule.hold is None:
            return self.when or ()
        return tuple(box for box in self.when if is_covered([box], self.hold or ()))


def unsound_rules(decision: DecisionPart, signals: Iterable[str]) -> Iterator[PolicyFinding]:
    """Yield what is wrong with the rules over these signals, in their order."""
    names = frozenset(signals)
    before: list[_Condition] = []
    for index, rule in enumerate(decision.rules):
        path = f"decision.rules[{index}]"
        when = _compiled(rule.when, names, decision.procedure)
        hold = _compiled(rule.hold, names, decision.procedure)
        condition = _Condition(
            rule, _boxes(when, decision.procedure), _boxes(hold, decision.procedure)
        )
        for part, compiled in (("when", when), ("hold", hold)):
            if compiled is not None and (failing := failing_part(compiled.tree)) is not None:
                place, message = failing[0].offset, failing[1]
                yield PolicyFinding(f"{path}.{part}", "CONDITION_FAILS", message, _FAILING, place)
        if when is not None:
            yield from _unsound_rule(path, condition, when, before)
        before.append(condition)
    what = "decides wherever no rule does"
    yield from _always("decision.otherwise.action", decision.otherwise_action, what)


def _unsound_rule(
    path: str, condition: _Condition, when: CompiledExpression, before: list[_Condition]
) -> Iterator[PolicyFinding]:
    late = _late(path, condition, before)
    if late is not None:
        yield late
    if any({} in one.certain for one in before):
        return  # nothing else of it matters
    yield from _unsound_condition(path, condition)
    if {} in (condition.when or ()) or is_never_false(when.tree):
        yield from _always(f"{path}.when", condition.rule.action, "is always true")


def _compiled(
    text: str | None, signals: frozenset[str], procedure: str
) -> CompiledExpression | None:
    try:
        return None if text is None else compile_expression(text, signals, procedure)
    except ExpressionError:
        return None


def _boxes(compiled: CompiledExpression | None, procedure: str) -> Boxes:
    """Return the boxes of an expression; of one without variables by its value."""
    if compiled is None:
        return None
    if compiled.paths:
        return boxes_of(compiled.tree)
    variables = VOCABULARIES[procedure].variables
    empty = {name: {"int": 0, "string": ""}.get(kind, {}) for name, kind in variables.items()}
    value = compiled.evaluate(activation_of(empty, procedure)).is_true
    return None if value is None else ({},) if value else ()


def _late(path: str, condition: _Condition, before: list[_Condition]) -> PolicyFinding | None:
    """Return the finding of a rule that an earlier one always comes before; None where none is."""
    rule = condition.rule
    for earlier in before:
        if {} in earlier.certain:
            why = f"rule {earlier.rule.id!r} before it is always true"
            message = f"rule {rule.id!r} is never reached: {why}"
            return PolicyFinding(path, "RULE_UNREACHABLE", message, _FIRST)
    for earlier in before:
        if earlier.rule.hold is None and earlier.rule.when == rule.when:
            message = f"the same condition as rule {earlier.rule.id!r}, which is tried before it"
            return PolicyFinding(f"{path}.when", "RULE_TWICE", message, _REMOVE_ONE)
    covers = _covers(condition.when, before)
    if not covers:
        return None
    named = " or ".join(repr(each.rule.id) for each in covers)
    message = f"rule {rule.id!r} never begins: wherever it is true, rule {named} before it is"
    return PolicyFinding(path, "RULE_UNREACHABLE", message, _FIRST)


def _covers(boxes: Boxes, before: list[_Condition]) -> list[_Condition]:
    """Return the earlier rules that match wherever a condition is true; none if it can be first."""
    found: list[_Condition] = []
    for box in boxes or ():
        cover = next(
            (each for each in before if any(implies(box, of) for of in each.certain)), None
        )
        if cover is None:
            return []
        if cover not in found:
            found.append(cover)
    return found


def _unsound_condition(path: str, condition: _Condition) -> Iterator[PolicyFinding]:
    """Yield what can never be true, or never false where it should end."""
    when, hold = condition.when, condition.hold
    if when == ():
        message = "is never true: it contradicts itself or the range of a variable"
        remedy = "Correct the limit, or remove the rule."
        yield PolicyFinding(f"{path}.when", "RULE_NEVER_TRUE", message, remedy)
    if condition.rule.hold is None or hold is None:
        return
    if hold == ():
        message = "is never true, so the rule ends at the next score after it begins"
        remedy = "Leave `hold` out, or state when the rule goes on."
        yield PolicyFinding(f"{path}.hold", "HOLD_NEVER_TRUE", message, remedy)
    elif {} in hold and {} not in (when or ()):
        message = "is always true, so the rule never ends once it is in force"
        remedy = "State when the rule goes on, such as a lower limit than that of `when`."
        yield PolicyFinding(f"{path}.hold", "HOLD_ALWAYS_TRUE", message, remedy)
    elif when and is_covered(hold, when) and not is_covered(when, hold):
        message = "asks for more than `when`, so the rule can end as soon as it begins"
        remedy = (
            "Ask for less in `hold` than in `when`: that is what keeps a decision from flapping."
        )
        yield PolicyFinding(f"{path}.hold", "HOLD_NARROWER", message, remedy)


def _always(path: str, action: str, why: str) -> Iterator[PolicyFinding]:
    """Yield what would retrain every model, in need or not."""
    if action == "SCHEDULE_RETRAINING":
        message = f"{why}, so every model is retrained as often as the cool-down lets it"
        remedy = "State in a rule when a model needs it, such as `priority >= 40%`."
        yield PolicyFinding(path, "RETRAINS_ALWAYS", message, remedy)
