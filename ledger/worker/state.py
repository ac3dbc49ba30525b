"""The memory of a worker, which outlives its process: the job it has, and the versions it observes.

One file, written whole before each request that it is about: after a crash the same request is
sent again, and the ledger answers it as the first time. One process has a folder at a time.
"""

import fcntl
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import Field, ValidationError

from ledger.events.base import Part
from ledger.private import make_folder, open_file, write_whole
from ledger.reading import STATE_BYTES_MAX, read_plain


class WorkerError(Exception):
    """Something that a worker cannot work with: what it is, and what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(f"{message} {remedy}")
        self.message = message
        self.remedy = remedy


class PendingReport(Part):
    """A report that may have been sent: sent again under its id, it is recorded once."""

    task: str
    request_id: str
    facts: dict[str, Any]
    """The arguments of the call."""
    is_own_time: bool = False
    """Whether the worker states by its own clock when a version began to serve."""


class HeldJob(Part):
    """The job that a worker has, or is about to have."""

    name: str
    """`models/{model}/jobs/{job}`."""
    request_id: str
    """Of its lease."""
    token: int = 0
    """0 until the lease is known."""
    attempt: int = 0
    used_seconds: float = 0.0
    """How long its steps have run in this attempt."""
    pending: PendingReport | None = None


class ObservedJob(Part):
    """A version that a worker has deployed and observes."""

    token: int
    attempt: int
    seen_micros: int
    """When it was deployed or last reported on, by the ledger's time."""
    begun: str = ""
    """The request id of the report that was begun then, until it is sent; empty for none."""
    pending: PendingReport | None = None
    """That report, once its step has run."""


class WorkerState(Part):
    """All that a worker remembers."""

    format: Literal["worker/1"] = "worker/1"
    ledger: str = ""
    """Origin of the ledger that it works for; empty until the first start."""
    held: HeldJob | None = None
    observed: dict[str, ObservedJob] = Field(default_factory=dict)
    """By resource name."""


class StateFile:
    """The state of one worker in its folder, which it has for itself."""

    def __init__(self, folder: Path) -> None:
        """`folder` is taken, and what is remembered there read, when this is entered."""
        self._folder: Final = folder
        self._path: Final = folder / "state.json"
        self.now = WorkerState()

    def __enter__(self) -> Self:
        """Take the folder, making it if need be; WorkerError where another process has it."""
        make_folder(self._folder)
        with ExitStack() as opened:
            lock = opened.enter_context(open_file(self._folder / "lock", "ab"))
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise WorkerError(
                    f"Another worker works in {self._folder}.", "Give each a folder: --work."
                ) from None
            self.now = self._read()
            self._lock = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder up."""
        self._lock.close()

    def _read(self) -> WorkerState:
        try:
            return WorkerState.model_validate_json(read_plain(self._path, STATE_BYTES_MAX))
        except FileNotFoundError:
            return WorkerState()
        except (OSError, ValidationError) as error:
            raise WorkerError(
                f"{self._path} is not the state of a worker: {str(error).splitlines()[0]}.",
                "Move it away: a job that it tells of is taken again once its lease is over.",
            ) from None

    def keep(self, **changes: Any) -> None:  # noqa: ANN401 - members of the state
        """Change members of the state, durably."""
        self.now = self.now.model_copy(update=changes)
        write_whole(self._path, self.now.model_dump_json(indent=2).encode())

    def keep_held(self, **changes: Any) -> None:  # noqa: ANN401 - members of the job
        """Change members of what is remembered of the job, durably."""
        assert self.now.held is not None, "a job is held"
        self.keep(held=self.now.held.model_copy(update=changes))
