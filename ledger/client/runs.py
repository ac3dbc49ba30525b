"""Runs, as frozen dataclasses."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One event of a run's lineage, and what it is below."""

    position: int
    parent_position: int
    """0 for the run itself; else that of an earlier entry."""
    is_of_run: bool
    """Whether it names the run; else the run rests on it."""
    stream: str
    stream_version: int
    type: str
    recorded_at: datetime
    actor: str
    """Empty where its body was erased."""
    event_hash: bytes
    text: str


@dataclass(frozen=True, slots=True)
class ToldRun:
    """A run, or a job of it, as one document."""

    document: bytes
    media_type: str
    as_of: int


@dataclass(frozen=True, slots=True)
class RunLineage:
    """Everything of one run, from the first signal to the last outcome."""

    run_id: str
    model: str
    jobs: tuple[str, ...]
    as_of: int
    is_whole: bool
    """False where the run has more events than are told, of which the first are here."""
    entries: tuple[RunEntry, ...]
