"""The state that scoring reads: observations of one model, added up in buckets of time.

The rules that the state follows are:
- an observation only ever adds to one bucket, and the order of additions does not matter;
- so late and out-of-order arrival give the same state as a rebuild from the ledger;
- a bucket that has left the window of every later evaluation may be dropped without a trace.

Values are nano, times microseconds since 1970, severities parts per million.
"""

from typing import TypeAlias

from ledger.events.values import PPM, SECOND
from ledger.kernel.scoring import Scoring, SignalRule

Bucket: TypeAlias = list[int]
"""`[count, n, s, peak]`: observations, capped samples, their severities, largest severity."""

BucketMap: TypeAlias = dict[int, Bucket]
"""Buckets by index, where `index = observed_at // (bucket_seconds × 10^6)`."""


class SignalBuckets:
    """The buckets of one signal, by source where its rule tells sources apart."""

    __slots__ = (
        "_baseline",
        "_bucket_micros",
        "_cap",
        "_one_map",
        "_sign",
        "_span",
        "rule",
        "sources",
    )

    def __init__(self, rule: SignalRule) -> None:
        """Start empty, with what `observe` needs of the rule at hand."""
        self.rule = rule
        self._sign = 1 if rule.critical > rule.baseline else -1
        self._baseline = rule.baseline
        self._span = abs(rule.critical - rule.baseline)
        self._cap = rule.sample_cap
        self._bucket_micros = rule.bucket_seconds * SECOND
        is_one = rule.sources_needed == 0 and rule.source_cap is None
        self._one_map: BucketMap | None = {} if is_one else None
        self.sources: dict[str, BucketMap] = {} if self._one_map is None else {"": self._one_map}

    def observe(
        self, value_nano: int, observed_at: int, sample_size: int = 1, source: str = ""
    ) -> None:
        """Add one observation to its bucket; the order of calls does not matter."""
        excess = value_nano - self._baseline
        if self._sign < 0:
            excess = -excess
        if excess <= 0:
            severity = 0
        elif excess >= self._span:
            severity = PPM
        else:
            severity = excess * PPM // self._span
        samples = min(self._cap, sample_size)
        buckets = self._one_map
        if buckets is None:
            buckets = self.sources.get(source)
            if buckets is None:
                buckets = self.sources[source] = {}
        index = observed_at // self._bucket_micros
        bucket = buckets.get(index)
        if bucket is None:
            buckets[index] = [1, samples, samples * severity, severity]
            return
        bucket[0] += 1
        bucket[1] += samples
        bucket[2] += samples * severity
        bucket[3] = max(bucket[3], severity)

    def prune(self, before_index: int) -> None:
        """Drop the buckets below `before_index`, and sources that have none left."""
        for source in list(self.sources):
            buckets = self.sources[source]
            for index in [index for index in buckets if index < before_index]:
                del buckets[index]
            if not buckets and self._one_map is None:
                del self.sources[source]

    def empty(self, at: int) -> tuple[int, int]:
        """Empty the bucket of a time, of every source; return its first and last time."""
        index = at // self._bucket_micros
        for source in list(self.sources):
            buckets = self.sources[source]
            buckets.pop(index, None)
            if not buckets and self._one_map is None:
                del self.sources[source]
        return index * self._bucket_micros, (index + 1) * self._bucket_micros - 1

    def oldest_index(self, evaluated_at: int) -> int:
        """Return the index of the oldest bucket that the window of `evaluated_at` reaches."""
        width = self.rule.window_seconds // self.rule.bucket_seconds
        return evaluated_at // self._bucket_micros - width + 1


class ModelState:
    """The buckets of every signal of one model, filled under one `Scoring`."""

    __slots__ = ("_by_signal", "scoring")

    def __init__(self, scoring: Scoring) -> None:
        """Start empty. The scoring must have no `scoring_problems`."""
        self.scoring = scoring
        self._by_signal = {rule.signal: SignalBuckets(rule) for rule in scoring.signals}

    def observe(
        self,
        signal: str,
        value_nano: int,
        observed_at_micros: int,
        sample_size: int = 1,
        source: str = "",
    ) -> None:
        """Add one observation; one of a signal without a rule is ignored."""
        buckets = self._by_signal.get(signal)
        if buckets is not None:
            buckets.observe(value_nano, observed_at_micros, sample_size, source)

    def buckets_of(self, signal: str) -> SignalBuckets:
        """Return the buckets of a signal that has a rule."""
        return self._by_signal[signal]

    def empty(self, signal: str, at: int) -> tuple[int, int] | None:
        """Empty the bucket of a signal that holds a time, and return its first and last time.

        None where the signal has no rule. Observations of that time that count are observed again.
        """
        buckets = self._by_signal.get(signal)
        return None if buckets is None else buckets.empty(at)

    def prune(self, evaluated_at: int) -> None:
        """Drop what no evaluation at or after `evaluated_at` (microseconds) can see."""
        for buckets in self._by_signal.values():
            buckets.prune(buckets.oldest_index(evaluated_at))
