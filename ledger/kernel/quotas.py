"""Quotas of sources in kernel `bucketed/2`: all sources together, none of them above its share.

The rules that a pooled bucket follows, by `docs/spec/kernel_v2.md`:
- a source counts for its samples, and for `source_cap` of them at most; its mean keeps its value;
- a source fills a bucket where its samples reach `source_cap`;
- a bucket counts where at least `sources_needed` sources fill it.

So one source makes up at most one part in `sources_needed` of any bucket that counts, by any
values, times and numbers of samples.
"""

from dataclasses import dataclass

from ledger.events.values import PPM
from ledger.kernel.buckets import BucketMap, SignalBuckets
from ledger.kernel.scoring import SignalRule


def pooled(buckets: SignalBuckets) -> BucketMap:
    """Return the buckets that count, `[observations, n, s, peak]`, under a rule with a cap.

    Cost: one pass over the buckets of all sources.
    """
    cap, needed = buckets.rule.source_cap, buckets.rule.sources_needed
    assert cap is not None
    together: BucketMap = {}
    filled: dict[int, int] = {}
    for source in buckets.sources.values():
        for index, (count, samples, severities, _) in source.items():
            bucket = together.setdefault(index, [0, 0, 0, 0])
            bucket[0] += min(count, cap)
            bucket[1] += min(samples, cap)
            bucket[2] += severities if samples <= cap else cap * severities // samples
            filled[index] = filled.get(index, 0) + (samples >= cap)
    counting = {index: each for index, each in together.items() if filled[index] >= needed}
    for bucket in counting.values():
        bucket[3] = bucket[2] // bucket[1]
    return counting


@dataclass(frozen=True, slots=True)
class SourceBound:
    """How far one source alone moves a signal, in ppm of severity: section 9 of the page."""

    share: int
    """The most of a bucket that it makes up, rounded down: a healthy mean rises to this at most."""
    most: int
    """The same rounded up: bucket means and magnitude move by this at most."""
    raised: int
    """The most `effective` it gives a signal that every other source reports healthy."""
    is_sustained: bool
    """Whether it alone can make such a signal sustained."""
    is_kept: bool
    """Whether a signal that all others report at its worst stays sustained in spite of it."""


def source_bound(rule: SignalRule) -> SourceBound:
    """Return the bound of a rule; a rule without a cap has the whole signal for its share.

    There, where `sources_needed` is 2 or more, the share is 0: beside equal sources, one alone
    changes nothing.
    """
    if rule.source_cap is None and rule.sources_needed >= 2:
        share = most = 0
    else:
        needed = 1 if rule.source_cap is None else max(rule.sources_needed, 1)
        share, most = PPM // needed, -(-PPM // needed)
    is_sustained = share > 0 and (share >= rule.breach_ppm or rule.sustain_ppm == 0)
    return SourceBound(
        share=share,
        most=most,
        raised=share if is_sustained else share * rule.transient_ppm // PPM,
        is_sustained=is_sustained,
        is_kept=PPM - most >= rule.breach_ppm or rule.sustain_ppm == 0,
    )
