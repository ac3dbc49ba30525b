"""A persistence module for the `eventsourcing` library over the ledger's own table of events.

Set PERSISTENCE_MODULE=ledger.storage.eventsourcing, and:

LEDGER_URL          database, as `open_store` takes it (required)
LEDGER_ORIGIN       the ledger's name; `recorder/<application name>` if not set
ORIGINATOR_ID_TYPE  `uuid` (default) or `text`: what foreign originators are given back as
CREATE_TABLE        `n` to use an existing ledger only

The library looks here for exactly one factory, so no other may be imported.
"""

import re
import threading
from typing import Final, TypeVar
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ProcessRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool

from ledger.clock import SystemClock
from ledger.storage.recorders import (
    LedgerAggregateRecorder,
    LedgerApplicationRecorder,
    LedgerProcessRecorder,
    LedgerTrackingRecorder,
)
from ledger.storage.store import Store, open_store
from ledger.storage.stored_events import OriginatorId

T = TypeVar("T")


class Factory(InfrastructureFactory[LedgerTrackingRecorder]):
    """Constructs recorders from an environment. Factories of one URL share one store."""

    LEDGER_URL = "LEDGER_URL"
    LEDGER_ORIGIN = "LEDGER_ORIGIN"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.LEDGER_URL)
        if not url:
            keys = ", ".join(self.env.create_keys(self.LEDGER_URL))
            raise OSError(f"the environment names no ledger database: set one of {keys}")
        id_type = (self.env.get(self.ORIGINATOR_ID_TYPE) or "uuid").lower()
        if id_type not in ("uuid", "text"):
            raise OSError(f"{self.ORIGINATOR_ID_TYPE} is {id_type!r}; it must be 'uuid' or 'text'")
        self._to_id: OriginatorId = UUID if id_type == "uuid" else str
        self._origin = self.env.get(self.LEDGER_ORIGIN) or default_origin(self.env.name)
        self._url = url
        self.store = _SHARED.acquire(url, create=self._may_create())
        self._is_open = True

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        """Return a recorder of aggregates; those of another purpose have a ledger of their own."""
        origin = self._origin if purpose == "events" else f"{self._origin}/{purpose}"
        return LedgerAggregateRecorder(self.store, self._opened(origin), self._to_id)

    def application_recorder(self) -> ApplicationRecorder:
        """Return the recorder of the application's sequence."""
        chosen = self._chosen(self.APPLICATION_RECORDER_TOPIC, LedgerApplicationRecorder)
        return chosen(self.store, self._opened(self._origin), self._to_id)

    def tracking_recorder(
        self, tracking_recorder_class: type[LedgerTrackingRecorder] | None = None
    ) -> LedgerTrackingRecorder:
        """Return a tracking recorder, of the class given or named in the environment."""
        chosen = tracking_recorder_class or self._chosen(
            self.TRACKING_RECORDER_TOPIC, LedgerTrackingRecorder
        )
        return chosen(self.store, self._opened(self._origin))

    def process_recorder(self) -> ProcessRecorder:
        """Return the recorder of an application that follows others."""
        chosen = self._chosen(self.PROCESS_RECORDER_TOPIC, LedgerProcessRecorder)
        return chosen(self.store, self._opened(self._origin), self._to_id)

    def close(self) -> None:
        """Give up the store; the last factory of its URL closes it."""
        if self._is_open:
            self._is_open = False
            _SHARED.release(self._url)

    def _opened(self, origin: str) -> str:
        """Make sure that the ledger exists, unless the environment forbids to create it."""
        if self._may_create():
            self.store.ledgers.open_recorder(origin)
        return origin

    def _may_create(self) -> bool:
        return strtobool(self.env.get(self.CREATE_TABLE, "yes") or "yes")

    def _chosen(self, key: str, default: type[T]) -> type[T]:
        topic = self.env.get(key)
        if not topic:
            return default
        chosen: type[T] = resolve_topic(topic)
        assert issubclass(chosen, default)
        return chosen


class _SharedStores:
    """The stores that this process has open, by URL: one file takes one writer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, tuple[Store, int]] = {}

    def acquire(self, url: str, *, create: bool) -> Store:
        """Return the store of a URL, opened if it is not yet."""
        with self._lock:
            store, users = self._open.get(url) or (open_store(url, SystemClock(), create=create), 0)
            self._open[url] = (store, users + 1)
            return store

    def release(self, url: str) -> None:
        """Close the store of a URL when its last user is gone."""
        with self._lock:
            store, users = self._open.pop(url)
            if users > 1:
                self._open[url] = (store, users - 1)
                return
            store.close()


_SHARED: Final = _SharedStores()


def default_origin(application_name: str) -> str:
    """Return the ledger of an application that names none."""
    name = re.sub(r"[^a-z0-9._-]", "-", application_name.lower()).strip("._-")[:100]
    return f"recorder/{name or 'application'}"
