"""What a witness remembers outlives it, never goes back, and its key is its own alone.

Method: the file opened again, and written to by hand; the real program killed between requests.
"""

import http.client
import json
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ledger.chain.cosignature import CosignerKey, CosigningKey, timestamp_of
from ledger.chain.note import open_note
from ledger.cli.exits import Exit
from ledger.cli.main import app
from ledger.errors import LedgerError
from ledger.witness.key_file import load_key
from ledger.witness.store import WitnessStore, origin_hash
from ledger.witness.witness import Witness
from tests.support.clocks import ManualClock
from tests.support.hooks import database_of
from tests.support.witnessed_log import LOG_KEY, NOW_SECONDS, ORIGIN, ask, history
from tools.shapes import SHAPES, fields_of

LOG = history(9)
LOGS = {ORIGIN: [LOG_KEY.verifier_key]}
ENDING_SECONDS = 60.0
ATTEMPTS = 10
AN_HOUR_BACK = ManualClock((NOW_SECONDS - 3_600) * 1_000_000)
LATEST = f"/{origin_hash(ORIGIN)}/checkpoint"


def test_a_cosigned_head_is_there_when_the_file_is_opened_again(
    tmp_path: Path, key: CosigningKey, clock: ManualClock
) -> None:
    path = tmp_path / "w.sqlite"
    first = Witness(WitnessStore(path), key, LOGS, clock)
    assert first.latest(origin_hash(ORIGIN)) is None
    answer = first.add_checkpoint(LOG.request(0, 5))
    # It was not closed: what is seen here is what was there before the answer.
    second = Witness(WitnessStore(path), key, LOGS, clock)
    latest = second.latest(origin_hash(ORIGIN))
    assert latest is not None
    assert latest.body == LOG.note(5) + answer.body
    assert second.add_checkpoint(LOG.request(0, 3)).body == b"5\n"


def test_a_commit_waits_for_the_disk(store: WitnessStore, tmp_path: Path) -> None:
    (synchronous,) = database_of(store).execute("PRAGMA synchronous").fetchone()
    assert synchronous == 3  # EXTRA: a commit has been synced when it returns, its folder too
    assert not list(tmp_path.glob("*-wal"))  # nothing that could be lost alone


def test_each_log_has_a_row_of_its_own(
    store: WitnessStore, key: CosigningKey, clock: ManualClock
) -> None:
    witness = Witness(store, key, {**LOGS, "go.sum database tree": []}, clock)
    assert witness.add_checkpoint(LOG.request(0, 5)).status == 200
    assert witness.latest(origin_hash("go.sum database tree")) is None


def test_a_step_that_fails_leaves_the_row_and_the_store_as_they_were(
    store: WitnessStore, key: CosigningKey, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(store, key, LOGS, clock)
    witness.add_checkpoint(LOG.request(0, 5))
    before = store.latest(origin_hash(ORIGIN))
    with monkeypatch.context() as broken:
        broken.setattr(CosigningKey, "cosign", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            witness.add_checkpoint(LOG.request(5, 9))
    assert store.latest(origin_hash(ORIGIN)) == before
    assert witness.add_checkpoint(LOG.request(5, 9)).status == 200


def test_a_clock_that_is_set_back_does_not_show(
    store: WitnessStore, key: CosigningKey, clock: ManualClock
) -> None:
    seconds: list[int] = []
    known = 0
    later = NOW_SECONDS + 86_400
    for size, now in [(3, clock), (5, AN_HOUR_BACK), (5, clock), (9, ManualClock(later * 10**6))]:
        answer = Witness(store, key, LOGS, now).add_checkpoint(LOG.request(known, size))
        (line,) = open_note(LOG.note(size) + answer.body, [key.cosigner_key]).verified
        seconds.append(timestamp_of(line.signature))
        known = size
    assert seconds == [NOW_SECONDS] * 3 + [later]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (946_684_799, "1999-12-31T23:59:59Z"),
        (-1, "-1 s after 1970"),
        (10**12, "1000000000000 s after 1970"),
    ],
)
def test_a_witness_whose_clock_cannot_be_right_cosigns_nothing_and_says_so(
    store: WitnessStore, key: CosigningKey, clock: ManualClock, seconds: int, shown: str
) -> None:
    answer = Witness(store, key, LOGS, ManualClock(seconds * 10**6)).add_checkpoint(
        LOG.request(0, 5)
    )
    said = f"the witness's clock says {shown}: nothing is cosigned until it is set right\n"
    assert (answer.status, answer.body) == (503, said.encode())
    assert store.latest(origin_hash(ORIGIN)) is None
    assert Witness(store, key, LOGS, clock).add_checkpoint(LOG.request(0, 5)).status == 200


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE witnessed SET size = 4",
        "UPDATE witnessed SET root = zeroblob(32)",
        "UPDATE witnessed SET seconds = 0",
        "UPDATE witnessed SET origin = 'x'",
        "UPDATE witnessed SET origin_hash = 'x'",
        "UPDATE witnessed SET size = 9, root = x'00'",
        "DELETE FROM witnessed",
    ],
)
def test_the_database_itself_refuses_to_go_back(
    tmp_path: Path, key: CosigningKey, clock: ManualClock, statement: str
) -> None:
    path = tmp_path / "w.sqlite"
    Witness(WitnessStore(path), key, LOGS, clock).add_checkpoint(LOG.request(0, 5))
    with closing(sqlite3.connect(path)) as database, pytest.raises(sqlite3.IntegrityError):
        database.execute(statement)


@pytest.mark.parametrize("content", [b"not a database", "CREATE TABLE t (x)", "a later release"])
def test_a_file_that_is_no_state_is_refused_and_left_alone(
    tmp_path: Path, content: bytes | str
) -> None:
    path = tmp_path / "w.sqlite"
    if isinstance(content, bytes):
        path.write_bytes(content * 100)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 9" if content == "a later release" else content)
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="Never start afresh"):
        WitnessStore(path)
    if isinstance(content, bytes):
        assert path.read_bytes() == before


@pytest.mark.parametrize("put_there", ["nothing", "a copy"])
def test_a_file_removed_or_replaced_under_the_witness_takes_no_cosignature(
    tmp_path: Path, key: CosigningKey, clock: ManualClock, put_there: str
) -> None:
    path, kept = tmp_path / "w.sqlite", tmp_path / "kept"
    witness = Witness(WitnessStore(path), key, LOGS, clock)
    witness.add_checkpoint(LOG.request(0, 3))
    path.rename(kept)
    if put_there == "a copy":
        path.write_bytes(kept.read_bytes())
    with pytest.raises(LedgerError, match="removed or replaced"):
        witness.add_checkpoint(LOG.request(3, 5))
    kept.replace(path)
    assert witness.add_checkpoint(LOG.request(3, 5)).status == 200


@pytest.mark.parametrize("content", [None, b""])
def test_a_state_that_was_in_use_is_not_begun_again(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "w.sqlite"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(LedgerError, match="though the witness has a key"):
        WitnessStore(path, may_begin=False)
    assert path.exists() == (content is not None)


# ---- the key -------------------------------------------------------------------------------------


def test_a_key_is_drawn_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "witness.key"
    made = load_key(path, "witness.example.com", ManualClock())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name in (None, "witness.example.com"):
        assert load_key(path, name, ManualClock(1)).cosigner_key == made.cosigner_key


@pytest.mark.parametrize(
    ("name", "text", "mode", "why"),
    [
        (None, None, 0o600, "does not exist"),
        ("a b", None, 0o600, "spaces"),
        ("other", "THE KEY", 0o600, "is the key of"),
        (None, "THE KEY", 0o644, "others may read"),
        (None, "THE KEY\nTHE KEY", 0o600, "base64"),
        (None, "", 0o600, "starts with"),
        (None, LOG_KEY.to_secret_text(), 0o600, "0x01"),
    ],
)
def test_a_key_that_is_not_as_it_should_be_is_refused(
    tmp_path: Path, key: CosigningKey, name: str | None, text: str | None, mode: int, why: str
) -> None:
    path = tmp_path / "witness.key"
    if text is not None:
        path.write_text(text.replace("THE KEY", key.to_secret_text()))
        path.chmod(mode)
    with pytest.raises(LedgerError, match=why) as caught:
        load_key(path, name, ManualClock())
    assert key.to_secret_text()[-20:] not in str(caught.value)


# ---- the program ---------------------------------------------------------------------------------


@contextmanager
def program(folder: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], Any]]:
    """Run `witness serve` in a process, and yield it with the line that says it is ready."""
    line = [sys.executable, "-m", "ledger", "witness", "serve", "--listen", "127.0.0.1:0"]
    line += ["--folder", str(folder), "--name", "witness.example.com", "--json", *more]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, json.loads(child.stdout.readline())
        finally:
            child.kill()
            child.communicate()


def told(port: int, *request: Any) -> tuple[int, bytes]:  # noqa: ANN401
    """Return status and body of what a witness answers.

    A request has ten seconds, which pass without an answer where the machine is held up for longer:
    its outcome is open then, and it is asked again.
    """
    for _ in range(ATTEMPTS):
        with suppress(http.client.RemoteDisconnected, ConnectionResetError):
            status, _, body = ask(port, *request)
            return status, body
    raise AssertionError(f"{ATTEMPTS} times no answer to {request[:2]}")


def cosigned(port: int, known: int, size: int) -> bytes:
    """Have a head cosigned and return the line; an attempt without an answer may have made it."""
    status, line = told(port, "POST", "/add-checkpoint", LOG.request(known, size))
    if status == 409:
        assert line == b"%d\n" % size
        line = told(port, "GET", LATEST)[1].removeprefix(LOG.note(size))
    else:
        assert status == 200
    return line


def test_a_killed_witness_knows_what_it_cosigned(tmp_path: Path) -> None:
    folder, fork = tmp_path / "witness", history(9, fork_at=0, salt="!")
    keys, known = set(), 0
    for size in (1, 4, 9):
        with program(folder, "--log", str(LOG_KEY.verifier_key)) as (child, ready):
            assert tuple(ready) == fields_of(SHAPES["witness serve"])
            keys.add(ready["verifier_key"])
            port, key = ready["port"], CosignerKey.parse(ready["verifier_key"])
            if known:
                assert told(port, "GET", LATEST)[1].startswith(LOG.note(known))
                assert told(port, "POST", "/add-checkpoint", LOG.request(0, size))[0] == 409
                assert told(port, "POST", "/add-checkpoint", fork.request(known, size))[0] == 422
            line = cosigned(port, known, size)
            assert cosigned(port, known, size) == line  # as after an answer that was lost
            assert open_note(LOG.note(size) + line, [key]).verified
            child.send_signal(signal.SIGKILL)
            child.wait(ENDING_SECONDS)
        known = size
    assert len(keys) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    policy = tmp_path / "policy"
    policy.write_text(f"log {LOG_KEY.verifier_key}\nquorum none\n")
    stated = ["--witness-policy", str(policy), "--log", f"some log {LOG_KEY.verifier_key}"]
    with program(tmp_path / "w", *stated, "--port-file", str(tmp_path / "port")) as (child, ready):
        assert ready["origins"] == [ORIGIN, "some log"]
        assert int((tmp_path / "port").read_text()) == ready["port"]
        child.send_signal(number)
        assert child.wait(ENDING_SECONDS) == 0


def test_the_key_is_printed_without_serving(tmp_path: Path) -> None:
    line = ["witness", "key", "--folder", str(tmp_path / "w")]
    assert CliRunner().invoke(app, line).exit_code == Exit.MISUSE  # whose key would it be?
    made = CliRunner().invoke(app, [*line, "--name", "witness.example.com"])
    assert CosignerKey.parse(made.stdout.strip()).name == "witness.example.com"
    assert CliRunner().invoke(app, line).stdout == made.stdout


def test_a_witness_that_lost_its_state_cosigns_nothing(tmp_path: Path) -> None:
    stated = ["--folder", str(tmp_path), "--name", "witness.example.com"]
    made = CliRunner().invoke(app, ["witness", "key", *stated])
    with program(tmp_path, "--log", str(LOG_KEY.verifier_key)) as (_, ready):
        assert made.stdout == f"{ready['verifier_key']}\n"
    (tmp_path / "witness.sqlite").unlink()
    again = ["witness", "serve", "--log", str(LOG_KEY.verifier_key), "--listen", "127.0.0.1:0"]
    ran = CliRunner().invoke(app, [*again, *stated])
    assert ran.exit_code == Exit.REFUSED
    assert "would cosign a fork" in str(ran.stderr)
    assert not (tmp_path / "witness.sqlite").exists()
    assert CliRunner().invoke(app, ["witness", "key", *stated]).stdout == made.stdout


def test_on_a_taken_port_nothing_is_made(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        line = ["witness", "serve", "--name", "w.example", "--folder", str(tmp_path / "w")]
        line += ["--log", str(LOG_KEY.verifier_key), "--listen", listen]
        ran = CliRunner().invoke(app, line)
    assert ran.exit_code == Exit.MISUSE
    assert "cannot be listened on" in ran.stderr
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ([], "No log is named"),
        (["--log", "x"], "--log"),
        (["--log", "witness.example.com+0"], "--log"),
        (["--log", "{cosigner}"], "0x01"),
        (["--witness-policy", "{folder}/none"], "--witness-policy"),
        (["--log", "{vkey}", "--listen", "7272"], "--listen"),
        (["--log", "{vkey}", "--listen", "127.0.0.1:99999"], "--listen"),
        (["--log", "{vkey}", "--listen", "192.0.2.1:0"], "--listen"),
        (["--log", "{vkey}", "--prefix", "w"], "--prefix"),
        (["--log", "{vkey}", "--prefix", "/w/"], "--prefix"),
    ],
)
def test_misuse_is_told(tmp_path: Path, key: CosigningKey, stated: Sequence[str], why: str) -> None:
    values = {"vkey": LOG_KEY.verifier_key, "cosigner": key.cosigner_key, "folder": tmp_path}
    line = ["witness", "serve", "--name", "w.example", "--folder", str(tmp_path / "w")]
    ran = CliRunner().invoke(app, [*line, *(text.format(**values) for text in stated)])
    assert ran.exit_code == Exit.MISUSE
    assert why in ran.stderr
