"""A starting policy fitted to a ledger's own history: what `policy init` writes.

A proposal for a person to edit, not a judgement; so each number comes with a sentence about where
it is from. Integers only, and equal histories give equal texts. The rules of the fit:
- values are ordered from best to worst in the signal's declared direction;
- baseline: the median of the better nine tenths, for a history commonly holds some degradation;
- critical: the 99th percentile; where that is no worse than the baseline, a tenth beyond it; but
  no further from the baseline than 20 spreads, for a few extremes are faults of the source more
  often than they are degradation, and a critical at a fault makes every real loss look small;
- spread: the median distance of the better nine tenths from their median; where that is 0, a tenth
  of the baseline; where both are 0, nothing says what is far, so critical stays where it is;
- bucket: the least of 1h, 6h, 1d, 7d and 28d that the usual gap between observations fits in;
- window: 28 buckets; half-life: 7 buckets;
- sample cap: the 90th percentile of sample sizes; prior: their median, so that one usual
  observation alone is half believed.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias

from ledger.application.policies.authoring import DAY, AuthoredSignal
from ledger.application.policies.starting_policy import (
    NO_APPROVALS,
    NO_PLANNING,
    LimitedSignal,
    hinted,
    policy_of,
    rule_of,
)
from ledger.application.policies.text import to_text
from ledger.errors import LedgerError, invalid_field
from ledger.events.notation import listed
from ledger.events.signals import SignalDefined
from ledger.events.values import NANO_LIMIT, SECOND, format_decimal, format_time
from ledger.limits import SIGNALS_PER_POLICY_MAX

Reading: TypeAlias = tuple[int, int, int]
"""One observation: value in nano, observed_at in microseconds, sample size."""

OBSERVATIONS_MIN: Final = 30  # fewer give no percentile worth the name
TIMES_MIN: Final = 5  # distinct ones, or there is no cadence

SPREADS_MAX: Final = 20  # in standard deviations of a normal history, some 13

_CUT_RATIONALE: Final = (
    f"That is too far out to be healthy history, so critical lies {SPREADS_MAX} usual distances "
    "from the median. "
)


def fit_policy(
    history: Mapping[str, Sequence[Reading]],
    definitions: Mapping[str, SignalDefined],
    gaps_seconds: Mapping[str, int] | None = None,
    *,
    is_approved: bool = False,
) -> str:
    """Return the text of a policy over every signal with enough history; it lints clean.

    A signal without enough has the hints of the standard that it adopts, where that has any.

    `gaps_seconds`: the usual gap between observations of one model, by signal. Where it is not
    given it is measured over the signal's whole history, which is too short a gap if many models
    are observed at times of their own. `is_approved`: whether the next version takes an approval.

    Raises FIELD_INVALID that says what is missing where no signal has enough. Cost: sorting.
    """
    fits = []
    short: list[str] = []
    gaps = gaps_seconds or {}
    by_hints = []
    for name in sorted(definitions):
        readings = history.get(name, ())
        times = len({observed_at for _, observed_at, _ in readings})
        if len(readings) < OBSERVATIONS_MIN or times < TIMES_MIN:
            if (hint := hinted(definitions[name], gaps.get(name))) is not None:
                by_hints.append(hint)
                continue
            if readings:
                short.append(
                    f"{name} (observations: {len(readings)} of {OBSERVATIONS_MIN}, "
                    f"different times: {times} of {TIMES_MIN})"
                )
            continue
        fits.append(_fitted(definitions[name], readings, gaps.get(name)))
    if not fits and not by_hints:
        raise _too_little(short)
    fitted = len(fits)
    fits += by_hints
    fits.sort(key=lambda fit: (-fit.rule.weight, fit.defined.signal))
    fits = fits[:SIGNALS_PER_POLICY_MAX]
    left_out = f" Left out for too little history: {len(short)}." if short else ""
    hints = f" By hints of standards, without history: {len(by_hints)}." if by_hints else ""
    said = f"Fitted to the ledger's own history. Signals: {fitted}.{hints}{left_out}"
    if not fitted:
        said = f"Begun before there was history.{hints}{left_out}"
    heading = _heading(
        fits, short, [one.defined.signal for one in by_hints], is_approved=is_approved
    )
    return f"{heading}{to_text(policy_of(fits, said, is_approved=is_approved).document())}"


def _too_little(short: list[str]) -> LedgerError:
    found = listed(short[:5]) if short else "there is no observation of a defined signal"
    return invalid_field(
        "history",
        f"too little to fit a policy to: {found}",
        remedy="Submit more observations, or begin without history: `decision-ledger policy init "
        "--signal SIGNAL --baseline HEALTHY --critical BAD`.",
    )


def _heading(
    fits: list[LimitedSignal], short: list[str], hints: list[str], *, is_approved: bool
) -> str:
    lines = [
        "A starting policy, fitted to the history of this ledger. Read every line before you",
        "draft it: the history is taken to be mostly healthy.",
    ]
    if not any(fit.is_performance for fit in fits):
        lines.append("No performance signal has enough history, so nothing schedules retraining.")
    if not any(fit.is_loss for fit in fits):
        lines += NO_PLANNING
    lines += [
        _cut_text(fit.defined.signal, fit.rule, fit.cut) for fit in fits if fit.cut is not None
    ]
    if not is_approved:
        lines += NO_APPROVALS
    lines += [f"{name}: by the hints of the standard that it adopts." for name in hints]
    lines += [f"Left out for too little history: {each}." for each in short[:20]]
    return "".join(f"# {line}\n" for line in lines)


def _cut_text(signal: str, rule: AuthoredSignal, cut: int) -> str:
    return (
        f"{signal}: the 99th percentile, {format_decimal(cut)}, is far out; critical was drawn in "
        f"to {rule.critical}. Look at those extremes before you trust either number."
    )


# ---- one signal ----------------------------------------------------------------------------------


def _fitted(
    defined: SignalDefined, readings: Sequence[Reading], known_gap_seconds: int | None
) -> LimitedSignal:
    """Return one signal's rule with its two limits."""
    is_higher_worse = defined.direction == "higher_is_worse"
    values = sorted((value for value, _, _ in readings), reverse=not is_higher_worse)
    better = values[: max(1, len(values) * 9 // 10)]
    median, percentile = _quantile(better, 50), _quantile(values, 99)
    worst = _drawn_in(median, percentile, _spread(better, median))
    baseline, critical = _limits(median, worst, is_higher_worse=is_higher_worse)
    times = sorted({observed_at for _, observed_at, _ in readings})
    gap_seconds = known_gap_seconds or _gap_seconds(times)
    sizes = sorted(size for _, _, size in readings)
    worse = "higher" if is_higher_worse else "lower"
    rationale = (
        f"From {len(readings)} observations, {format_time(times[0])[:10]} to "
        f"{format_time(times[-1])[:10]}, {worse} being worse: the better nine tenths have the "
        f"median {format_decimal(median)}, the 99th percentile is {format_decimal(percentile)}. "
        f"{_CUT_RATIONALE if worst != percentile else ''}"
        f"They came {_gap_text(gap_seconds)} apart, {_quantile(sizes, 50)} samples at the median."
    )
    rule = rule_of(
        defined,
        (baseline, critical),
        gap_seconds,
        samples=(_quantile(sizes, 90), _quantile(sizes, 50)),
        rationale=rationale,
    )
    return LimitedSignal(defined, rule, None if worst == percentile else percentile)


def _spread(better: Sequence[int], median: int) -> int:
    """Return how far a healthy history strays from its median; 0 where it does not say."""
    distances = sorted(abs(value - median) for value in better)
    return _quantile(distances, 50) or abs(median) // 10


def _drawn_in(median: int, percentile: int, spread: int) -> int:
    """Return the percentile, or what lies SPREADS_MAX spreads from the median if that is nearer."""
    reach = SPREADS_MAX * spread
    if not reach:
        return percentile
    return max(median - reach, min(median + reach, percentile))


def _quantile(ordered: Sequence[int], percent: int) -> int:
    """Return the lower quantile of an ordered list that is not empty."""
    return ordered[(len(ordered) - 1) * percent // 100]


def _limits(median: int, percentile: int, *, is_higher_worse: bool) -> tuple[int, int]:
    """Return baseline and critical, rounded to three digits of the distance between them."""
    sign = 1 if is_higher_worse else -1
    span = sign * (percentile - median)
    if span <= 0:
        span = max(abs(median) // 10, 1_000)
    step = int(10 ** max(len(str(span)) - 3, 0))
    baseline = (2 * median + step) // (2 * step) * step
    critical = baseline + sign * (-(-span // step) * step)
    # At the very edge of the range both are drawn in, the worse end by less.
    edge = NANO_LIMIT - 1
    critical = max(-edge, min(edge, critical))
    if sign * (critical - baseline) <= 0:
        baseline = critical - sign * step
    return max(-edge, min(edge, baseline)), critical


def _gap_seconds(times: Sequence[int]) -> int:
    """Return the median gap between neighbouring times, rounded up to whole seconds."""
    gaps = sorted(after - before for before, after in pairwise(times))
    return -(-_quantile(gaps, 50) // SECOND)


def _gap_text(seconds: int) -> str:
    for size, name in ((DAY, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            tenths = seconds * 10 // size
            return f"about {format_decimal(tenths * 100_000_000)} {name}"
    return f"about {seconds} seconds"
