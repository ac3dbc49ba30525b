"""Built-in drills: each attack is noticed by the product's own check, and a broken check is seen.

Method: all drills once on a small ledger of their own, and those on stored data on copies of a
real one. Then each check is taken out of the product, and the drill must say that nothing noticed.
"""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from ledger.application.attestation import Attestation
from ledger.application.commands import Caller
from ledger.application.governance.governor import Governor
from ledger.application.jobs.deployments import JobDeployments
from ledger.application.jobs.put_backs import PutBackReader
from ledger.clock import SystemClock
from ledger.events.authority import OPERATOR, AdministratorNamed
from ledger.limit_settings import LimitSettings
from ledger.operations.drills import detection, performance
from ledger.operations.drills.attacked_ledger import quiet_settings
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.performance import BUILT_IN, DrillResult, chosen_drills, perform
from ledger.operations.drills.scene import Scene
from ledger.operations.drills.small_ledger import make_small
from ledger.operations.failures import MisuseError
from ledger.service import Service
from ledger.setting_sections import KeySettings, Settings, StorageSettings
from ledger.storage.vault import SealedKeys, Vault
from tests.support.hooks import believe_any_clock
from tests.support.world import START, World, policy_text, signal_rule

ON_COPIES = ("tampered-row", "forged-append", "forged-approval", "restored-backup", "lost-key")
NOTICED = {
    "tampered-row": {"chain"},
    "forged-append": {"CHAIN_BROKEN"},
    "forged-approval": {"CHAIN_BROKEN", "authority.changes", "policies.steps"},
    "poisoned-source": {"sources_needed"},
    "flood": {"LIMIT_REACHED"},
    "restored-backup": {"LEDGER_BEHIND"},
    "lost-key": {"STORE_UNAVAILABLE"},
    "rollback": {"observation"},
    "clock-ahead": {"CLOCK_AHEAD"},
    "clock-back": {"CLOCK_AHEAD"},
    "stopped-clock": {"CLOCK_AHEAD"},
}


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where copies are made; nothing is left there."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []


def settings_of(database: Path) -> Settings:
    return Settings(storage=StorageSettings(database=str(database)))


def performed(names: Sequence[str], database: Path, origin: str = "") -> dict[str, DrillResult]:
    told: list[tuple[str, int]] = []
    found = list(
        perform(
            chosen_drills(names),
            settings_of(database),
            origin,
            SystemClock(),
            lambda name, done: told.append((name, done)),
        )
    )
    assert told == [(one.drill, number) for number, one in enumerate(found)]
    return {one.drill: one for one in found}


def test_each_attack_on_a_small_ledger_is_noticed_by_the_check_that_is_meant_for_it(
    tmp_path: Path,
) -> None:
    found = performed((), tmp_path / "none.sqlite")
    assert list(found) == list(BUILT_IN) == list(NOTICED)
    for name, one in found.items():
        assert one.detected, one
        assert set(one.detected_by) >= NOTICED[name], one
        assert one.micros_to_detect is not None
        assert one.scenario.endswith("Performed on a small ledger made for it.")
        assert not any(str(tmp_path) in what for what in one.findings)
    assert "in the flood" in found["flood"].findings[-1]


@pytest.fixture
def lived(tmp_path: Path) -> Path:
    """A ledger in a file, with an administrator."""
    database = tmp_path / "ledger.sqlite"
    make_small(quiet_settings(database, KeySettings()), SystemClock())
    with Service(quiet_settings(database, KeySettings()), create=False) as service:
        ledger = service.ledger()
        named = AdministratorNamed(
            actor="users/ana", person="staff-1", identities=[], reason="It begins."
        )
        ledger.authority_changes.record(Caller(OPERATOR), named.METHOD, named)
    return database


def test_a_ledger_is_only_read_and_its_copies_are_attacked(lived: Path) -> None:
    before = {path.name: path.read_bytes() for path in lived.parent.glob("ledger.sqlite*")}
    found = performed((*ON_COPIES, "poisoned-source"), lived, "drill.example/own")
    for name, one in found.items():
        assert set(one.detected_by) >= NOTICED[name], one
        assert one.scenario.endswith("Performed on a copy of drill.example/own.")
    after = {path.name: path.read_bytes() for path in lived.parent.glob("ledger.sqlite*")}
    assert {name for name in before if after[name] != before[name]} == set()


def test_one_source_that_changes_a_decision_is_said_not_to_be_noticed(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.sqlite").begin("m1")
    world.see("m1", 0.41, START)
    world.close()
    (found,) = performed(["poisoned-source"], tmp_path / "ledger.sqlite").values()
    assert (found.detected, found.detected_by, found.micros_to_detect) == (False, (), None)
    assert (
        "changed the action for model m1 from NO_ACTION to SCHEDULE_RETRAINING" in found.findings[0]
    )


def test_a_step_that_bounds_a_source_is_named_and_how_long_it_does(tmp_path: Path) -> None:
    policy = policy_text(signals=[signal_rule()], max_priority_step=0.1)
    world = World(tmp_path / "ledger.sqlite").begin("m1", policy=policy)
    world.see("m1", 0.41, START)
    world.close()
    (found,) = performed(["poisoned-source"], tmp_path / "ledger.sqlite").values()
    assert found.detected_by == ("max_priority_step",)
    assert found.findings[1] == (
        "Left alone, that source changes it to SCHEDULE_RETRAINING at evaluation 3."
    )


def test_a_source_that_hides_decay_is_said_not_to_be_noticed(tmp_path: Path) -> None:
    world = World(tmp_path / "ledger.sqlite").begin("m1")
    world.see("m1", 1.4, START)
    world.close()
    (found,) = performed(["poisoned-source"], tmp_path / "ledger.sqlite").values()
    assert not found.detected
    assert "for model m1 from SCHEDULE_RETRAINING to NO_ACTION" in found.findings[0]


def _nothing(*_: object, **__: object) -> None:
    """See nothing."""


def _no_findings(*_: object) -> list[tuple[str, str]]:
    return []


BROKEN: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "tampered-row": lambda patch: patch.setattr(detection, "audited", _no_findings),
    "restored-backup": lambda patch: patch.setattr(Attestation, "refuse_if_contradicted", _nothing),
    "lost-key": lambda patch: patch.setattr(
        Vault, "from_file", classmethod(lambda *_: Vault(bytes(32)))
    ),
    "rollback": lambda patch: patch.setattr(Governor, "run_due", _nothing),
    "clock-ahead": believe_any_clock,
    "clock-back": believe_any_clock,
    "stopped-clock": believe_any_clock,
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_attack_whose_check_is_broken_is_said_not_to_be_noticed(
    lived: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "lost-key":  # the seal of the head is checked with the same key
        monkeypatch.setattr(SealedKeys, "check_head", _nothing)
        monkeypatch.setattr(SealedKeys, "opened", lambda *_: {})
    BROKEN[name](monkeypatch)
    (found,) = performed([name], lived).values()
    assert (found.detected, found.detected_by) == (False, ())


@pytest.mark.parametrize(
    ("cls", "name", "does"),
    [(PutBackReader, "open", lambda *_: []), (JobDeployments, "roll_back", lambda *_: None)],
)
def test_a_roll_back_that_nobody_carries_out_is_said_not_to_be_noticed(
    lived: Path, monkeypatch: pytest.MonkeyPatch, cls: type, name: str, does: Callable[..., object]
) -> None:
    monkeypatch.setattr(cls, name, does)
    (found,) = performed(["rollback"], lived).values()
    assert not found.detected


@pytest.mark.parametrize("name", ["forged-append", "forged-approval"])
def test_a_forgery_goes_unnoticed_once_neither_start_nor_audit_looks(
    lived: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(detection, "audited", _no_findings)
    (seen,) = performed([name], lived).values()
    assert seen.detected_by == ("CHAIN_BROKEN",)
    monkeypatch.setattr(detection, "started", _nothing)
    (found,) = performed([name], lived).values()
    assert not found.detected


def test_a_flood_that_meets_no_limit_is_said_not_to_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.operations.drills.flood.LIMITS", LimitSettings())
    monkeypatch.setattr("ledger.operations.drills.flood.SECONDS_MAX", 0.5)
    (found,) = performed(["flood"], tmp_path / "none.sqlite").values()
    assert not found.detected
    assert "0 refused" in found.findings[-1]


def test_a_flood_that_keeps_others_waiting_is_said_not_to_be_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.01, None])
    monkeypatch.setattr("ledger.operations.drills.flood.slowest", lambda *_: next(times))
    (found,) = performed(["flood"], tmp_path / "none.sqlite").values()
    assert (found.detected, found.micros_to_detect) == (False, None)
    assert found.findings[-1].endswith("took 0.010 s before and too long in the flood.")


def test_a_ledger_that_does_not_hold_before_is_not_drilled(lived: Path) -> None:
    with sqlite3.connect(lived) as database:
        database.execute("UPDATE heads SET seal = zeroblob(32)")
    database.close()
    with pytest.raises(MisuseError, match="No server starts on the copy"):
        performed(["lost-key"], lived)


def test_a_ledger_that_is_not_in_the_database_is_said_to_be_missing(lived: Path) -> None:
    with pytest.raises(MisuseError, match=r"has no ledger ledger\.example/other"):
        performed(["lost-key"], lived, "ledger.example/other")


def test_no_room_for_copies_is_said_before_any_is_made(
    lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(MisuseError, match="MiB are free there"):
        performed(["lost-key"], lived)


def test_a_drill_that_is_interrupted_leaves_no_copy(
    lived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Scene) -> Detection:
        raise KeyboardInterrupt

    hit = BUILT_IN["lost-key"]._replace(carry_out=interrupted)
    monkeypatch.setitem(performance.BUILT_IN, "lost-key", hit)
    with pytest.raises(KeyboardInterrupt):
        performed(["lost-key"], lived)  # that nothing is left is for `temporary` to see


def test_a_name_of_no_drill_is_refused_with_the_nearest() -> None:
    with pytest.raises(MisuseError, match=r"no drill 'lost-keys': did you mean 'lost-key'\?"):
        chosen_drills(["lost-keys"])
