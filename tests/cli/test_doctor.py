"""`doctor` says what it found and what to do, of a sound ledger, a damaged one and of none."""

from pathlib import Path

import pytest

from ledger.application.signing.evidence import Contradiction, Evidence
from ledger.cli.exits import Exit
from ledger.clock import SystemClock
from tests.cli.conftest import Run
from tests.support.served import ORIGIN, Served


def test_doctor_is_content_with_a_sound_server(told: Run, folder: Path) -> None:
    ran = told("doctor", "--db", str(folder / "ledger.sqlite"), "--json")
    assert ran.code == 0
    [believed] = [check for check in ran.json["checks"] if check["state"] != "ok"]
    assert (believed["name"], believed["state"]) == ("authority", "warn")
    assert "no administrator is named" in believed["found"]
    assert len(ran.json["checks"]) >= 9


def test_doctor_finds_what_keeps_a_ledger_from_being_signed(
    told: Run, folder: Path, served: Served
) -> None:
    database = folder / "ledger.sqlite"
    line = ("doctor", "--db", str(database), "--json")
    contradiction = Contradiction(ORIGIN, "a test says so", "a test", "theirs", "ours")
    Evidence(Path(f"{database}.evidence")).keep(contradiction)
    served.service.ledger().attestation.checkpoints.stop("a test says so")
    ran = told(*line)
    checks = {check["name"]: check for check in ran.json["checks"]}
    assert "a test says so" in checks[f"signing of {ORIGIN}"]["found"]
    assert checks[f"signing of {ORIGIN}"]["state"] == checks["signing"]["state"] == "fail"
    assert ran.code == Exit.INTEGRITY


def test_doctor_says_that_a_head_is_before_any_data(cli: Run, folder: Path) -> None:
    assert cli("ledger", "create", "ledger.example/two", "--clock", "data").code == 0
    checks = cli("doctor", "--db", str(folder / "ledger.sqlite"), "--json").json["checks"]
    (check,) = (one for one in checks if one["name"] == "clock of ledger.example/two")
    assert check["found"] == "told by the data; the head is before any data"


def test_doctor_warns_of_data_from_a_time_yet_to_come(cli: Run, folder: Path) -> None:
    line = ("doctor", "--db", str(folder / "ledger.sqlite"), "--json")
    for days, state in ((0.5, "ok"), (3.5, "warn")):
        at = SystemClock().now_micros() + int(days * 86_400_000_000)
        flags = ("--model", "fares", "--signal", "log-loss", "--value", "0.5")
        assert cli("signal", "submit", *flags, "--observed-at", str(at)).code == 0
        ran = cli(*line)
        (check,) = (one for one in ran.json["checks"] if one["name"] == f"clock of {ORIGIN}")
        assert (ran.code, check["state"]) == (0, state), check
    assert "lies 3.5 days ahead" in check["found"]
    assert "begin a new ledger" in check["remedy"]


def test_doctor_says_what_to_do_where_there_is_nothing(run: Run, tmp_path: Path) -> None:
    ran = run("doctor", "--db", str(tmp_path / "none.sqlite"), "--server", "127.0.0.1:1")
    assert ran.code == 0
    assert "decision-ledger serve --create" in ran.out
    (tmp_path / "none.sqlite").write_bytes(b"no database" * 100)
    assert run("doctor", "--db", str(tmp_path / "none.sqlite")).code != 0


def test_doctor_warns_of_reads_that_leave_nothing_on_record(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ("doctor", "--db", str(tmp_path / "none.sqlite"), "--server", "127.0.0.1:1", "--json")

    def said() -> tuple[str, str, str]:
        (check,) = (one for one in run(*line).json["checks"] if one["name"] == "reads")
        return check["state"], check["found"], check["remedy"]

    assert said() == (
        "ok",
        "counted on record every 1h; recorded one by one: events, exports, purposes, replays",
        "",
    )
    monkeypatch.setenv("LEDGER_ACCESS__SECONDS", "0")
    monkeypatch.setenv("LEDGER_ACCESS__RECORDED", '["exports", "purposes"]')
    state, found, remedy = said()
    assert (state, found) == ("warn", "not counted; recorded one by one: exports, purposes")
    assert remedy == (
        "access.seconds is 0 and access.recorded lacks events, replays: an audit names the time of "
        "a server with these settings as a gap."
    )


def test_doctor_takes_neither_a_folder_nor_a_device_for_a_ledger(run: Run, tmp_path: Path) -> None:
    for place, what in ((str(tmp_path), "a folder"), ("/dev/null", "no file")):
        ran = run("doctor", "--db", place)
        assert ran.code == Exit.MISUSE
        assert ran.err == (
            f"--db: {Path(place).resolve()} is {what}. Name the file that holds the ledger.\n"
        )
