"""Reviews that were signed: the pack that each names is made again, of the events themselves.

The events are read once more for that, for all packs at once: each counts from the first event on.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from ledger.audit.event import AuditedEvent, read
from ledger.audit.source import EventSource
from ledger.events.canonical import encode
from ledger.events.facts import Fact
from ledger.events.values import format_time
from ledger.governance.pack_parts import ReviewSubject
from ledger.governance.review_pack import PACK_TYPES, ReviewFold, pack_digest


class SignedReview(NamedTuple):
    """A signature under a review: where it is, of what, and the digest that it names."""

    position: int
    subject: ReviewSubject
    digest: str


def wrong_packs(source: EventSource, signed: Iterable[SignedReview]) -> Iterator[tuple[int, str]]:
    """Yield each signature whose pack is not that of the events, with what is wrong."""
    open_ = [(one, ReviewFold(one.subject)) for one in signed]
    last = max((one.subject.as_of for one, _ in open_), default=0)
    if not last:
        return
    for row in source.rows(0, last):
        fact = _fact(read(row)) if row[3] in PACK_TYPES else None
        for one, fold in open_:
            if fact is not None and row[0] <= one.subject.as_of:
                fold.take(fact)
    for one, fold in open_:
        found = pack_digest(encode(fold.pack(source.origin)))
        if found != one.digest:
            yield one.position, f"its pack has the digest {found}, and it names {one.digest}"


def _fact(event: AuditedEvent) -> Fact:
    """Return an event as folds take it; without its data where they are not what they should be."""
    data, seen = event.data, event.observation
    if data is None and seen is not None:
        data = {"observed_at": format_time(seen.observed_at), "signal": seen.signal}
    return Fact(
        event.position,
        event.stream,
        event.type,
        event.recorded_at,
        event.actor,
        data,
        event.cause,
        event.request_id,
        event.run_id,
    )
