"""A disk that fails while it is read is an outage with a name, not a defect of ours.

Method: a served ledger whose connections for reading fail as SQLite fails on such a disk, asked by
each kind of call that reads; then a disk that is well again.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from sqlalchemy import event

from ledger.v1 import (
    decision_service_pb2,
    ledger_service_pb2,
    priority_service_pb2,
)
from tests.support.hooks import database_of, store_of
from tests.support.served import TIMEOUT, Served, observation, refused, serving

READS: dict[str, Callable[[Served], object]] = {
    "ListEvents": lambda served: served.ledgers.ListEvents(
        ledger_service_pb2.ListEventsRequest(), timeout=TIMEOUT
    ),
    "ListCheckpoints": lambda served: served.ledgers.ListCheckpoints(
        ledger_service_pb2.ListCheckpointsRequest(), timeout=TIMEOUT
    ),
    "ListDecisions": lambda served: served.decisions.ListDecisions(
        decision_service_pb2.ListDecisionsRequest(), timeout=TIMEOUT
    ),
    "ProveInclusion": lambda served: served.ledgers.ProveInclusion(
        ledger_service_pb2.ProveInclusionRequest(position=1), timeout=TIMEOUT
    ),
    "WatchEvents": lambda served: served.ledgers.WatchEvents(
        ledger_service_pb2.WatchEventsRequest(), timeout=TIMEOUT
    ),
    "ListPriorities": lambda served: served.priorities.ListPriorities(
        priority_service_pb2.ListPrioritiesRequest(as_of_position=5), timeout=TIMEOUT
    ),
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as server:
        server.prepare(("fares",))
        server.submit(observation())
        yield server


@pytest.mark.parametrize("name", READS)
def test_an_error_of_the_disk_while_reading_is_store_unavailable(served: Served, name: str) -> None:
    is_broken = True

    def fail(*_: object) -> None:
        if is_broken:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
            error.sqlite_errorname = "SQLITE_IOERR_READ"
            raise error

    event.listen(database_of(store_of(served.service.ledger())).reader, "do_execute", fail)
    error = refused(lambda: READS[name](served))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert "disk I/O error" in error.message or "SQLITE_IOERR_READ" in str(error.metadata)
    is_broken = False
    served.ledgers.ListEvents(ledger_service_pb2.ListEventsRequest(), timeout=TIMEOUT)
