"""A ledger in memory with everything a bundle can hold, and bundles written of it.

No database and no service: events are linked by hand from the chain's own functions, so that a
bundle's tests fail only for what a bundle does.
"""

from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from ledger.chain.checkpoint import CheckpointBody, sign
from ledger.chain.key_history import KeyHistory, vkey_digest
from ledger.chain.keys import SecretKey
from ledger.chain.link import GENESIS, Link, body_hash, event_hash, header_bytes
from ledger.chain.merkle import CompactRange, memory_reader, prove_inclusion, root_of
from ledger.chain.seal import seal_record, seal_root
from ledger.chain.tiles import RightEdge
from ledger.events.canonical import decode
from ledger.events.envelope import encode_body
from ledger.events.values import format_time
from ledger.export.bundle import BundleWriter, Enclosed, Written
from ledger.export.lines import checked_line, row_of
from ledger.export.proofs import Prover
from ledger.export.report import Replay, Told, render
from ledger.export.scope import Plan, Withholding
from ledger.export.stream_seal import seal_json

ORIGIN = "ledger.example/exported"
START_MICROS = 1_767_225_600_000_000
VERIFIER = b"# in the place of the stand-alone verifier\n"


class LedgerInMemory:
    """Links in order, the streams' versions, and the keys."""

    def __init__(self, origin: str = ORIGIN) -> None:
        self.origin = origin
        self.keys = [SecretKey(origin, bytes([n]) * 32) for n in range(1, 4)]
        self.links: list[Link] = []
        self._versions: dict[str, int] = {}
        self._salts = count(1)
        self.append(
            "ledger.created.v1",
            "ledger",
            {
                "created_at": format_time(START_MICROS),
                "format": "decision-ledger/1",
                "origin": origin,
                "vkey": self.vkey,
            },
        )
        self.append(
            "ledger.configured.v2",
            "ledger",
            {
                "clock": "wall",
                "next_key_digest": vkey_digest(str(self.keys[1].verifier_key)),
                "skew_seconds": 300,
            },
        )

    @property
    def vkey(self) -> str:
        """The first key, as an auditor pins it."""
        return str(self.keys[0].verifier_key)

    @property
    def size(self) -> int:
        """How many events there are."""
        return len(self.links)

    def append(
        self, type_: str, stream: str, data: dict[str, Any], *, actor: str = "users/ada"
    ) -> int:
        """Append an event; return its position."""
        body = encode_body(actor=actor, data=data)
        salt = next(self._salts).to_bytes(16, "big")
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        position, before = self.size + 1, self.links[-1].event_hash if self.links else GENESIS
        committed = body_hash(salt, body)
        recorded_at = format_time(START_MICROS + position * 1_000_000)
        header = header_bytes(
            body_hash=committed.hex(),
            ledger=self.origin,
            position=position,
            prev_hash=before.hex(),
            recorded_at=recorded_at,
            stream=stream,
            stream_version=version,
            type_=type_,
        )
        self.links.append(
            Link(
                position,
                stream,
                version,
                type_,
                recorded_at,
                body,
                salt,
                committed,
                before,
                event_hash(header),
            )
        )
        return position

    def observe(self, model: str, value: str = "0.5") -> int:
        """Append an observation of a model."""
        data = {
            "model_version": "v1",
            "observed_at": format_time(START_MICROS),
            "sample_size": 100,
            "signal": "log-loss",
            "value": value,
        }
        return self.append("signal.observed.v1", f"models/{model}", data, actor="services/monitor")

    def seal(self, as_of: int | None = None) -> int:
        """Seal the streams as of a position, the newest if none is given."""
        at = as_of or self.size
        records = self.seal_records(at)
        data = {"as_of": at, "root": seal_root(records).hex(), "streams": len(records)}
        return self.append("streams.sealed.v1", "ledger", data, actor="system/sealer")

    def seal_records(self, as_of: int) -> list[bytes]:
        """Return the records of all streams at a position, in order."""
        newest = {link.stream: link for link in self.links[:as_of]}
        return [
            seal_record(
                event_hash=link.event_hash.hex(), stream=stream, stream_version=link.stream_version
            )
            for stream, link in sorted(newest.items())
        ]

    def erase(self, *ranges: tuple[int, int]) -> int:
        """Remove bodies and record it."""
        data = {"authority": "privacy", "ground": "Art. 17", "positions": [list(r) for r in ranges]}
        position = self.append("body.erased.v1", "ledger", data)
        for first, last in ranges:
            for at in range(first - 1, last):
                self.links[at] = _without_body(self.links[at])
        return position

    # ---- the tree ----------------------------------------------------------------------------

    def checkpoint(self, size: int | None = None) -> CheckpointBody:
        """Return the head of a size."""
        leaves = [link.event_hash for link in self.links[: size or self.size]]
        return CheckpointBody(self.origin, len(leaves), root_of(leaves))

    def note(self, size: int | None = None, key: int = 0) -> bytes:
        """Return a checkpoint signed."""
        return sign(self.checkpoint(size), [self.keys[key]])

    def prover(self, size: int | None = None) -> Prover:
        """Return a prover over tiles as storage keeps them, of the whole ledger."""
        edge = RightEdge(CompactRange(), [])
        tiles: dict[tuple[int, int], bytes] = {}
        for link in self.links:
            tiles |= edge.extend([link.event_hash])
        return Prover(size or self.size, lambda wanted: [tiles[place] for place in wanted])

    def keys_json(self, size: int | None = None) -> bytes:
        """Return `keys.json` as of a size."""
        history = KeyHistory()
        for link in self.links[: size or self.size]:
            if link.stream == "ledger" and link.body is not None:
                history.apply(link.type, link.position, decode(link.body)["data"])
        return history.to_json()

    # ---- bundles -----------------------------------------------------------------------------

    def plan(
        self,
        kind: str = "full",
        *,
        first: int = 1,
        last: int | None = None,
        stream: str | None = None,
        withholding: Withholding | None = None,
    ) -> Plan:
        """Return a plan; of a stream up to its newest event."""
        known = [link.position for link in self.links if link.stream == stream]
        return Plan(
            "export-1",
            kind,  # type: ignore[arg-type]
            known[0] if known else first,
            known[-1] if known else last or self.size,
            stream,
            "2026-02-01T12:00:00.000000Z",
            "users/auditor",
            withholding or Withholding(),
        )

    def rows(self, plan: Plan, after: int = 0) -> list[Any]:
        """Return the events of a plan as a writer takes them."""
        return [
            row_of(link)
            for link in self.links[: plan.last_position]
            if link.position > max(after, plan.first_position - 1)
            and plan.stream in {None, link.stream}
        ]

    def stream_seal(self, stream: str, size: int) -> bytes:
        """Return `seal.json` of a stream by the newest seal in a tree of `size` events."""
        tree = memory_reader([link.event_hash for link in self.links[:size]])
        sealing = next(
            link for link in reversed(self.links[:size]) if link.type == "streams.sealed.v1"
        )
        assert sealing.body is not None
        records = self.seal_records(decode(sealing.body)["data"]["as_of"])
        index = next(at for at, one in enumerate(records) if f'"{stream}"'.encode() in one)
        leaves = [_leaf(record) for record in records]
        proof = prove_inclusion(index, len(records), memory_reader(leaves))
        return seal_json(
            event_line=checked_line(row_of(sealing), self.origin),
            inclusion=_hex(prove_inclusion(sealing.position - 1, size, tree)),
            record=records[index],
            record_inclusion=_hex(proof),
            record_index=index,
        )

    def write(
        self,
        folder: Path,
        plan: Plan | None = None,
        *,
        size: int | None = None,
        replays: dict[int, Replay] | None = None,
    ) -> Written:
        """Write a bundle whole."""
        plan = plan or self.plan()
        writer = self.writer(folder, plan, size=size)
        writer.add(self.rows(plan, writer.resume()))
        return self.finish(writer, plan, size=size, replays=replays)

    def write_short(self, folder: Path, plan: Plan) -> Written:
        """Write a bundle whose report is a line: for tests that look at every byte."""
        writer = self.writer(folder, plan)
        writer.add(self.rows(plan, writer.resume()))
        seal = self.stream_seal(plan.stream, self.size) if plan.stream else None
        enclosed = Enclosed(self.note(), self.keys_json(), ["<p>short</p>"], VERIFIER, seal)
        return writer.finish(enclosed)

    def writer(self, folder: Path, plan: Plan, *, size: int | None = None) -> BundleWriter:
        """Return a writer for a plan."""
        prover = None if plan.kind == "full" else self.prover(size)
        return BundleWriter(folder, plan, self.checkpoint(size), prover)

    def finish(
        self,
        writer: BundleWriter,
        plan: Plan,
        *,
        size: int | None = None,
        replays: dict[int, Replay] | None = None,
        verifier: bytes = VERIFIER,
    ) -> Written:
        """Write what goes beside the events."""
        note = self.note(size)
        seal = self.stream_seal(plan.stream, size or self.size) if plan.stream else None
        report = render(plan, writer.tally, self.checkpoint(size), note, Told(replays or {}))
        return writer.finish(Enclosed(note, self.keys_json(size), report, verifier, seal))


def small_ledger() -> LedgerInMemory:
    """Return a ledger of a dozen events: two models, an erasure, an unknown type, seals."""
    made = LedgerInMemory()
    made.observe("fares")
    made.observe("hotels", "0.25")
    made.append("job.started.v1", "jobs/a", {"step": 1})
    made.observe("fares", "0.75")
    made.seal(as_of=4)
    made.erase((4, 4))
    made.observe("hotels")
    made.seal()
    made.observe("fares", "0.8")
    return made


def _without_body(link: Link) -> Link:
    return Link(
        link.position,
        link.stream,
        link.stream_version,
        link.type,
        link.recorded_at,
        None,
        None,
        link.body_hash,
        link.prev_hash,
        link.event_hash,
    )


def _leaf(record: bytes) -> bytes:
    return event_hash(record)  # the tags of leaves and events are one


def _hex(hashes: Iterable[bytes]) -> Sequence[str]:
    return [one.hex() for one in hashes]
