"""Exports as jobs: settled when asked for, written beside the service, resumed, erased, issued.

Method: a world without threads of its own; a job's thread is waited for by joining it (`finished`).
Where a job must stand still in the middle, the store's pages wait for the test. The same story runs
on SQLite and on PostgreSQL.
"""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.application.export_jobs import ExportJob, ExportRequest, exports_folder
from ledger.application.exports import Exports
from ledger.application.ledger import Ledger
from ledger.chain.keys import VerifierKey
from ledger.clock import ManualClock
from ledger.errors import LedgerError, Reason
from ledger.events.envelope import encode_body
from ledger.events.proving import ExportIssued
from ledger.events.registry import typed
from ledger.export.scope import Kind
from ledger.export.verify import Verified, verify_bundle
from ledger.limits import EXPORTS_MAX
from ledger.storage import SqlStore
from ledger.storage.recorders import LedgerApplicationRecorder
from ledger.storage.store import AppendRequest, NewEvent
from tests.support.stores import ORIGIN

AUDITOR = Caller("users/auditor")
OFFICER = Caller("users/dpo")


class Desk:
    """A ledger with two models' observations in it, and its exports."""

    def __init__(self, store: SqlStore, folder: Path, clock: ManualClock) -> None:
        self.store, self.folder, self.clock = store, folder, clock
        self.ledger = self.opened_ledger()
        self.exports = self.opened()
        for number in range(12):
            self.observe("fares" if number % 3 else "hotels", number)

    def opened_ledger(self) -> Ledger:
        recorder = LedgerApplicationRecorder(self.store, ORIGIN, str)
        info = self.store.ledger(ORIGIN)
        return Ledger(self.store, info, recorder, self.clock, erasure_actors=[OFFICER.actor])

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
        return self.store.append(request).last_position

    def finished(self, job: ExportJob) -> ExportJob:
        thread = self.exports._threads.get(job.export)
        if thread is not None:
            thread.join()
        return self.exports.get(job.export)

    def made(self, caller: Caller = AUDITOR, **fields: object) -> ExportJob:
        request: Any = ExportRequest
        return self.finished(self.exports.create(caller, request(**fields)))

    def verified(self, job: ExportJob) -> Verified:
        assert job.state == "ready", job.failure
        key = VerifierKey.parse(self.ledger.checkpoint().vkey)
        return verify_bundle(self.exports.folder_of(job.export), [key])


@pytest.fixture
def desk(store: SqlStore, tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    made = Desk(store, tmp_path / "exports", clock)
    yield made
    made.exports.stop()


@pytest.fixture
def small(sqlite_url: str, tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    """The same on SQLite only, for what no database changes."""
    from ledger.storage import CreateLedger, open_store

    store = open_store(sqlite_url, clock)
    store.create_ledger(CreateLedger(ORIGIN, "wall", 300, "users/ada"))
    made = Desk(store, tmp_path / "exports", clock)
    yield made
    made.exports.stop()
    store.close()


@pytest.mark.parametrize(
    ("kind", "fields", "events", "withheld"),
    [
        ("full", {}, 14, 0),
        ("range", {"first_position": 5, "last_position": 9}, 5, 0),
        ("stream", {"stream": "models/hotels"}, 4, 0),
        (
            "full",
            {"withhold_streams": ("models/fares",), "withhold_reason": "secret"},
            14,
            8,
        ),
    ],
)
def test_a_bundle_of_every_kind_verifies_and_is_recorded(
    desk: Desk, kind: Kind, fields: dict[str, Any], events: int, withheld: int
) -> None:
    job = desk.made(kind=kind, purpose="a yearly audit", **fields)
    found = desk.verified(job)
    assert (found.events, found.missing.withheld, found.scope.kind) == (events, withheld, kind)
    event = desk.ledger.event(job.issued_position)
    assert event is not None
    issued = typed(event, ExportIssued)
    assert issued.manifest_digest == found.manifest_digest.hex() == job.manifest_digest
    assert (issued.export, issued.events, issued.withheld) == (job.export, events, withheld)
    assert (issued.requested_by, issued.purpose) == ("users/auditor", "a yearly audit")
    size, pieces = desk.exports.read(job.export, 0, 1_000)
    assert len(b"".join(pieces)) == size == job.archive_bytes


def test_a_range_of_time_holds_what_was_recorded_in_it(small: Desk) -> None:
    times = {event.position: event.recorded_at for event in small.ledger.events()}
    job = small.made(kind="range", from_time=times[5], until_time=times[9])
    assert (job.first_position, job.last_position) == (5, 8)
    small.verified(job)


def test_a_stream_is_sealed_only_where_no_seal_covers_it(small: Desk) -> None:
    first = small.made(kind="stream", stream="models/hotels")
    again = small.made(kind="stream", stream="models/hotels")
    assert first.seal_position == again.seal_position
    last = small.observe("hotels")
    third = small.made(kind="stream", stream="models/hotels")
    assert third.seal_position is not None
    assert third.seal_position > last == third.last_position
    for job in (first, again, third):
        small.verified(job)


def test_the_ledgers_own_stream_can_be_exported(small: Desk) -> None:
    job = small.made(kind="stream", stream="ledger")
    assert small.verified(job).events == 2


REFUSED: list[tuple[dict[str, Any], Reason, str]] = [
    ({"kind": "range", "last_position": 500}, Reason.POSITION_BEYOND_HEAD, "last_position"),
    ({"kind": "range", "first_position": 500}, Reason.FIELD_INVALID, "no event"),
    ({"kind": "range", "until_time": 5}, Reason.FIELD_INVALID, "no event"),
    ({"first_position": 3}, Reason.FIELD_INVALID, "belong to a range"),
    ({"stream": "models/fares"}, Reason.FIELD_INVALID, "belongs to the export of a stream"),
    ({"kind": "stream"}, Reason.FIELD_INVALID, "belongs to the export of a stream"),
    ({"kind": "stream", "stream": "models/none"}, Reason.FIELD_INVALID, "has no events"),
    ({"kind": "stream", "stream": "Models"}, Reason.FIELD_INVALID, "is no stream"),
    ({"withhold_types": ("a.b.v1",)}, Reason.FIELD_INVALID, "withhold_reason"),
    ({"withhold_reason": "x"}, Reason.FIELD_INVALID, "withhold_reason"),
    ({"withhold_types": ("x",), "withhold_reason": "x"}, Reason.FIELD_INVALID, "types"),
    (
        {"withhold_types": ("streams.sealed.v1",), "withhold_reason": "x"},
        Reason.BODY_PERMANENT,
        "neither erased nor withheld",
    ),
    (
        {"withhold_types": ("a.b.v1",), "withhold_reason": "erased"},
        Reason.FIELD_INVALID,
        "erased bodies",
    ),
]


@pytest.mark.parametrize(("fields", "reason", "words"), REFUSED)
def test_what_cannot_be_exported_is_refused_at_once(
    small: Desk, fields: dict[str, Any], reason: Reason, words: str
) -> None:
    head = small.ledger.head().position
    with pytest.raises(LedgerError, match=words) as refusal:
        small.exports.create(AUDITOR, ExportRequest(**fields))
    assert refusal.value.reason is reason
    assert small.ledger.head().position == head
    assert small.exports.all() == []


def test_a_repeated_request_gets_the_same_export(small: Desk) -> None:
    caller = Caller("users/auditor", "request-1", b"\x01" * 32)
    job = small.made(caller=caller)
    small.observe("fares")
    assert small.exports.create(caller, ExportRequest()) == job
    with pytest.raises(LedgerError) as refusal:
        small.exports.create(replace(caller, digest=b"\x02" * 32), ExportRequest())
    assert refusal.value.reason is Reason.REQUEST_ID_REUSED
    other = small.made(caller=replace(caller, actor="users/ada"))
    assert other.export != job.export
    event = small.ledger.event(job.issued_position)
    assert event is not None
    assert event.body.request_id == "request-1"


def test_a_request_whose_export_is_gone_is_not_answered_with_another(small: Desk) -> None:
    import shutil

    caller = Caller("users/auditor", "request-1", b"\x01" * 32)
    small.made(caller=caller)
    shutil.rmtree(small.folder)
    small.exports = small.opened()
    with pytest.raises(LedgerError, match="not kept any more") as refusal:
        small.exports.create(caller, ExportRequest())
    assert refusal.value.reason is Reason.EXPORT_UNKNOWN


# ---- in the middle -------------------------------------------------------------------------------


class Gate:
    """Holds the pages of a store until it is opened."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, pages: int = 1) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()
        desk.ledger.checkpoint()  # signing reads pages too
        read = desk.store.rows_raw

        def held(ledger: str, **bounds: int) -> Iterator[Any]:
            for page in read(ledger, **bounds):
                for at, row in enumerate(page):
                    if at == pages:
                        self.reached.set()
                        assert self.opened.wait(30)
                    yield [row]

        monkeypatch.setattr(desk.store, "rows_raw", held)


def test_only_so_many_are_written_at_once(small: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
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
    small: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        gate = Gate(small, patched, pages=6)
        job = small.exports.create(AUDITOR, ExportRequest())
        assert gate.reached.wait(30)
        stopping = threading.Thread(target=small.exports.stop)
        stopping.start()
        while not small.exports._unwanted[job.export].is_set():
            stopping.join(0.01)
        gate.opened.set()
        stopping.join()
    assert small.exports.get(job.export).state == "writing"
    events = small.exports.folder_of(job.export) / "data" / "events.jsonl"
    begun = events.read_bytes()
    assert begun.count(b"\n") == 6
    small.observe("fares")  # the bundle was settled before it
    small.exports = small.opened()
    done = small.finished(job)
    assert small.verified(done).events == 14
    assert events.read_bytes().startswith(begun)


def test_a_crash_between_the_record_and_the_job_repeats_neither(small: Desk) -> None:
    job = small.made()
    small.exports._folder.save(replace(job, state="writing", issued_position=0))
    head = small.ledger.head().position
    small.exports = small.opened()
    assert small.finished(job) == job
    assert small.ledger.head().position == head


def test_a_damaged_ledger_fails_the_export_and_says_where(
    small: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    small.ledger.checkpoint()  # which reads all of it, and finds it whole
    read = small.store.rows_raw

    def damaged(ledger: str, **bounds: int) -> Iterator[Any]:
        for page in read(ledger, **bounds):
            yield [(*row[:6], b"{}", *row[7:]) if row[0] == 4 else row for row in page]

    monkeypatch.setattr(small.store, "rows_raw", damaged)
    job = small.made()
    assert (job.state, job.issued_position) == ("failed", 0)
    assert "broken at position 4" in job.failure
    with pytest.raises(LedgerError, match="failed: The chain is broken at position 4"):
        small.exports.read(job.export, 0, 1)


# ---- erasure -------------------------------------------------------------------------------------


def erase(desk: Desk, *ranges: tuple[int, int]) -> int:
    erased = desk.ledger.erase_bodies(OFFICER, ranges, "Art. 17", "privacy office")
    return erased.written.position


def test_bundles_that_hold_an_erased_body_are_deleted_and_others_are_not(small: Desk) -> None:
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


def test_an_erasure_ends_what_is_being_written(
    small: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(small, monkeypatch, pages=6)
    job = small.exports.create(AUDITOR, ExportRequest())
    assert gate.reached.wait(30)
    position = erase(small, (3, 3))
    removing = threading.Thread(target=small.exports.remove_containing, args=(position, [(3, 3)]))
    removing.start()
    while not small.exports._unwanted[job.export].is_set():
        removing.join(0.01)
    gate.opened.set()
    removing.join()
    assert small.exports.get(job.export).state == "failed"
    assert not small.exports.folder_of(job.export).exists()


def test_an_erasure_that_was_recorded_just_before_a_stop_is_made_up_for(small: Desk) -> None:
    job = small.made()
    erase(small, (3, 3))
    small.exports = small.opened()
    assert small.exports.get(job.export).state == "failed"
    assert not small.exports.folder_of(job.export).exists()


def test_what_is_erased_is_stated_in_a_part_and_proven_in_the_whole(desk: Desk) -> None:
    erase(desk, (3, 3))
    asked: dict[str, dict[str, Any]] = {
        "full": {},
        "range": {"last_position": 5},
        "stream": {"stream": "models/hotels"},
    }
    missing = {
        kind: desk.verified(desk.made(kind=kind, **fields)).missing
        for kind, fields in asked.items()
    }
    assert missing["full"].erased_proven == 1
    assert missing["range"].erased_stated == missing["stream"].erased_stated == 1


# ---- keeping -------------------------------------------------------------------------------------


def test_exports_are_listed_newest_first_and_unknown_ones_refused(small: Desk) -> None:
    jobs = []
    for _ in range(3):
        small.clock.advance(1_000_000)
        jobs.append(small.made())
    assert [job.export for job in small.exports.all()] == [job.export for job in reversed(jobs)]
    small.exports = small.opened()
    assert small.exports.all() == list(reversed(jobs))
    with pytest.raises(LedgerError) as refusal:
        small.exports.get("nothing")
    assert refusal.value.reason is Reason.EXPORT_UNKNOWN


def test_a_folder_that_never_became_a_job_is_cleared_away(small: Desk) -> None:
    stray = small.folder / ORIGIN.replace("/", "~") / "stray"
    (stray / "bundle").mkdir(parents=True)
    small.exports = small.opened()
    assert small.exports.all() == []
    assert not stray.exists()


@pytest.mark.parametrize(
    ("folder", "database", "kept"),
    [
        ("there", "postgresql://host/db", Path("there")),
        ("", "data/ledger.sqlite", Path("data/ledger.sqlite.exports")),
        ("", "sqlite:///data/ledger.sqlite", Path("data/ledger.sqlite.exports")),
        ("", "sqlite:////data/ledger.sqlite", Path("/data/ledger.sqlite.exports")),
        ("", "postgresql://host/db", None),
    ],
)
def test_exports_are_kept_as_set_or_beside_a_file(
    folder: str, database: str, kept: Path | None
) -> None:
    assert exports_folder(folder, database) == kept


def test_the_gate_of_these_tests_holds(small: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(small, monkeypatch)
    job = small.exports.create(AUDITOR, ExportRequest())
    assert gate.reached.wait(30)
    assert small.exports.get(job.export).state == "writing"
    gate.opened.set()
    assert small.finished(job).state == "ready"
