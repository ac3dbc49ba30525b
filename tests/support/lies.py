"""Every kind of lie that a forger with database and key can tell about a ledger's history.

Each function tells one kind and returns it for an attempt's number, which decides everything about
it. `HONEST` is the history that the client has seen sixty events of.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ledger.chain.note import Signature
from ledger.client.call import Steps
from ledger.client.errors import ForkError, ProofRefusedError, RollbackError
from ledger.client.observations import add_observations
from ledger.client.trust.verification import Verification
from ledger.v1 import checkpoint_pb2, ledger_service_pb2, signal_service_pb2
from tests.support.forging import ORIGIN, Forge, key, vkey

REAL = key(1)
THIEF = key(666)
SEEN = 60
"""Size of the checkpoint that the client remembers."""


def honest() -> Forge:
    forge = Forge().grow(100)
    for size in (20, 40, SEEN, 80, 100):
        forge.sign(REAL, size=size)
    return forge


HONEST = honest()
ROWS = [("fares", "log-loss", 0.5, 1_772_359_200_000_000)]


@dataclass
class Lie:
    """A forger, and the question at which he lies."""

    forge: Forge
    ask: Callable[[Verification], Steps[Any]]
    error: type[ProofRefusedError]


def draw(number: int, tag: str, low: int, high: int) -> int:
    """Return a number from low to high that the attempt's number decides."""
    digest = hashlib.sha256(f"{number} {tag}".encode()).digest()
    return low + int.from_bytes(digest[:4], "big") % (high - low + 1)


def batch() -> signal_service_pb2.SubmitSignalsRequest:
    request = signal_service_pb2.SubmitSignalsRequest()
    add_observations(request, ROWS)
    return request


def newest(verification: Verification) -> Steps[Any]:
    return verification.checkpoint()


def diverging(number: int, *, size: int) -> Forge:
    """Return a history that leaves the honest one before what was seen."""
    keep = draw(number, "keep", 0, SEEN - 1)
    forge = Forge(leaves=HONEST.leaves[:keep]).grow(size - keep, f"forged {number}")
    forge.sign(REAL)
    return forge


def other_history_of_the_same_size(number: int) -> Lie:
    return Lie(diverging(number, size=SEEN), newest, ForkError)


def other_suffix(number: int) -> Lie:
    """Proofs: of the forged tree, of the honest one, damaged, empty, or refused."""
    size = draw(number, "size", SEEN + 1, 100)
    forge = diverging(number, size=size)
    honest_hashes = HONEST.consistency(SEEN, size)
    made = forge.consistency(SEEN, size)
    damaged = list(made)
    at = draw(number, "at", 0, len(damaged) - 1)
    damaged[at] = hashlib.sha256(damaged[at]).digest()
    hashes = (made, honest_hashes, damaged, [], made + made[:1], None)[number % 6]

    def answer(request: Any) -> Any:  # noqa: ANN401
        if hashes is None:
            return forge.signed(10_000)
        return ledger_service_pb2.ProveConsistencyResponse(
            proof=checkpoint_pb2.ConsistencyProof(
                from_size=request.from_size, hashes=hashes, checkpoint=forge.checkpoints[size]
            )
        )

    forge.overrides["ProveConsistency"] = answer
    return Lie(forge, newest, ForkError)


def shorter(number: int) -> Lie:
    """A restored backup, or one that was then written on differently."""
    size = draw(number, "size", 1, SEEN - 1)
    forge = Forge(leaves=HONEST.leaves[:size])
    if number % 2:
        forge = Forge(leaves=HONEST.leaves[: size // 2]).grow(size - size // 2, f"f {number}")
    forge.sign(REAL)
    return Lie(forge, newest, RollbackError)


def replay_of_an_old_head(number: int) -> Lie:
    forge = HONEST.copy()
    old = forge.checkpoints[(20, 40)[number % 2]]
    forge.overrides["GetCheckpoint"] = lambda _: ledger_service_pb2.GetCheckpointResponse(
        checkpoint=old
    )
    return Lie(forge, newest, RollbackError)


def history_rewritten_below_what_was_seen(number: int) -> Lie:
    """The checkpoint of an earlier size is asked for, and another than the honest one comes."""
    size = draw(number, "size", 1, SEEN - 1)
    keep = draw(number, "keep", 0, size - 1)
    forge = HONEST.copy()
    other = Forge(leaves=HONEST.leaves[:keep]).grow(size - keep, f"forged {number}")
    forge.checkpoints[size] = other.sign(REAL)
    return Lie(forge, lambda verification: verification.checkpoint(size=size), ForkError)


def wrong_inclusion_proof(number: int) -> Lie:
    """Bits flipped, hashes dropped, added or swapped, the proof of a neighbour."""
    forge = HONEST.copy()
    position = draw(number, "position", 1, 100)
    proof = forge.inclusion(position, forge.checkpoints[100])
    hashes = list(proof.hashes)
    at = draw(number, "at", 0, len(hashes) - 1)
    match number % 6:
        case 0:
            bit = draw(number, "bit", 0, 255)
            flipped = int.from_bytes(hashes[at], "big") ^ (1 << bit)
            hashes[at] = flipped.to_bytes(32, "big")
        case 1:
            del hashes[at]
        case 2:
            hashes.insert(at, hashes[at])
        case 3:
            hashes[at], hashes[at - 1] = hashes[at - 1], hashes[at]
        case 4:
            hashes = list(forge.inclusion(position % 100 + 1, forge.checkpoints[100]).hashes)[::-1]
        case _:
            hashes[at] = hashes[at][:31]
    del proof.hashes[:]
    proof.hashes.extend(hashes)
    return _proving(forge, position, proof)


def swapped_leaf(number: int) -> Lie:
    """The right proof for another event: of another place, or an edited one at this place."""
    forge = HONEST.copy()
    position = draw(number, "position", 1, 100)
    other = position % 100 + 1
    proof = forge.inclusion(position, forge.checkpoints[100])
    if number % 3 == 0:
        proof = forge.inclusion(other, forge.checkpoints[100])
    elif number % 3 == 1:
        proof.event_hash = forge.leaves[other - 1]
    else:
        proof.event_hash = hashlib.sha256(f"edited {number}".encode()).digest()
    return _proving(forge, position, proof)


def _proving(forge: Forge, position: int, proof: checkpoint_pb2.InclusionProof) -> Lie:
    response = ledger_service_pb2.ProveInclusionResponse(proof=proof)
    forge.overrides["ProveInclusion"] = lambda _: response
    return Lie(forge, lambda verification: verification.inclusion(position), ProofRefusedError)


def other_event_than_the_one_held(number: int) -> Lie:
    """An honest proof, of an event that is not what the asker has."""
    position = draw(number, "position", 1, 100)
    held = hashlib.sha256(f"held {number}".encode()).digest()
    return Lie(
        HONEST.copy(),
        lambda verification: verification.inclusion(position, event_hash=held),
        ProofRefusedError,
    )


def inclusion_in_a_forged_tree(number: int) -> Lie:
    forge = diverging(number, size=draw(number, "size", SEEN, 100))
    position = draw(number, "position", 1, SEEN)
    return Lie(forge, lambda verification: verification.inclusion(position), ForkError)


def batch_proven_in_a_forged_tree(number: int) -> Lie:
    forge = diverging(number, size=draw(number, "size", SEEN, 100))
    return Lie(forge, lambda verification: verification.submission(batch()), ForkError)


def batch_without_its_proof(number: int) -> Lie:
    """The proof is left out, or is that of another position than the one answered."""
    forge = HONEST.copy()

    def answer(_: Any) -> Any:  # noqa: ANN401
        response = forge.SubmitSignals(
            signal_service_pb2.SubmitSignalsRequest(wait_for_checkpoint=number % 2 == 0)
        )
        if number % 2 == 0:
            response.appended.position = draw(number, "position", 1, 99)
        return response

    forge.overrides["SubmitSignals"] = answer
    return Lie(forge, lambda verification: verification.submission(batch()), ProofRefusedError)


def other_origin(number: int) -> Lie:
    origin = f"ledger.example/other-{number % 7}"
    forge = Forge(origin=origin).grow(draw(number, "size", 1, 100))
    forge.sign(key(1, origin))
    return Lie(forge, newest, ProofRefusedError)


def unknown_key(number: int) -> Lie:
    """An honest tree, or a forged one, signed by no known key."""
    size = draw(number, "size", SEEN, 100)
    forge = HONEST.copy() if number % 2 else diverging(number, size=size)
    forge.sign(key(1_000 + number), size=size)
    forge.checkpoints = {size: forge.checkpoints[size]}
    return Lie(forge, newest, ProofRefusedError)


def borrowed_signature(number: int) -> Lie:
    """The signature line of an honest checkpoint, under another text or with bits flipped."""
    forge = diverging(number, size=draw(number, "size", SEEN, 100))
    (size,) = forge.checkpoints
    text, _, _ = forge.checkpoints[size].note.rpartition("\n\n")
    honest_line = HONEST.checkpoints[SEEN].note.rpartition("\n\n")[2]
    if number % 2:
        line = Signature(ORIGIN, REAL.verifier_key.key_id, bytes([number % 256]) * 64).line() + "\n"
    else:
        line = honest_line
    forge.checkpoints[size].note = f"{text}\n\n{line}"
    return Lie(forge, newest, ProofRefusedError)


def fields_that_the_note_does_not_state(number: int) -> Lie:
    forge = HONEST.copy()
    shown = forge.checkpoints[100]
    match number % 4:
        case 0:
            shown.size = draw(number, "size", 101, 10_000)
        case 1:
            shown.root = hashlib.sha256(str(number).encode()).digest()
        case 2:
            shown.origin = "ledger.example/other"
        case _:
            shown.note = shown.note.replace("\n100\n", f"\n0{number}\n", 1)
    forge.checkpoints = {100: shown}
    return Lie(forge, newest, ProofRefusedError)


def key_that_was_not_committed(number: int) -> Lie:
    """A rotation to the thief's key that the old key signed along, or did not, without notice."""
    forge = HONEST.copy()
    if number % 3 == 0:
        forge.record("key.committed.v1", {"next_key_digest": hashlib.sha256(b"x").hexdigest()})
    position = forge.record(
        "key.rotated.v1",
        {
            "from_position": len(forge.leaves) + 1,
            "previous_until_position": len(forge.leaves) + 1,
            "vkey": vkey(THIEF),
        },
    )
    forge.sign(REAL, THIEF, size=position)
    forge.grow(draw(number, "more", 1, 9), f"taken over {number}").sign(THIEF)
    return Lie(forge, newest, ProofRefusedError)


LIES: dict[str, Callable[[int], Lie]] = {
    make.__name__: make
    for make in (
        other_history_of_the_same_size,
        other_suffix,
        shorter,
        replay_of_an_old_head,
        history_rewritten_below_what_was_seen,
        wrong_inclusion_proof,
        swapped_leaf,
        other_event_than_the_one_held,
        inclusion_in_a_forged_tree,
        batch_proven_in_a_forged_tree,
        batch_without_its_proof,
        other_origin,
        unknown_key,
        borrowed_signature,
        fields_that_the_note_does_not_state,
        key_that_was_not_committed,
    )
}
