"""What is signed was checked first: goal: a key never vouches for a ledger that contradicts itself.

Method: on each database, one thing is changed past the triggers between two checkpoints; signing
must stop, say where, and leave appends alone. Concurrent signers race on real threads, and every
checkpoint ever kept is verified as an outsider would.
"""

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing

import pytest

from ledger.application.attestation import Attestation
from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.link import Digest, header_bytes
from ledger.chain.merkle import leaf_hash
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.values import format_time
from ledger.storage import Store
from ledger.storage import rehash as rehashing
from ledger.storage.rehash import RehashProcess
from tests.support.attested import attest, checked
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of, hashing
from tests.support.stores import ORIGIN, begun, edit, grow


@pytest.fixture
def attestation(store: Store, clock: ManualClock) -> Attestation:
    return attest(store, clock)


def refused(attestation: Attestation, reason: Reason = Reason.SIGNING_STOPPED) -> LedgerError:
    """Return how signing was refused."""
    with pytest.raises(LedgerError) as caught:
        attestation.checkpoints.sign()
    assert caught.value.reason is reason, caught.value
    return caught.value


def test_every_size_is_signed_once_and_kept(store: Store, attestation: Attestation) -> None:
    first = attestation.checkpoints.sign()
    assert attestation.checkpoints.sign() == first
    for count in (1, 300, 5):
        grow(store, count)
        attestation.checkpoints.sign()
    assert checked(store) == [2, 3, 303, 308]
    assert [each.size for each in attestation.checkpoints.after(2, 2)] == [3, 303]


def test_a_new_signer_goes_on_from_what_is_kept(
    store: Store, attestation: Attestation, clock: ManualClock
) -> None:
    for count in (1, 254, 1, 1, 300):  # on both sides of a full tile
        grow(store, count)
        attestation.checkpoints.sign()
        assert attest(store, clock).checkpoints.sign() == attestation.checkpoints.newest()
    grow(store)
    attest(store, clock).checkpoints.sign()
    assert checked(store) == [3, 257, 258, 259, 559, 560]


@pytest.mark.parametrize(
    ("change", "position"),
    [
        ("body = '{}'", 7),
        ("salt = body_hash", 7),
        ("body_hash = prev_hash", 7),
        ("event_hash = prev_hash", 7),
        ("prev_hash = event_hash", 7),
        ("recorded_at = recorded_at + 1", 7),
        ("stream = 'models/b', stream_version = 9", 7),
        ("type = 'model.retired.v1'", 7),
    ],
)
def test_an_event_changed_since_the_last_checkpoint_is_never_signed(
    store: Store, attestation: Attestation, change: str, position: int
) -> None:
    grow(store, 2)
    before = attestation.checkpoints.sign()
    grow(store, 6)
    if change == "body = '{}'" and database_of(store).shared:
        change = "body = '{}'::bytea"
    edit(store, f"UPDATE events SET {change} WHERE position = :at", at=position)
    failure = refused(attestation)
    assert str(position) in failure.message
    assert grow(store).last_position == 11  # appends go on
    assert refused(attestation).message == failure.message
    newest = attestation.checkpoints.newest()
    assert newest is not None
    assert newest.size == before.size
    assert attestation.checkpoints.failure is not None


def test_an_event_rewritten_with_hashes_that_fit_is_not_what_the_head_says(
    store: Store, attestation: Attestation
) -> None:
    """The newest event gets another time and its own right hash, as by a careful hand."""
    grow(store, 2)
    attestation.checkpoints.sign()
    last = grow(store, 3).last_position
    event = store.events.event(ORIGIN, last)
    assert event is not None
    forged = event._replace(recorded_at=event.recorded_at + 1)
    header = header_bytes(
        body_hash=forged.body_hash.hex(),
        ledger=ORIGIN,
        position=forged.position,
        prev_hash=forged.prev_hash.hex(),
        recorded_at=format_time(forged.recorded_at),
        stream=forged.stream,
        stream_version=forged.stream_version,
        type_=forged.type,
    )
    edit(
        store,
        "UPDATE events SET recorded_at = :at, event_hash = :hash WHERE position = :position",
        at=forged.recorded_at,
        hash=leaf_hash(header),
        position=last,
    )
    assert "not what the stored events lead to" in refused(attestation).message


@pytest.mark.parametrize(("level", "number"), [(0, 2), (1, 0)])
def test_a_changed_tile_at_the_edge_stops_signing(
    store: Store, attestation: Attestation, clock: ManualClock, level: int, number: int
) -> None:
    grow(store, 600)
    attestation.checkpoints.sign()
    grow(store, 1)
    where = "level = :level AND number = :number"
    zeros = bytes(32 * 256)
    edit(store, f"UPDATE tiles SET hashes = :z WHERE {where}", z=zeros, level=level, number=number)
    refused(attest(store, clock))


def test_a_note_in_the_place_of_the_last_checkpoint_stops_signing(
    store: Store, attestation: Attestation, clock: ManualClock
) -> None:
    signed = attestation.checkpoints.sign()
    other = signed.note.replace(signed.note.split("\n")[2], "A" * 43 + "=")
    edit(store, "UPDATE checkpoints SET note = :note", note=other)
    grow(store)
    refused(attest(store, clock))
    refused(attestation)


def test_events_missing_below_a_checkpoint_stop_signing(
    store: Store, attestation: Attestation, clock: ManualClock
) -> None:
    grow(store, 5)
    head = store.events.head(ORIGIN)
    grow(store, 3)
    attestation.checkpoints.sign()
    edit(store, "DELETE FROM events WHERE position > :at", at=head.position)
    edit(
        store,
        "UPDATE heads SET position = :at, event_hash = :hash, tree = :tree",
        at=head.position,
        hash=head.event_hash,
        tree=head.tree,
    )
    store.keys.adopt(ORIGIN, store.events.head(ORIGIN))
    for each in (attestation, attest(store, clock)):
        assert "some of them are gone" in refused(each).message


@pytest.mark.parametrize("regrown", [0, 1, 4, 6])
def test_a_backup_restored_under_a_running_server_stops_signing(
    sqlite_url: str, clock: ManualClock, regrown: int
) -> None:
    """The backup goes on in another server, to a size below, at or above what was signed here."""
    store = begun(sqlite_url, clock)
    try:
        here = attest(store, clock)
        here.checkpoints.sign()
        path = sqlite_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path)) as live, closing(sqlite3.connect(":memory:")) as old:
            live.backup(old)
            grow(store, 4)
            here.checkpoints.sign()
            old.backup(live)
        if regrown:
            clock.advance(1_000_000)
            grow(store, regrown)
            attest(store, clock).checkpoints.sign()
        grow(store)
        before = store.proofs.checkpoint(ORIGIN)
        refused(here)
        assert store.proofs.checkpoint(ORIGIN) == before
    finally:
        store.close()


def test_a_checkpoint_taken_out_of_the_database_stops_signing(
    store: Store, attestation: Attestation
) -> None:
    grow(store, 5)
    attestation.checkpoints.sign()
    edit(store, "DELETE FROM checkpoints")
    grow(store)
    assert "not kept any more" in refused(attestation).message


def test_who_listens_is_told_once_that_signing_stopped(
    store: Store, attestation: Attestation
) -> None:
    heard: list[str] = []
    attestation.checkpoints.on_failure(lambda: heard.append("early"))
    edit(store, "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 2")
    refused(attestation)
    refused(attestation)
    attestation.checkpoints.on_failure(lambda: heard.append("late"))
    assert heard == ["early", "late"]


def test_a_database_that_fails_for_a_moment_does_not_stop_signing(
    store: Store, attestation: Attestation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "gone for a moment")

    with monkeypatch.context() as patched:
        patched.setattr(store.proofs, "save_checkpoint", fail)
        refused(attestation, Reason.STORE_UNAVAILABLE)
    assert attestation.checkpoints.failure is None
    assert attestation.checkpoints.sign().size == 2


def test_a_ledger_of_a_bare_recorder_is_not_signed(empty_store: Store, clock: ManualClock) -> None:
    empty_store.ledgers.open_recorder(ORIGIN)
    grow(empty_store)
    refused(attest(empty_store, clock), Reason.KEY_UNKNOWN)


# ---- the process that hashes ---------------------------------------------------------------------


def test_large_batches_are_hashed_by_another_process_to_the_same_end(
    store: Store, clock: ManualClock, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehashing, "INLINE_EVENTS_MAX", 4)
    process = RehashProcess(database_url)
    try:
        attestation = attest(store, clock, process=process)
        attestation.checkpoints.sign()
        assert hashing(process) is None
        grow(store, 40)
        attestation.checkpoints.sign()
        child = hashing(process)
        assert child is not None
        child.kill()
        child.wait()
        grow(store, 40)
        attestation.checkpoints.sign()  # in a new process
        grow(store, 40)
        edit(store, "UPDATE events SET recorded_at = recorded_at + 1 WHERE position = 100")
        assert "100" in refused(attestation).message
        assert checked_up_to(store, [2, 42, 82])
    finally:
        process.close()


def checked_up_to(store: Store, sizes: list[int]) -> bool:
    """Return whether exactly these sizes were signed."""
    return [kept.size for kept in store.proofs.checkpoints(ORIGIN)] == sizes


# ---- several signers -----------------------------------------------------------------------------


def test_a_slow_signer_cannot_sign_below_a_fast_one(
    store: Store, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow one is held between its checks and the store; the fast one passes it there."""
    slow, fast = attest(store, clock), attest(store, clock)
    grow(store, 3)
    save = store.proofs.save_checkpoint
    passed: list[int] = []

    def stall(ledger: str, size: int, note: str, *, after: int) -> bool:
        if not passed:
            passed.append(size)
            grow(store, 4)
            fast.checkpoints.sign()
        return save(ledger, size, note, after=after)

    monkeypatch.setattr(store.proofs, "save_checkpoint", stall)
    assert slow.checkpoints.sign().size == 9
    assert passed == [5]
    assert checked(store) == [9]


def test_a_note_is_kept_only_on_top_of_the_one_it_was_checked_against(
    store: Store, attestation: Attestation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between check and store a head that is not ours gets kept, smaller than the one checked."""
    attestation.checkpoints.sign()
    grow(store, 3)
    save, key = store.proofs.save_checkpoint, next(iter(store.keys.opened(ORIGIN).values()))
    other = sign(CheckpointBody(ORIGIN, 4, Digest(b"z" * 32)), [key]).decode()

    def stall(ledger: str, size: int, note: str, *, after: int) -> bool:
        save(ledger, 4, other, after=2)
        return save(ledger, size, note, after=after)

    monkeypatch.setattr(store.proofs, "save_checkpoint", stall)
    assert "another root" in refused(attestation).message
    assert checked_up_to(store, [2, 4])


def race(stores: list[Store], rounds: int) -> None:
    """Let a signer of each store sign as fast as it can while both stores append."""
    start = threading.Barrier(len(stores) * 2)
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            for _ in range(rounds):
                work()
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    def signer(store: Store) -> Callable[[], object]:
        return attest(store, SystemClock()).checkpoints.sign

    threads = [threading.Thread(target=run, args=(signer(store),)) for store in stores]
    threads += [
        threading.Thread(target=run, args=(lambda s=store: grow(s, 3),)) for store in stores
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_two_signers_of_one_server_never_fork(store: Store) -> None:
    race([store, store], rounds=40)
    assert len(checked(store)) > 5


@pytest.mark.postgres
def test_two_servers_that_sign_by_mistake_never_fork(postgres_url: str) -> None:
    stores = [begun(postgres_url, SystemClock()) for _ in range(2)]
    try:
        race(stores, rounds=40)
        assert len(checked(stores[1])) > 5
        assert attest(stores[1], SystemClock()).checkpoints.sign().size == 2 + 40 * 3 * 2
    finally:
        for each in stores:
            each.close()
