"""Whether the spans of a policy are of use: none outlasts what it is about, or any use.

The stored form holds any span of up to three centuries, for what was drafted must stay readable.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from ledger.events.notation import duration
from ledger.events.policy_document import PolicyDocument
from ledger.rules.policy_findings import PolicyFinding

_DAY: Final = 86_400
_YEAR: Final = 366 * _DAY
DECADE: Final = 10 * _YEAR
"""The longest half-life that is of use, in seconds."""


class _Span(NamedTuple):
    """A span as written at a path, the longest that is sensible there, and what to do."""

    path: str
    seconds: int
    longest: int
    remedy: str


def unsound_spans(document: PolicyDocument) -> Iterator[PolicyFinding]:
    """Yield spans that outlast the longest window, all that a score can see, or any use."""
    for span in _bounded(document):
        if span.seconds > span.longest:
            message = f"is longer than {duration(span.longest)}, the longest that is of use here"
            yield PolicyFinding(span.path, "SPAN_TOO_LONG", message, span.remedy)
    evaluation = document.evaluation
    longest = max(rule.window_seconds for rule in document.scoring.signals)
    beyond = f"is longer than the longest window, {duration(longest)}"
    if document.decision.cool_down_hours * 3_600 > longest:
        remedy = "The reason to retrain is forgotten by then: shorten it, or lengthen a window."
        yield PolicyFinding("decision.cool_down", "COOL_DOWN_BEYOND_WINDOW", beyond, remedy)
    if evaluation.interval_seconds > longest:
        remedy = "Observations would leave the window unseen: shorten it."
        yield PolicyFinding("evaluation.interval", "INTERVAL_BEYOND_WINDOW", beyond, remedy)
    if evaluation.interval_seconds > evaluation.silence_seconds:
        message = "a model is to be scored at least once in a span shorter than the interval"
        remedy = "Make it no shorter than `interval`."
        yield PolicyFinding("evaluation.silence", "SILENCE_BELOW_INTERVAL", message, remedy)


def _bounded(document: PolicyDocument) -> Iterator[_Span]:
    """Yield each span that nothing else in the policy bounds."""
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        remedy = "Old observations would count for good: shorten it."
        yield _Span(f"{path}.window", rule.window_seconds, DECADE, remedy)
        every = getattr(rule, "reports_every_seconds", 0)
        remedy = "The signal would never be seen to be silent: say how often it is reported."
        yield _Span(f"{path}.reports_every", every, _YEAR, remedy)
    remedy = "A model without reports would never show: score it sooner, such as after 1d."
    yield _Span("evaluation.silence", document.evaluation.silence_seconds, _YEAR, remedy)
    for index, tier in enumerate(document.tiers):
        remedy = "No answer would ever be missed: say by when people answer, or `0h` for no time."
        answer = tier.acknowledge_hours * 3_600
        yield _Span(f"tiers[{index}].acknowledge", answer, 90 * _DAY, remedy)
    planning = document.planning
    if planning is not None:
        remedy = "Nothing would be planned again: shorten it, such as to 7d."
        yield _Span("planning.period", planning.period_seconds, _YEAR, remedy)
        remedy = "Old losses would count for good: shorten it."
        yield _Span("planning.half_life", planning.half_life_seconds, DECADE, remedy)
        reuse = getattr(planning, "reuse_half_life_seconds", 0)
        yield _Span("planning.reuse_half_life", reuse, DECADE, remedy)
