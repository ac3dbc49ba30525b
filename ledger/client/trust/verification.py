"""Verified questions of a client to its ledger: steps 8 to 10, after those of a checkpoint."""

from dataclasses import replace
from typing import Final

from ledger.chain import proof_text
from ledger.chain.heads import TreeHead, compare
from ledger.chain.merkle import ProofError, check_inclusion
from ledger.client.call import Call, Steps, Wait
from ledger.client.decode import decode
from ledger.client.errors import ForkError, ProofRefusedError
from ledger.client.options import ClientOptions
from ledger.client.proofs import ConsistencyProof, InclusionProof
from ledger.client.records import Checkpoint, Submitted
from ledger.client.trust import calls
from ledger.client.trust.checkpoints import CheckpointVerifier
from ledger.client.trust.results import (
    ProvenSubmission,
    VerifiedCheckpoint,
    VerifiedConsistency,
    VerifiedProof,
)
from ledger.v1 import signal_service_pb2 as pb

_WITNESS_PAUSE_SECONDS: Final = 0.2


class Verification:
    """The verified questions of one client to its ledger."""

    def __init__(self, settings: ClientOptions) -> None:
        self._clock = settings.clock
        self._deadline_seconds = settings.deadline_seconds
        self._policy = settings.witness_policy
        self._checkpoints = CheckpointVerifier(settings)

    def checkpoint(self, min_position: int = 0, size: int = 0) -> Steps[VerifiedCheckpoint]:
        """Verify a checkpoint over all that is recorded, or the one of a size.

        With a policy the first that has its quorum is taken: of that size or, if none was asked
        for, of at least the present one, while the deadline lasts; witnesses sign later.
        """
        floor = {} if size else self._checkpoints.floor()
        stated = yield calls.get_checkpoint(min_position, size)
        self._is_asked_for(stated, size, min_position)
        if size:
            return (yield from self._checkpoints.accept(stated))
        verified = yield from self._checkpoints.join(stated, floor=floor)
        return (yield from self._witnessed(verified))

    def inclusion(
        self, position: int, size: int = 0, event_hash: bytes | None = None
    ) -> Steps[VerifiedProof]:
        """Verify that an event is in a tree, and is the expected one if a hash is given.

        Without a size: in the newest that was signed. With a policy: in the first of at least the
        present size that has its quorum.
        """
        if not size and self._policy is not None:
            size = (yield from self.checkpoint(min_position=position)).size
        floor = {} if size else self._checkpoints.floor()
        stated = yield calls.prove_inclusion(position, size)
        verified = yield from self._checkpoints.accept(stated.checkpoint, floor=floor)
        self._is_asked_for(verified, size)
        return self._proven(stated, verified, position, event_hash)

    def consistency(
        self, from_size: int, from_root: bytes, to_size: int = 0
    ) -> Steps[VerifiedConsistency]:
        """Step 10: verify that the ledger extends a tree that the caller has kept."""
        verified = yield from self.checkpoint(size=to_size)
        stated: ConsistencyProof
        stated = yield calls.prove_consistency(from_size, verified.size)
        kept, newest = TreeHead(from_size, from_root), TreeHead(verified.size, verified.root)
        comparison = compare(kept, newest, stated.hashes)
        if not comparison.is_extended:
            self._checkpoints.refuse(
                verified.origin,
                f"its checkpoint over {verified.size} events does not extend the kept tree of "
                f"{from_size}: {comparison.why}",
                verified.note,
                error=ForkError,
                proof=stated.hashes,
                details={"from_size": str(from_size), "from_root": from_root.hex()},
            )
        return VerifiedConsistency(from_size, stated.hashes, verified)

    def submission(
        self, request: pb.SubmitSignalsRequest, request_id: str | None = None
    ) -> Steps[ProvenSubmission]:
        """Record a batch once a checkpoint covers it, and verify the proof of its last event.

        A refusal says where the server says that the batch is: it may be on record all the same.
        """
        floor = self._checkpoints.floor()
        request.wait_for_checkpoint = True
        appended, stated = yield Call(request, _proven_by_server, request_id)
        position, hash_ = appended.position, appended.event_hash
        try:
            if stated is None:
                self._checkpoints.refuse(self._checkpoints.origin, "it answered without a proof")
            verified = yield from self._checkpoints.join(stated.checkpoint, floor=floor)
            proof = self._proven(stated, verified, position, hash_)
            covering = yield from self._witnessed(verified)
            if covering.size != verified.size:
                proof = yield from self.inclusion(position, covering.size, hash_)
        except ProofRefusedError as error:
            error.on_record = position
            raise
        return ProvenSubmission(appended, replace(proof, checkpoint=covering))

    def _is_asked_for(
        self, given: Checkpoint | VerifiedCheckpoint, size: int, size_min: int = 0
    ) -> None:
        """Step 8: refuse a checkpoint of another size than was asked for, or below the least."""
        if given.size != size if size else given.size < size_min:
            self._checkpoints.refuse(
                given.origin,
                f"asked for a checkpoint over {size or size_min} events, it gave that over "
                f"{given.size}",
                given.note,
            )

    def _proven(
        self,
        stated: InclusionProof,
        verified: VerifiedCheckpoint,
        position: int,
        event_hash: bytes | None,
    ) -> VerifiedProof:
        """Step 9: return a proof that is of that position and event and leads to the root."""
        why = ""
        if stated.position != position:
            why = f"asked for position {position}, it proves position {stated.position}"
        elif event_hash is not None and stated.event_hash != event_hash:
            why = f"the event at position {position} is not the expected one"
        else:
            try:
                check_inclusion(
                    index=position - 1,
                    size=verified.size,
                    leaf=stated.event_hash,
                    root=verified.root,
                    proof=stated.hashes,
                )
            except ProofError as error:
                why = f"position {position} is not proven: {error}"
        if why:
            self._checkpoints.refuse(
                verified.origin,
                why,
                verified.note,
                proof=stated.hashes,
                details={
                    "position": str(stated.position),
                    "event_hash": stated.event_hash.hex(),
                    "expected_hash": event_hash.hex() if event_hash else "",
                },
            )
        text = proof_text.encode(position - 1, stated.hashes, verified.note.encode())
        return VerifiedProof(position, stated.event_hash, stated.hashes, verified, text)

    def _witnessed(self, verified: VerifiedCheckpoint) -> Steps[VerifiedCheckpoint]:
        """Step 7: wait for the first checkpoint, from a verified one on, that has its quorum."""
        if self._policy is None:
            return verified
        end = self._clock.monotonic_seconds() + self._deadline_seconds
        quorum = self._checkpoints.quorum(verified.origin, verified.note)
        while quorum.why:
            if self._clock.monotonic_seconds() >= end:
                raise self._checkpoints.lacking(verified, quorum)
            yield Wait(_WITNESS_PAUSE_SECONDS)
            page = yield calls.list_checkpoints(verified.size - 1).first
            for stated in page.items:
                quorum = self._checkpoints.quorum(verified.origin, stated.note)
                if not quorum.why and stated.size >= verified.size:
                    verified = yield from self._checkpoints.join(stated)
                    break
        return verified.witnessed(quorum.cosigned)


def _proven_by_server(
    response: pb.SubmitSignalsResponse,
) -> tuple[Submitted, InclusionProof | None]:
    proof = decode(InclusionProof, response.proof) if response.HasField("proof") else None
    return decode(Submitted, response), proof
