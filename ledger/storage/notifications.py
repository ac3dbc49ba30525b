"""Listeners for commits, and the news that reach them, from this server and from others.

News are hints: a listener that misses one finds the truth in the database at its next look.
"""

import threading
from collections.abc import Callable
from typing import Final

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from ledger.errors import LedgerError
from ledger.storage.database import Database
from ledger.storage.records import CommitCallback
from ledger.storage.schema import heads, ledgers

LOOK_SECONDS: Final = 1.0  # how often a watcher looks at the heads even when nothing was announced

_log: Final = structlog.get_logger("ledger.storage")


class CommitNotifications:
    """The newest head positions heard of, and the callbacks that hear of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._positions: dict[str, int] = {}
        self._callbacks: list[CommitCallback] = []

    def publish(self, origin: str, position: int) -> None:
        """Pass news on, unless they are old."""
        with self._lock:
            if position <= self._positions.get(origin, 0):
                return
            self._positions[origin] = position
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            try:
                callback(origin, position)
            except Exception:  # noqa: BLE001 - any error is logged
                # A listener's defect must not stop the writer, whose thread this is.
                _log.exception("a listener for commits failed", ledger=origin, position=position)

    def newest(self, origin: str) -> int:
        """Return the newest position heard of, 0 before there were any news."""
        return self._positions.get(origin, 0)

    def subscribe(self, callback: CommitCallback) -> Callable[[], None]:
        """Call back after each commit, other servers' included; returns how to stop it.

        Callbacks run on the store's threads: set a flag and return.
        """
        with self._lock:
            self._callbacks.append(callback)

        def _unsubscribe() -> None:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)

        return _unsubscribe


class CommitWatcher:
    """The thread that looks for commits of other servers and publishes them."""

    def __init__(self, database: Database, hints: CommitNotifications) -> None:
        self._database = database
        self._hints = hints
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-watcher", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()
        self._database.interrupt()
        self._thread.join()

    def _run(self) -> None:
        statement = select(ledgers.c.origin, heads.c.position).join(
            heads, heads.c.ledger_id == ledgers.c.ledger_id
        )
        while not self._closing.is_set():
            try:
                with self._database.reading() as connection:
                    rows = connection.execute(statement).all()
            except (DBAPIError, LedgerError) as error:
                # The writer looks each second too and tells of an outage.
                _log.debug("looking for commits failed; trying again", error=str(error))
                self._closing.wait(LOOK_SECONDS)
                continue
            for origin, position in rows:
                if type(origin) is str and type(position) is int:  # damage is the readers' to tell
                    self._hints.publish(origin, position)
            self._database.wait_for_announcement(LOOK_SECONDS)
