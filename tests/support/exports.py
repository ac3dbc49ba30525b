"""Exports of a ledger with two models' observations in it, on any store, without a service.

A job's thread is waited for by joining it (`finished`). Where a job must stand still in the middle,
a `Gate` holds the pages that it reads.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.application.exports.exports import Exports
from ledger.application.exports.jobs import ExportJob, ExportRequest
from ledger.application.ledger import LedgerApplication
from ledger.chain.keys import VerifierKey
from ledger.clock import ManualClock
from ledger.events.envelope import encode_body
from ledger.export.verify import VerifiedBundle, verify_bundle
from ledger.storage import Store
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.records import AppendRequest, NewEvent
from tests.support.stores import ORIGIN

AUDITOR = Caller("users/auditor")
OFFICER = Caller("users/dpo")


class ExportSetting:
    """A ledger with two models' observations in it, and its exports."""

    def __init__(self, store: Store, folder: Path, clock: ManualClock) -> None:
        self.store, self.folder, self.clock = store, folder, clock
        self.ledger = self.opened_ledger()
        self.exports = self.opened()
        for number in range(12):
            self.observe("fares" if number % 3 else "hotels", number)

    def opened_ledger(self) -> LedgerApplication:
        recorder = LedgerApplicationRecorder(self.store, ORIGIN, str)
        info = self.store.ledgers.named(ORIGIN)
        return LedgerApplication(
            self.store, info, recorder, self.clock, erasure_actors=[OFFICER.actor]
        )

    def opened(self) -> Exports:
        exports = Exports(self.ledger, self.store, self.folder, self.clock)
        exports.start()
        return exports

    def observe(self, model: str, number: int = 0) -> int:
        self.clock.advance(1_000_000)
        data = {
            "model_version": "v1",
            "observed_at": "2026-03-01T10:00:00.000000Z",
            "sample_size": 100,
            "signal": "log-loss",
            "value": f"0.{number + 1}",
        }
        body = encode_body(actor="services/monitor", data=data)
        event = NewEvent(
            f"models/{model}", "signal.observed.v1", body, observed_at=1_772_359_200_000_000
        )
        request = AppendRequest(ORIGIN, "services/monitor", "SubmitSignals", [event])
        return self.store.requests.append(request).last_position

    def finished(self, job: ExportJob) -> ExportJob:
        thread = self.exports._threads.get(job.export)
        if thread is not None:
            thread.join()
        return self.exports.get(job.export)

    def made(self, caller: Caller = AUDITOR, **fields: object) -> ExportJob:
        request: Any = ExportRequest
        return self.finished(self.exports.create(caller, request(**fields)))

    def verified(self, job: ExportJob) -> VerifiedBundle:
        assert job.state == "ready", job.failure
        key = VerifierKey.parse(self.ledger.attestation.checkpoints.sign().vkey)
        return verify_bundle(self.exports.folder_of(job.export), [key])


class Gate:
    """Holds the pages of a store until it is opened."""

    def __init__(
        self, setting: ExportSetting, monkeypatch: pytest.MonkeyPatch, pages: int = 1
    ) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        setting.ledger.attestation.checkpoints.sign()  # signing reads pages too
        read = setting.store.events.rows_raw

        def held(ledger: str, **bounds: int) -> Iterator[Any]:
            for page in read(ledger, **bounds):
                for at, row in enumerate(page):
                    if at == pages:
                        self.reached.set()
                        assert self.opened.wait(30)
                    yield [row]

        monkeypatch.setattr(setting.store.events, "rows_raw", held)
