"""How the ledger proves itself, for asyncio: checkpoints, proofs, keys, seals, audits, drills."""

from collections.abc import AsyncIterator

from ledger.client.aio.connection import AsyncServiceCalls
from ledger.client.call import Call
from ledger.client.decode import one, whole
from ledger.client.drills import Drill, drill_message
from ledger.client.inputs import audit_message
from ledger.client.proofs import AuditReport, ChangedKey, ConsistencyProof, Seal, SigningKeys
from ledger.client.records import Appended, Checkpoint
from ledger.client.trust import calls
from ledger.client.trust.results import VerifiedCheckpoint, VerifiedConsistency, VerifiedProof
from ledger.client.trust.verification import Verification
from ledger.v1 import ledger_service_pb2 as pb


class AsyncProofCalls(AsyncServiceCalls):
    """The ledger's statements about itself, and whether they can be believed."""

    # ---- verified --------------------------------------------------------------------------------

    async def verified_checkpoint(
        self, *, min_position: int = 0, size: int = 0
    ) -> VerifiedCheckpoint:
        """Have a checkpoint signed over all that is recorded, or take the one of a size; verified.

        It is signed by a trusted key and extends the newest one that was verified before, which it
        then takes the place of. ForkError, RollbackError and ProofRefusedError keep both as
        evidence. At first use, with no key pinned, a FirstUseWarning says so, and so does `basis`.
        """
        steps = Verification(self._connection.settings).checkpoint(min_position, size)
        return await self._connection.carry_out(steps)

    async def prove_inclusion(
        self, position: int, *, size: int = 0, event_hash: bytes | None = None
    ) -> VerifiedProof:
        """Prove that an event is in the tree of a verified checkpoint: of a size, or the newest.

        `event_hash`: the hash that you know the event by; ProofRefusedError if it is another's.
        """
        steps = Verification(self._connection.settings).inclusion(position, size, event_hash)
        return await self._connection.carry_out(steps)

    async def verify_consistency(
        self, from_size: int, from_root: bytes, *, to_size: int = 0
    ) -> VerifiedConsistency:
        """Verify that the ledger extends a tree that you have kept; ForkError if it does not."""
        steps = Verification(self._connection.settings).consistency(from_size, from_root, to_size)
        return await self._connection.carry_out(steps)

    # ---- as the server says ----------------------------------------------------------------------

    async def get_checkpoint(self, *, min_position: int = 0, size: int = 0) -> Checkpoint:
        """Return what the server says, unverified: see `verified_checkpoint`."""
        return await self._connection.run(calls.get_checkpoint(min_position, size))

    def list_checkpoints(self, *, after_size: int = 0) -> AsyncIterator[Checkpoint]:
        """Iterate over what was ever signed, by size, as the server says: unverified."""
        return self._connection.items(calls.list_checkpoints(after_size))

    async def prove_consistency(self, from_size: int, *, to_size: int = 0) -> ConsistencyProof:
        """Return what the server says, unverified: see `verify_consistency`."""
        return await self._connection.run(calls.prove_consistency(from_size, to_size))

    async def list_keys(self) -> SigningKeys:
        """Return the keys that sign, or have signed, as the server says."""
        return await self._connection.run(Call(pb.ListKeysRequest(), whole(SigningKeys)))

    # ---- on record -------------------------------------------------------------------------------

    async def add_cosignature(self, size: int, line: str) -> Checkpoint:
        """Add a witness's signature line to the checkpoint of a size; a repeat changes nothing."""
        request = pb.AddCosignatureRequest(size=size, line=line)
        return await self._connection.run(Call(request, one(Checkpoint, "checkpoint")))

    async def rotate_key(
        self, *, overlap: int | None = None, request_id: str | None = None
    ) -> ChangedKey:
        """Let the committed key take over; both sign over `overlap` positions, or 1000."""
        request = pb.RotateKeyRequest(overlap=overlap)
        return await self._connection.run(Call(request, whole(ChangedKey), request_id))

    async def revoke_key(
        self,
        verifier_key: str,
        from_position: int,
        reason: str,
        *,
        request_id: str | None = None,
    ) -> ChangedKey:
        """Declare that what a key signed about trees of this size or larger counts for nothing."""
        request = pb.RevokeKeyRequest(
            verifier_key=verifier_key, from_position=from_position, reason=reason
        )
        return await self._connection.run(Call(request, whole(ChangedKey), request_id))

    async def seal_streams(self, *, request_id: str | None = None) -> Seal:
        """Record how far every stream has come; the newest seal if it covers all but itself."""
        return await self._connection.run(Call(pb.SealStreamsRequest(), whole(Seal), request_id))

    async def record_audit(self, report: AuditReport, *, request_id: str | None = None) -> Appended:
        """Record that an audit was completed, and what it found."""
        request = pb.RecordAuditRequest(report=audit_message(report))
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))

    async def record_drill(self, drill: Drill, *, request_id: str | None = None) -> Appended:
        """Record that a drill was held, and what came of it."""
        request = pb.RecordDrillRequest(drill=drill_message(drill))
        return await self._connection.run(Call(request, one(Appended, "appended"), request_id))
