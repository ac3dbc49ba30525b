"""The private parts of the product that tests touch: each name here, once, and in no test.

A test sees what callers see. Where it must bring about a fault that no caller can, or look for what
must not be left behind, it does so through a function of this module, which says what it is for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # each test pays for the imports that are its own
    import pytest

    from ledger.api.concurrency_limit import ConcurrencyLimit
    from ledger.api.server import ApiServer
    from ledger.application.accesses import Accesses
    from ledger.application.accounts import Accounts
    from ledger.application.evaluation.evaluator import Evaluator
    from ledger.application.evaluation.follower import Consumer, Follower
    from ledger.application.exports.exports import Exports
    from ledger.application.exports.jobs import JobFolder
    from ledger.application.ledger import LedgerApplication
    from ledger.application.refusals import Refusals
    from ledger.application.signing.checkpoints import Checkpoints
    from ledger.application.workers import Task
    from ledger.audit.database import DatabaseSource
    from ledger.clock import Clock
    from ledger.service import Service
    from ledger.storage import Store
    from ledger.storage.rehash import RehashProcess
    from ledger.witness.server import WitnessServer
    from ledger.witness.store import WitnessStore
    from projections.host import ProjectionHost
    from projections.runner import Runner

# ---- signing -------------------------------------------------------------------------------------


def before_signing(checkpoints: Checkpoints, do: Callable[[], None]) -> None:
    """Do something each time that a head was read and hashed again, and is not yet signed."""
    rehash = checkpoints._rehash

    def and_then(*args: Any) -> Any:  # noqa: ANN401 - as it is called
        again = rehash(*args)
        do()
        return again

    checkpoints._rehash = and_then


# ---- stores --------------------------------------------------------------------------------------


def database_of(store: Store | WitnessStore) -> Any:  # noqa: ANN401 - of either kind
    """What a store speaks to: for statements past it, and for failures of a disk or a server."""
    return store._database


def rows_of(store: Store, query: Any) -> list[Any]:  # noqa: ANN401 - any statement
    """Read what no part of a store gives out."""
    return list(store._view.rows(query))


def writer_of(store: Store) -> Any:  # noqa: ANN401 - a store that is read only has none
    """The thread that writes."""
    return store._writer


def writing(store: Store) -> Any:  # noqa: ANN401
    """The connection that the writer holds open: to break it."""
    return writer_of(store)._connection


def on_writer(store: Store, work: Callable[[Any], Any]) -> Any:  # noqa: ANN401
    """Let the writer do something in a transaction of its own, and return what it answers."""
    return store._open_writer().call(work)


def locked_file(store: Store) -> Any:  # noqa: ANN401
    """What watches over a SQLite file while it is served."""
    return database_of(store)._held


def held_log(store: Store) -> Any:  # noqa: ANN401
    """What watches over the log of that file."""
    return locked_file(store)._log


def state_log(store: Store, connection: object) -> None:
    """State in a log which file it goes with, as a start does."""
    database_of(store)._state_log(connection)


def listening(store: Store) -> object:
    """Begin to listen to PostgreSQL; None if that cannot be."""
    return database_of(store)._listen()


def types_query() -> str:
    """Return the SQL that finds the types of a stream: to see how it is carried out."""
    from ledger.storage.event_queries import TYPES_OF

    return str(TYPES_OF)


def run_query(database: str) -> str:
    """Return the SQL that finds the events of a run, with its values, for a database."""
    from sqlalchemy import literal_column
    from sqlalchemy.dialects import registry

    from ledger.storage.event_queries import BY_RUN
    from ledger.storage.schema import events, run_tail

    dialect = registry.load(database)()
    tail = "'x'::bytea" if database == "postgresql" else "x'00'"
    asked = BY_RUN.where(
        events.c.ledger_id == 1, run_tail == literal_column(tail), events.c.position <= 9
    )
    ordered = asked.order_by(events.c.position)
    return str(ordered.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def overlap(ranges: Any, others: Any) -> int:  # noqa: ANN401 - sorted ranges
    """Return how many positions two lists of ranges share."""
    from ledger.storage.erasure import _overlap

    return _overlap(ranges, others)


def forget_shared(url: str) -> None:
    """Forget a store that the library has left open."""
    from ledger.storage.eventsourcing import _SHARED

    _SHARED._open.pop(url, None)


def store_of(ledger: LedgerApplication) -> Store:
    """The store below the use cases: to append what they would refuse."""
    return ledger._store


# ---- use cases and service -----------------------------------------------------------------------


def join_export(exports: Exports, export: str) -> None:
    """Wait until the thread that writes an export is gone."""
    thread = exports._threads.get(export)
    if thread is not None:
        thread.join()


def unwanted(exports: Exports, export: str) -> threading.Event:
    """Set as soon as an export is to end, so that a test can go on just then."""
    return exports._unwanted[export]


def job_folder(exports: Exports) -> JobFolder:
    """Where jobs are kept: to leave one as a crash would."""
    return exports._folder


def warm_models(evaluator: Evaluator) -> dict[str, Any]:
    """What an evaluator holds in memory, which must neither grow nor outlive an erasure."""
    return {model: warm for model, warm in evaluator._tracked.items() if warm is not None}


def evaluator_of(follower: Follower) -> Evaluator | None:
    """The evaluator that a follower drives."""
    return follower._evaluator


def consumers(follower: Follower) -> list[Consumer]:
    """What a follower hands events to: to add one that fails."""
    return follower._consumers


def hashing(process: RehashProcess) -> Any:  # noqa: ANN401 - None before its first use
    """The process that hashes again: to kill it."""
    return process._process._process


def tallied(refusals: Refusals) -> list[Any]:
    """The ledgers of which refusals are counted."""
    return list(refusals._tallies)


def tasks(service: Service) -> list[str]:
    """The names of what recurs in a service."""
    return [task.name for task in service._workers._tasks]


def accounts_in(service: Service) -> Accounts:
    """What accounts for the first ledger of a service: to have it done at once."""
    tasks: list[Any] = list(service._workers._tasks)
    found: Accounts = next(one.do.__self__ for one in tasks if one.name.startswith("account "))
    return found


def refusals_in(service: Service) -> Refusals:
    """What counts refusals in a service."""
    return service._refusals


def accesses_in(service: Service) -> Accesses:
    """What notes and records reads in a service: to have it done at once."""
    return service._accesses


def listeners(service: Service) -> list[Any]:
    """What a service's store tells of commits."""
    return list(service.store.commits._callbacks)


def replace_workers(service: Service, workers: Any) -> None:  # noqa: ANN401 - what a test drives
    """Let something else than threads do what recurs in a service that has not started."""
    service._workers = workers


def abandon(service: Service) -> None:
    """Close the files of a service, and stop nothing in it."""
    service.store.close()
    service._projection_store.close()


def evaluations_due(evaluator: Evaluator) -> list[float]:
    """When each model that an evaluator has warm may be due, in seconds that pass."""
    found = []
    for warm in warm_models(evaluator).values():
        if warm.policy is not None and warm.scored is not None:
            timing = warm.policy.document.evaluation
            pauses = timing.interval_seconds, timing.silence_seconds
            found += [warm.scored.elapsed + pause for pause in pauses]
    return found


def period_over(task: Task) -> float:
    """When a task that seals or accounts finds its period over, in seconds that pass."""
    part: Any = task.do
    one = part.__self__
    due: float = one._interval + (one._since if hasattr(one, "_since") else one._at)
    return due


# ---- readers -------------------------------------------------------------------------------------


def read_up_to(source: DatabaseSource, size: int) -> None:
    """Let an audit see a database as it was at a size, while it goes on."""
    source._size = source._newest_note = size


def auditors_connection(source: DatabaseSource) -> Any:  # noqa: ANN401
    """The connection of an audit: to write through it, which it must refuse."""
    return source._connection


def runners(host: ProjectionHost) -> list[Runner]:
    """The projections of a host."""
    return list(host._runners.values())


def put_rows(runner: Runner, rows: Mapping[str, Any]) -> None:
    """Write wrong rows into a read model, as a defect would."""
    runner._fold.rows.put(rows)


# ---- servers and clients -------------------------------------------------------------------------


def limit_places(server: WitnessServer, places: threading.BoundedSemaphore) -> None:
    """Give a witness other places for its connections."""
    server._server._places = places


def channel_of(client: Any) -> Any:  # noqa: ANN401 - blocking or not
    """The connection of a client: to see when it idles, or to speak another protocol on it."""
    return client._connection.channel


def count_refusals(
    server: ApiServer, count: Callable[..., None], patch: pytest.MonkeyPatch
) -> None:
    """Hear of every refusal that a server counts."""
    patch.setattr(server._admission, "_count", count)


def connections(limit: ConcurrencyLimit) -> Mapping[str, int]:
    """The connections that hold places."""
    return limit._taken_by


# ---- commands ------------------------------------------------------------------------------------


def known_of(path: Path) -> object:
    """Read what a fetch that was broken off wrote down of what it asked for."""
    from ledger.operations.bundle_fetch import BundleDownload

    fetching: Any = object.__new__(BundleDownload)
    fetching._asked = path
    return fetching._known()


# ---- what a test puts in a place ----------------------------------------------------------------

_CONSTANTS = {
    "pause for witnesses": "application.exports.writing._WITNESS_PAUSE_SECONDS",
    "tries of a fetch": "operations.bundle_fetch._TRIES",
    "observations of a look": "storage.repeats._CHUNK",
}


def patch_constant(patch: pytest.MonkeyPatch, name: str, value: object) -> None:
    """Give a constant of a module another value, so that a test need not wait or write much."""
    patch.setattr(f"ledger.{_CONSTANTS[name]}", value)


def lose_log(patch: pytest.MonkeyPatch) -> None:
    """Leave the writer without a log."""
    patch.setattr("ledger.storage.writer._log", None)


def set_clock(store: Store, clock: Clock) -> None:
    """Give the writer another clock than the store was opened with, and what it dates events by."""
    writer_of(store)._clock = store.clocks._times._clock = clock


def hide_index(store: Store, patch: pytest.MonkeyPatch) -> None:
    """Let the index of a file's log never be read, as while it is written."""
    patch.setattr(locked_file(store), "_index_claim", lambda: None)


def replace_connect(
    store: Store, connect: Callable[[], Any], patch: pytest.MonkeyPatch
) -> Callable[[], Any]:
    """Replace how a store connects to PostgreSQL, and return how it did."""
    usual: Callable[[], Any] = database_of(store)._connect
    patch.setattr(database_of(store), "_connect", connect)
    return usual


def replace_lock(store: WitnessStore, lock: object, patch: pytest.MonkeyPatch) -> None:
    """Give a witness's store a lock that tells who waits."""
    patch.setattr(store, "_lock", lock)


def refuse_lock(refused: Callable[..., None], patch: pytest.MonkeyPatch) -> None:
    """Let no store of projections become the one that writes."""
    patch.setattr("projections.store.ProjectionStore._lock", refused)


def after_abandoning(
    exports: Exports, then: Callable[[str], None], patch: pytest.MonkeyPatch
) -> None:
    """Do something as soon as an export was abandoned."""
    abandon = exports._abandon

    def abandoned(export: str) -> None:
        abandon(export)
        then(export)

    patch.setattr(exports, "_abandon", abandoned)


def fail_lines(write: Callable[..., None], patch: pytest.MonkeyPatch) -> None:
    """Replace how the lines of a bundle are written."""
    patch.setattr("ledger.export.bundle._Lines.write", write)


def replace_hash(counted: Callable[[bytes], object], patch: pytest.MonkeyPatch) -> None:
    """Replace the hash function of trees and tiles."""
    patch.setattr("ledger.chain.merkle._sha256", counted)
    patch.setattr("ledger.chain.tiles._sha256", counted)


def believe_any_clock(patch: pytest.MonkeyPatch) -> None:
    """Let every store believe the machine's clock, whatever it says."""
    patch.setattr("ledger.storage.wall_clock.WallClock._step", lambda *_: None)


# ---- the governor --------------------------------------------------------------------------------


def hurry_governor(seconds: float) -> None:
    """Let every governor of this process that is built from now on pause only for so long."""
    from ledger.application.governance import governor

    governor._SECONDS = seconds  # type: ignore[misc]
