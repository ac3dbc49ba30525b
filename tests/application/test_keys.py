"""Keys change without a gap: goal: at every size a key that counts has signed, and no other.

Method: rotations and revocations on each database, under load and after a kill; every note is then
opened with the keys that the ledger itself names, at its own size.
"""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ledger.application.attestation import Attestation
from ledger.application.commands import Caller
from ledger.application.workers import Workers
from ledger.chain.checkpoint import open_checkpoint
from ledger.chain.key_history import vkey_digest
from ledger.chain.keys import VerifierKey
from ledger.chain.note import UnverifiedNoteError
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.storage import Store, open_store
from tests.support.attested import ADA, attest, checked, with_id
from tests.support.clocks import ManualClock
from tests.support.server_process import until
from tests.support.stores import ORIGIN, VAULT, edit, grow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def attestation(store: Store, clock: ManualClock) -> Attestation:
    return attest(store, clock)


def vkeys(attestation: Attestation) -> list[str]:
    """Return the verifier keys of the ledger by their first position."""
    return [record.span.vkey for record in attestation.keys.keys().records]


def opens(note: str, vkey: str) -> bool:
    """Return whether a key alone, as an auditor pins it, opens a note."""
    try:
        open_checkpoint(note.encode(), origin=ORIGIN, keys=[VerifierKey.parse(vkey)])
    except UnverifiedNoteError:
        return False
    return True


def reason_of(caught: "pytest.ExceptionInfo[LedgerError]") -> Reason:
    return caught.value.reason


def test_two_servers_of_one_database_rotate_in_turn(
    store: Store, attestation: Attestation, clock: ManualClock
) -> None:
    other = attest(store, clock)
    for turn in range(4):
        server = (attestation, other)[turn % 2]
        server.keys.rotate(ADA, overlap=0)
        grow(store)
        server.checkpoints.sign()
    assert len(vkeys(attestation)) == 5
    assert checked(store)


def test_before_the_overlap_the_old_key_signs_in_it_both_and_then_the_new(
    store: Store, attestation: Attestation
) -> None:
    old_note = attestation.checkpoints.sign().note
    rotated = attestation.keys.rotate(ADA, overlap=5)
    old, new = vkeys(attestation)
    assert rotated.key.span.vkey == new
    notes = {}
    for _ in range(6):
        signed = attestation.checkpoints.sign()
        notes[signed.size] = signed
        grow(store)
    assert opens(old_note, old)
    assert not opens(old_note, new)
    first = rotated.written.first_position
    for size, signed in notes.items():
        assert opens(signed.note, new)
        assert opens(signed.note, old) == (size < first + 5), size
        assert signed.vkey == new
    assert {size < first + 5 for size in notes} == {True, False}
    assert checked(store)
    states = [record.state for record in attestation.keys.keys().records]
    assert states == ["retired", "active"]


def test_without_an_overlap_the_new_key_signs_from_its_own_event_on(
    store: Store, attestation: Attestation
) -> None:
    attestation.checkpoints.sign()
    attestation.keys.rotate(ADA, overlap=0)
    note = attestation.checkpoints.sign().note
    old, new = vkeys(attestation)
    assert opens(note, new)
    assert not opens(note, old)
    assert checked(store) == [2, 4]


def test_the_key_that_takes_over_is_the_one_committed_before(
    store: Store, attestation: Attestation
) -> None:
    for _ in range(3):
        committed = attestation.keys.keys().next_key_digest.hex()
        rotated = attestation.keys.rotate(ADA, overlap=0)
        assert vkey_digest(rotated.key.span.vkey) == committed
        assert attestation.keys.keys().next_key_digest.hex() != committed
        attestation.checkpoints.sign()
    assert len(set(vkeys(attestation))) == 4
    assert checked(store) == [2, 4, 6, 8]  # each key signs once more before it ends


def test_a_second_rotation_waits_for_the_end_of_the_overlap(
    store: Store, attestation: Attestation
) -> None:
    first = attestation.keys.rotate(ADA, overlap=4).written.first_position
    with pytest.raises(LedgerError) as caught:
        attestation.keys.rotate(ADA)
    assert reason_of(caught) is Reason.VERSION_CONFLICT
    while store.events.head(ORIGIN).position < first + 3:
        grow(store)
    assert attestation.keys.rotate(ADA).written.last_position > first


@pytest.mark.parametrize("overlap", [-1, 1_000_000_001])
def test_an_overlap_out_of_range_is_refused(attestation: Attestation, overlap: int) -> None:
    with pytest.raises(LedgerError) as caught:
        attestation.keys.rotate(ADA, overlap)
    assert caught.value.metadata["field"] == "overlap"


def test_a_repeated_rotation_gets_its_first_answer(store: Store, attestation: Attestation) -> None:
    caller = with_id(ADA, "rotate-1")
    first = attestation.keys.rotate(caller, overlap=0)
    attestation.keys.rotate(ADA, overlap=0)
    again = attestation.keys.rotate(caller, overlap=0)
    assert again.written.repeated
    assert (again.key.span.vkey, again.written.first_position) == (
        first.key.span.vkey,
        first.written.first_position,
    )
    assert len(vkeys(attestation)) == 3


def test_a_key_revoked_while_another_signs_only_ends(
    store: Store, attestation: Attestation
) -> None:
    attestation.keys.rotate(ADA, overlap=1_000)
    old, new = vkeys(attestation)
    attestation.checkpoints.sign()
    revoked = attestation.keys.revoke(ADA, old, 3, "it was copied")
    assert revoked.key.state == "revoked"
    assert (revoked.key.span.revoked_from, revoked.key.span.reason) == (3, "it was copied")
    assert vkeys(attestation) == [old, new]
    signed = attestation.checkpoints.sign()
    assert opens(signed.note, new)
    assert not opens(signed.note, old)
    assert checked(store) == [2, 4, 5]


def test_if_the_only_key_is_revoked_the_committed_one_takes_over_at_once(
    store: Store, attestation: Attestation
) -> None:
    attestation.checkpoints.sign()
    committed = attestation.keys.keys().next_key_digest.hex()
    (only,) = vkeys(attestation)
    revoked = attestation.keys.revoke(ADA, only, 3, "stolen on Monday")
    assert revoked.key.span.vkey == only
    assert revoked.written.last_position - revoked.written.first_position == 2
    old, new = vkeys(attestation)
    assert (old, vkey_digest(new)) == (only, committed)
    signed = attestation.checkpoints.sign()
    assert opens(signed.note, new)
    assert not opens(signed.note, old)
    assert checked(store) == [2, 5]
    # What the thief signs with the old key from position 3 on counts for nothing: only 2 is left.
    assert attestation.keyring.history().valid_at(4)[0] == VerifierKey.parse(new)


def test_the_newest_of_two_keys_is_followed_by_the_committed_one_when_it_is_revoked(
    store: Store, attestation: Attestation
) -> None:
    attestation.keys.rotate(ADA, overlap=3)
    old, new = vkeys(attestation)
    attestation.keys.revoke(ADA, new, 3, "drawn badly")
    grow(store, 10)
    signed = attestation.checkpoints.sign()
    assert opens(signed.note, vkeys(attestation)[-1])
    assert not opens(signed.note, old)
    assert not opens(signed.note, new)
    assert len(attestation.keyring.history().valid_at(1_000_000)) == 1


def test_what_cannot_be_revoked_is_refused_by_name(store: Store, attestation: Attestation) -> None:
    (only,) = vkeys(attestation)
    with pytest.raises(LedgerError) as caught:
        attestation.keys.revoke(ADA, "nobody", 1, "why")
    assert reason_of(caught) is Reason.KEY_UNKNOWN
    for from_position, reason, field in ((0, "x", "from_position"), (4, "x", "from_position"),
                                         (1, "", "reason"), (1, "x" * 2001, "reason")):  # fmt: skip
        with pytest.raises(LedgerError) as caught:
            attestation.keys.revoke(ADA, only, from_position, reason)
        assert caught.value.metadata["field"] == field
    attestation.keys.revoke(ADA, only, 3, "x")
    with pytest.raises(LedgerError) as caught:
        attestation.keys.revoke(ADA, only, 3, "x")
    assert reason_of(caught) is Reason.KEY_UNKNOWN
    earlier = attestation.keys.revoke(ADA, only, 1, "it was stolen earlier than we thought")
    assert earlier.key.span.revoked_from == 1
    assert len(vkeys(attestation)) == 2


def test_a_repeated_revocation_gets_its_first_answer(attestation: Attestation) -> None:
    (only,) = vkeys(attestation)
    caller = with_id(ADA, "revoke-1")
    first = attestation.keys.revoke(caller, only, 3, "x")
    again = attestation.keys.revoke(caller, only, 3, "x")
    assert again.written.repeated
    assert again.written.last_position == first.written.last_position


def test_of_two_rotations_at_once_one_is_refused(
    store: Store, attestation: Attestation, clock: ManualClock
) -> None:
    other = attest(store, clock)
    history = other.keyring.history

    def rotated_meanwhile() -> object:
        if len(vkeys(attestation)) == 1:
            attestation.keys.rotate(ADA, overlap=0)
        return read

    read = history()
    other.keyring.history = lambda *_, **__: rotated_meanwhile()  # type: ignore[assignment]
    with pytest.raises(LedgerError) as caught:
        other.keys.rotate(ADA, overlap=0)
    assert reason_of(caught) is Reason.VERSION_CONFLICT
    assert len(vkeys(attestation)) == 2


def test_rotation_under_load_leaves_no_size_without_a_valid_note(
    store: Store,
) -> None:
    """Appends, signatures and rotations race on threads of their own."""
    clock = SystemClock()
    stop = threading.Event()
    failures: list[BaseException] = []

    def run(work: "threading.Event", again: object) -> None:
        assert callable(again)
        try:
            while not work.is_set():
                again()
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failures.append(error)

    signer, rotator = attest(store, clock), attest(store, clock)
    threads = [
        threading.Thread(target=run, args=(stop, lambda: grow(store, 7))),
        threading.Thread(target=run, args=(stop, signer.checkpoints.sign)),
    ]
    for thread in threads:
        thread.start()
    for _ in range(6):
        last = rotator.keys.rotate(Caller("users/bo"), overlap=20).written.last_position
        until(lambda: store.events.head(ORIGIN).position >= last + 40)  # noqa: B023
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
    signer.checkpoints.sign()
    assert len(checked(store)) > 6
    assert len(vkeys(rotator)) == 7


@pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres])]
)
def test_a_server_killed_after_a_rotation_signs_with_the_new_key_when_it_is_back(
    database: str, request: pytest.FixtureRequest
) -> None:
    """Killed by signal 9 between the commit of the rotation and the first signature."""
    url = request.getfixturevalue(f"{database}_url")
    program = """
import os, signal, sys
from ledger.clock import SystemClock
from ledger.storage import CreateLedger, open_store
from tests.support.attested import ADA, attest
from tests.support.server_process import until
from tests.support.stores import ORIGIN, begun
store = begun(sys.argv[1], SystemClock())
attestation = attest(store, SystemClock())
attestation.checkpoints.sign()
attestation.keys.rotate(ADA, overlap=0)
os.kill(os.getpid(), signal.SIGKILL)
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, url], cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, check=False
    )
    assert ended.returncode == -9
    store = open_store(url, SystemClock(), vault=VAULT, create=True)
    try:
        attestation = attest(store, SystemClock())
        workers = Workers(SystemClock())
        attestation.start(workers)
        workers.stop()
        signed = attestation.checkpoints.sign()
        assert opens(signed.note, vkeys(attestation)[1])
        assert checked(store) == [2, 4]
        attestation.keys.rotate(ADA, overlap=0)  # the key after it was kept in the same moment
        assert attestation.checkpoints.sign().vkey == vkeys(attestation)[2]
    finally:
        store.close()


def test_a_secret_that_is_not_kept_here_stops_the_rotation_and_nothing_else(
    store: Store, attestation: Attestation
) -> None:
    digest = attestation.keys.keys().next_key_digest.hex()
    (next_key,) = [v for v in store.keys.opened(ORIGIN) if vkey_digest(v) == digest]
    edit(store, "DELETE FROM signing_keys WHERE vkey = :v", v=next_key)
    with pytest.raises(LedgerError) as caught:
        attestation.keys.rotate(ADA)
    assert reason_of(caught) is Reason.SIGNING_STOPPED
    assert attestation.checkpoints.sign().size == 2


def test_keys_are_folded_again_only_where_their_events_have_changed(
    store: Store, attestation: Attestation
) -> None:
    known = attestation.keyring.history()
    grow(store)
    assert attestation.keyring.history() is known
    attestation.keys.rotate(ADA, 0)
    rotated = attestation.keyring.history()
    assert len(rotated.spans) == 2
    assert len(attestation.keyring.history(until=2).spans) == 1
    assert len(attestation.keyring.history().spans) == 2
    edit(store, "UPDATE events SET body = :body WHERE position = 1", body=b"{}")
    with pytest.raises(LedgerError) as caught:
        attestation.keyring.history()
    assert caught.value.reason is Reason.EVENT_UNREADABLE
