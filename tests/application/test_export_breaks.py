"""Exports that are interrupted: by other exports, a stopped server, a crash, damage, an erasure.

Method: a gate holds the pages that a job reads until the test has done its worst. Erasure is
repeated on PostgreSQL, where bodies go another way.
"""

import errno
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from ledger.application.exports.jobs import ExportJob, ExportRequest
from ledger.errors import LedgerError, Reason
from ledger.limits import EXPORTS_MAX
from tests.support.exports import AUDITOR, ExportSetting, Gate
from tests.support.hooks import after_abandoning, fail_lines, job_folder, unwanted
from tests.support.world import OFFICER


def test_a_refused_export_of_a_stream_leaves_no_seal(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: every slot is taken, then as many are kept as may be, then nothing is signed."""
    wanted = ExportRequest(kind="stream", stream="models/hotels")
    gate = Gate(small, monkeypatch)
    jobs = [small.exports.create(AUDITOR, ExportRequest()) for _ in range(EXPORTS_MAX)]
    head = small.ledger.log.head().position
    with pytest.raises(LedgerError) as refusal:
        small.exports.create(AUDITOR, wanted)
    assert refusal.value.reason is Reason.LIMIT_REACHED
    assert small.ledger.log.head().position == head
    gate.opened.set()
    for job in jobs:
        small.finished(job)
    kept_max = "ledger.application.exports.exports.EXPORTS_KEPT_MAX"
    monkeypatch.setattr(kept_max, len(jobs))
    head = small.ledger.log.head().position
    with pytest.raises(LedgerError, match="are kept"):
        small.exports.create(AUDITOR, wanted)
    assert small.ledger.log.head().position == head
    monkeypatch.setattr(kept_max, 100)
    small.ledger.attestation.checkpoints.stop("a test stopped it")
    with pytest.raises(LedgerError) as refusal:
        small.exports.create(AUDITOR, wanted)
    assert refusal.value.reason is Reason.SIGNING_STOPPED
    assert small.ledger.log.head().position == head


def test_only_so_many_are_written_at_once(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(small, monkeypatch)
    jobs = [small.exports.create(AUDITOR, ExportRequest()) for _ in range(EXPORTS_MAX)]
    with pytest.raises(LedgerError) as refusal:
        small.exports.create(AUDITOR, ExportRequest())
    assert refusal.value.reason is Reason.LIMIT_REACHED
    assert refusal.value.retry_after_seconds
    with pytest.raises(LedgerError) as unready:
        small.exports.read(jobs[0].export, 0, 1)
    assert unready.value.reason is Reason.EXPORT_NOT_READY
    gate.opened.set()
    for job in jobs:
        small.verified(small.finished(job))
    small.verified(small.made())


def test_a_stopped_server_goes_on_where_it_was(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        gate = Gate(small, patched, pages=6)
        job = small.exports.create(AUDITOR, ExportRequest())
        assert gate.reached.wait(30)
        stopping = threading.Thread(target=small.exports.stop)
        stopping.start()
        while not unwanted(small.exports, job.export).is_set():
            stopping.join(0.01)
        gate.opened.set()
        stopping.join()
    assert small.exports.get(job.export).state == "writing"
    events = small.exports.folder_of(job.export) / "data" / "events.jsonl"
    begun = events.read_bytes()
    assert begun.count(b"\n") == 6
    small.record("fares")  # the bundle was settled before it
    small.exports = small.opened()
    done = small.finished(job)
    assert small.verified(done).events == 14
    assert events.read_bytes().startswith(begun)


def test_a_crash_between_the_record_and_the_job_repeats_neither(small: ExportSetting) -> None:
    job = small.made()
    job_folder(small.exports).save(replace(job, state="writing", issued_position=0))
    head = small.ledger.log.head().position
    small.exports = small.opened()
    assert small.finished(job) == job
    assert small.ledger.log.head().position == head


def test_a_damaged_ledger_fails_the_export_and_says_where(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.ledger.attestation.checkpoints.sign()  # which reads all of it, and finds it whole
    read = small.store.events.rows_raw

    def damaged(ledger: str, **bounds: int) -> Iterator[Any]:
        for page in read(ledger, **bounds):
            yield [(*row[:6], b"{}", *row[7:]) if row[0] == 4 else row for row in page]

    monkeypatch.setattr(small.store.events, "rows_raw", damaged)
    job = small.made()
    assert (job.state, job.issued_position) == ("failed", 0)
    assert "broken at position 4" in job.failure
    with pytest.raises(LedgerError, match="failed: The chain is broken at position 4"):
        small.exports.read(job.export, 0, 1)


def test_a_full_disk_fails_the_export_and_leaves_room_for_the_next(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        fail_lines(full, patched)
        patched.setattr("ledger.application.exports.jobs.JobFolder.save", _twice(full, small))
        job = small.made()
    assert (job.state, job.failure) == ("failed", "it cannot be written: No space left on device")
    small.verified(small.made())


def _twice(full: Callable[..., None], setting: ExportSetting) -> Callable[..., None]:
    """Save a job when it begins, and have no room for it when it has ended."""
    save = job_folder(setting.exports).save

    def saved(_: object, job: ExportJob) -> None:
        if job.state != "writing":
            full()
        save(job)

    return saved


# ---- erasure -------------------------------------------------------------------------------------


def erase(setting: ExportSetting, *ranges: tuple[int, int]) -> int:
    erased = setting.ledger.erasure.erase_bodies(OFFICER, ranges, "Art. 17", "privacy office")
    return erased.written.last_position


def test_bundles_that_hold_an_erased_body_are_deleted_and_others_are_not(
    small: ExportSetting,
) -> None:
    small.ledger.erasure.on_erased(small.exports.remove_containing)
    jobs = {
        "full": small.made(),
        "before": small.made(kind="range", last_position=2),
        "with": small.made(kind="range", first_position=2, last_position=4),
        "its stream": small.made(kind="stream", stream="models/hotels"),
        "another stream": small.made(kind="stream", stream="models/fares"),
    }
    position = erase(small, (3, 3))  # an observation of hotels
    states = {name: small.exports.get(job.export).state for name, job in jobs.items()}
    assert states == {
        "full": "failed",
        "before": "ready",
        "with": "failed",
        "its stream": "failed",
        "another stream": "ready",
    }
    for name, job in jobs.items():
        found = small.exports.get(job.export)
        assert small.exports.folder_of(job.export).exists() == (states[name] == "ready")
        if found.state == "failed":
            assert f"erased by the event at position {position}" in found.failure
    after = small.made()
    assert small.verified(after).missing.erased_proven == 1
    small.exports.remove_containing(position, [(3, 3)])
    assert small.exports.get(after.export).state == "ready"


def test_a_bundle_that_is_deleted_during_an_erasure_does_not_break_it(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, other = small.made(), small.made()
    position = erase(small, (3, 3))

    def deleted_meanwhile(export: str) -> None:
        monkeypatch.undo()
        small.exports.delete(export)

    after_abandoning(small.exports, deleted_meanwhile, monkeypatch)
    small.exports.remove_containing(position, [(3, 3)])
    (left,) = small.exports.all()
    assert (left.export in {first.export, other.export}, left.state) == (True, "failed")


def test_an_erasure_ends_what_is_being_written(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(small, monkeypatch, pages=6)
    job = small.exports.create(AUDITOR, ExportRequest())
    assert gate.reached.wait(30)
    position = erase(small, (3, 3))
    removing = threading.Thread(target=small.exports.remove_containing, args=(position, [(3, 3)]))
    removing.start()
    while not unwanted(small.exports, job.export).is_set():
        removing.join(0.01)
    gate.opened.set()
    removing.join()
    assert small.exports.get(job.export).state == "failed"
    assert not small.exports.folder_of(job.export).exists()


def test_an_erasure_that_was_recorded_just_before_a_stop_is_made_up_for(
    small: ExportSetting,
) -> None:
    job = small.made()
    erase(small, (3, 3))
    small.exports = small.opened()
    assert small.exports.get(job.export).state == "failed"
    assert not small.exports.folder_of(job.export).exists()


def test_what_is_erased_is_stated_in_a_part_and_proven_in_the_whole(setting: ExportSetting) -> None:
    erase(setting, (3, 3))
    asked: dict[str, dict[str, Any]] = {
        "full": {},
        "range": {"last_position": 5},
        "stream": {"stream": "models/hotels"},
    }
    missing = {
        kind: setting.verified(setting.made(kind=kind, **fields)).missing
        for kind, fields in asked.items()
    }
    assert missing["full"].erased_proven == 1
    assert missing["range"].erased_stated == missing["stream"].erased_stated == 1


def test_the_gate_of_these_tests_holds(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(small, monkeypatch)
    job = small.exports.create(AUDITOR, ExportRequest())
    assert gate.reached.wait(30)
    assert small.exports.get(job.export).state == "writing"
    gate.opened.set()
    assert small.finished(job).state == "ready"
