"""Seals: goal: each says exactly how far every stream had come, once for each state of the ledger.

Method: roots recomputed from all events; two sealers at once; the schedule by a clock that the test
moves.
"""

import threading

import pytest

from ledger.application.attestation import Attestation
from ledger.application.signing.schedule import SEALER, Sealer
from ledger.application.signing.seals import RecordedSeal, Seals
from ledger.chain.seal import seal_record, seal_root
from ledger.clock import SystemClock
from ledger.events.proving import StreamsSealed
from ledger.events.registry import typed
from ledger.storage import Store
from tests.support.attested import ADA, attest, with_id
from tests.support.clocks import ManualClock
from tests.support.hooks import set_clock
from tests.support.stores import ORIGIN, START, begun, grow
from tests.support.world import StillClock

SECOND = 1_000_000


@pytest.fixture
def attestation(store: Store, clock: ManualClock) -> Attestation:
    return attest(store, clock)


def root_of(store: Store, as_of: int) -> tuple[bytes, int]:
    """Return root and number of streams as of a position, from every event up to it."""
    newest = {
        event.stream: event for event in store.events.read(ORIGIN, until=as_of, limit=1_000_000)
    }
    records = [
        seal_record(
            event_hash=newest[stream].event_hash.hex(),
            stream=stream,
            stream_version=newest[stream].stream_version,
        )
        for stream in sorted(newest, key=str.encode)
    ]
    return seal_root(records), len(records)


def holds(store: Store, seal: RecordedSeal) -> bool:
    """Return whether a seal says what the events say."""
    event = store.events.event(ORIGIN, seal.written.last_position)
    assert event is not None
    data = typed(event, StreamsSealed)
    assert (data.as_of, data.root, data.streams) == (seal.as_of, seal.root.hex(), seal.streams)
    return (seal.root, seal.streams) == root_of(store, seal.as_of) and seal.as_of < event.position


def seals_in(store: Store) -> list[int]:
    return [event.position for event in store.events.of_types(ORIGIN, (StreamsSealed.TYPE,))]


def test_a_seal_says_how_far_every_stream_has_come(store: Store, attestation: Attestation) -> None:
    for stream in ("models/b", "models/a", "models/a-1", "models/b", "plans/a", "models/a.1"):
        grow(store, 2, stream)
    seal = attestation.seals.seal(ADA)
    assert (seal.as_of, seal.written.last_position, seal.streams) == (14, 15, 6)
    assert holds(store, seal)


def test_nothing_new_makes_no_new_seal(store: Store, attestation: Attestation) -> None:
    first = attestation.seals.seal(ADA)
    assert attestation.seals.seal(ADA) == first
    assert seals_in(store) == [3]
    grow(store)
    second = attestation.seals.seal(ADA)
    assert (second.as_of, second.written.last_position) == (4, 5)
    assert holds(store, second)


def test_a_repeated_request_gets_its_first_answer_whatever_happened_since(
    store: Store, attestation: Attestation
) -> None:
    first = attestation.seals.seal(with_id(ADA, "s-1"))
    nothing_new = attestation.seals.seal(with_id(ADA, "s-2"))
    assert nothing_new.written.last_position == first.written.last_position
    grow(store)
    attestation.seals.seal(ADA)
    for request_id in ("s-1", "s-2"):
        again = attestation.seals.seal(with_id(ADA, request_id))
        assert again.written.repeated
        assert (again.written.last_position, again.root) == (
            first.written.last_position,
            first.root,
        )
    assert seals_in(store) == [3, 5]


def test_sealers_at_once_make_one_seal_of_one_state(database_url: str) -> None:
    shared = "postgresql" in database_url
    stores = [begun(database_url, SystemClock()) for _ in range(1 + shared)]
    try:
        sealers = [Seals(each, each.ledgers.named(ORIGIN)) for each in (stores * 2)[:4]]
        for _ in range(10):
            grow(stores[0])
            before = seals_in(stores[0])
            barrier = threading.Barrier(len(sealers))

            def run(sealer: Seals, barrier: threading.Barrier = barrier) -> None:
                newest = sealer.newest()
                barrier.wait()
                sealer.seal_if_new(SEALER, newest)

            threads = [threading.Thread(target=run, args=(sealer,)) for sealer in sealers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert len(seals_in(stores[0])) == len(before) + 1
    finally:
        for each in stores:
            each.close()


def test_the_schedule_seals_when_it_is_due_and_something_was_recorded(
    store: Store,
) -> None:
    clock = StillClock(START)
    seals = Seals(store, store.ledgers.named(ORIGIN))
    set_clock(store, clock)
    sealer = Sealer(store.ledgers.named(ORIGIN), seals, clock, 3_600)

    def look_after(seconds: int) -> bool:
        clock.advance(seconds * SECOND)
        return sealer.look()

    grow(store)
    assert not look_after(3_599)  # of the ledger's life
    assert look_after(1)
    assert not look_after(3_601)  # nothing but the seal itself
    grow(store)
    assert look_after(0)
    grow(store)
    assert not look_after(3_599)
    # A restart does not begin the wait again, nor does it shorten it.
    sealer = Sealer(store.ledgers.named(ORIGIN), seals, clock, 3_600)
    assert not look_after(0)
    assert look_after(1)
    grow(store)
    # A seal that somebody asked for counts too.
    clock.advance(3_000 * SECOND)
    seals.seal(ADA)
    grow(store)
    assert not look_after(0)
    assert not look_after(3_599)
    assert look_after(1)
    assert len(seals_in(store)) == 5


def test_a_seal_that_somebody_else_made_meanwhile_is_no_failure(
    store: Store, attestation: Attestation
) -> None:
    newest = attestation.seals.newest()
    attestation.seals.seal(ADA)
    grow(store)
    assert not attestation.seals.seal_if_new(SEALER, newest)
    assert len(seals_in(store)) == 1
