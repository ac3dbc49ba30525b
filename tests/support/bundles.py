"""A chained ledger with everything a bundle can hold, and bundles that the product writes of it.

No database and no service, so that a bundle's tests fail only for what a bundle does.
"""

import json
from pathlib import Path
from typing import Any

from ledger.application.exports.report import report_of
from ledger.authority.believed import BelievedCallers
from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.key_history import KeyHistory
from ledger.chain.link import Digest, Link
from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge
from ledger.export.bundle import BundleWriter, FinishedBundle
from ledger.export.facts import ReportSubject
from ledger.export.lines import parse_line
from ledger.export.proofs import TileProver
from ledger.export.reach import reach_of
from ledger.export.report import IssuerStatements, Replay
from ledger.export.scope import BundlePlan, Withholding
from tests.support.chained import (
    Chained,
    canonical,
    digest_of,
    line_of,
    log_key,
    merkle_root,
)

TIME = "2026-01-01T00:00:00.000000Z"
VERIFIER = b"# in the place of the stand-alone verifier\n"


class LedgerInMemory(Chained):
    """A ledger that was created, with three keys."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = [log_key(number) for number in range(1, 4)]
        self.vkey = self.keys[0].vkey
        created = {"created_at": TIME, "format": "decision-ledger/1", "origin": self.origin}
        self.add("ledger.created.v1", created | {"vkey": self.vkey})
        following = {"next_key_digest": digest_of(self.keys[1])}
        self.add("ledger.configured.v2", {"clock": "wall", "skew_seconds": 300} | following)

    @property
    def links(self) -> list[Link]:
        """The events as the chain sees them."""
        return [parse_line(line_of(event), self.origin) for event in self.events]

    def observe(self, model: str, value: str = "0.5") -> int:
        """Append an observation of a model."""
        data = {
            "model_version": "v1",
            "observed_at": TIME,
            "sample_size": 100,
            "signal": "log-loss",
            "value": value,
        }
        return self.add("signal.observed.v1", data, f"models/{model}", actor="services/monitor")

    def type_of(self, position: int) -> str:
        """Return the type of an event."""
        return str(self.events[position - 1]["header"]["type"])

    # ---- the tree ----------------------------------------------------------------------------

    def checkpoint(self, size: int | None = None) -> CheckpointBody:
        """Return the head of a size."""
        leaves = self.leaves(size)
        return CheckpointBody(self.origin, len(leaves), Digest(merkle_root(leaves)))

    def signed(self, size: int | None = None, key: int = 0) -> bytes:
        """Return a checkpoint signed by one of the keys."""
        return self.note(size, [self.keys[key]])

    def prover(self, size: int | None = None) -> TileProver:
        """Return a prover over tiles as storage keeps them, of the whole ledger."""
        tiles = RightEdge(CompactRange(), []).extend(self.leaves())
        return TileProver(size or self.size, lambda wanted: [tiles[place] for place in wanted])

    def keys_json(self, size: int | None = None) -> bytes:
        """Return `keys.json` as of a size."""
        history = KeyHistory()
        for position, event in enumerate(self.events[:size], 1):
            if event["header"]["stream"] == "ledger":
                history.apply(self.type_of(position), position, event["body"]["data"])
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
    ) -> BundlePlan:
        """Return a plan; of a stream up to its newest event."""
        known = [link.position for link in self.links if link.stream == stream]
        return BundlePlan(
            "export-1",
            kind,  # type: ignore[arg-type]
            known[0] if known else first,
            known[-1] if known else last or self.size,
            stream,
            "2026-02-01T12:00:00.000000Z",
            "users/auditor",
            withholding or Withholding(),
        )

    def rows(self, plan: BundlePlan, after: int = 0) -> list[Any]:
        """Return the events of a plan as a writer takes them."""
        return [
            link
            for link in self.links[: plan.last_position]
            if link.position > max(after, plan.first_position - 1)
            and plan.stream in {None, link.stream}
        ]

    def stream_seal(self, stream: str, size: int) -> bytes:
        """Return `seal.json` of a stream by the newest seal in a tree of `size` events."""
        seals = [at for at in range(1, size + 1) if self.type_of(at) == "streams.sealed.v1"]
        return canonical(self.sealed(seals[-1], stream, size))

    def write(
        self,
        folder: Path,
        plan: BundlePlan | None = None,
        *,
        size: int | None = None,
        replays: dict[int, Replay] | None = None,
        callers: BelievedCallers | None = None,
    ) -> FinishedBundle:
        """Write a bundle whole."""
        plan = plan or self.plan()
        writer = self.writer(folder, plan, size=size)
        writer.add(self.rows(plan, writer.resume()))
        return self.finish(writer, plan, size=size, replays=replays, callers=callers)

    def write_short(self, folder: Path, plan: BundlePlan) -> FinishedBundle:
        """Write a bundle whose report is a line: for tests that look at every byte."""
        writer = self.writer(folder, plan)
        writer.add(self.rows(plan, writer.resume()))
        seal = self.stream_seal(plan.stream, self.size) if plan.stream else None
        return writer.finish(self.signed(), self.keys_json(), ["<p>short</p>"], VERIFIER, seal)

    def writer(self, folder: Path, plan: BundlePlan, *, size: int | None = None) -> BundleWriter:
        """Return a writer for a plan."""
        prover = None if plan.kind == "full" else self.prover(size)
        return BundleWriter(folder, plan, self.checkpoint(size), prover)

    def finish(
        self,
        writer: BundleWriter,
        plan: BundlePlan,
        *,
        size: int | None = None,
        replays: dict[int, Replay] | None = None,
        callers: BelievedCallers | None = None,
        verifier: bytes = VERIFIER,
    ) -> FinishedBundle:
        """Write what goes beside the events."""
        note = self.signed(size)
        seal = self.stream_seal(plan.stream, size or self.size) if plan.stream else None
        tally, checkpoint = writer.tally, self.checkpoint(size)
        at, as_of = plan.last_position, plan.last_position
        if plan.stream:
            sealing = json.loads(seal or b"")["event"]
            at, as_of = sealing["header"]["position"], sealing["body"]["data"]["as_of"]
        recorded_at = self.events[at - 1]["header"]["recorded_at"]
        reach = reach_of(checkpoint.size, as_of, at, recorded_at, is_sealed=plan.stream is not None)
        subject = ReportSubject(
            tally.scope(), tally.facts, checkpoint, note, tally.proven_erased(), str(reach)
        )
        report = report_of(subject, IssuerStatements(plan.purpose, replays or {}, callers))
        return writer.finish(note, self.keys_json(size), report, verifier, seal)


def small_ledger() -> LedgerInMemory:
    """Return a ledger of a dozen events: two models, an erasure, an unknown type, seals."""
    made = LedgerInMemory()
    made.observe("fares")
    made.observe("hotels", "0.25")
    made.add("job.started.v1", {"step": 1}, "jobs/a")
    made.observe("fares", "0.75")
    made.seal(as_of=4)
    made.erase(4)
    made.observe("hotels")
    made.seal()
    made.observe("fares", "0.8")
    return made
