"""Why a decision came out as it did, for a person: contributions, rules, and what would change it.

Derived from what the events record and nothing else, so it can be given for any decision at any
time and is always the same. Numbers are those that rules see: ratios in parts per million, which
only the prose turns into per cent.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from ledger.events.decisions import RecordedEnvironment
from ledger.events.notation import listed, percent, share
from ledger.events.policy_document import DecisionPart, RulePart
from ledger.kernel.bucketed import KernelScore, SignalOutput
from ledger.rules.boundary import DecisionBoundary, Value, boundaries, value_of
from ledger.rules.expression_tree import (
    CONDITIONAL,
    CONJUNCTION,
    DISJUNCTION,
    NEGATION,
    ExpressionNode,
    operands_of,
    path_of,
    paths_of,
    render,
)
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    activation_of,
    compile_expression,
)
from ledger.rules.procedure import Outcome, expressions, procedure_of
from ledger.rules.shares import is_share, share_constants, spell

ReadingStatus: TypeAlias = Literal["matched", "failed", "false", "not_reached"]

_SIGNALS_IN_PROSE: Final = 3
_NEAR_PPM: Final = 1_000  # less than the one decimal of a per cent that prose shows


@dataclass(frozen=True, slots=True)
class SignalContribution:
    """How much of the degradation one signal makes up; `share` is ppm of the whole."""

    signal: str
    share: int
    output: SignalOutput
    sentence: str


@dataclass(frozen=True, slots=True)
class DecisiveComparison:
    """One comparison that settled a rule, with the values it compared."""

    text: str
    is_true: bool
    values: tuple[tuple[str, Value], ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class RuleReading:
    """One rule read over the environment.

    `is_true` is what its expression gives, also where an earlier rule had already won
    (`not_reached`); None is an error, named by `error`. `comparisons` settled it.
    """

    rule: str
    matched_by: Literal["when", "hold"]
    text: str
    condition: str
    """The expression as a person writes it, with shares as per cent."""
    status: ReadingStatus
    is_true: bool | None
    error: str
    values: tuple[tuple[str, Value], ...]
    comparisons: tuple[DecisiveComparison, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class DecisionExplanation:
    """A whole explanation; `winner` is the rule that decided, None where no rule did."""

    contributions: tuple[SignalContribution, ...]
    readings: tuple[RuleReading, ...]
    winner: RuleReading | None
    boundaries: tuple[DecisionBoundary, ...]
    paragraph: str


def explain(
    score: KernelScore, rules: DecisionPart, environment: RecordedEnvironment, outcome: Outcome
) -> DecisionExplanation:
    """Return the explanation of an outcome that `decide` gave for this environment."""
    contributions = _contributions(score)
    readings = _readings(rules, environment, outcome)
    winner = next((item for item in readings if item.status in {"matched", "failed"}), None)
    nearest = boundaries(rules, environment)
    sentences = [
        _priority_sentence(environment),
        *_evidence_sentences(contributions, environment),
        *_outcome_sentences(rules, environment, outcome, winner),
        nearest[0].sentence
        if nearest
        else "No change of a single number would lead to another outcome.",
    ]
    return DecisionExplanation(contributions, readings, winner, nearest, " ".join(sentences))


# ---- signals -------------------------------------------------------------------------------------


def _contributions(score: KernelScore) -> tuple[SignalContribution, ...]:
    """Return every signal, by share descending, then name."""
    ordered = sorted(score.signals, key=lambda output: (-output.share, output.signal))
    return tuple(
        SignalContribution(output.signal, output.share, output, _signal_sentence(output))
        for output in ordered
    )


def _signal_sentence(output: SignalOutput) -> str:
    """Return one signal in a sentence."""
    if not output.present:
        return f"{output.signal} is silent: nothing in its window speaks for it."
    kept = "sustained" if output.sustained else "not sustained, so it counts at the transient rate"
    source = f", as {output.source} reports" if output.source else ""
    return (
        f"{output.signal} makes up {percent(output.share)} of the degradation: severity "
        f"{percent(output.magnitude)}, {output.breaches} of {output.buckets} buckets in breach, "
        f"{kept}{source}."
    )


# ---- rules ---------------------------------------------------------------------------------------


def _readings(
    rules: DecisionPart, environment: RecordedEnvironment, outcome: Outcome
) -> tuple[RuleReading, ...]:
    """Read every rule, also those after the one that decided."""
    activation = activation_of(environment.model_dump(), procedure_of(environment))
    readings: list[RuleReading] = []
    is_decided = False
    for rule, expression in expressions(rules, environment):
        is_winner = not is_decided and outcome.reason != "OTHERWISE" and rule.id == outcome.rule
        reading = _reading(rule, expression, environment, activation, is_decided)
        assert is_winner == (reading.status in {"matched", "failed"}), "not of this environment"
        readings.append(reading)
        is_decided = is_decided or is_winner
    return tuple(readings)


def _reading(
    rule: RulePart,
    expression: CompiledExpression,
    environment: RecordedEnvironment,
    activation: Mapping[str, Any],
    is_decided: bool,  # noqa: FBT001 - a state of the walk, named at its only call
) -> RuleReading:
    """Read one rule."""
    verdict = expression.evaluate(activation)
    comparisons: tuple[DecisiveComparison, ...] = ()
    if verdict.is_true is not None:
        found = _comparisons(expression.tree, verdict.is_true, environment, activation)
        comparisons = tuple(dict.fromkeys(found))
    status: ReadingStatus
    if is_decided:
        status = "not_reached"
    elif verdict.is_true is None:
        status = "failed"
    else:
        status = "matched" if verdict.is_true else "false"
    values = tuple((path, value_of(environment, path)) for path in expression.paths)
    # Where `hold` and `when` are spelled alike, either name is true; `hold` is what was read.
    matched_by: Literal["when", "hold"] = (
        "hold" if rule.hold is not None and rule.id == environment.in_force_rule else "when"
    )
    reasons = "; ".join(comparison.sentence for comparison in comparisons)
    if verdict.is_true is None:
        sentence = f"Rule {rule.id} has no value ({verdict.error})"
    elif verdict.is_true:
        sentence = f"Rule {rule.id} is true by its {matched_by}: {reasons}"
    else:
        sentence = f"Rule {rule.id} is false by its {matched_by}: {reasons}"
    ending = "; an earlier rule had decided." if is_decided else "."
    return RuleReading(
        rule.id,
        matched_by,
        expression.text,
        spell(expression.tree),
        status,
        verdict.is_true,
        verdict.error,
        values,
        comparisons,
        sentence + ending,
    )


def _comparisons(
    node: ExpressionNode,
    is_true: bool,  # noqa: FBT001 - what the node is known to be
    environment: RecordedEnvironment,
    activation: Mapping[str, Any],
) -> Iterator[DecisiveComparison]:
    """Yield the comparisons that make an expression true, or those that make it false."""
    if node.kind == "call" and node.name == NEGATION:
        yield from _comparisons(node.parts[0], not is_true, environment, activation)
        return
    if node.kind == "call" and node.name in {CONJUNCTION, DISJUNCTION}:
        for part in operands_of(node, node.name):
            # All parts settle a true `&&` and a false `||`; otherwise those that say so do.
            if _truth(part, environment, activation) is is_true:
                yield from _comparisons(part, is_true, environment, activation)
        return
    if node.kind == "call" and node.name == CONDITIONAL:
        condition, then, otherwise = node.parts
        holds = _truth(condition, environment, activation)
        if holds is not None:
            yield from _comparisons(condition, holds, environment, activation)
            yield from _comparisons(then if holds else otherwise, is_true, environment, activation)
            return
    values = tuple((path, value_of(environment, path)) for path in paths_of(node))
    yield DecisiveComparison(render(node), is_true, values, _ground_sentence(node, is_true, values))


def _ground_sentence(
    node: ExpressionNode,
    is_true: bool,  # noqa: FBT001 - what the node is known to be
    values: tuple[tuple[str, Value], ...],
) -> str:
    """Return a comparison with the values that it compared: `priority >= 20% (it is 33.4%)`."""
    text = spell(node)
    claim = text if is_true else f"{text} is false"
    if not values or path_of(node) is not None:
        return claim
    limits = [each.value for each in share_constants(node) if isinstance(each.value, int)]
    shown = [(path, _shown(path, value, limits)) for path, value in values]
    if len(shown) == 1 and any(path_of(part) is not None for part in node.parts):
        return f"{claim} (it is {shown[0][1]})"
    return f"{claim} ({', '.join(f'{path} is {value}' for path, value in shown)})"


def _truth(
    node: ExpressionNode, environment: RecordedEnvironment, activation: Mapping[str, Any]
) -> bool | None:
    """Return the value of a part of an expression; None is an error."""
    try:
        part = compile_expression(render(node), environment.signals, procedure_of(environment))
    except ExpressionError:  # spelled out, a part may be longer than what a person may write
        return None
    return part.evaluate(activation).is_true


def _shown(path: str, value: Value, limits: list[int]) -> str:
    """Return a value for a person; a share exactly where rounding could hide its side."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if not is_share(path):
        return str(value)
    is_near = any(0 < abs(value - limit) < _NEAR_PPM for limit in limits)
    return share(value) if is_near else percent(value)


# ---- prose ---------------------------------------------------------------------------------------


def _priority_sentence(environment: RecordedEnvironment) -> str:
    """Return the priority, and whether it was held to the policy's largest step."""
    text = f"Priority is {percent(environment.priority)}"
    if environment.priority != environment.raw_priority:
        raw = percent(environment.raw_priority)
        text += f", held to the policy's largest step from the {raw} that the kernel gives"
    return f"{text}, from a degradation of {percent(environment.degradation)}."


def _evidence_sentences(
    contributions: tuple[SignalContribution, ...], environment: RecordedEnvironment
) -> Iterator[str]:
    """Yield the signals that matter most, and those that are silent."""
    speaking = [item for item in contributions if item.share > 0]
    yield from (item.sentence for item in speaking[:_SIGNALS_IN_PROSE])
    rest = len(speaking) - _SIGNALS_IN_PROSE
    if rest > 0:
        yield f"{rest} more contribute less."
    if not speaking:
        yield "No signal shows degradation."
    silent = sorted(item.signal for item in contributions if not item.output.present)
    if silent:
        verb = "is" if len(silent) == 1 else "are"
        coverage = percent(environment.coverage)
        yield f"{listed(silent)} {verb} silent, so coverage is {coverage}."


def _outcome_sentences(
    rules: DecisionPart,
    environment: RecordedEnvironment,
    outcome: Outcome,
    winner: RuleReading | None,
) -> Iterator[str]:
    """Yield the rule that decided, the cool-down and the override."""
    given, held = outcome, outcome.held_back
    action, tier = given.action, given.tier
    if outcome.overridden is not None:
        action, tier = outcome.overridden.action, outcome.overridden.tier
        held = outcome.overridden.held_back
    asked = "SCHEDULE_RETRAINING" if held else action
    if winner is None:
        yield f"No rule matched, so the policy's otherwise gives {asked}{_at(tier)}."
    elif winner.status == "failed":
        yield f"{winner.sentence} That gives {asked}{_at(tier)}."
    else:
        yield f"{winner.sentence} It gives {asked}{_at(tier)}."
    if held:
        yield (
            f"The version in service was deployed {environment.hours_since_deployed} hours ago, "
            f"within the cool-down of {rules.cool_down_hours}, so retraining waits and the "
            f"action is {action}."
        )
    if outcome.overridden is not None:
        position = outcome.overridden.position
        yield (
            f"The override recorded at position {position} sets {outcome.action}"
            f"{_at(outcome.tier)} instead."
        )


def _at(tier: str) -> str:
    """Return the tier as the end of a phrase, nothing if it has no name."""
    return f" at tier {tier}" if tier else ""
