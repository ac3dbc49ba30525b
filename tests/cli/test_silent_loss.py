"""Nothing outside PostgreSQL that shows what a fail-over lost: `serve` warns, `doctor` fails.

Method: the same database with each of the settings that are enough, and with none of them; `serve`
is a process whose standard error is read.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger.chain.cosignature import CosigningKey
from ledger.clock import SystemClock
from tests.cli.conftest import Run
from tests.support.stores import begun

SETTINGS = {
    "nothing": "",
    "consent": "LEDGER_STORAGE__ACCEPT_SILENT_LOSS",
    "published": "LEDGER_CHECKPOINTS__PUBLISHED",
    "witness": "LEDGER_CHECKPOINTS__POLICY",
}


@pytest.fixture
def is_enough(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> bool:
    """Set what the parameter names; return whether that is enough."""
    monkeypatch.setenv("LEDGER_KEYS__SECRET", bytes(range(32)).hex())
    values = {
        "consent": "true",
        "published": str(tmp_path / "published"),
        "witness": str(tmp_path / "policy"),
    }
    if request.param == "witness":
        key = CosigningKey("w.example", bytes(32)).cosigner_key
        policy = f"witness w {key} http://127.0.0.1:1\nquorum w\n"
        (tmp_path / "policy").write_text(policy)
    if request.param in values:
        monkeypatch.setenv(SETTINGS[request.param], values[request.param])
    return request.param in values


@pytest.fixture
def database(postgres_url: str) -> str:
    """A database with a ledger."""
    store = begun(postgres_url, SystemClock())
    store.close()
    return postgres_url


@pytest.mark.postgres
@pytest.mark.parametrize("is_enough", SETTINGS, indirect=True)
def test_doctor_fails_where_lost_events_would_not_be_noticed(
    run: Run,
    database: str,
    is_enough: bool,  # noqa: FBT001
) -> None:
    ran = run("doctor", "--db", database, "--server", "127.0.0.1:1", "--json")
    (check,) = (each for each in ran.json["checks"] if each["name"] == "loss")
    assert check["state"] == ("ok" if is_enough else "fail")
    assert (ran.code == 0) == is_enough
    assert ("accept_silent_loss" in check["remedy"]) != is_enough


@pytest.mark.postgres
@pytest.mark.parametrize("is_enough", ["nothing", "consent"], indirect=True)
def test_serve_warns_at_each_start_unless_the_operator_has_consented(
    database: str,
    is_enough: bool,  # noqa: FBT001
) -> None:
    for _ in range(1 if is_enough else 2):
        line = [sys.executable, "-m", "ledger", "serve", "--db", database]
        with subprocess.Popen(
            [*line, "--listen", "127.0.0.1:0", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            assert child.stdout.readline(), child.communicate()[1]
            child.send_signal(signal.SIGTERM)
            _, said = child.communicate(timeout=120)
        assert child.returncode == 0
        warnings = [line for line in said.splitlines() if '"warning"' in line]
        assert len(warnings) == (0 if is_enough else 1), said
        assert all("storage.accept_silent_loss = true" in warning for warning in warnings)


def test_a_sqlite_file_has_no_stand_by_to_fail_over_to(run: Run, tmp_path: Path) -> None:
    database = str(tmp_path / "l.sqlite")
    begun(database, SystemClock()).close()
    ran = run("doctor", "--db", database, "--server", "127.0.0.1:1", "--json")
    assert "loss" not in {check["name"] for check in ran.json["checks"]}
