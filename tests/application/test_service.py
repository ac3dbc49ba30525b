"""The composition root: goal: several ledgers, started and stopped whole, that know of no other.

Method: services over SQLite files with their threads running; waiting is for positions, not time.
"""

import threading
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.evaluation.follower import Follower
from ledger.application.exports.exports import Exports
from ledger.application.ledger import LedgerApplication
from ledger.application.signing.key_commands import KeyCommands
from ledger.application.signing.schedule import Sealer, Signer
from ledger.application.witnesses.witnesses import CosignatureCollector
from ledger.errors import LedgerError, Reason
from ledger.service import Service
from ledger.storage import CreateLedger, open_store
from projections.host import ProjectionHost
from projections.sqlite_file import projections_url
from tests.support.hooks import listeners, tasks
from tests.support.world import ANA, START, StillClock, defined, reason_of, registered
from tools.quiet import quiet

ONE, TWO = "ledger.example.com/one", "ledger.example.com/two"


def service_at(path: Path) -> Service:
    """Return a service over a file, not started yet."""
    return Service(quiet(str(path / "l.sqlite")), StillClock(START))


def fill(ledger: LedgerApplication, model: str) -> None:
    """Give a ledger a signal and a model."""
    ledger.definitions.define(ANA, defined("loss"))
    ledger.commands.register_model(ANA, registered(model))


def test_several_ledgers_in_one_database_know_nothing_of_each_other(tmp_path: Path) -> None:
    with service_at(tmp_path) as service:
        for origin in (ONE, TWO):
            service.create_ledger(origin, clock="data", actor="users/ana")
        fill(service.ledger(ONE), "m1")
        fill(service.ledger(TWO), "m2")
        assert [view.name for view in service.ledger(ONE).fleet.models()] == ["m1"]
        assert [view.name for view in service.ledger(TWO).fleet.models()] == ["m2"]
        rows = [("m1", "loss", "v1", "0.5", START, 1)]
        with pytest.raises(LedgerError) as error:
            service.ledger(TWO).intake.submit(ANA, rows)
        assert reason_of(error) is Reason.MODEL_UNKNOWN
        service.ledger(ONE).intake.submit(ANA, rows).result()
        assert service.ledger(ONE).info.vkey != service.ledger(TWO).info.vkey
        for origin in (ONE, TWO):
            checkpoint = service.ledger(origin).attestation.checkpoints.sign()
            assert checkpoint.note.startswith(f"{origin}\n")
        repeated = Caller("users/ana", "same-id", b"")
        for origin in (ONE, TWO):
            written = service.ledger(origin).definitions.define(repeated, defined("drift"))
            assert not written.repeated


def test_an_empty_name_means_the_first_ledger_however_many_there_are(tmp_path: Path) -> None:
    with service_at(tmp_path) as service:
        with pytest.raises(LedgerError) as error:
            service.ledger()
        assert reason_of(error) is Reason.LEDGER_UNKNOWN
        service.create_ledger(ONE, clock="data", actor="users/ana")
        assert service.ledger().info.origin == ONE
        service.create_ledger(TWO, clock="wall", actor="users/ana")
        assert service.ledger().info.origin == ONE
        with pytest.raises(LedgerError) as error:
            service.ledger("ledger.example.com/none")
        assert reason_of(error) is Reason.LEDGER_UNKNOWN


def test_the_default_is_the_first_ledger_also_where_another_server_created_it(
    tmp_path: Path,
) -> None:
    with service_at(tmp_path) as service:
        service.store.ledgers.create(CreateLedger(TWO, "data", 0, "users/bo"))
        service.create_ledger(ONE, clock="data", actor="users/ana")
        assert service.ledger().info.origin == TWO


@pytest.mark.parametrize(
    ("origin", "clock", "skew", "field"),
    [
        ("Bad Origin", "data", 1, "origin"),
        ("", "data", 1, "origin"),
        ("a" * 129, "data", 1, "origin"),
        (ONE, "sundial", 1, "clock"),
        (ONE, "wall", -1, "skew_seconds"),
        (ONE, "wall", 86_401, "skew_seconds"),
    ],
)
def test_a_ledger_is_not_begun_with_a_bad_field(
    tmp_path: Path, origin: str, clock: str, skew: int, field: str
) -> None:
    with service_at(tmp_path) as service:
        with pytest.raises(LedgerError) as error:
            service.create_ledger(origin, clock=clock, skew_seconds=skew, actor="users/ana")
        assert error.value.metadata["field"] == field
        assert service.ledgers() == []


@pytest.mark.parametrize(
    ("part", "step"),
    [
        (ProjectionHost, "start"),
        (LedgerApplication, "evaluator"),
        (KeyCommands, "commit_first"),
        (Signer, "start"),
        (Sealer, "start"),
        (CosignatureCollector, "start"),
        (Follower, "start"),
        (Exports, "start"),
    ],
)
def test_a_ledger_that_cannot_be_opened_yet_leaves_nothing_behind_and_is_opened_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: type, step: str
) -> None:
    def out_of_order(*_: object, **__: object) -> None:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    path = str(tmp_path / "l.sqlite")
    options = quiet(path, checkpoints__seconds=60.0, seals__seconds=60.0)
    with Service(options, StillClock(START)) as service:
        before = tasks(service)
        heard = listeners(service)
        with monkeypatch.context() as broken:
            broken.setattr(part, step, out_of_order)
            with pytest.raises(LedgerError):
                service.create_ledger(ONE, clock="data", actor="users/ana")
            for _ in range(3):
                with pytest.raises(LedgerError):
                    service.ledger(ONE)
        assert tasks(service) == before
        assert listeners(service) == heard
        service.ledger(ONE)
        assert len(listeners(service)) == len(heard) + 2
        names = [task for task in tasks(service) if ONE in task]
        assert sorted(names) == [f"{task} {ONE}" for task in ("follow", "governor", "seal", "sign")]


def test_a_restarted_service_goes_on_where_it_was(tmp_path: Path) -> None:
    with service_at(tmp_path) as service:
        service.create_ledger(ONE, clock="data", actor="users/ana")
        fill(service.ledger(), "m1")
        head = service.ledger().log.head()
        models = service.ledger().fleet.models()
    with service_at(tmp_path) as service:
        assert service.ledger().log.head() == head
        assert service.ledger().fleet.models() == models
        assert service.projections().position == head.position


def test_a_stopped_service_leaves_no_thread_and_no_lock_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    for _ in range(2):
        with service_at(tmp_path) as service:
            if not service.ledgers():
                service.create_ledger(ONE, clock="data", actor="users/ana")
        assert set(threading.enumerate()) == before
    with pytest.raises(LedgerError) as error:
        service.ledger()
    assert reason_of(error) is Reason.DRAINING
    service.stop()
    open_store(str(tmp_path / "l.sqlite"), StillClock(START), create=True).close()


def test_a_service_that_cannot_start_gives_everything_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_at(tmp_path) as service:
        for origin in (ONE, TWO):
            service.create_ledger(origin, clock="data", actor="users/ana")
    before = set(threading.enumerate())
    start = ProjectionHost.start
    started: list[int] = []

    def failing(self: ProjectionHost, *, catch_up: bool = True) -> None:
        started.append(1)
        if len(started) == 2:
            raise ZeroDivisionError("a defect")
        start(self, catch_up=catch_up)

    with monkeypatch.context() as patched:
        patched.setattr(ProjectionHost, "start", failing)
        with pytest.raises(ZeroDivisionError):
            service_at(tmp_path).start()
    assert set(threading.enumerate()) == before
    with service_at(tmp_path) as service:
        assert len(service.ledgers()) == 2


def test_read_models_live_beside_the_ledger_unless_told_otherwise() -> None:
    for database in ("/data/l.sqlite", "sqlite:////data/l.db"):
        assert projections_url(database).startswith("sqlite:////data/l.projections")
    assert projections_url("postgresql+psycopg://u@h/n") == "postgresql+psycopg://u@h/n"


def test_a_ledger_that_cannot_be_read_as_it_is_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with service_at(tmp_path) as service:
        service.create_ledger(ONE, clock="data", actor="users/ana")

    def misread(*_: object, **__: object) -> None:
        raise AssertionError("a model begins by being registered")

    monkeypatch.setattr("ledger.service.LedgerApplication", misread)
    with pytest.raises(LedgerError) as error:
        service_at(tmp_path).start()
    assert reason_of(error) is Reason.EVENT_UNREADABLE
    assert "a model begins by being registered" in error.value.message
    assert "decision-ledger verify DATABASE" in error.value.remedy
