"""Proofs as a verifier sees them: goal: each leads from the event to a signed root, of one moment.

Method: every position of trees on both sides of a tile, on each database, checked with the chain's
own verification against the opened note; then what is asked for and is not there.
"""

import threading

import pytest

from ledger.application.attestation import Attestation
from ledger.application.commands import Caller
from ledger.application.signing.checkpoints import SignedCheckpoint
from ledger.chain.key_history import open_by_spans
from ledger.chain.merkle import check_consistency, check_inclusion
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.events.proving import AuditCompletedV1, AuditCompletedV2
from ledger.storage import Store
from tests.support.attested import ADA, attest, with_id
from tests.support.audits import audit_event
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, edit, grow


@pytest.fixture
def attestation(store: Store, clock: ManualClock) -> Attestation:
    return attest(store, clock)


def root_of(attestation: Attestation, signed: SignedCheckpoint) -> bytes:
    """Return the root that a note states, once a key that counts has opened it."""
    spans = attestation.keyring.history().spans
    opened = open_by_spans(signed.note.encode(), origin=ORIGIN, spans=spans).checkpoint
    assert (opened.size, opened.root) == (signed.size, signed.root)
    return opened.root


def refusal(attestation: Attestation, *asked: int, join: bool = False) -> LedgerError:
    """Return how a proof was refused."""
    with pytest.raises(LedgerError) as caught:
        (attestation.prover.consistency if join else attestation.prover.inclusion)(*asked)
    return caught.value


def test_every_event_is_proved_in_the_newest_tree_and_in_an_earlier_one(
    store: Store, attestation: Attestation
) -> None:
    grow(store, 255)
    early = attestation.checkpoints.sign()
    grow(store, 60)
    attestation.checkpoints.sign()
    for size in (0, early.size):
        for position in (*range(1, 12), *range(250, (size or 317) + 1)):
            found = attestation.prover.inclusion(position, size)
            event = store.events.event(ORIGIN, position)
            assert event is not None
            assert found.event_hash == event.event_hash
            check_inclusion(
                index=position - 1,
                size=found.checkpoint.size,
                leaf=found.event_hash,
                root=root_of(attestation, found.checkpoint),
                proof=found.hashes,
            )


def test_an_event_that_no_checkpoint_covers_is_proved_in_one_signed_now(
    store: Store, attestation: Attestation
) -> None:
    attestation.checkpoints.sign()
    grow(store, 3)
    assert attestation.prover.inclusion(2).checkpoint.size == 2
    assert attestation.prover.inclusion(4).checkpoint.size == 5


def test_any_earlier_size_is_joined_to_a_signed_one(store: Store, attestation: Attestation) -> None:
    grow(store, 20)
    middle = attestation.checkpoints.sign()
    grow(store, 250)
    for from_size in range(1, 23):
        old_root = attestation.prover.root_at(from_size)
        for to_size in (0, middle.size):
            found = attestation.prover.consistency(from_size, to_size)
            check_consistency(
                old_size=from_size,
                size=found.checkpoint.size,
                old_root=old_root,
                root=root_of(attestation, found.checkpoint),
                proof=found.hashes,
            )
    assert attestation.prover.consistency(272).hashes == ()


def test_what_is_not_there_cannot_be_proved(store: Store, attestation: Attestation) -> None:
    attestation.checkpoints.sign()
    grow(store, 4)
    assert refusal(attestation, 0).reason is Reason.FIELD_INVALID
    assert refusal(attestation, 1, -1).reason is Reason.FIELD_INVALID
    assert refusal(attestation, 7).reason is Reason.POSITION_BEYOND_HEAD
    assert refusal(attestation, 3, 2).reason is Reason.POSITION_BEYOND_HEAD
    assert refusal(attestation, 1, 3).reason is Reason.CHECKPOINT_UNKNOWN
    assert refusal(attestation, 0, join=True).reason is Reason.FIELD_INVALID
    assert refusal(attestation, 1, -1, join=True).reason is Reason.FIELD_INVALID
    assert refusal(attestation, 7, join=True).reason is Reason.POSITION_BEYOND_HEAD
    assert refusal(attestation, 3, 2, join=True).reason is Reason.POSITION_BEYOND_HEAD
    assert refusal(attestation, 1, 3, join=True).reason is Reason.CHECKPOINT_UNKNOWN
    newest = attestation.checkpoints.newest()
    assert newest is not None
    assert newest.size == 2  # none of these signed anything


def test_a_proof_that_would_not_verify_is_not_handed_out(
    store: Store, attestation: Attestation
) -> None:
    grow(store, 20)
    attestation.checkpoints.sign()
    edit(store, "UPDATE events SET event_hash = prev_hash WHERE position = 9")
    failure = refusal(attestation, 9)
    assert failure.reason is Reason.CHAIN_BROKEN
    assert failure.metadata["position"] == "9"
    assert attestation.prover.inclusion(10).position == 10
    edit(store, "UPDATE tiles SET hashes = :zeros", zeros=bytes(32 * 22))
    assert refusal(attestation, 10).reason is Reason.CHAIN_BROKEN
    assert refusal(attestation, 3, join=True).reason is Reason.CHAIN_BROKEN


def test_a_proof_and_its_checkpoint_are_of_one_moment_under_load(store: Store) -> None:
    attestation = attest(store, SystemClock())
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            grow(store, 5)
            attestation.checkpoints.sign()

    thread = threading.Thread(target=load)
    thread.start()
    try:
        for _ in range(150):
            position = store.events.head(ORIGIN).position
            found = attestation.prover.inclusion(position)
            assert found.checkpoint.size >= position
            check_inclusion(
                index=position - 1,
                size=found.checkpoint.size,
                leaf=found.event_hash,
                root=found.checkpoint.root,
                proof=found.hashes,
            )
    finally:
        stop.set()
        thread.join()


# ---- audits --------------------------------------------------------------------------------------


def audit_of(size: int, root: bytes) -> AuditCompletedV1:
    return AuditCompletedV1(
        program="decision-ledger 1",
        source="server",
        size=size,
        root=root.hex(),
        passed=False,
        checks=[],
        findings=[],
    )


def test_an_audit_is_recorded_if_it_was_of_this_very_tree(
    store: Store, attestation: Attestation
) -> None:
    grow(store, 9)
    caller = with_id(Caller("services/auditor"), "audit-1")
    audit = audit_of(8, attestation.prover.root_at(8))
    written = attestation.record_audit(caller, audit)
    event = store.events.event(ORIGIN, written.last_position)
    assert event is not None
    assert (event.type, event.data) == (AuditCompletedV1.TYPE, audit.to_data())
    assert attestation.record_audit(caller, audit).repeated
    for wrong, field in (
        (audit_of(8, attestation.prover.root_at(7)), "report.root"),
        (audit_of(99, attestation.prover.root_at(8)), "report.size"),
    ):
        with pytest.raises(LedgerError) as caught:
            attestation.record_audit(ADA, wrong)
        assert caught.value.metadata["field"] == field


def test_an_audit_is_recorded_with_a_transcript_of_its_own_only(
    store: Store, attestation: Attestation
) -> None:
    grow(store, 9)
    audit = audit_event(ORIGIN, 8, attestation.prover.root_at(8), has_transcript=True)
    assert isinstance(audit, AuditCompletedV2)
    written = attestation.record_audit(ADA, audit)
    event = store.events.event(ORIGIN, written.last_position)
    assert event is not None
    assert (event.type, event.data) == (AuditCompletedV2.TYPE, audit.to_data())
    with pytest.raises(LedgerError) as caught:
        attestation.record_audit(ADA, audit.model_copy(update={"transcript": "00" * 32}))
    assert caught.value.metadata["field"] == "report.transcript"
