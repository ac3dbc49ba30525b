"""A disk that is full or broken, read models that are gone or damaged, unknown events.

The faults are real ones where they can be: a limit on the size of files makes the writer's disk
writes fail, a page limit makes SQLite report a full disk, files are deleted and overwritten.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.client import IntegrityError, LedgerClient, LedgerRefusedError, UnknownNameError
from ledger.client.enums import ProjectionState, RebuildOutcome, ReplayOutcome
from ledger.clock import SystemClock
from ledger.errors import Reason
from ledger.events.envelope import encode_body
from ledger.events.signals import SignalObserved
from ledger.storage import AppendRequest, NewEvent, open_store
from tests.support.check_ledger import check_ledger
from tests.support.live_fleet import MODELS, ORIGIN, Observed, prepare
from tests.support.server_process import DEADLINE_SECONDS, ServerProcess, client, served

FILE_BYTES_MAX = 600_000  # the WAL reaches it after some hundred observations
BATCHES_MAX = 2_000
BATCH = 20
PREPARED = 200  # observations that are on record before
HEALTH = health_pb2.HealthCheckResponse
SERVING, NOT_SERVING = HEALTH.SERVING, HEALTH.NOT_SERVING


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where servers log to."""
    return tmp_path / "server.log"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a ledger with some history, closed in good order."""
    folder = tmp_path_factory.mktemp("prepared")
    with served(folder / "log", str(folder / "ledger.sqlite")) as (server, address):
        with client(address) as ledger:
            prepare(ledger)
            observed = Observed()
            for _ in range(PREPARED // BATCH):
                ledger.submit(observed.rows(BATCH))
        assert server.stop() == 0
    return folder


@pytest.fixture
def database(tmp_path: Path, prepared: Path) -> Path:
    """A copy of that ledger's file, with its read models and its key beside it."""
    for file in (*prepared.glob("*.sqlite"), *prepared.glob("*.key")):
        shutil.copy(file, tmp_path)
    return tmp_path / "ledger.sqlite"


def projections_of(database: Path) -> Path:
    """Return the file of its read models."""
    return database.with_name("ledger.projections.sqlite")


def health_of(address: str) -> int:
    """Return what the server says about itself."""
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its stubs know no methods
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=DEADLINE_SECONDS)
        return int(answer.status)


def submit_until_refused(ledger: LedgerClient, prefix: str) -> tuple[set[int], LedgerRefusedError]:
    """Submit until the server refuses; return the positions that it acknowledged, and why."""
    observed, positions = Observed(after=PREPARED), set[int]()
    for number in range(BATCHES_MAX):
        try:
            appended = ledger.submit(observed.rows(BATCH), request_id=f"{prefix}-{number}")
        except LedgerRefusedError as error:
            return positions, error
        positions.update(range(appended.first_position, appended.position + 1))
    raise AssertionError("the disk never failed")


def observed_positions(database: Path) -> set[int]:
    """Return where observations stand in a ledger that verifies."""
    store = open_store(str(database), SystemClock(), create=True)
    events = check_ledger(store, ORIGIN)
    store.close()
    return {event.position for event in events if event.type == SignalObserved.TYPE}


def test_a_disk_that_fails_stops_the_writer_and_loses_nothing(database: Path, log: Path) -> None:
    with served(log, str(database), file_bytes_max=FILE_BYTES_MAX) as (server, address):
        with client(address) as ledger:
            assert health_of(address) == SERVING
            head = ledger.get_ledger().head_position
            positions, error = submit_until_refused(ledger, "broken")
            assert error.reason is Reason.STORE_UNAVAILABLE
            assert "start the server again" in error.remedy
            with pytest.raises(LedgerRefusedError, match="The writer stopped"):
                ledger.submit(Observed(after=PREPARED + len(positions) + BATCH).rows(1))
            assert ledger.get_ledger().head_position >= max(positions), "reads go on"
            assert health_of(address) == NOT_SERVING
        assert server.stop() == 0
    assert positions <= {p for p in observed_positions(database) if p > head}
    with served(log, str(database)) as (_, address), client(address) as ledger:
        assert health_of(address) == SERVING
        next_one = Observed(after=PREPARED + len(positions) + BATCH).rows(1)
        assert ledger.submit(next_one).position > max(positions)


def test_a_restart_knows_the_requests_that_a_failing_disk_left_open(
    database: Path, log: Path
) -> None:
    with (
        served(log, str(database), file_bytes_max=FILE_BYTES_MAX) as (_, address),
        client(address) as ledger,
    ):
        positions, _ = submit_until_refused(ledger, "open")
    with served(log, str(database)) as (server, address):
        with client(address) as ledger:
            observed, again = Observed(after=PREPARED), set[int]()
            for number in range(len(positions) // BATCH + 1):  # the refused one too
                rows = observed.rows(BATCH)
                appended = ledger.submit(rows, request_id=f"open-{number}")
                again.update(range(appended.first_position, appended.position + 1))
        server.stop()
    assert len(again) == len(positions) + BATCH
    assert positions < again
    assert again <= observed_positions(database)


def scribble(file: Path) -> None:
    """Overwrite the second half with what no database page looks like."""
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2] + b"\xa5" * (len(data) - len(data) // 2))


def forge(file: Path) -> None:
    """Change rows by SQL, as somebody with an editor would."""
    with sqlite3.connect(file) as connection:
        changed = connection.execute(
            "UPDATE projection_rows SET row = replace(row, 'team-fares', 'team-x')"
        )
        assert changed.rowcount > 0
    connection.close()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "emptied": lambda file: file.write_bytes(b""),
    "no database": lambda file: file.write_bytes(b"something else " * 1_000),
    "cut off": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "scribbled on": scribble,
    "forged": forge,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_read_models_are_built_again_at_the_next_start(
    damage: str, database: Path, log: Path
) -> None:
    DAMAGE[damage](projections_of(database))
    with served(log, str(database)) as (server, address):
        with client(address) as ledger:
            check_read_models(ledger)
        assert server.stop() == 0


def check_read_models(ledger: LedgerClient) -> None:
    """Fail unless the read models are live, at the head, and equal to ones built from nothing."""
    head = ledger.get_ledger().head_position
    for name in ("priorities", "signals"):
        live = ledger.get_projection(name, min_position=head)
        assert live.state is ProjectionState.LIVE
        assert live.rows >= len(MODELS)
        assert ledger.rebuild_projection(name).rebuild.outcome is RebuildOutcome.EQUAL


@pytest.mark.parametrize("damage", ["deleted", "scribbled on"])
def test_read_models_that_are_damaged_under_a_server_cost_no_append(
    damage: str, database: Path, log: Path
) -> None:
    observed = Observed()
    with served(log, str(database)) as (server, address):
        with client(address) as ledger:
            ledger.submit(observed.rows(BATCH))
            DAMAGE[damage](projections_of(database))
            for _ in range(20):
                head = ledger.submit(observed.rows(BATCH)).position
            # They are served from memory, and stay current; what they say of storing varies.
            live = ledger.get_projection("priorities", min_position=head)
            assert live.state is ProjectionState.LIVE
            assert len(ledger.list_priorities(min_position=head).priorities) == len(MODELS)
            assert health_of(address) == SERVING
        assert server.stop() == 0
    with served(log, str(database)) as (_, address), client(address) as ledger:
        check_read_models(ledger)


def append_foreign(database: Path, stream: str, type_: str, body: bytes) -> int:
    """Append an event as another release would: chained, and unknown to this one."""
    store = open_store(str(database), SystemClock(), create=True)
    try:
        request = AppendRequest(ORIGIN, "users/ada", "Other", [NewEvent(stream, type_, body)])
        return store.requests.append(request).first_position
    finally:
        store.close()


FOREIGN_TYPES = ("poison.flight.v1", "model.updated.v2", "score.computed.v7", "decision.made.v1")
"""A name that could be a module's, newer versions of what we know, and what we know, misshapen."""


@pytest.mark.parametrize("type_", FOREIGN_TYPES)
def test_an_event_of_another_release_stops_no_other_model_and_imports_nothing(
    type_: str, database: Path, log: Path
) -> None:
    marker = log.with_name("imported")
    log.with_name("poison.py").write_text(f"open({str(marker)!r}, 'w').close()\nflight = dict\n")
    body = encode_body(actor="users/ada", data={"topic": "poison:flight", "model": "m0"})
    position = append_foreign(database, "models/m0", type_, body)
    with ServerProcess(log, modules=log.parent) as server:
        server.serve(str(database))
        with client(server.address()) as ledger:
            found = next(ledger.list_events(after_position=position - 1))
            assert (found.type, found.body) == (type_, body), "auditors get the bytes"
            with suppress(UnknownNameError):  # what is of no type that is replayed
                assert ledger.replay(position).outcome is ReplayOutcome.NOT_REPLAYABLE
            with pytest.raises(IntegrityError) as refusal:
                ledger.evaluate(["m0"])
            assert refusal.value.reason == "EVENT_UNREADABLE"
            assert str(position) in refusal.value.message
            check_others_go_on(ledger)
        assert server.stop() == 0
    assert not marker.exists()


def check_others_go_on(ledger: LedgerClient) -> None:
    """Fail unless the models except m0 are observed, evaluated and decided about as ever."""
    others = [model for model in MODELS if model != "m0"]
    head = ledger.submit(Observed(others, after=10 * BATCH).rows(BATCH)).position
    scores = ledger.watch_events(after_position=head, types=["score.computed.v1"])
    expected = {f"models/{model}" for model in others}
    while expected:
        expected.discard(next(scores).stream)
    assert len(ledger.evaluate(others).evaluated) == len(others)


def test_a_description_that_cannot_be_read_sets_its_model_aside_and_no_other(
    database: Path, log: Path
) -> None:
    body = encode_body(actor="users/ada", data={"model": "m0", "colour": "blue"})
    append_foreign(database, "models/m0", "model.updated.v1", body)
    with served(log, str(database)) as (server, address), client(address) as ledger:
        check_others_go_on(ledger)
        ledger.submit(Observed(["m0"], after=20 * BATCH).rows(1))
        for refused in (
            lambda: ledger.evaluate(["m0"]),
            lambda: ledger.make_plan(budget_micros=1, budget_cap_micros=1),  # m0 is a candidate
            lambda: ledger.retire_model("m0", "It cannot be read."),
        ):
            with pytest.raises(LedgerRefusedError) as caught:
                refused()
            assert caught.value.reason is Reason.EVENT_UNREADABLE
        assert health_of(address) == SERVING
        stopped = ledger.get_projection("priorities")
        assert stopped.state is ProjectionState.STOPPED
        assert "model.updated.v1" in stopped.problem
        assert server.is_evaluating()
