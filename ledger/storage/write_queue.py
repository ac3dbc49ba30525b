"""The writer's queue: appends, and functions that need its transaction or its stillness."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ledger.errors import LedgerError
from ledger.storage.commit_group import CommitGroup
from ledger.storage.records import AppendRequest, AppendResult, LedgerInfo


@dataclass(slots=True)
class QueuedAppend:
    """A request that waits, and who waits for it."""

    info: LedgerInfo
    request: AppendRequest
    future: "Future[AppendResult]"


@dataclass(slots=True)
class QueuedCall:
    """A function that needs the writer's connection, in a transaction of its own."""

    function: Callable[["WriteTransaction"], Any]
    future: "Future[Any]"


@dataclass(slots=True)
class QueuedMaintenance:
    """A function that needs the writer to hold still, outside any transaction."""

    function: Callable[[], None]
    future: "Future[None]"


Job = QueuedAppend | QueuedCall | QueuedMaintenance


@dataclass(slots=True)
class WriteTransaction:
    """The means of a call while it has the writer: its transaction, and a group to append with."""

    connection: Connection
    group: CommitGroup

    def lock(self, info: LedgerInfo) -> None:
        """Keep other servers' writers out of a ledger until the transaction commits."""
        self.group.begin([info], [])


def serve_chore(job: QueuedMaintenance) -> None:
    """Run a chore and answer it; its errors go to its caller."""
    if not job.future.set_running_or_notify_cancel():
        return
    try:
        job.function()
    except BaseException as error:  # noqa: BLE001 - the waiter must hear of it
        job.future.set_exception(error)
    else:
        job.future.set_result(None)


def refuse(job: Job, failure: LedgerError) -> None:
    """Answer a job with a failure, unless it was answered or its caller has given up."""
    future = job.future
    if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
        future.set_exception(again(failure))


def again(failure: LedgerError) -> LedgerError:
    """Return a copy to raise in one more thread: a raised error collects that thread's frames."""
    return LedgerError(
        failure.reason,
        failure.message,
        remedy=failure.remedy,
        retry_after_seconds=failure.retry_after_seconds,
        metadata=failure.metadata,
    )
