"""Writing one export: its bundle from the ledger's rows, and the event that it was issued."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.exports.jobs import ExportJob, JobFolder
from ledger.application.exports.report import report_of
from ledger.application.ledger import LedgerApplication
from ledger.application.signing.seals import record_of
from ledger.authority.state import is_whole
from ledger.authority.table import METHODS
from ledger.chain.checkpoint import claim_of
from ledger.chain.link import EventRow
from ledger.chain.merkle import leaf_hash, memory_reader, prove_inclusion, root_of
from ledger.errors import LedgerError, Reason, chain_broken
from ledger.events.decisions import DecisionMade
from ledger.events.envelope import RecordedEvent
from ledger.events.plans import PlanMade
from ledger.events.proving import ExportIssued, StreamsSealed
from ledger.events.registry import typed
from ledger.events.values import format_time
from ledger.export.bundle import BundleWriter, FinishedBundle
from ledger.export.callers import are_callers_shown
from ledger.export.facts import ReportFacts, ReportSubject
from ledger.export.lines import checked_line
from ledger.export.proofs import TileProver
from ledger.export.reach import BundleReach, reach_of
from ledger.export.report import IssuerStatements, Replay
from ledger.export.scope import BundlePlan
from ledger.export.sealing import seal_json
from ledger.export.standalone import verifier_source
from ledger.storage.event_rows import timed
from ledger.storage.store import Store

REPLAYS_MAX: Final = 100
"""Decisions and plans that a report shows computed again: the newest; a replay takes some ms."""

_PAGE: Final = 2_000
_TRIES: Final = 3  # each time that authority has changed
# A bundle of a few events is done before a witness can have answered about its checkpoint.
_WITNESS_WAITS: Final = 50
_WITNESS_PAUSE_SECONDS: Final = 0.1


class LeftUnfinishedError(Exception):
    """The server stops, or the bundle is not wanted any more: it is left as it is."""


class ExportWriting:
    """Writes the exports of one ledger, each on the thread of its caller."""

    def __init__(self, ledger: LedgerApplication, store: Store, folder: JobFolder) -> None:
        self._ledger = ledger
        self._store = store
        self._origin = ledger.info.origin
        self._appender = Appender(store, self._origin)
        self._folder = folder

    def written(
        self, job: ExportJob, unwanted: threading.Event, advance: Callable[[int], None]
    ) -> ExportJob:
        """Write a job's bundle and record that it was issued; return the job as done.

        Raises LeftUnfinishedError once it is not wanted any more; LedgerError where it cannot be.
        """
        plan, size = job.plan, job.checkpoint_size
        checkpoint = claim_of(job.note.encode())
        prover = None
        if job.kind != "full":
            prover = TileProver(size, partial(self._store.proofs.tiles, self._origin))
        writer = BundleWriter(self._folder.bundle(job), plan, checkpoint, prover)
        with closing(writer):
            for rows in self._pages(job, after=writer.resume()):
                if unwanted.is_set():
                    raise LeftUnfinishedError
                writer.add(rows)
                advance(writer.tally.facts.events)
            note = self._cosigned(size, unwanted)
            tally, reach = writer.tally, str(self._reach(job))
            subject = ReportSubject(
                tally.scope(), tally.facts, checkpoint, note, tally.proven_erased(), reach
            )
            seal = None
            if prover is not None and job.stream is not None:
                seal = self._seal(job, prover)
            keys = self._ledger.attestation.keyring.history(until=size).to_json()
            report = report_of(subject, self._stated(plan, subject))
            written = writer.finish(note, keys, report, verifier_source(), seal)
        if unwanted.is_set():
            raise LeftUnfinishedError
        return replace(
            job,
            state="ready",
            events_done=written.events,
            withheld=written.withheld,
            manifest_digest=written.manifest_digest.hex(),
            archive_bytes=written.archive_bytes,
            issued_position=self._issued(job, written),
        )

    def _pages(self, job: ExportJob, after: int) -> Iterator[Sequence[EventRow]]:
        """Yield the events of a job after a position, in pages."""
        if job.stream is None:
            for rows in self._store.events.rows_raw(
                self._origin, after=after, until=job.last_position
            ):
                yield list(timed(rows))
            return
        while events := self._store.events.read(
            self._origin, after=after, until=job.last_position, limit=_PAGE, streams=[job.stream]
        ):
            yield list(timed(events))
            after = events[-1].position

    def _cosigned(self, size: int, unwanted: threading.Event) -> bytes:
        """Return the checkpoint with its cosignatures; waits a little for those still to come."""
        expected = len(self._ledger.attestation.collector.cosigners)
        for _ in range(_WITNESS_WAITS):
            if len(self._ledger.attestation.checkpoints.of_size(size).witnesses) >= expected:
                break
            unwanted.wait(_WITNESS_PAUSE_SECONDS)
        return self._ledger.attestation.checkpoints.of_size(size).note.encode()

    def _reach(self, job: ExportJob) -> BundleReach:
        """Return how far a job's bundle reaches."""
        is_sealed = job.seal_position is not None
        end = self._event(job.seal_position or job.last_position)
        position = typed(end, StreamsSealed).as_of if is_sealed else end.position
        recorded_at = format_time(end.recorded_at)
        return reach_of(
            job.checkpoint_size, position, end.position, recorded_at, is_sealed=is_sealed
        )

    def _event(self, position: int) -> RecordedEvent:
        """Return an event that a job names."""
        event = self._store.events.event(self._origin, position)
        if event is None:
            raise chain_broken(position, "it was there when the export was asked for")
        return event

    def _seal(self, job: ExportJob, tree: TileProver) -> bytes:
        """Return `seal.json` of a stream's bundle."""
        assert job.seal_position is not None
        event = self._event(job.seal_position)
        seal = typed(event, StreamsSealed)
        leaves: list[bytes] = []
        index, record = -1, b""
        for head in self._store.proofs.stream_heads(self._origin, seal.as_of):
            if head.stream == job.stream:
                index, record = len(leaves), record_of(head)
            leaves.append(leaf_hash(record_of(head)))
        if root_of(leaves).hex() != seal.root or index < 0:
            raise chain_broken(
                event.position, "the seal is not that of the streams at its position"
            )
        (row,) = timed([event])
        return seal_json(
            event_line=checked_line(row, self._origin),
            inclusion=tree.proof(event.position - 1),
            record=record,
            record_inclusion=[
                each.hex() for each in prove_inclusion(index, len(leaves), memory_reader(leaves))
            ],
            record_index=index,
        )

    def _stated(self, plan: BundlePlan, subject: ReportSubject) -> IssuerStatements:
        """Return what the report says that the bundle does not show."""
        callers = None
        if not are_callers_shown(subject.scope, subject.facts):
            callers = self._ledger.authority.believed(subject.checkpoint.size)
        return IssuerStatements(plan.purpose, self._replays(subject.facts), callers)

    def _replays(self, facts: ReportFacts) -> dict[int, Replay]:
        """Return what computing the newest decisions and plans of a bundle again gives."""
        kept = (*facts.newest[DecisionMade.TYPE], *facts.newest[PlanMade.TYPE])
        found = {}
        for position in sorted((at for at, *_ in kept), reverse=True)[:REPLAYS_MAX]:
            result = self._ledger.replayer.replay(position)
            found[position] = Replay(result.outcome, result.why)
        return found

    def _issued(self, job: ExportJob, written: FinishedBundle) -> int:
        """Record, once however often it is tried, that a bundle was issued; return where."""
        issued = ExportIssued(
            export=job.export,
            kind=job.kind,
            first_position=job.first_position,
            last_position=job.last_position,
            stream=job.stream,
            events=written.events,
            withheld=written.withheld,
            checkpoint_size=job.checkpoint_size,
            manifest_digest=written.manifest_digest.hex(),
            requested_by=job.requested_by,
            purpose=job.purpose,
        )
        caller = Caller(job.requested_by, job.request_id, bytes.fromhex(job.digest))
        authority = self._ledger.authority

        def decide() -> Proposal:
            authority.refresh()
            guard = authority.guard(is_passing=False)
            scopes = authority.scopes(job.requested_by, METHODS[issued.METHOD])
            if authority.is_in_force and not is_whole(scopes):
                raise LedgerError(
                    Reason.ACTOR_NOT_AUTHORISED,
                    f"{job.requested_by} lost the right to it while it was written.",
                    remedy="Ask an administrator for a role that has it, and create another.",
                    metadata={"actor": job.requested_by, "action": METHODS[issued.METHOD]},
                )
            return Proposal([Addition.of(issued)], [guard])

        return self._appender.append(caller, issued.METHOD, decide, tries=_TRIES).last_position
