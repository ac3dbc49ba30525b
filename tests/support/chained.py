"""A ledger in memory, hashed, linked, proven and signed from the format's page alone.

Nothing of the product takes part (`cryptography` makes the signatures), so that a mistake of the
product cannot hide in its tests. What needs a product's view of such a ledger takes it from here:
stories for projections, bundles, forged databases, a server that lies.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ORIGIN: Final = "ledger.example.com/fraud"
NONE: Final = "0" * 64


def canonical(value: object) -> bytes:
    """Return the canonical bytes of a value whose keys are ASCII and whose numbers are integers."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the RFC 6962 root, by its recursive definition."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha(b"")
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha(b"\1" + merkle_root(leaves[:k]) + merkle_root(leaves[k:]))


def inclusion(index: int, leaves: Sequence[bytes]) -> list[str]:
    """Return an inclusion proof, by its recursive definition."""
    if len(leaves) == 1:
        return []
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < k:
        return [*inclusion(index, leaves[:k]), merkle_root(leaves[k:]).hex()]
    return [*inclusion(index - k, leaves[k:]), merkle_root(leaves[:k]).hex()]


@dataclass(frozen=True)
class Signer:
    """A key with its secret: of a log (kind 1) or a witness (kind 4)."""

    name: str
    seed: bytes
    kind: int = 1

    @property
    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def key_id(self) -> bytes:
        return sha(self.name.encode() + b"\n" + self._public())[:4]

    def _public(self) -> bytes:
        return bytes([self.kind]) + self.key.public_key().public_bytes_raw()

    @property
    def vkey(self) -> str:
        encoded = base64.b64encode(self._public()).decode()
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def line(self, text: bytes, seconds: int = 1_767_225_600) -> str:
        """Return the signature line under a text."""
        blob = self.key_id
        if self.kind == 4:
            message = b"cosignature/v1\ntime %d\n" % seconds + text
            blob += seconds.to_bytes(8, "big") + self.key.sign(message)
        else:
            blob += self.key.sign(text)
        return f"\N{EM DASH} {self.name} {base64.b64encode(blob).decode()}\n"


def log_key(number: int = 1) -> Signer:
    return Signer(ORIGIN, sha(b"log %d" % number))


def witness_key(number: int) -> Signer:
    return Signer(f"witness-{number}.example.com", sha(b"witness %d" % number), kind=4)


@dataclass
class Chained:
    """A ledger in memory: lines as in events.jsonl, in order of position."""

    origin: str = ORIGIN
    events: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many events there are."""
        return len(self.events)

    def add(
        self, type_: str, data: Mapping[str, Any], stream: str = "ledger", **body: object
    ) -> int:
        """Append an event, with members of its body that are not usual; return its position."""
        self.raw(type_, body_of(data, **body), stream)
        return self.size

    def raw(
        self, type_: str, body: dict[str, Any] | bytes, stream: str, recorded_at: str = ""
    ) -> dict[str, Any]:
        """Append an event with any body at all."""
        position = self.size + 1
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        event = linked(
            body,
            ledger=self.origin,
            position=position,
            prev_hash=self.events[-1]["hash"] if self.events else NONE,
            recorded_at=recorded_at
            or f"2026-03-01T10:{position // 60 % 60:02}:{position % 60:02}.000001Z",
            stream=stream,
            stream_version=version,
            type=type_,
        )
        self.events.append(event)
        return event

    def leaves(self, size: int | None = None) -> list[bytes]:
        return [bytes.fromhex(event["hash"]) for event in self.events[:size]]

    def records(self, as_of: int) -> list[dict[str, Any]]:
        """Return the records that a seal covers, in order of stream."""
        newest = {event["header"]["stream"]: event for event in self.events[:as_of]}
        return [
            {
                "event_hash": newest[stream]["hash"],
                "stream": stream,
                "stream_version": newest[stream]["header"]["stream_version"],
            }
            for stream in sorted(newest)
        ]

    def seal(self, as_of: int | None = None) -> int:
        as_of = self.size if as_of is None else as_of
        leaves = [sha(b"\0" + canonical(record)) for record in self.records(as_of)]
        data = {"as_of": as_of, "root": merkle_root(leaves).hex(), "streams": len(leaves)}
        return self.add("streams.sealed.v1", data, actor="system/sealer")

    def sealed(self, seal: int, stream: str, size: int) -> dict[str, Any]:
        """Return what `seal.json` says of a stream, by the seal at a position, in a tree."""
        event = self.events[seal - 1]
        records = self.records(event["body"]["data"]["as_of"])
        at = [record["stream"] for record in records].index(stream)
        leaves = [sha(b"\0" + canonical(record)) for record in records]
        return {
            "event": event,
            "inclusion": inclusion(seal - 1, self.leaves(size)),
            "record": records[at],
            "record_inclusion": inclusion(at, leaves),
            "record_index": at,
        }

    def erase(self, *positions: int) -> int:
        """Append what names bodies as erased, and remove them."""
        data = {"authority": "Data protection officer", "ground": "GDPR Art. 17(1)(a)"}
        own = self.add("body.erased.v1", data | {"positions": [[p, p] for p in positions]})
        for position in positions:
            gone: dict[str, Any] = {"body": None, "salt": None}
            self.events[position - 1] = self.events[position - 1] | gone
        return own

    def note(self, size: int | None = None, signers: Iterable[Signer] = ()) -> bytes:
        size = self.size if size is None else size
        root = base64.b64encode(merkle_root(self.leaves(size))).decode()
        text = f"{self.origin}\n{size}\n{root}\n".encode()
        return text + b"\n" + "".join(signer.line(text) for signer in signers).encode()


def body_of(data: Mapping[str, Any], **members: object) -> dict[str, Any]:
    """Return a body that says this."""
    usual = {"actor": "users/ada", "causation_position": None, "request_id": None, "run_id": None}
    return usual | {"data": dict(data)} | members


def linked(body: dict[str, Any] | bytes, **header: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an event with this body, and a header that says this besides."""
    salt = sha(b"salt %d" % header["position"])[:16].hex()
    return rehash({"body": body, "hash": "", "header": header, "salt": salt})


def rehash(event: dict[str, Any]) -> dict[str, Any]:
    """Make an event's hashes those of its body, salt and header."""
    if (body := event["body"]) is not None:
        raw = body if isinstance(body, bytes) else canonical(body)
        event["header"]["body_hash"] = sha(b"\2" + bytes.fromhex(event["salt"]) + raw).hex()
    event["hash"] = sha(b"\0" + canonical(event["header"])).hex()
    return event


def hashes_of(event: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Return the hash of an event's body, of the event before it, and its own."""
    header = event["header"]
    committed, previous = bytes.fromhex(header["body_hash"]), bytes.fromhex(header["prev_hash"])
    return committed, previous, bytes.fromhex(event["hash"])


def line_of(event: Mapping[str, Any]) -> bytes:
    """Return an event's line."""
    return canonical(event) + b"\n"


def relink(events: list[dict[str, Any]], start: int = 0) -> None:
    """Recompute links and hashes from an index on, as somebody with the database would."""
    for at in range(start, len(events)):
        events[at]["header"]["prev_hash"] = events[at - 1]["hash"] if at else NONE
        rehash(events[at])


def remade(ledger: Chained, at: int) -> None:
    """Make links, hashes and seals right again from an event on that was changed, as an owner can.

    Only of the event itself the data stays as it is, should it be a seal.
    """
    for index, event in enumerate(ledger.events[at:], at):
        if index != at and event["header"]["type"] == "streams.sealed.v1":
            data = event["body"]["data"]
            leaves = [sha(b"\0" + canonical(record)) for record in ledger.records(data["as_of"])]
            data |= {"root": merkle_root(leaves).hex(), "streams": len(leaves)}
        event["header"]["prev_hash"] = ledger.events[index - 1]["hash"] if index else NONE
        rehash(event)


def small_chained(models: int = 2, observations: int = 3) -> Chained:
    """Return a ledger with two keys to come, some streams, a seal, an erasure and a rotation."""
    made = Chained()
    time = "2026-03-01T10:00:00.000001Z"
    created = {"created_at": time, "format": "decision-ledger/1", "origin": ORIGIN}
    made.add("ledger.created.v1", created | {"vkey": log_key(1).vkey})
    configured = {"clock": "wall", "next_key_digest": digest_of(log_key(2)), "skew_seconds": 300}
    made.add("ledger.configured.v3", configured | {"leap_seconds": 0, "unit_of_cost": "GPU hours"})
    for model in range(models):
        for number in range(observations):
            data = {
                "note": f"d\u00e9j\u00e0 {number} \U0001f9ea\n\u2028",
                "n": -number,
                "list": [{}, []],
            }
            cause = made.size if number else None
            stream, name = f"models/m{model}", f"request-{made.size + 1}"
            made.add("signal.observed.v1", data, stream, causation_position=cause, request_id=name)
    made.seal()
    made.add("model.dreamt.v7", {"flag": None}, "models/m0", run_id="runs/r-1")
    made.erase(4)
    return made


def digest_of(signer: Signer) -> str:
    return sha(signer.vkey.encode()).hex()


def rotate(ledger: Chained, old_until: int, new: Signer, after: Signer) -> int:
    """Append a rotation whose new key signs from its own position, and the next commitment."""
    position = ledger.size + 1
    data = {"from_position": position, "previous_until_position": old_until, "vkey": new.vkey}
    ledger.add("key.rotated.v1", data)
    ledger.add("key.committed.v1", {"next_key_digest": digest_of(after)})
    return position
