"""`drill record` and `drill list` put drills on record and show them, for people and programs."""

import signal
import tempfile
from pathlib import Path

import pytest

from ledger.application.attestation import Attestation
from ledger.cli.exits import Exit
from ledger.events.drills import DrillRecorded
from ledger.events.registry import typed
from ledger.operations.drills import performance
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene
from tests.cli.conftest import Run
from tests.support.served import Served

HELD = (
    "--scenario", "The key is gone.", "--by", "users/ops", "--by", "staff-7",
    "--held-at", "2026-03-01T09:00:00Z",
)  # fmt: skip


def test_a_drill_that_people_held_is_recorded_and_listed(cli: Run, served: Served) -> None:
    ran = cli(
        "drill", "record", "lost-key", *HELD, "--kind", "red-team", "--detected-by", "KEY_MISSING",
        "--took", "1m30s", "--finding", "The spare key was found.",
        "--follow-up", "users/ops by 2026-04-01: Keep the spare key: apart.",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (event,) = served.service.ledger().log.events(types=(DrillRecorded.TYPE,))
    held = typed(event, DrillRecorded)
    assert (held.kind, held.detected, held.micros_to_detect) == ("red_team", True, 90_000_000)
    (follow,) = held.follow_ups
    assert (follow.owner, follow.what) == ("users/ops", "Keep the spare key: apart.")
    assert follow.due_at == "2026-04-01T00:00:00.000000Z"
    listed = cli("drill", "list")
    assert "lost-key  red team  by KEY_MISSING   90 s" in listed.out
    assert "Keep the spare key: apart. (users/ops, by 2026-04-01T00:00:00Z)" in listed.out
    (row,) = cli("drill", "list", "--json").json["drills"]
    assert (row["participants"], row["detection_micros"]) == ("users/ops, staff-7", 90_000_000)
    answered = cli("audit", "answer", "audits")
    assert "On record: 0 audits and 1 drill" in answered.out


@pytest.mark.parametrize(
    ("more", "code", "what"),
    [
        (("--kind", "built-in"), 2, "--kind: 'built-in' is not one of red-team, tabletop."),
        (("--follow-up", "do it"), 2, "does not say who does what until when"),
        (("--follow-up", "users/ops by noon: do it"), 2, "'noon' is not a time"),
        (("--took", "soon"), 2, "--took: 'soon' is not a span"),
        (("--detected",), 1, "detected_by"),
    ],
)
def test_a_drill_that_is_not_understood_is_refused_and_not_recorded(
    cli: Run, served: Served, more: tuple[str, ...], code: int, what: str
) -> None:
    ran = cli("drill", "record", "lost-key", *HELD, *more)
    assert ran.code == code
    assert what in ran.err
    assert list(served.service.ledger().log.events(types=(DrillRecorded.TYPE,))) == []


def drills_of(served: Served) -> list[DrillRecorded]:
    events = served.service.ledger().log.events(types=(DrillRecorded.TYPE,))
    return [typed(event, DrillRecorded) for event in events]


def test_built_in_drills_are_performed_on_a_copy_and_recorded(
    cli: Run, served: Served, folder: Path
) -> None:
    database = str(folder / "ledger.sqlite")
    ran = cli("drill", "run", "lost-key", "restored-backup", "--db", database)
    assert ran.code == 0, ran.err
    assert "restored-backup  by LEDGER_BEHIND" in ran.out
    assert "Performed on a copy of ledger.example/test." in ran.out
    assert "Recorded as drill.recorded at positions" in ran.err
    backup, key = drills_of(served)
    assert (backup.drill, backup.kind, backup.detected) == ("restored-backup", "built_in", True)
    assert (key.detected_by, key.participants) == (["STORE_UNAVAILABLE"], [])
    assert key.program.startswith("decision-ledger ")
    assert cli("audit", "run").code == 0


def test_a_drill_that_nothing_noticed_exits_with_4_and_is_recorded_as_that(
    cli: Run, served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Attestation, "refuse_if_contradicted", lambda *_: None)
    ran = cli("drill", "run", "restored-backup", "--db", str(folder / "ledger.sqlite"), "--json")
    assert ran.code == 4
    assert "Not detected: restored-backup." in ran.err
    (shown,) = ran.json["drills"]
    (recorded,) = drills_of(served)
    assert (shown["detected"], recorded.detected) == (False, False)
    assert "restored-backup  built in  NO" in cli("drill", "list").out
    assert "was not detected in 1 of the drills" in cli("audit", "answer", "audits").out


def test_a_drill_without_a_server_is_performed_where_nothing_is_to_be_recorded(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER_STORAGE__DATABASE", str(tmp_path / "none.sqlite"))
    line = ("drill", "run", "lost-key")
    ran = run(*line, "--no-record")
    assert ran.code == 0, ran.err
    assert "on a small ledger made for it" in ran.out
    assert run(*line, "--server", "127.0.0.1:1", "--deadline", "1s").code == 3


def test_a_stated_database_that_is_not_there_is_not_drilled_as_if_it_were(
    run: Run, tmp_path: Path
) -> None:
    missing = tmp_path / "none.sqlite"
    ran = run("drill", "run", "lost-key", "--db", str(missing), "--no-record")
    assert ran.code == Exit.MISUSE
    assert f"--db: there is no file {missing}." in ran.err
    assert not missing.exists()


def test_a_drill_that_is_told_to_end_leaves_no_copy_of_the_ledger(
    cli: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    seen: list[Path] = []

    def told(scene: Scene) -> Detection:
        seen.extend(place.rglob("*.sqlite"))
        signal.raise_signal(signal.SIGTERM)
        return scene.watching()

    hit = performance.BUILT_IN["lost-key"]._replace(carry_out=told)
    monkeypatch.setitem(performance.BUILT_IN, "lost-key", hit)
    before = signal.getsignal(signal.SIGTERM)
    ran = cli("drill", "run", "lost-key", "--db", str(folder / "ledger.sqlite"))
    assert ran.code == Exit.INTERRUPTED
    assert {path.name for path in seen} >= {"copy.sqlite", "lost-key.sqlite"}
    assert list(place.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before
