"""`doctor` says which of the files that a ledger keeps others may read, and is content if none."""

from pathlib import Path

import pytest

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
