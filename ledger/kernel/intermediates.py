"""Every intermediate of the kernel's pages for one score, for a person who checks it by hand.

What `score` computes on its way and does not keep: buckets with their decays, the sums over them,
belief, gain, mass and lift. It is for explanations and never part of what is recorded.
"""

from dataclasses import dataclass

from ledger.events.values import PPM, SECOND
from ledger.kernel.bucketed import KernelScore, SignalOutput, lift_of, score
from ledger.kernel.buckets import BucketMap, ModelState
from ledger.kernel.decay import ONE_BITS, decays_by_age
from ledger.kernel.quotas import pooled
from ledger.kernel.scoring import Scoring, SignalRule


@dataclass(frozen=True, slots=True)
class BucketTrace:
    """One bucket of a window; `mean` is its severity, `decay` in units of 2^-62."""

    begins_at: int
    age: int
    observations: int
    samples: int
    severities: int
    peak: int
    mean: int
    decay: int
    is_breach: bool


@dataclass(frozen=True, slots=True)
class SignalTrace:
    """How the output of one signal came about; buckets from the newest back."""

    rule: SignalRule
    output: SignalOutput
    buckets: tuple[BucketTrace, ...]
    decayed_samples: int
    decayed_severities: int
    believed: int
    gain: int
    mass: int


@dataclass(frozen=True, slots=True)
class ScoreTrace:
    """How a score came about; `lift_max` is the lift of a model whose impact and risk are 100%."""

    score: KernelScore
    signals: tuple[SignalTrace, ...]
    mass: int
    weight: int
    weight_present: int
    lift: int
    lift_max: int


def trace_score(
    scoring: Scoring,
    impact_ppm: int,
    risk_ppm: int,
    state: ModelState,
    evaluated_at: int,
) -> ScoreTrace:
    """Return how the result of `score` comes about for the same arguments."""
    result = score(scoring, impact_ppm, risk_ppm, state, evaluated_at)
    signals = tuple(
        _trace_signal(rule, output, state, evaluated_at)
        for rule, output in zip(scoring.signals, result.signals, strict=True)
    )
    return ScoreTrace(
        score=result,
        signals=signals,
        mass=sum(one.mass for one in signals),
        weight=sum(one.output.weight for one in signals),
        weight_present=sum(one.output.weight for one in signals if one.output.present),
        lift=lift_of(scoring, impact_ppm, risk_ppm),
        lift_max=lift_of(scoring, PPM, PPM),
    )


def speaking(state: ModelState, output: SignalOutput) -> BucketMap:
    """Return the buckets that an output was read from; those outside its window are among them."""
    buckets = state.buckets_of(output.signal)
    if buckets.rule.source_cap is not None:
        return pooled(buckets)
    return buckets.sources.get(output.source, {}) if output.present else {}


def _trace_signal(
    rule: SignalRule, output: SignalOutput, state: ModelState, evaluated_at: int
) -> SignalTrace:
    now = evaluated_at // (rule.bucket_seconds * SECOND)
    width = rule.window_seconds // rule.bucket_seconds
    decays = decays_by_age(rule.bucket_seconds, rule.half_life_seconds, width)
    found = tuple(
        BucketTrace(
            begins_at=index * rule.bucket_seconds * SECOND,
            age=now - index,
            observations=count,
            samples=samples,
            severities=severities,
            peak=peak,
            mean=severities // samples,
            decay=decays[now - index],
            is_breach=severities >= rule.breach_ppm * samples,
        )
        for index, (count, samples, severities, peak) in sorted(
            speaking(state, output).items(), reverse=True
        )
        if 0 <= now - index < width
    )
    decayed_samples = sum(one.decay * one.samples for one in found)
    decayed_severities = sum(one.decay * one.severities for one in found)
    return SignalTrace(
        rule=rule,
        output=output,
        buckets=found,
        decayed_samples=decayed_samples,
        decayed_severities=decayed_severities,
        believed=decayed_severities // (decayed_samples + (rule.prior_samples << ONE_BITS)),
        gain=PPM if output.sustained else rule.transient_ppm,
        mass=output.weight * output.effective,
    )
