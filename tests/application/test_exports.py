"""Exports as jobs: settled when they are asked for, refused at once, kept, issued in the ledger.

Method: a ledger without a service; each job is waited for. The first story runs on SQLite and on
PostgreSQL, the rest on SQLite, since no database changes it.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.application.commands import Caller
from ledger.application.exports.jobs import ExportRequest, exports_folder
from ledger.application.signing.checkpoints import SignedCheckpoint
from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.note import parse as parse_note
from ledger.errors import LedgerError, Reason
from ledger.events.proving import ExportIssued
from ledger.events.registry import typed
from ledger.export.scope import Kind
from tests.support.exports import AUDITOR, ExportSetting
from tests.support.hooks import patch_constant
from tests.support.world import ORIGIN


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
    setting: ExportSetting, kind: Kind, fields: dict[str, Any], events: int, withheld: int
) -> None:
    job = setting.made(kind=kind, purpose="a yearly audit", **fields)
    found = setting.verified(job)
    assert (found.events, found.missing.withheld, found.scope.kind) == (events, withheld, kind)
    event = setting.ledger.log.event(job.issued_position)
    assert event is not None
    issued = typed(event, ExportIssued)
    assert issued.manifest_digest == found.manifest_digest.hex() == job.manifest_digest
    assert (issued.export, issued.events, issued.withheld) == (job.export, events, withheld)
    assert (issued.requested_by, issued.purpose) == ("users/auditor", "a yearly audit")
    size, pieces = setting.exports.read(job.export, 0, 1_000)
    assert len(b"".join(pieces)) == size == job.archive_bytes


def test_a_range_of_time_holds_what_was_recorded_in_it(small: ExportSetting) -> None:
    times = {event.position: event.recorded_at for event in small.ledger.log.events()}
    job = small.made(kind="range", from_time=times[5], until_time=times[9])
    assert (job.first_position, job.last_position) == (5, 8)
    small.verified(job)


def test_an_export_of_a_stream_seals_first_so_that_it_is_complete_up_to_the_newest_event(
    small: ExportSetting,
) -> None:
    """Method: other streams go on between exports, so that an older seal would cover the stream."""
    first = small.made(kind="stream", stream="models/hotels")
    head = small.record("fares")
    again = small.made(kind="stream", stream="models/hotels")
    assert again.last_position == first.last_position
    assert again.seal_position == head + 1 == again.checkpoint_size
    last = small.record("hotels")
    third = small.made(kind="stream", stream="models/hotels")
    assert third.last_position == last
    for job in (first, again, third):
        reach = small.verified(job).reach
        assert reach.position + 1 == job.seal_position == job.checkpoint_size
        assert (reach.events_newer, reach.is_newest) == (1, True)


def test_an_export_of_a_stream_takes_a_seal_that_covers_all_but_itself(
    small: ExportSetting,
) -> None:
    sealed = small.ledger.attestation.seals.seal(AUDITOR).written.last_position
    job = small.made(kind="stream", stream="models/hotels")
    assert job.seal_position == sealed


def test_the_ledgers_own_stream_can_be_exported(small: ExportSetting) -> None:
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
    ({"kind": "stream", "stream": "Models"}, Reason.FIELD_INVALID, "is not a stream"),
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
    small: ExportSetting, fields: dict[str, Any], reason: Reason, words: str
) -> None:
    head = small.ledger.log.head().position
    with pytest.raises(LedgerError, match=words) as refusal:
        small.exports.create(AUDITOR, ExportRequest(**fields))
    assert refusal.value.reason is reason
    assert small.ledger.log.head().position == head
    assert small.exports.all() == []


def test_a_repeated_request_gets_the_same_export(small: ExportSetting) -> None:
    caller = Caller("users/auditor", "request-1", b"\x01" * 32)
    job = small.made(caller=caller)
    small.record("fares")
    assert small.exports.create(caller, ExportRequest()) == job
    with pytest.raises(LedgerError) as refusal:
        small.exports.create(replace(caller, digest=b"\x02" * 32), ExportRequest())
    assert refusal.value.reason is Reason.REQUEST_ID_REUSED
    other = small.made(caller=replace(caller, actor="users/ada"))
    assert other.export != job.export
    event = small.ledger.log.event(job.issued_position)
    assert event is not None
    assert event.body.request_id == "request-1"


def test_a_request_whose_export_is_gone_is_not_answered_with_another(small: ExportSetting) -> None:
    caller = Caller("users/auditor", "request-1", b"\x01" * 32)
    small.made(caller=caller)
    shutil.rmtree(small.folder)
    small.exports = small.opened()
    with pytest.raises(LedgerError, match="not kept any more") as refusal:
        small.exports.create(caller, ExportRequest())
    assert refusal.value.reason is Reason.EXPORT_UNKNOWN


def test_exports_are_listed_newest_first_and_unknown_ones_refused(small: ExportSetting) -> None:
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


def test_a_folder_that_never_became_a_job_is_cleared_away(small: ExportSetting) -> None:
    stray = small.folder / ORIGIN.replace("/", "~") / "stray"
    (stray / "bundle").mkdir(parents=True)
    small.exports = small.opened()
    assert small.exports.all() == []
    assert not stray.exists()


@pytest.mark.parametrize(
    ("folder", "database", "kept"),
    [
        ("there", "postgresql://host/db", Path("there")),
        ("", "data/ledger.sqlite", Path("data/ledger.sqlite.exports").resolve()),
        ("", "sqlite:///data/ledger.sqlite", Path("data/ledger.sqlite.exports").resolve()),
        ("", "sqlite:////data/ledger.sqlite", Path("/data/ledger.sqlite.exports")),
        ("", "postgresql://host/db", None),
    ],
)
def test_exports_are_kept_as_set_or_beside_a_file(
    folder: str, database: str, kept: Path | None
) -> None:
    assert exports_folder(folder, database) == kept


def test_a_bundle_waits_a_little_for_the_witnesses_of_its_checkpoint(
    small: ExportSetting, monkeypatch: pytest.MonkeyPatch
) -> None:
    patch_constant(monkeypatch, "pause for witnesses", 0.0)
    slow = SimpleNamespace(wake=lambda: None)
    monkeypatch.setattr(small.ledger.attestation.collector, "cosigners", [slow])
    witness = CosigningKey("witness.example/w", bytes(32))
    kept, asked = small.ledger.attestation.checkpoints.of_size, 0

    def cosigned_late(size: int) -> SignedCheckpoint:
        nonlocal asked
        asked += 1
        signed = kept(size)
        if asked < 4:
            return signed
        note = signed.note.encode()
        line = witness.cosign(parse_note(note).text, 1_767_225_600).line()
        more = add_cosignatures(note, [line]).decode()
        return replace(signed, note=more, witnesses=("witness.example/w",))

    monkeypatch.setattr(small.ledger.attestation.checkpoints, "of_size", cosigned_late)
    job = small.made()
    note = (small.exports.folder_of(job.export) / "data" / "checkpoint").read_text()
    assert "witness.example/w" in note
    monkeypatch.setattr(small.ledger.attestation.checkpoints, "of_size", kept)
    assert small.verified(job).events == 14
    small.verified(small.made())  # and goes without them in the end
