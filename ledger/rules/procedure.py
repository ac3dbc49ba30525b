"""Decision procedures `rules/1` and `rules/2`: from a score and its environment to an action.

Steps 4 to 8 of the procedure, as a pure function: bounded change, rules in order with explicit
hysteresis, cool-down, override. The pages are `docs/spec/decision_v1.md` and `decision_v2.md`.
Finding the policy, the version in service and the observations is for the application; an
environment that was recorded in an event can be decided again, and gives the same outcome. The two
procedures differ in what is found there and in what rules may read; the steps here are the same.

The rules that a decision follows are:
- the first rule that matches gives action and tier; the one in force matches by its `hold`;
- an expression whose value is an error decides INVESTIGATE at the error tier, and ends the search;
- SCHEDULE_RETRAINING within the cool-down becomes INVESTIGATE;
- an override in effect gives action and tier, and what it replaced is kept beside it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ledger.events.decisions import OverriddenPart, RecordedEnvironment, TimedEnvironment
from ledger.events.policy_document import Action, DecisionPart, RulePart
from ledger.events.values import HOUR, PPM
from ledger.kernel.bucketed import SignalOutput
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    activation_of,
    compile_expression,
)
from ledger.rules.vocabulary import RULES_1, RULES_2, SIGNAL_FIELDS

Why: TypeAlias = Literal["RULE", "OTHERWISE", "RULE_ERROR"]


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision for a time: in effect from `effective_from` until `effective_until`."""

    position: int
    action: Action
    tier: str
    effective_from: int
    effective_until: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The action for a model, and its reasons.

    `rule` is the rule that matched or failed, empty if none did. Under an override, `action` and
    `tier` are the override's, `held_back` is None and `overridden` keeps what the rules gave.
    """

    action: Action
    tier: str
    rule: str
    reason: Why
    held_back: Literal["COOL_DOWN"] | None = None
    overridden: OverriddenPart | None = None


def expressions(
    rules: DecisionPart, environment: RecordedEnvironment
) -> Iterator[tuple[RulePart, CompiledExpression]]:
    """Yield each rule with the expression that it matches by: its `hold` while it is in force."""
    names = frozenset(environment.signals)
    for rule in rules.rules:
        is_held = rule.hold is not None and rule.id == environment.in_force_rule
        text = rule.hold if is_held and rule.hold is not None else rule.when
        yield rule, compile_expression(text, names, rules.procedure)


def rule_problems(rules: DecisionPart, rule_names: Iterable[str]) -> list[tuple[str, str]]:
    """Return (field, what is wrong) for what no value of a policy document shows by itself.

    In the order in which a person reads it; the ranges of single values are those of
    `ledger.events.policy_document`.
    """
    names = frozenset(rule_names)
    problems: list[tuple[str, str]] = []
    seen: set[str] = set()
    for at, rule in enumerate(rules.rules):
        path = f"rules[{at}]"
        if rule.id in seen:
            problems.append((f"{path}.id", f"{rule.id} is there twice"))
        seen.add(rule.id)
        for field_name, text in (("when", rule.when), ("hold", rule.hold)):
            try:
                if text is not None:
                    compile_expression(text, names, rules.procedure)
            except ExpressionError as error:
                problems.append((f"{path}.{field_name}", str(error)))
    return problems


# ---- the steps -----------------------------------------------------------------------------------


def environment_of(
    signals: Iterable[SignalOutput],
    intervals: Mapping[str, int] | None,
    **values: object,
) -> RecordedEnvironment:
    """Return every value that rules can see, under the names that they use (step 5).

    `intervals`: hours between two reports by signal, which `rules/2` shows; None under `rules/1`.
    """
    parts: dict[str, dict[str, Any]] = {
        output.signal: {field: getattr(output, field) for field in SIGNAL_FIELDS}
        for output in signals
    }
    if intervals is None:
        return RecordedEnvironment.model_validate({**values, "signals": parts})
    for name, members in parts.items():
        members["interval_hours"] = intervals[name]
    shortest = min(intervals.values())  # after it a version's first report is due
    return TimedEnvironment.model_validate(
        {**values, "signals": parts, "report_interval_hours": shortest}
    )


def procedure_of(environment: RecordedEnvironment) -> str:
    """Return the procedure whose environment this is."""
    return RULES_2 if isinstance(environment, TimedEnvironment) else RULES_1


def bounded_priority(raw: int, last: int | None, max_step: int | None) -> int:
    """Return the priority within `max_step` of the last recorded one (step 4).

    `last` is the priority of the last recorded, non-historical score of the same version in
    service and policy version; without one, or without a step, the raw priority counts.
    """
    if last is None or max_step is None:
        return raw
    return max(last - max_step, min(last + max_step, raw))


def whole_hours(then: int, now: int) -> int:
    """Return the hours from `then` to `now`, both in microseconds, rounded down."""
    return (now - then) // HOUR


def hours_in_force(since: int, now: int, procedure: str) -> int:
    """Return how long a decision has been in force, both times in microseconds.

    One that began after `now`, as a historical evaluation finds it: 0, below 0 by `rules/1`.
    """
    hours = whole_hours(since, now)
    return hours if procedure == RULES_1 else max(hours, 0)


def slo_hours_left(output: SignalOutput | None, window_seconds: int) -> int:
    """Return the hours until a signal is at its critical value if its trend goes on.

    `output` is of the signal that the model names as its SLO, None if it names none that the
    policy has a rule for. −1 means that there is nothing to say: absent, level or improving.
    """
    if output is None or not output.present or output.trend <= 0:
        return -1
    return (PPM - output.magnitude) * window_seconds // (2 * output.trend * 3_600)


def override_in_effect(overrides: Sequence[Override], evaluated_at: int) -> Override | None:
    """Return the latest recorded override with `from ≤ t < until`, or None (step 8)."""
    in_effect = [
        override
        for override in overrides
        if override.effective_from <= evaluated_at < override.effective_until
    ]
    return max(in_effect, key=lambda override: override.position, default=None)


def decide(
    rules: DecisionPart, environment: RecordedEnvironment, override: Override | None = None
) -> Outcome:
    """Return what to do about a model (steps 6 to 8).

    The rules must have no `rule_problems` over the signals of the environment; `override` is the
    one in effect. Cost: one evaluation for each rule up to the one that matches.
    """
    found = _first_match(rules, environment)
    is_cooling = 0 <= environment.hours_since_deployed < rules.cool_down_hours
    if found.action == "SCHEDULE_RETRAINING" and is_cooling:
        found = Outcome("INVESTIGATE", found.tier, found.rule, found.reason, "COOL_DOWN")
    if override is None:
        return found
    replaced = OverriddenPart(
        position=override.position,
        action=found.action,
        tier=found.tier,
        held_back=found.held_back,
    )
    return Outcome(override.action, override.tier, found.rule, found.reason, overridden=replaced)


def _first_match(rules: DecisionPart, environment: RecordedEnvironment) -> Outcome:
    """Walk the rules in order (step 6)."""
    activation = activation_of(environment.model_dump(), procedure_of(environment))
    for rule, expression in expressions(rules, environment):
        verdict = expression.evaluate(activation)
        if verdict.is_true is None:
            return Outcome("INVESTIGATE", rules.error_tier, rule.id, "RULE_ERROR")
        if verdict.is_true:
            return Outcome(rule.action, rule.tier, rule.id, "RULE")
    return Outcome(rules.otherwise_action, rules.otherwise_tier, "", "OTHERWISE")
