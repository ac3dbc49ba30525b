"""`doctor` says what others may read of what a ledger keeps, and is content if they may nothing.

Method: one thing at a time is opened to others, belongs to another user, or is missing.
"""

import json
import os
from pathlib import Path

import pytest

from ledger.operations.examination import secrets
from ledger.operations.examination.database import checks as of_database
from ledger.secrecy import owner_of
from ledger.settings import load
from tests.cli.conftest import Run
from tests.support.served import Served, serving


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The file of a ledger that was served, in a folder of its own."""
    folder = tmp_path / "kept"
    folder.mkdir(0o700)
    with serving(folder) as server:
        assert isinstance(server, Served)
        server.prepare(("fares",))
    return folder / "ledger.sqlite"


def rights(run: Run, database: Path) -> tuple[str, str]:
    """Return state and finding of the check."""
    ran = run("doctor", "--db", str(database), "--server", "127.0.0.1:1", "--json")
    (check,) = (one for one in ran.json["checks"] if one["name"] == "rights")
    return check["state"], check["found"]


LOOSE = [
    ("ledger.sqlite", 0o644),
    ("ledger.sqlite.key", 0o604),
    ("ledger.projections.sqlite", 0o660),
    (".", 0o777),
]


@pytest.mark.parametrize(("name", "mode"), LOOSE)
def test_doctor_warns_of_what_others_may_read_or_change(
    name: str, mode: int, run: Run, database: Path
) -> None:
    assert rights(run, database) == ("ok", "only the owner may read and change what is kept")
    loose = database.parent / name
    loose.chmod(mode)
    state, found = rights(run, database)
    assert state == "warn"
    assert f"{loose} ({mode:04o})" in found


def test_doctor_warns_of_an_export_that_others_may_read(run: Run, database: Path) -> None:
    folder = database.with_name("ledger.sqlite.exports")
    folder.mkdir(mode=0o700)
    path = folder / "events.jsonl"
    path.touch(mode=0o600)
    assert rights(run, database)[0] == "ok"
    path.chmod(0o644)
    state, found = rights(run, database)
    assert state == "warn"
    assert f"{path} (0644)" in found


def test_doctor_takes_a_folder_that_others_may_only_read(run: Run, database: Path) -> None:
    database.parent.chmod(0o755)
    assert rights(run, database)[0] == "ok"


def test_doctor_finds_a_log_without_its_database(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite-wal").write_bytes(b"x" * 100)
    ran = run("doctor", "--db", str(tmp_path / "ledger.sqlite"), "--server", "127.0.0.1:1")
    assert ran.code == 4
    assert "There is no database" in ran.out


def test_doctor_warns_of_what_belongs_to_another_user(
    run: Run, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if os.getuid() == 0:
        os.chown(database, 12_345, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    state, found = rights(run, database)
    assert state == "warn"
    assert f"{database} (of {owner_of(database.stat())})" in found


# ---- secrets -------------------------------------------------------------------------------------


def checked(database: Path, name: str) -> tuple[str, str]:
    """Return state and finding of a check, without asking for a server."""
    settings = load()
    checks = [*of_database(str(database), database.parent, [], settings.keys)]
    (check,) = (one for one in (*checks, *secrets.checks(settings)) if one.name == name)
    assert bool(check.remedy) == (check.state != "ok")
    return check.state, check.found


def key_at(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_doctor_opens_the_keys_and_seals_with_the_master_key(database: Path) -> None:
    assert checked(database, "master key") == ("ok", "opens the keys and seals of 1 ledger")
    key = Path(f"{database}.key")
    key.chmod(0o640)
    state, found = checked(database, "master key")
    assert state == "fail"
    assert "others may read or change it (mode 0640)" in found
    key.chmod(0o600)
    kept = key.read_text()
    key.write_text("ab" * 32)
    state, found = checked(database, "master key")
    assert state == "fail"
    assert "does not open with this master key" in found
    key.unlink()
    assert checked(database, "master key")[0] == "fail"
    assert kept.strip() not in found


def test_doctor_fails_where_a_file_with_a_secret_would_be_refused(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(database, "secret files") == ("ok", "0 files, which no other user may read")
    folder = tmp_path / "keys"
    folder.mkdir(0o700)
    key = key_at(folder / "master.key", Path(f"{database}.key").read_text())
    monkeypatch.setenv("LEDGER_KEYS__FILE", str(key))
    assert checked(database, "secret files") == ("ok", "1 file, which no other user may read")
    folder.chmod(0o770)
    state, found = checked(database, "secret files")
    assert (state, found) == ("warn", f"others may replace what is in {folder} (0770)")
    key.chmod(0o604)
    state, found = checked(database, "secret files")
    assert state == "fail"
    assert found == f"keys.file: {key}: others may read or change it (mode 0604)"
    key.unlink()
    state, found = checked(database, "secret files")
    assert (state, found) == ("fail", f"keys.file: {key} cannot be read: No such file or directory")


def test_doctor_warns_of_secrets_in_the_environment(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checked(database, "environment") == ("ok", "it holds no secret")
    monkeypatch.setenv("LEDGER_KEYS__SECRET", Path(f"{database}.key").read_text().strip())
    monkeypatch.setenv("PGPASSWORD", "of the database")
    state, found = checked(database, "environment")
    assert (state, found) == ("warn", "it holds a secret in LEDGER_KEYS__SECRET, PGPASSWORD")


def test_doctor_runs_the_command_of_the_master_key_and_looks_at_its_program(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir(0o700)
    program = key_at(folder / "kms", f"#!/bin/sh\necho {Path(f'{database}.key').read_text()}")
    program.chmod(0o700)
    monkeypatch.setenv("LEDGER_KEYS__COMMAND", json.dumps([str(program), "get"]))
    assert checked(database, "master key")[0] == "ok"
    sound = ("ok", f"{program}, which no other user may change")
    assert checked(database, "key command") == sound
    program.chmod(0o722)
    state, found = checked(database, "key command")
    assert (state, found) == ("warn", f"others may change {program} (0722)")
    program.chmod(0o700)
    folder.chmod(0o707)
    state, found = checked(database, "key command")
    assert (state, found) == ("warn", f"others may replace what is in {folder} (0707)")
    program.write_text("#!/bin/sh\nexit 3")
    state, found = checked(database, "master key")
    assert state == "fail"
    assert "it ended with status 3" in found
    program.unlink()
    assert checked(database, "key command")[0] == "fail"
