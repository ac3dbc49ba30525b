"""What is about to be signed is hashed again from its rows, here and in a process of its own.

Method: the same ledgers and the same damage, on both databases, for the function and the process.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.chain.link import GENESIS
from ledger.chain.merkle import CompactRange, root_of
from ledger.errors import LedgerError, Reason
from ledger.storage import Store
from ledger.storage.rehash import Rehashed, RehashProcess, rehash
from tests.support.check_ledger import read_all
from tests.support.hooks import hashing
from tests.support.stores import ORIGIN, asking, edit, erasing, note

ROOT = Path(__file__).parents[2]
Rehash = Callable[[str, int, int, bytes, CompactRange], Rehashed]


@pytest.fixture
def process(database_url: str) -> Iterator[RehashProcess]:
    process = RehashProcess(database_url)
    yield process
    process.close()


@pytest.fixture
def filled(store: Store) -> Store:
    """A ledger of 5002 events."""
    for number in range(10):
        store.requests.append(
            asking(*(note(f"models/m{n % 7}", f"żółć {number}") for n in range(500)))
        )
    return store


@pytest.fixture(params=["here", "process"])
def hashed(request: pytest.FixtureRequest, filled: Store, process: RehashProcess) -> Rehash:
    """The function, or the process that answers for it."""
    if request.param == "process":
        return process.rehash
    return lambda *batch: rehash(filled.events, *batch)


def test_batches_lead_to_the_tree_over_all_leaves(store: Store, hashed: Rehash) -> None:
    leaves = [event.event_hash for event in read_all(store, ORIGIN)]
    before, tree = bytes(GENESIS), CompactRange()
    for first, last in ((1, 1), (2, 2_001), (2_002, 5_002)):
        kept = tree.to_bytes()
        done = hashed(ORIGIN, first, last, before, tree)
        assert tree.to_bytes() == kept
        before, tree = done
    assert before == leaves[-1]
    assert tree.size == len(leaves) == 5_002
    assert tree.root() == root_of(leaves)
    assert tree.to_bytes() == store.events.head(ORIGIN).tree


@pytest.mark.parametrize(
    ("statement", "position"),
    [
        ("UPDATE events SET stream = 'models/x' WHERE position = 4000", 4000),
        ("UPDATE events SET stream_version = stream_version + 9000 WHERE position = 77", 77),
        ("UPDATE events SET type = 'model.edited.v1' WHERE position = 5002", 5002),
        ("UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 3", 3),
        ("UPDATE events SET body = salt WHERE position = 2345", 2345),
        ("UPDATE events SET salt = NULL WHERE position = 2345", 2345),
        ("UPDATE events SET salt = body WHERE position = 2345", 2345),
        ("UPDATE events SET prev_hash = body_hash WHERE position = 2345", 2345),
        ("UPDATE events SET event_hash = body_hash WHERE position = 2345", 2345),
        ("UPDATE events SET body_hash = event_hash WHERE position = 2345", 2345),
        ("UPDATE events SET body = NULL, salt = NULL WHERE position = 1", 1),
        ("DELETE FROM events WHERE position = 2001", 2001),
        ("DELETE FROM events WHERE position >= 5000", 5000),
    ],
)
def test_damage_is_blamed_where_it_is(filled: Store, statement: str, position: int) -> None:
    edit(filled, statement)
    with pytest.raises(LedgerError) as caught:
        rehash(filled.events, ORIGIN, 1, 5_002, GENESIS, CompactRange())
    assert caught.value.reason is Reason.CHAIN_BROKEN
    assert caught.value.metadata["position"] == str(position)
    assert caught.value.metadata["why"]


def test_a_damaged_row_or_another_chain_is_not_continued(store: Store, hashed: Rehash) -> None:
    edit(store, "UPDATE events SET body = NULL WHERE position = 7")
    with pytest.raises(LedgerError) as caught:
        hashed(ORIGIN, 1, 10, GENESIS, CompactRange())
    assert caught.value.metadata["position"] == "7"
    with pytest.raises(LedgerError) as caught:
        hashed(ORIGIN, 1, 10, bytes([1] * 32), CompactRange())
    assert caught.value.metadata["position"] == "1"


def test_erased_bodies_are_no_damage(store: Store, hashed: Rehash) -> None:
    store.requests.erase(erasing((10, 20)), [(10, 20)])
    done = hashed(ORIGIN, 1, 5_003, GENESIS, CompactRange())
    assert done.tree.to_bytes() == store.events.head(ORIGIN).tree


def test_a_process_that_died_is_started_again(store: Store, process: RehashProcess) -> None:
    whole = process.rehash(ORIGIN, 1, 2, GENESIS, CompactRange())
    running = hashing(process)
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    assert process.rehash(ORIGIN, 1, 2, GENESIS, CompactRange()).event_hash == whole.event_hash
    with pytest.raises(LedgerError, match="There is no ledger") as caught:
        process.rehash("nobody", 1, 2, GENESIS, CompactRange())
    assert caught.value.reason is Reason.LEDGER_UNKNOWN
    process.close()
    process.close()
    with pytest.raises(LedgerError, match="failed: it was ended") as caught:
        process.rehash(ORIGIN, 1, 2, GENESIS, CompactRange())
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_a_process_that_cannot_open_the_database_says_so(tmp_path: Path) -> None:
    process = RehashProcess(str(tmp_path / "nowhere.db"))
    with pytest.raises(LedgerError) as caught:
        process.rehash(ORIGIN, 1, 2, GENESIS, CompactRange())
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    process.close()
