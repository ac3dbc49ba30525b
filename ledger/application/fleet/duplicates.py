"""How many of a model's recent observations repeat another one: for people who look for a cause."""

from collections import Counter

from ledger.events.fast import parse_observed
from ledger.limits import DUPLICATES_SEARCHED
from ledger.storage.reader import Reader


def likely_duplicates(
    reader: Reader, ledger: str, stream: str, *, at_or_before: int
) -> dict[str, int]:
    """Return the repeats by signal among a stream's newest observations as of a position.

    Equal in version, observed_at, source and value: the first of them is none. Costs one indexed
    read of at most DUPLICATES_SEARCHED rows.
    """
    newest = reader.newest_observed(
        ledger, stream, at_or_before=at_or_before, limit=DUPLICATES_SEARCHED
    )
    counted = Counter(
        parse_observed(event)._replace(sample_size=0)
        for event in newest
        if event.body_bytes is not None
    )
    repeats: Counter[str] = Counter()
    for observed, count in counted.items():
        repeats[observed.signal] += count - 1
    return repeats
