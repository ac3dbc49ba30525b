"""Writing one export: its bundle from the ledger's rows, and the event that it was issued."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.exports import source
from ledger.application.exports.jobs import ExportJob, JobFolder
from ledger.application.ledger import LedgerApplication
from ledger.events.proving import ExportIssued
from ledger.export.bundle import BundleContents, BundleWriter, FinishedBundle
from ledger.export.report import ReportExtras, render
from ledger.export.standalone import verifier_source
from ledger.storage.store import Store

# A bundle of a few events is done before a witness can have answered about its checkpoint.
_WITNESS_WAITS: Final = 50
_WITNESS_PAUSE_SECONDS: Final = 0.1


class LeftUnfinishedError(Exception):
    """The server stops, or the bundle is not wanted any more: it is left as it is."""


class ExportWriting:
    """Writes the exports of one ledger, each on whatever thread it is asked on."""

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
        checkpoint = source.stated(job)
        prover = source.prover(self._store, self._origin, job)
        writer = BundleWriter(self._folder.bundle(job), job.plan, checkpoint, prover)
        with closing(writer):
            after = writer.resume()
            for rows in source.pages(self._store, self._origin, job, after):
                if unwanted.is_set():
                    raise LeftUnfinishedError
                writer.add(rows)
                advance(writer.tally.events)
            note = self._cosigned(job.checkpoint_size, unwanted)
            told = ReportExtras(
                source.replays(self._ledger.replayer, writer.tally),
                source.reasons(self._ledger.decisions, writer.tally, job.plan.withholding),
                self._ledger.info.unit_of_cost,
            )
            seal = None
            if prover is not None and job.stream is not None:
                seal = source.stream_seal(self._store, self._origin, job, prover)
            enclosed = BundleContents(
                note,
                source.keys_json(self._store, self._origin, job.checkpoint_size),
                render(job.plan, writer.tally, checkpoint, note, told),
                verifier_source(),
                seal,
            )
            written = writer.finish(enclosed)
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

    def _cosigned(self, size: int, unwanted: threading.Event) -> bytes:
        """Return the checkpoint with its cosignatures; waits a little for those still to come."""
        expected = len(self._ledger.attestation.collector.states())
        for _ in range(_WITNESS_WAITS):
            if len(self._ledger.attestation.checkpoints.of_size(size).witnesses) >= expected:
                break
            unwanted.wait(_WITNESS_PAUSE_SECONDS)
        return self._ledger.attestation.checkpoints.of_size(size).note.encode()

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
        proposal = Proposal([Addition.of(issued)])
        return self._appender.append(caller, issued.METHOD, lambda: proposal).position
