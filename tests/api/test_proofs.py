"""Checkpoints, proofs, keys, seals and audits over gRPC hold, and bad requests are refused by name.

Method: a real server; every proof is checked with the pure chain functions against the key that the
ledger was created with. Refusals are asserted with reason, field and remedy, and write nothing.
"""

import hashlib
from typing import Any

import grpc
import pytest

from ledger.chain import proof_text, transcript
from ledger.chain.checkpoint import open_checkpoint
from ledger.chain.keys import VerifierKey
from ledger.chain.merkle import check_consistency, check_inclusion
from ledger.v1 import audit_pb2, checkpoint_pb2, signal_service_pb2
from ledger.v1 import ledger_service_pb2 as pb
from tests.support.served import HOUR, ORIGIN, TIMEOUT, Served, observation, refused


def vkey(served: Served) -> VerifierKey:
    return VerifierKey.parse(served.service.ledger().info.vkey)


def opened(served: Served, checkpoint: checkpoint_pb2.Checkpoint) -> checkpoint_pb2.Checkpoint:
    """Return a checkpoint whose fields are what its note states, signed by the ledger's key."""
    claim = open_checkpoint(checkpoint.note.encode(), origin=ORIGIN, keys=[vkey(served)]).checkpoint
    assert (claim.origin, claim.size, claim.root) == (
        checkpoint.origin,
        checkpoint.size,
        checkpoint.root,
    )
    assert checkpoint.verifier_key == str(vkey(served))
    return checkpoint


def signed(served: Served, size: int = 0) -> checkpoint_pb2.Checkpoint:
    request = pb.GetCheckpointRequest(size=size)
    return opened(served, served.ledgers.GetCheckpoint(request, timeout=TIMEOUT).checkpoint)


def check(served: Served, proof: checkpoint_pb2.InclusionProof) -> None:
    event = served.service.ledger().log.event(proof.position)
    assert event is not None
    assert proof.event_hash == event.event_hash
    checkpoint = opened(served, proof.checkpoint)
    check_inclusion(
        index=proof.position - 1,
        size=checkpoint.size,
        leaf=proof.event_hash,
        root=checkpoint.root,
        proof=proof.hashes,
    )
    text = proof_text.parse(proof.text)
    assert (text.index, text.hashes) == (proof.position - 1, tuple(proof.hashes))
    assert text.checkpoint == checkpoint.note


def test_checkpoints_are_signed_on_demand_kept_and_listed_in_pages(served: Served) -> None:
    sizes = []
    for hour in range(5):
        served.submit(observation(seconds=hour * HOUR))
        sizes.append(signed(served).size)
    assert sizes[-1] == served.head()
    assert signed(served, sizes[1]).size == sizes[1]
    found, token = [], ""
    while True:
        page = served.ledgers.ListCheckpoints(
            pb.ListCheckpointsRequest(page_size=2, page_token=token), timeout=TIMEOUT
        )
        found += [opened(served, one).size for one in page.checkpoints]
        token = page.next_page_token
        if not token:
            break
        assert len(page.checkpoints) == 2
    assert found == sizes
    after = served.ledgers.ListCheckpoints(
        pb.ListCheckpointsRequest(after_size=sizes[2]), timeout=TIMEOUT
    )
    assert [one.size for one in after.checkpoints] == sizes[3:]


def test_every_event_is_proven_in_every_checkpoint_that_covers_it(served: Served) -> None:
    small = signed(served).size
    served.submit(*(observation(seconds=hour * HOUR) for hour in range(7)))
    large = signed(served).size
    for position in range(1, large + 1):
        for size in (small, large):
            if position <= size:
                answer = served.ledgers.ProveInclusion(
                    pb.ProveInclusionRequest(position=position, size=size), timeout=TIMEOUT
                )
                assert answer.proof.checkpoint.size == size
                check(served, answer.proof)


def test_an_event_that_no_checkpoint_covers_has_one_signed_for_it(served: Served) -> None:
    signed(served)
    served.submit(observation())
    head = served.head()
    proof = served.ledgers.ProveInclusion(
        pb.ProveInclusionRequest(position=head), timeout=TIMEOUT
    ).proof
    assert proof.checkpoint.size == head
    check(served, proof)


def test_two_checkpoints_are_joined(served: Served) -> None:
    old = signed(served)
    served.submit(*(observation(seconds=hour * HOUR) for hour in range(9)))
    proof = served.ledgers.ProveConsistency(
        pb.ProveConsistencyRequest(from_size=old.size), timeout=TIMEOUT
    ).proof
    new = opened(served, proof.checkpoint)
    assert (proof.from_size, new.size) == (old.size, served.head())
    check_consistency(
        old_size=old.size, size=new.size, old_root=old.root, root=new.root, proof=proof.hashes
    )
    back = pb.ProveConsistencyRequest(from_size=new.size, to_size=old.size)
    error = refused(lambda: served.ledgers.ProveConsistency(back, timeout=TIMEOUT))
    assert error.reason == "POSITION_BEYOND_HEAD"


def test_a_batch_that_waits_is_answered_with_the_proof_of_its_last_event(served: Served) -> None:
    request = signal_service_pb2.SubmitSignalsRequest(
        observations=[observation(), observation(seconds=2 * HOUR)],
        wait_for_checkpoint=True,
        request_id="r-1",
    )
    answer = served.signals.SubmitSignals(request, timeout=TIMEOUT)
    assert answer.proof.position == answer.appended.position == served.head()
    assert answer.proof.event_hash == answer.appended.event_hash
    check(served, answer.proof)
    # A repeat may ask for less or more: it is the same batch.
    request.wait_for_checkpoint = False
    again = served.signals.SubmitSignals(request, timeout=TIMEOUT)
    assert again.appended.repeated_request
    assert not again.HasField("proof")
    (streamed,) = served.signals.StreamSignals(
        iter(
            [
                signal_service_pb2.StreamSignalsRequest(
                    observations=request.observations, request_id="r-1"
                )
            ]
        )
    )
    assert streamed.appended.position == answer.appended.position


def test_a_batch_whose_checkpoint_does_not_come_is_said_to_be_on_record(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ledger.errors import LedgerError, Reason

    ledger = served.service.ledger()

    def too_late(position: int) -> None:
        raise LedgerError(Reason.DEADLINE_EXCEEDED, "No checkpoint came in time.")

    monkeypatch.setattr(ledger.attestation.checkpoints, "refuse_uncovered", too_late)
    head = served.head()
    request = signal_service_pb2.SubmitSignalsRequest(
        observations=[observation(), observation(seconds=2 * HOUR)], wait_for_checkpoint=True
    )
    error = refused(lambda: served.signals.SubmitSignals(request, timeout=TIMEOUT))
    assert (error.code, error.reason) == (
        grpc.StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
    )
    assert f"on record at positions {head + 1} to {head + 2}" in error.message
    assert error.metadata["position"] == str(head + 2) == str(served.head())
    assert f"position {head + 2}" in error.metadata["remedy"]


def test_keys_are_listed_rotated_and_revoked(served: Served) -> None:
    (first,) = served.ledgers.ListKeys(pb.ListKeysRequest(), timeout=TIMEOUT).keys
    assert first.verifier_key == str(vkey(served))
    assert (first.from_position, first.until_position) == (1, 0)
    committed = served.ledgers.ListKeys(pb.ListKeysRequest(), timeout=TIMEOUT).next_key_digest
    request = pb.RotateKeyRequest(overlap=0, request_id="rotate-1")
    rotated = served.ledgers.RotateKey(request, timeout=TIMEOUT)
    new = rotated.key
    assert hashlib.sha256(new.verifier_key.encode()).digest() == committed
    assert new.state == checkpoint_pb2.KEY_STATE_ACTIVE
    again = served.ledgers.RotateKey(request, timeout=TIMEOUT)
    assert again.appended.repeated_request
    assert again.key.verifier_key == new.verifier_key
    revoked = served.ledgers.RevokeKey(
        pb.RevokeKeyRequest(
            verifier_key=first.verifier_key, from_position=served.head() + 1, reason="lost"
        ),
        timeout=TIMEOUT,
    )
    assert revoked.key.state == checkpoint_pb2.KEY_STATE_REVOKED
    assert revoked.key.revoked_reason == "lost"
    listed = served.ledgers.ListKeys(pb.ListKeysRequest(), timeout=TIMEOUT)
    assert [key.verifier_key for key in listed.keys][:2] == [first.verifier_key, new.verifier_key]
    assert len(listed.next_key_digest) == 32


def test_streams_are_sealed_once_for_what_there_is(served: Served) -> None:
    served.submit(observation())
    head = served.head()
    seal = served.ledgers.SealStreams(pb.SealStreamsRequest(), timeout=TIMEOUT)
    assert (seal.as_of, seal.appended.position) == (head, head + 1)
    assert len(seal.root) == 32
    assert seal.streams >= 3
    again = served.ledgers.SealStreams(pb.SealStreamsRequest(), timeout=TIMEOUT)
    assert (again.as_of, again.root, served.head()) == (seal.as_of, seal.root, head + 1)


def audit(served: Served, **fields: Any) -> audit_pb2.AuditReport:  # noqa: ANN401
    checkpoint = signed(served)
    stated: dict[str, Any] = {
        "program": "auditor 1.0",
        "source": audit_pb2.AUDIT_SOURCE_SERVER,
        "size": checkpoint.size,
        "root": checkpoint.root,
        "passed": False,
        "checks": [audit_pb2.AuditCheck(rule="replay.decision", checked=7, failed=1)],
        "findings": [audit_pb2.AuditFinding(rule="replay.decision", position=9, what="differs")],
        **fields,
    }
    return audit_pb2.AuditReport(**stated)


def test_an_audit_is_recorded_as_reported(served: Served) -> None:
    report = audit(served)
    written = served.ledgers.RecordAudit(
        pb.RecordAuditRequest(report=report), timeout=TIMEOUT
    ).appended
    event = served.service.ledger().log.event(written.position)
    assert event is not None
    assert event.type == "audit.completed.v1"
    assert event.data["source"] == "server"
    assert event.data["root"] == report.root.hex()
    assert event.data["checks"][0] == {
        "rule": "replay.decision",
        "checked": 7,
        "failed": 1,
        "unchecked": 0,
    }
    assert event.data["findings"][0]["position"] == 9


def test_an_audit_with_a_transcript_is_recorded_with_it_and_a_false_one_is_refused(
    served: Served,
) -> None:
    plain = audit(served)
    results = [(one.rule, one.checked, one.failed, one.unchecked) for one in plain.checks]
    parts = {
        "events": transcript.events_digest(ORIGIN, plain.size, plain.root.hex()),
        "results": transcript.results_digest(results),
        "source": transcript.source_digest("server", results),
    }
    told = [
        audit_pb2.AuditTranscriptPart(name=name, digest=bytes.fromhex(digest))
        for name, digest in parts.items()
    ]
    root = transcript.transcript_root(parts)
    report = audit(served, transcript=root, transcript_parts=told)
    written = served.ledgers.RecordAudit(
        pb.RecordAuditRequest(report=report), timeout=TIMEOUT
    ).appended
    event = served.service.ledger().log.event(written.position)
    assert event is not None
    assert (event.type, event.data["transcript"]) == ("audit.completed.v2", root.hex())
    short = [audit_pb2.AuditTranscriptPart(name="", digest=b"x")]
    for wrong, fields in (
        ({"transcript": b"short"}, {"report.transcript"}),
        ({"transcript": bytes(32), "transcript_parts": told}, {"report.transcript"}),
        ({"transcript_parts": told}, {"report.transcript"}),
        ({"transcript": root}, {"report.transcript_parts"}),
        (
            {"transcript": root, "transcript_parts": short},
            {"report.transcript_parts.0.name", "report.transcript_parts.0.digest"},
        ),
    ):
        request = pb.RecordAuditRequest(report=audit(served, **wrong))
        found = refused(lambda: served.ledgers.RecordAudit(request, timeout=TIMEOUT))  # noqa: B023
        assert found.reason == "FIELD_INVALID", wrong
        assert fields <= found.fields.keys() | {found.metadata["field"]}, found
