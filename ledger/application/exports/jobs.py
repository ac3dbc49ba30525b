"""Exports as jobs: what was asked, what it was settled to mean, and how far it has come.

A job is a folder with its record and, beside it, the bundle. The record is replaced as a whole, so
a crash leaves the one before; what is in the bundle is judged by the writer that goes on with it.
"""

import shutil
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from ledger.events.canonical import decode, encode
from ledger.export.archive import Archive
from ledger.export.scope import BundlePlan, Kind, Withholding
from ledger.private import make_folder, write_whole
from ledger.storage.database import sqlite_file

ExportState: TypeAlias = Literal["writing", "ready", "failed"]

_RECORD: Final = "job.json"
_BUNDLE: Final = "bundle"


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """A bundle that a client wants. 0, None and "" mean that nothing was said; times in micros."""

    kind: Kind = "full"
    first_position: int = 0
    last_position: int = 0
    from_time: int | None = None
    until_time: int | None = None
    stream: str = ""
    withhold_types: tuple[str, ...] = ()
    withhold_streams: tuple[str, ...] = ()
    withhold_reason: str = ""
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """One export: settled when it was asked for, the rest as it goes on."""

    export: str
    kind: Kind
    first_position: int
    last_position: int
    stream: str | None
    checkpoint_size: int
    note: str
    """The checkpoint that it is proved against, as signed when it was asked for."""
    seal_position: int | None
    requested_at: str
    requested_by: str
    purpose: str
    withhold_types: tuple[str, ...]
    withhold_streams: tuple[str, ...]
    withhold_reason: str
    events_total: int
    request_id: str
    digest: str
    """Of the request, in hex: a repeat has the same."""
    state: ExportState = "writing"
    failure: str = ""
    events_done: int = field(default=0, compare=False)
    withheld: int = 0
    manifest_digest: str = ""
    archive_bytes: int = 0
    issued_position: int = 0

    @property
    def plan(self) -> BundlePlan:
        """The plan that the bundle is written by."""
        return BundlePlan(
            self.export,
            self.kind,
            self.first_position,
            self.last_position,
            self.stream,
            self.requested_at,
            self.requested_by,
            Withholding(
                frozenset(self.withhold_types),
                frozenset(self.withhold_streams),
                self.withhold_reason,
            ),
            self.purpose,
        )

    def failed(self, why: str) -> "ExportJob":
        """Return the job as given up."""
        return replace(self, state="failed", failure=why)


def exports_folder(folder: str, database: str) -> Path | None:
    """Return where exports are kept: as set, else beside a SQLite file; None for neither."""
    file = sqlite_file(database)
    return Path(folder or f"{file}.exports") if folder or file is not None else None


class JobFolder:
    """Where one ledger's exports are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self) -> list[ExportJob]:
        """Return every job, oldest first; what never got a record is cleared away."""
        if not self._folder.is_dir():
            return []
        found = []
        for place in sorted(self._folder.iterdir()):
            record = place / _RECORD
            if record.is_file():
                found.append(_parse(record.read_bytes()))
            else:
                shutil.rmtree(place, ignore_errors=True)
        return found

    def save(self, job: ExportJob) -> None:
        """Keep a job as it is now."""
        place = self._folder / job.export
        make_folder(place)
        write_whole(place / _RECORD, encode(asdict(job)))

    def bundle(self, job: ExportJob) -> Path:
        """Return the folder of a job's bundle."""
        return self._folder / job.export / _BUNDLE

    def archive(self, job: ExportJob) -> Archive:
        """Return the archive of a finished bundle."""
        return Archive(self.bundle(job), job.export)

    def clear(self, job: ExportJob) -> None:
        """Delete a job's bundle; its record stays."""
        bundle = self.bundle(job)
        if bundle.exists():
            shutil.rmtree(bundle)

    def forget(self, job: ExportJob) -> None:
        """Delete a job's bundle and its record."""
        place = self._folder / job.export
        if place.exists():
            shutil.rmtree(place)


def _parse(data: bytes) -> ExportJob:
    value: dict[str, Any] = decode(data)
    for name in ("withhold_types", "withhold_streams"):
        value[name] = tuple(value[name])
    return ExportJob(**value)
