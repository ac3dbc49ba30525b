"""A server that kills itself at a moment of its own work that no other process could hit.

Only appends about jobs are counted: those with an event in the stream of one.
"""

import os
import signal
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from ledger.storage.database import EVENT_COLUMNS, EVENT_WIDTH, Database
from ledger.storage.postgres import PostgresDatabase
from ledger.storage.sqlite import SqliteDatabase

WITHIN: Final = "within"
"""With its events written, before the commit: nothing of it may be there afterwards."""
BEHIND: Final = "behind"
"""Right behind the commit, before anyone is told of it: all of it must be there."""
_STREAM: Final = EVENT_COLUMNS.index("stream")


def die_at(moment: str, number: int) -> None:
    """Have this process die at a moment of the n-th append about a job, counted from 1."""
    left = number
    is_due = False

    def wrap(kind: type[Database]) -> None:
        insert, after_commit = kind.insert_events, kind.after_commit

        def inserting(self: Database, connection: Connection, values: Sequence[Any]) -> None:
            nonlocal left, is_due
            insert(self, connection, values)
            streams = values[_STREAM::EVENT_WIDTH]
            if not any(one.startswith("jobs/") for one in streams):
                return
            left -= 1
            is_due = not left
            if is_due and moment == WITHIN:
                os.kill(os.getpid(), signal.SIGKILL)

        def committed(self: Database) -> None:
            if is_due:
                os.kill(os.getpid(), signal.SIGKILL)
            after_commit(self)

        kind.insert_events = inserting  # type: ignore[method-assign]
        kind.after_commit = committed  # type: ignore[method-assign]

    wrap(SqliteDatabase)
    wrap(PostgresDatabase)
