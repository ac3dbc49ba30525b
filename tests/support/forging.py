"""Ledgers in memory that sign whatever they are told to: honest ones, and those of a forger.

A `Forge` is one history with its tree and its real keys. It answers the client's calls as the
server would, without a network, so that thousands of lies can be told in a second; `answer` takes a
call and may be overridden for one method at a time. `carry_out` does what a connection does.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.keys import SecretKey
from ledger.chain.merkle import memory_reader, prove_consistency, prove_inclusion, root_of
from ledger.client.call import METHODS, Call, Steps, Wait
from ledger.client.errors import ClientError, refused
from ledger.client.options import ClientOptions
from ledger.client.retry import RetryOptions
from ledger.client.trust.store import TrustedLedger, TrustStore
from ledger.client.trust.verification import Verification
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.events.values import format_time
from ledger.v1 import (
    append_pb2,
    checkpoint_pb2,
    event_pb2,
    ledger_service_pb2,
    signal_service_pb2,
)
from tests.support.chained import NONE, body_of, canonical, hashes_of, linked

T = TypeVar("T")
ORIGIN = "ledger.example/test"
TIME = 1_767_225_600_000_000
Answer = Callable[[Any], Any]
SECONDS = 1_767_225_600


def key(seed: int, origin: str = ORIGIN) -> SecretKey:
    return SecretKey(origin, seed.to_bytes(32, "big"))


def vkey(signing: SecretKey) -> str:
    return str(signing.verifier_key)


def digest_of(signing: SecretKey) -> str:
    return hashlib.sha256(vkey(signing).encode()).hexdigest()


@dataclass
class Forge:
    """A history: leaves, events about keys, and the checkpoints that were signed of it."""

    origin: str = ORIGIN
    leaves: list[bytes] = field(default_factory=list)
    events: dict[int, event_pb2.Event] = field(default_factory=dict)
    checkpoints: dict[int, checkpoint_pb2.Checkpoint] = field(default_factory=dict)
    overrides: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def copy(self) -> "Forge":
        """Return an independent history that goes on from here."""
        checkpoints = {}
        for size, made in self.checkpoints.items():
            checkpoints[size] = checkpoint_pb2.Checkpoint()
            checkpoints[size].CopyFrom(made)
        return Forge(self.origin, list(self.leaves), dict(self.events), checkpoints)

    def grow(self, count: int, tag: str = "honest") -> "Forge":
        """Append events that are never read: only their leaf hashes matter."""
        for _ in range(count):
            text = f"{tag} {len(self.leaves) + 1}"
            self.leaves.append(hashlib.sha256(text.encode()).digest())
        return self

    def record(self, type_: str, data: Mapping[str, Any]) -> int:
        """Append an event about keys, with its body, and return its position."""
        position = len(self.leaves) + 1
        body = canonical(body_of(data, actor="users/ana"))
        made = linked(
            body,
            ledger=self.origin,
            position=position,
            prev_hash=self.leaves[-1].hex() if self.leaves else NONE,
            recorded_at=format_time(TIME),
            stream="ledger",
            stream_version=position,
            type=type_,
        )
        committed, previous, own = hashes_of(made)
        event = event_pb2.Event(
            position=position,
            stream="ledger",
            stream_version=position,
            type=type_,
            body=body,
            salt=bytes.fromhex(made["salt"]),
            body_hash=committed,
            prev_hash=previous,
            event_hash=own,
        )
        event.recorded_at.FromMicroseconds(TIME)
        self.leaves.append(event.event_hash)
        self.events[position] = event
        return position

    def sign(self, *keys: SecretKey, size: int = 0) -> checkpoint_pb2.Checkpoint:
        """Sign the tree of a size with these keys, and keep it."""
        size = size or len(self.leaves)
        root = root_of(self.leaves[:size])
        note = sign(CheckpointBody(self.origin, size, root), keys).decode()
        made = checkpoint_pb2.Checkpoint(
            origin=self.origin, size=size, root=root, note=note, verifier_key=vkey(keys[-1])
        )
        self.checkpoints[size] = made
        return made

    def cosign(self, size: int, *witnesses: CosigningKey) -> None:
        """Add cosignatures to a checkpoint that was signed."""
        made = self.checkpoints[size]
        text = made.note.rpartition("\n\n")[0].encode() + b"\n"
        lines = [witness.cosign(text, SECONDS).line() for witness in witnesses]
        made.note = add_cosignatures(made.note.encode(), lines).decode()

    # ---- what the server answers -----------------------------------------------------------------

    def answer(self, call: Call[Any]) -> Any:  # noqa: ANN401 - whatever the call reads
        """Return what a call comes to."""
        method = METHODS[call.request.DESCRIPTOR.full_name].name.rpartition("/")[2]
        self.asked.append(method)
        behave = self.overrides.get(method) or getattr(self, method)
        return call.read(behave(call.request))

    def GetCheckpoint(self, request: Any) -> Any:  # noqa: ANN401
        checkpoint = self.signed(request.size or max(self.checkpoints))
        return ledger_service_pb2.GetCheckpointResponse(checkpoint=checkpoint)

    def ListCheckpoints(self, request: Any) -> Any:  # noqa: ANN401
        found = [
            made for size, made in sorted(self.checkpoints.items()) if size > request.after_size
        ]
        return ledger_service_pb2.ListCheckpointsResponse(checkpoints=found[: request.page_size])

    def ListEvents(self, request: Any) -> Any:  # noqa: ANN401
        found = [
            event
            for position, event in sorted(self.events.items())
            if position <= request.until_position and event.type in request.types
        ]
        return ledger_service_pb2.ListEventsResponse(events=found)

    def ProveInclusion(self, request: Any) -> Any:  # noqa: ANN401
        checkpoint = self.signed(request.size or max(self.checkpoints))
        return ledger_service_pb2.ProveInclusionResponse(
            proof=self.inclusion(request.position, checkpoint)
        )

    def inclusion(
        self, position: int, checkpoint: checkpoint_pb2.Checkpoint
    ) -> checkpoint_pb2.InclusionProof:
        """Return the honest proof of a position in a checkpoint of this history."""
        leaves = self.leaves[: checkpoint.size]
        return checkpoint_pb2.InclusionProof(
            position=position,
            event_hash=leaves[position - 1],
            hashes=prove_inclusion(position - 1, len(leaves), memory_reader(leaves)),
            checkpoint=checkpoint,
        )

    def ProveConsistency(self, request: Any) -> Any:  # noqa: ANN401
        checkpoint = self.signed(request.to_size or max(self.checkpoints))
        if request.from_size > checkpoint.size:
            raise refused(Reason.POSITION_BEYOND_HEAD, "the ledger is smaller than that")
        hashes = self.consistency(request.from_size, checkpoint.size)
        return ledger_service_pb2.ProveConsistencyResponse(
            proof=checkpoint_pb2.ConsistencyProof(
                from_size=request.from_size, hashes=hashes, checkpoint=checkpoint
            )
        )

    def consistency(self, old_size: int, size: int) -> list[bytes]:
        """Return the honest proof between two sizes of this history."""
        return list(prove_consistency(old_size, size, memory_reader(self.leaves[:size])))

    def SubmitSignals(self, request: Any) -> Any:  # noqa: ANN401
        position = max(self.checkpoints)
        appended = append_pb2.Appended(
            position=position, first_position=position, event_hash=self.leaves[position - 1]
        )
        appended.recorded_at.FromMicroseconds(TIME)
        response = signal_service_pb2.SubmitSignalsResponse(appended=appended)
        if request.wait_for_checkpoint:
            response.proof.CopyFrom(self.inclusion(position, self.checkpoints[position]))
        return response

    def signed(self, size: int) -> checkpoint_pb2.Checkpoint:
        if size not in self.checkpoints:
            raise refused(Reason.CHECKPOINT_UNKNOWN, f"no checkpoint of size {size} was signed")
        return self.checkpoints[size]


def carry_out(
    forge: Forge,
    steps: Steps[T],
    on_pause: Callable[[], None] = lambda: None,
    *,
    first: Any = None,  # noqa: ANN401 - whatever the call reads
) -> T:
    """Make the calls that steps ask for on a forge; `on_pause` is called where they would wait.

    `first` answers what steps that have begun have asked already.
    """
    answer = first
    failure: ClientError | None = None
    while True:
        try:
            step = steps.send(answer) if failure is None else steps.throw(failure)
        except StopIteration as end:
            result: T = end.value
            return result
        answer, failure = None, None
        if isinstance(step, Wait):
            on_pause()
            continue
        try:
            answer = forge.answer(step)
        except ClientError as error:
            failure = error


# ---- a client, and a ledger whose keys change ----------------------------------------------------

K1, K2, K3, THIEF = key(1), key(2), key(3), key(666)


def verification(store: TrustStore, **fields: Any) -> Verification:  # noqa: ANN401
    stated: dict[str, Any] = {"deadline_seconds": 10.0, "clock": SystemClock(), **fields}
    return Verification(
        ClientOptions("127.0.0.1:1", ORIGIN, "", retry=RetryOptions(), trust=store, **stated)
    )


def pinned(path: Path | None = None) -> TrustStore:
    store = TrustStore(path)
    store.pin(vkey(K1))
    return store


def born() -> Forge:
    """Return a ledger whose second event commits to its second key."""
    forge = Forge()
    forge.record("ledger.created.v1", {"vkey": vkey(K1)})
    forge.record("ledger.configured.v2", {"next_key_digest": digest_of(K2)})
    return forge.grow(8)


def rotate(forge: Forge, *, until: int, new: Any = K2, following: Any = K3) -> int:  # noqa: ANN401
    position = len(forge.leaves) + 1
    forge.record(
        "key.rotated.v1",
        {"from_position": position, "previous_until_position": until, "vkey": vkey(new)},
    )
    forge.record("key.committed.v1", {"next_key_digest": digest_of(following)})
    return position


def trusted(store: TrustStore) -> TrustedLedger:
    known = store.known(ORIGIN)
    assert known is not None
    return known
