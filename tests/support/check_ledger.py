"""Re-verifies a whole ledger after a test step, by another way than the writer's.

Everything is read back from the database: the chain by ledger.chain's verifier, the tree from its
leaves, the head and the request ids against the events they name.
"""

from sqlalchemy import select

from ledger.chain.link import GENESIS, ChainVerifier, Digest, Link
from ledger.chain.merkle import CompactRange, root_of
from ledger.chain.tiles import RightEdge
from ledger.events.envelope import RecordedEvent
from ledger.events.values import format_time
from ledger.storage import Store
from ledger.storage.schema import requests
from tests.support.hooks import database_of

PAGE = 5_000


def read_all(store: Store, origin: str) -> list[RecordedEvent]:
    """Return every event of a ledger, page by page."""
    found: list[RecordedEvent] = []
    while page := store.events.read(origin, after=len(found), limit=PAGE):
        found += page
    return found


def link_of(event: RecordedEvent) -> Link:
    """Return an event as the chain sees it."""
    return Link(
        position=event.position,
        stream=event.stream,
        stream_version=event.stream_version,
        type=event.type,
        recorded_at=format_time(event.recorded_at),
        body=event.body_bytes,
        salt=event.salt,
        body_hash=event.body_hash,
        prev_hash=event.prev_hash,
        event_hash=event.event_hash,
    )


def check_ledger(store: Store, origin: str) -> list[RecordedEvent]:
    """Fail unless the ledger is whole; return its events."""
    events = read_all(store, origin)
    verifier = ChainVerifier(origin=origin)
    for event in events:
        verifier.feed(link_of(event))
    head = store.events.head(origin)
    assert head.position == len(events)
    assert Digest(head.event_hash) == (verifier.head if events else GENESIS)
    assert head.recorded_at == (events[-1].recorded_at if events else 0)
    observed = [event.observed_at for event in events if event.observed_at is not None]
    assert head.newest_observed_at == max(observed, default=None)
    tree = CompactRange.from_bytes(head.tree)
    assert tree.size == len(events)
    assert tree.root() == root_of(event.event_hash for event in events)
    tiles = RightEdge(CompactRange(), []).extend(event.event_hash for event in events)
    assert store.proofs.tiles(origin, [*tiles]) == [*tiles.values()]
    _check_requests(store, origin, events)
    return events


def _check_requests(store: Store, origin: str, events: list[RecordedEvent]) -> None:
    """Fail unless every request id names a range of events, and no event has two."""
    ledger_id = store.ledgers.named(origin).ledger_id
    with database_of(store).reader.connect() as connection:
        rows = connection.execute(
            select(requests)
            .where(requests.c.ledger_id == ledger_id)
            .order_by(requests.c.first_position)
        ).all()
    end = 0
    for row in rows:
        assert end < row.first_position <= row.last_position + 1 <= len(events) + 1
        end = row.last_position
