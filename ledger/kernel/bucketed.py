"""Scoring kernels `bucketed/1` and `bucketed/2`: from observations of one model to one priority.

A pure function of integers: no float, clock, I/O or locale, so any language with big integers
derives every score bit for bit, from `docs/spec/kernel_v1.md` and `kernel_v2.md`. Values
are nano (decimal × 10^9), ratios parts per million (ppm), times microseconds since 1970. Which
observations count (policy, version in service, horizon) is for the caller to decide; rules and
bounds on change are in `ledger.rules.procedure`.

A released kernel's arithmetic never changes. What `bucketed/2` adds, where a rule has a
`source_cap`, is in `ledger.kernel.quotas`; everything else is the arithmetic of both.
"""

from dataclasses import dataclass

from ledger.events.values import PPM, SECOND
from ledger.kernel.buckets import BucketMap, ModelState, SignalBuckets
from ledger.kernel.decay import ONE_BITS, decays_by_age
from ledger.kernel.quotas import pooled
from ledger.kernel.scoring import Scoring, SignalRule


@dataclass(frozen=True, slots=True)
class SignalOutput:
    """The kernel's result for one signal; see `docs/spec/kernel_v1.md`, section 6."""

    signal: str
    weight: int
    source: str = ""
    observations: int = 0
    buckets: int = 0
    peak: int = 0
    magnitude: int = 0
    breaches: int = 0
    streak: int = 0
    persistence: int = 0
    freshness: int = 0
    trend: int = 0
    sustained: bool = False
    effective: int = 0
    share: int = 0

    @property
    def present(self) -> bool:
        """Whether the window holds an observation that speaks for the signal."""
        return self.buckets > 0


@dataclass(frozen=True, slots=True)
class KernelScore:
    """The kernel's answer for one model; `signals` are in ascending order of name."""

    degradation: int
    coverage: int
    priority: int
    signals: tuple[SignalOutput, ...]


def score(
    scoring: Scoring, impact_ppm: int, risk_ppm: int, state: ModelState, evaluated_at: int
) -> KernelScore:
    """Return the score of a model at `evaluated_at` (microseconds).

    The state must have been filled under an equal scoring, and not be pruned past this time.
    Cost: one pass over the buckets in each signal's window.
    """
    outputs = [_speaker(state.buckets_of(rule.signal), evaluated_at) for rule in scoring.signals]
    return combined(scoring, impact_ppm, risk_ppm, outputs)


def combined(
    scoring: Scoring, impact_ppm: int, risk_ppm: int, outputs: list[SignalOutput]
) -> KernelScore:
    """Return the score that outputs of all signals give, in ascending order of name (section 8).

    Takes the outputs over: their shares are filled in.
    """
    total_weight = present_weight = mass = 0
    for output in outputs:
        total_weight += output.weight
        if output.buckets:
            present_weight += output.weight
            mass += output.weight * output.effective
    degradation = _combine(scoring.combine, outputs, mass, total_weight)
    lift, most = lift_of(scoring, impact_ppm, risk_ppm), lift_of(scoring, PPM, PPM)
    return KernelScore(
        degradation=degradation,
        coverage=present_weight * PPM // total_weight,
        priority=degradation * lift // most,
        signals=tuple(_with_share(output, mass) for output in outputs),
    )


def lift_of(scoring: Scoring, impact_ppm: int, risk_ppm: int) -> int:
    """Return by how much impact and risk lift a degradation, in ppm: 1,000,000 and more."""
    impact_gain, risk_gain = scoring.impact_gain_ppm, scoring.risk_gain_ppm
    return PPM + impact_gain * impact_ppm // PPM + risk_gain * risk_ppm // PPM


def _speaker(buckets: SignalBuckets, evaluated_at: int) -> SignalOutput:
    """Return the output that speaks for a signal, before its share is known (sections 6 and 7).

    Section 7 is of `kernel_v2.md` where the rule has a `source_cap`.
    """
    rule = buckets.rule
    if rule.source_cap is not None or rule.sources_needed == 0:
        together = buckets.sources[""] if rule.source_cap is None else pooled(buckets)
        output = read_map(rule, together, evaluated_at, "")
        return output or SignalOutput(rule.signal, rule.weight_ppm)
    present: list[SignalOutput] = []
    for source, source_buckets in buckets.sources.items():
        output = read_map(rule, source_buckets, evaluated_at, source)
        if output is not None:
            present.append(output)
    if len(present) < rule.sources_needed:
        return SignalOutput(rule.signal, rule.weight_ppm)
    present.sort(key=lambda output: (-output.effective, output.source))
    return present[rule.sources_needed - 1]


def read_map(rule: SignalRule, buckets: BucketMap, at: int, source: str) -> SignalOutput | None:
    """Return the outputs of one bucket map, or None where its window is empty (section 6)."""
    now, width = at // (rule.bucket_seconds * SECOND), rule.window_seconds // rule.bucket_seconds
    decays = decays_by_age(rule.bucket_seconds, rule.half_life_seconds, width)
    breach, half = rule.breach_ppm, width // 2
    count = observations = peak = breaches = streak = newest_age = 0
    decayed_samples = decayed_severities = 0
    newer_samples = newer_severities = older_samples = older_severities = 0
    is_unbroken = True
    for index in sorted(buckets, reverse=True):
        age = now - index
        if age < 0:
            continue
        if age >= width:
            break
        seen, samples, severities, bucket_peak = buckets[index]
        if count == 0:
            newest_age = age
        count += 1
        observations += seen
        peak = max(peak, bucket_peak)
        decayed_samples += decays[age] * samples
        decayed_severities += decays[age] * severities
        if age < half:
            newer_samples += samples
            newer_severities += severities
        else:
            older_samples += samples
            older_severities += severities
        # severities // samples >= breach, without the division
        if severities >= breach * samples:
            breaches += 1
            if is_unbroken:
                streak += 1
        else:
            is_unbroken = False
    if count == 0:
        return None
    persistence = breaches * PPM // count
    is_sustained = count >= rule.min_buckets and persistence >= rule.sustain_ppm
    believed = decayed_severities // (decayed_samples + (rule.prior_samples << ONE_BITS))
    trend = 0
    if newer_samples and older_samples:
        trend = newer_severities // newer_samples - older_severities // older_samples
    return SignalOutput(
        signal=rule.signal,
        weight=rule.weight_ppm,
        source=source,
        observations=observations,
        buckets=count,
        peak=peak,
        magnitude=decayed_severities // decayed_samples if decayed_samples else 0,
        breaches=breaches,
        streak=streak,
        persistence=persistence,
        freshness=(decays[newest_age] * PPM) >> ONE_BITS,
        trend=trend,
        sustained=is_sustained,
        effective=believed * (PPM if is_sustained else rule.transient_ppm) // PPM,
    )


def _combine(combine: str, outputs: list[SignalOutput], mass: int, total_weight: int) -> int:
    """Return the degradation (section 8); an absent signal counts with effective 0."""
    if combine == "weighted_mean":
        return mass // total_weight
    if combine == "max":
        return max(output.weight * output.effective // PPM for output in outputs)
    assert combine == "noisy_or", f"unknown combination {combine}"
    rest = PPM
    for output in outputs:
        if output.buckets:
            rest = rest * (PPM - output.weight * output.effective // PPM) // PPM
    return PPM - rest


def _with_share(output: SignalOutput, mass: int) -> SignalOutput:
    """Set the share, now that the mass of all signals is known."""
    if mass and output.effective:
        # The output was made in this call and no other code holds it yet: filling in the one field
        # that had to wait costs a tenth of making it again.
        share = output.weight * output.effective * PPM // mass
        object.__setattr__(output, "share", share)
    return output
