"""What proofs are made from is read as it was written, and all of one moment. On both databases.

Method: the tree is computed once more from all leaves in memory; whatever the stored tiles lead to
must be the same. Snapshots are read while a writer goes on.
"""

from functools import partial

import pytest

from ledger.chain.link import Digest
from ledger.chain.merkle import (
    CompactRange,
    check_consistency,
    check_inclusion,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from ledger.chain.tiles import hash_reader, tiles_of
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import RecordedEvent, encode_body
from ledger.storage import Store, open_store
from tests.support.check_ledger import check_ledger, read_all
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, VAULT, grow

BODY = encode_body(actor="users/ada", data={"note": "x"})


def append(store: Store, count: int, stream: str = "models/a") -> int:
    return grow(store, count, stream).last_position


def check_proofs(store: Store, size: int, leaves: list[bytes]) -> None:
    """Fail unless proofs from the stored tiles hold for the tree of the first `size` leaves."""
    root = root_of(leaves[:size])
    read = hash_reader(size, partial(store.proofs.tiles, ORIGIN))
    for index in {0, size // 2, size - 1}:
        proof = prove_inclusion(index, size, read)
        check_inclusion(index=index, size=size, leaf=leaves[index], root=root, proof=proof)
    for old in {1, (size + 1) // 2, size}:
        proof = prove_consistency(old, size, read)
        check_consistency(
            old_size=old, size=size, old_root=root_of(leaves[:old]), root=root, proof=proof
        )


def test_tiles_lead_to_the_tree_over_all_leaves_however_appends_are_cut(store: Store) -> None:
    for count in (1, 2, 250, 1, 1, 1, 300, 511, 1, 1024):
        append(store, count)
        leaves = [event.event_hash for event in check_ledger(store, ORIGIN)]
        for size in {len(leaves), len(leaves) - 1, 1 + len(leaves) // 3}:
            check_proofs(store, size, leaves)
    wanted = [(tile.level, tile.index) for tile in tiles_of(len(leaves))]
    stored = store.proofs.tiles(ORIGIN, wanted)
    assert [len(hashes) // 32 for hashes in stored] == [t.width for t in tiles_of(len(leaves))]
    assert b"".join(stored[: len(leaves) // 256 + 1]) == b"".join(leaves)
    assert store.proofs.tiles(ORIGIN, wanted[::-1]) == stored[::-1]
    assert store.proofs.tiles(ORIGIN, []) == []


def test_another_server_continues_the_tiles_of_the_first(
    database_url: str, store: Store, clock: ManualClock
) -> None:
    append(store, 700)
    store.close()
    other = open_store(database_url, clock, vault=VAULT, create=True)
    append(other, 700)
    leaves = [event.event_hash for event in check_ledger(other, ORIGIN)]
    check_proofs(other, len(leaves), leaves)
    other.close()


def test_a_missing_tile_is_named(store: Store) -> None:
    with pytest.raises(LedgerError, match="tile 4 of level 1") as caught:
        store.proofs.tiles(ORIGIN, [(0, 0), (1, 4)])
    assert caught.value.reason is Reason.CHAIN_BROKEN


def test_a_snapshot_shows_one_moment_while_the_ledger_goes_on(store: Store) -> None:
    append(store, 300)
    store.proofs.save_checkpoint(ORIGIN, 302, "first", after=0)
    with store.snapshot() as view:
        head = view.events.head(ORIGIN)
        append(store, 300)
        store.proofs.save_checkpoint(ORIGIN, 602, "second", after=302)
        store.proofs.add_cosignature(ORIGIN, 302, "witness", b"1234", "line")
        assert view.events.head(ORIGIN) == head
        assert view.proofs.checkpoint(ORIGIN) == view.proofs.covering(ORIGIN, 300) == (302, "first")
        assert view.proofs.cosignatures(ORIGIN, 302) == []
        assert view.events.event(ORIGIN, 303) is None
        assert len(view.proofs.tiles(ORIGIN, [(0, 1)])[0]) == 32 * (302 - 256)
        assert view.events.position_at(ORIGIN, 1 << 60) == 302
        pages = [*view.events.rows_raw(ORIGIN)]
        assert sum(map(len, pages)) == 302
        assert CompactRange.from_bytes(head.tree).root() == root_of(row[-1] for row in pages[0])
    assert store.events.head(ORIGIN).position == 602
    assert store.proofs.checkpoint(ORIGIN) == (602, "second")


def test_a_snapshot_that_fails_gives_its_connection_back(store: Store) -> None:
    for _ in range(100):  # more often than there are connections
        with pytest.raises(LedgerError), store.snapshot() as view:
            view.proofs.tiles(ORIGIN, [(0, 9)])
    append(store, 1)
    assert store.events.head(ORIGIN).position == 3


def test_raw_rows_are_the_events(store: Store) -> None:
    append(store, 4_500)
    events = read_all(store, ORIGIN)
    rows = [row for page in store.events.rows_raw(ORIGIN) for row in page]
    assert [RecordedEvent._make(row) for row in rows] == events
    assert all(type(row[6]) is bytes for row in rows)
    some = [row for page in store.events.rows_raw(ORIGIN, after=7, until=4_008) for row in page]
    assert [row[0] for row in some] == [*range(8, 4_009)]
    assert [*store.events.rows_raw(ORIGIN, after=9_999)] == []


def test_cosignatures_are_kept_once_for_each_key_and_only_for_what_was_signed(
    store: Store,
) -> None:
    store.proofs.save_checkpoint(ORIGIN, 2, "note", after=0)
    assert store.proofs.add_cosignature(ORIGIN, 2, "w/two", b"abcd", "line two")
    assert store.proofs.add_cosignature(ORIGIN, 2, "w/one", b"abcd", "line one")
    assert store.proofs.add_cosignature(ORIGIN, 2, "w/one", b"abce", "line of another key")
    assert not store.proofs.add_cosignature(ORIGIN, 2, "w/one", b"abcd", "line, newer")
    with pytest.raises(LedgerError) as caught:
        store.proofs.add_cosignature(ORIGIN, 3, "w/one", b"abcd", "line")
    assert caught.value.reason is Reason.CHECKPOINT_UNKNOWN
    assert store.proofs.cosignatures(ORIGIN, 2) == [
        (2, "w/one", b"abcd", "line one"),
        (2, "w/one", b"abce", "line of another key"),
        (2, "w/two", b"abcd", "line two"),
    ]
    assert store.proofs.cosignatures(ORIGIN, 3) == []


def test_stream_heads_are_those_of_the_position_in_order_of_bytes(store: Store) -> None:
    for number in range(60):
        append(store, 1 + number % 3, f"models/a{'_-.z0a9'[number % 7]}{number % 5}")
    events = check_ledger(store, ORIGIN)
    for as_of in (0, 1, 2, 3, 40, 77, len(events), len(events) + 9):
        newest = {event.stream: event for event in events[:as_of]}
        assert [*store.proofs.stream_heads(ORIGIN, as_of)] == [
            (stream, newest[stream].stream_version, Digest(newest[stream].event_hash))
            for stream in sorted(newest, key=str.encode)
        ]


def test_two_signers_of_one_size_keep_one_checkpoint(store: Store) -> None:
    answers = [store.proofs.save_checkpoint(ORIGIN, 2, f"signer {n}", after=0) for n in range(2)]
    assert answers == [True, False]
    assert store.proofs.checkpoint(ORIGIN) == (2, "signer 0")
