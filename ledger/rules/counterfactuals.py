"""Smallest changes that would have changed a decision: of one signal's reports, or of a weight.

Each is proved by deciding again: a weight is replaced and the score combined again; or all reports
of a signal in its window take one value, and the signal is read from its buckets again. The border
of the present outcome is found exactly, from sixteen values over the range: only a band of another
outcome that lies whole between two of them is missed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from ledger.events.decisions import RecordedEnvironment
from ledger.events.notation import share
from ledger.events.policy_document import Action, DecisionPart
from ledger.events.values import PPM, format_decimal
from ledger.kernel.bucketed import SignalOutput, combined, read_map
from ledger.kernel.buckets import ModelState
from ledger.kernel.intermediates import ScoreTrace, SignalTrace, speaking
from ledger.kernel.scoring import Scoring, SignalRule
from ledger.rules.boundary import told
from ledger.rules.procedure import Outcome, bounded_priority, decide, slo_hours_left
from ledger.rules.vocabulary import SIGNAL_FIELDS

ChangeKind: TypeAlias = Literal["reports", "weight"]
_OUTPUTS: Final = tuple(name for name in SIGNAL_FIELDS if name != "present")
_TENTH: Final = 1_000  # of a per cent: no one reads more of a mean
_STEP: Final = PPM // 16
_SIGNALS_MAX: Final = 20  # so that a policy of many signals is explained in seconds


@dataclass(frozen=True, slots=True)
class Situation:
    """The inputs of a decision, so that it can be made again with one thing changed."""

    scoring: Scoring
    rules: DecisionPart
    environment: RecordedEnvironment
    reading: ScoreTrace
    state: ModelState
    evaluated_at: int
    last_priority: int | None
    slo_signal: str | None
    slo_window_seconds: int
    units: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SmallestChange:
    """One change that gives another outcome. Reports are nano, weights parts per million."""

    kind: ChangeKind
    signal: str
    value: int
    needed: int
    action: Action
    tier: str
    rule: str
    held_back: Literal["COOL_DOWN"] | None
    sentence: str


def counterfactuals(situation: Situation) -> tuple[SmallestChange, ...]:
    """Return the smallest change of each signal's reports and of each weight, nearest first.

    Of the 20 signals with the greatest shares; one without a change is left out. An override does
    not move with numbers and is not counted.
    """
    base = decide(situation.rules, situation.environment)
    found = [*_of_reports(situation, base), *_of_weights(situation, base)]
    return tuple(one for _, one in sorted(found, key=lambda pair: pair[0]))


# ---- one change at a time ------------------------------------------------------------------------


def _of_weights(situation: Situation, base: Outcome) -> Iterator[tuple[int, SmallestChange]]:
    """Yield the nearest change of each weight, with how far it is."""
    outputs = [one.output for one in situation.reading.signals]
    for at in _tried(situation):
        output = outputs[at]

        def decided(weight: int, at: int = at, output: SignalOutput = output) -> Outcome:
            changed = replace(output, weight=weight)
            return _decided(situation, [*outputs[:at], changed, *outputs[at + 1 :]])

        found = _nearest(output.weight, 1, base, decided)
        if found is None:
            continue
        shown = _rounded(output.weight, found, 1, decided)
        sentence = (
            f"If the weight of {output.signal} were {share(shown)} rather than "
            f"{share(output.weight)}, all else equal, {told(decided(shown))}."
        )
        change = _change("weight", output, (output.weight, found), decided(found), sentence)
        yield abs(found - output.weight), change


def _of_reports(situation: Situation, base: Outcome) -> Iterator[tuple[int, SmallestChange]]:
    """Yield the nearest change of each signal's reports, with how far it is."""
    outputs = [one.output for one in situation.reading.signals]
    for at in _tried(situation):
        reading = situation.reading.signals[at]
        if not reading.buckets:
            continue
        present = reading.output.magnitude

        def decided(severity: int, at: int = at) -> Outcome:
            changed = _steady(situation, situation.reading.signals[at], severity)
            return _decided(situation, [*outputs[:at], changed, *outputs[at + 1 :]])

        found = _nearest(present, 0, base, decided)
        if found is None:
            continue
        shown = _rounded(present, found, 0, decided)
        rule, unit = reading.rule, situation.units.get(reading.output.signal, "")
        now, then = (
            f"{format_decimal(_nano(rule, each))}{unit and ' '}{unit}"
            for each in (present // _TENTH * _TENTH, shown)
        )
        sentence = (
            f"If every report of {rule.signal} in its window had been {then} (they amount to "
            f"{now}), all else equal, {told(decided(shown))}."
        )
        values = _nano(rule, present), _nano(rule, found)
        yield (
            abs(found - present),
            _change("reports", reading.output, values, decided(found), sentence),
        )


def _tried(situation: Situation) -> list[int]:
    """Return the places of the signals that are tried, in order of share."""
    outputs = [one.output for one in situation.reading.signals]
    places = sorted(range(len(outputs)), key=lambda at: (-outputs[at].share, at))
    return places[:_SIGNALS_MAX]


def _change(
    kind: ChangeKind,
    output: SignalOutput,
    values: tuple[int, int],
    outcome: Outcome,
    sentence: str,
) -> SmallestChange:
    return SmallestChange(
        kind,
        output.signal,
        *values,
        outcome.action,
        outcome.tier,
        outcome.rule,
        outcome.held_back,
        sentence,
    )


# ---- deciding again ------------------------------------------------------------------------------


def _decided(situation: Situation, outputs: list[SignalOutput]) -> Outcome:
    """Return what the rules give for other outputs, all else equal."""
    environment, scoring = situation.environment, situation.scoring
    copies = [replace(one) for one in outputs]  # their shares are filled in
    result = combined(scoring, environment.impact, environment.risk, copies)
    signals = {
        one.signal: environment.signals[one.signal].model_copy(
            update={field: getattr(one, field) for field in _OUTPUTS}
        )
        for one in result.signals
    }
    priority = bounded_priority(
        result.priority, situation.last_priority, situation.rules.max_priority_step
    )
    slo = next((one for one in result.signals if one.signal == situation.slo_signal), None)
    changed: dict[str, object] = {
        "signals": signals,
        "priority": priority,
        "raw_priority": result.priority,
        "degradation": result.degradation,
        "coverage": result.coverage,
    }
    if slo is not None:
        changed["slo_hours_left"] = slo_hours_left(slo, situation.slo_window_seconds)
    return decide(situation.rules, environment.model_copy(update=changed))


def _steady(situation: Situation, reading: SignalTrace, severity: int) -> SignalOutput:
    """Return the output of a signal all of whose reports have one severity."""
    steady = {
        index: [count, samples, samples * severity, severity]
        for index, (count, samples, _, _) in speaking(situation.state, reading.output).items()
    }
    found = read_map(reading.rule, steady, situation.evaluated_at, reading.output.source)
    assert found is not None, "the window has the buckets that it had"
    return found


# ---- searching -----------------------------------------------------------------------------------


def _nearest(
    present: int, least: int, base: Outcome, decided: Callable[[int], Outcome]
) -> int | None:
    """Return the value nearest to the present one, up to PPM, with another outcome than `base`."""
    if _differs(decided(present), base):
        return present
    borders = [_border(present, end, base, decided) for end in (least, PPM)]
    found = [one for one in borders if one is not None]
    return min(found, key=lambda one: (abs(one - present), one), default=None)


def _border(start: int, end: int, base: Outcome, decided: Callable[[int], Outcome]) -> int | None:
    """Return the first value from start to end with another outcome; None without any."""
    side = 1 if end > start else -1
    same = start
    while same != end:
        tried = min(same * side + _STEP, end * side) * side
        if _differs(decided(tried), base):
            while abs(tried - same) > 1:
                middle = (same + tried) // 2
                if _differs(decided(middle), base):
                    tried = middle
                else:
                    same = middle
            return tried
        same = tried
    return None


def _differs(outcome: Outcome, base: Outcome) -> bool:
    """Whether an outcome is another one; one of a rule that fails is none that can be told."""
    return outcome != base and outcome.reason != "RULE_ERROR"


def _rounded(present: int, needed: int, least: int, decided: Callable[[int], Outcome]) -> int:
    """Return the shortest number a little beyond `needed` that gives its outcome too."""
    wanted = decided(needed)
    for grain in (100_000, 10_000, 1_000, 100, 10):
        away = -(-needed // grain) * grain if needed >= present else needed // grain * grain
        is_near = abs(away - needed) * 10 <= abs(needed - present)
        if is_near and least <= away <= PPM and decided(away) == wanted:
            return away
    return needed


def _nano(rule: SignalRule, severity: int) -> int:
    """Return the value of a report with a severity, the one nearest to the baseline."""
    span = rule.critical - rule.baseline
    distance = -(-abs(span) * severity // PPM)
    return rule.baseline + (distance if span > 0 else -distance)
