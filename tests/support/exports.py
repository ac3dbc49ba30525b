"""A world that exports, with two models' observations in it, on any database.

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
from ledger.chain.keys import VerifierKey
from ledger.events.envelope import encode_body
from ledger.events.values import SECOND, format_time
from ledger.export.files import open_bundle
from ledger.export.verify import VerifiedBundle, verify_bundle
from ledger.operations.verification.bundle_report import SAME, with_report
from ledger.storage.records import NewEvent
from tests.support.hooks import join_export
from tests.support.stores import VAULT, asking
from tests.support.world import MONITOR, ORIGIN, START, World

AUDITOR = Caller("users/auditor")


class ExportSetting(World):
    """A ledger with two models' observations in it, and its exports."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, clock="wall", vault=VAULT)
        self.folder = folder
        self.exports = self.opened()
        for number in range(12):
            self.record("fares" if number % 3 else "hotels", number)

    def close(self) -> None:
        self.exports.stop()
        super().close()

    def opened(self) -> Exports:
        exports = Exports(self.ledger, self.store, self.folder, self.clock)
        exports.start()
        return exports

    def record(self, model: str, number: int = 0) -> int:
        """Append an observation of a model that was never registered."""
        self.clock.advance(SECOND)
        data = {
            "model_version": "v1",
            "observed_at": format_time(START),
            "sample_size": 100,
            "signal": "log-loss",
            "value": f"0.{number + 1}",
        }
        body = encode_body(actor=MONITOR.actor, data=data)
        event = NewEvent(f"models/{model}", "signal.observed.v1", body, observed_at=START)
        return self.store.requests.append(asking(event, ledger=ORIGIN)).last_position

    def finished(self, job: ExportJob) -> ExportJob:
        join_export(self.exports, job.export)
        return self.exports.get(job.export)

    def made(self, caller: Caller = AUDITOR, **fields: object) -> ExportJob:
        request: Any = ExportRequest
        return self.finished(self.exports.create(caller, request(**fields)))

    def verified(self, job: ExportJob) -> VerifiedBundle:
        assert job.state == "ready", job.failure
        key = VerifierKey.parse(self.ledger.attestation.checkpoints.sign().vkey)
        folder = self.exports.folder_of(job.export)
        found = with_report(open_bundle(folder), verify_bundle(folder, [key]))
        assert found.report_verdict == SAME
        return found


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
