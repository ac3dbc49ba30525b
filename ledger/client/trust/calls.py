"""The calls by which a ledger proves itself, as verification makes them and clients offer them."""

from ledger.client.call import Call, Paged
from ledger.client.decode import one, paged
from ledger.client.proofs import ConsistencyProof, InclusionProof
from ledger.client.records import Checkpoint
from ledger.limits import PAGE_SIZE_MAX
from ledger.v1 import ledger_service_pb2 as pb


def get_checkpoint(min_position: int = 0, size: int = 0) -> Call[Checkpoint]:
    """Return the call for a checkpoint over all that is recorded, or for the one of a size."""
    request = pb.GetCheckpointRequest(min_position=min_position, size=size)
    return Call(request, one(Checkpoint, "checkpoint"))


def list_checkpoints(after_size: int = 0, page_size: int = PAGE_SIZE_MAX) -> Paged[Checkpoint]:
    """Return the list of what was ever signed."""
    request = pb.ListCheckpointsRequest(after_size=after_size, page_size=page_size)
    return paged(request, Checkpoint, "checkpoints")


def prove_inclusion(position: int, size: int = 0) -> Call[InclusionProof]:
    """Return the call for the proof of one event."""
    request = pb.ProveInclusionRequest(position=position, size=size)
    return Call(request, one(InclusionProof, "proof"))


def prove_consistency(from_size: int, to_size: int = 0) -> Call[ConsistencyProof]:
    """Return the call for the proof that joins two trees."""
    request = pb.ProveConsistencyRequest(from_size=from_size, to_size=to_size)
    return Call(request, one(ConsistencyProof, "proof"))
