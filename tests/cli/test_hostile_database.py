"""No command that reads a database ends in a traceback, or shows what acts, whatever it holds.

Method: a signed and cosigned ledger; in each column that commands read, a value that belongs in no
such column, or text that would act on a terminal or pass for a line of ours; every such command.
"""

import sqlite3
import unicodedata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.cli.exits import Exit
from ledger.cli.main import app
from ledger.operations.examination import server
from ledger.storage import Store
from tests.support.stores import DATABASES, asking, cosigned, note

EVIL = "a\nverdict: all is well \x1b[2J\u202e\x9b"
VALUES = (EVIL, 302.5, -1, 1e300, b"\xff\x00", None)
COLUMNS = [
    (table, column)
    for table, columns in {
        "ledgers": "origin clock skew_seconds vkey",
        "heads": "position event_hash recorded_at newest_observed_at tree seal",
        "checkpoints": "size note",
        "cosignatures": "size name key_id line",
        "events": "position stream stream_version type recorded_at body prev_hash event_hash",
        "signing_keys": "number vkey secret",
    }.items()
    for column in columns.split()
]
ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.fixture
def furnished(store: Store, tmp_path: Path) -> bytes:
    """The bytes of a database with a row in every table that is read."""
    store.requests.append(asking(*[note(request_id="r")] * 3, request_id="r", digest=b"d"))
    cosigned(store)
    path = tmp_path / "copy.sqlite"
    with sqlite3.connect(tmp_path / "ledger.db") as source, sqlite3.connect(path) as target:
        source.backup(target)
    for connection in (source, target):
        connection.close()
    return path.read_bytes()


def unguard(connection: sqlite3.Connection) -> None:
    """Let all be written that the schema would refuse."""
    connection.execute("PRAGMA ignore_check_constraints=ON")
    triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for (name,) in connection.execute(triggers).fetchall():
        connection.execute(f"DROP TRIGGER {name}")


@pytest.mark.parametrize("database_url", DATABASES[:1], indirect=True)
@pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_value_ends_a_command_in_a_traceback_or_acts(
    furnished: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    column: str,
    step: int,
) -> None:
    # The quick run writes half of the values, the other half in every other column.
    first = COLUMNS.index((table, column)) % step
    monkeypatch.setattr(server, "checks", lambda _client, _target: iter(()))  # there is none
    path, published = str(tmp_path / "hostile.sqlite"), str(tmp_path / "tiles")
    for value in VALUES[first::step]:
        Path(path).write_bytes(furnished)
        with sqlite3.connect(path) as connection:
            unguard(connection)
            where = "WHERE position = 4" if table == "events" else ""
            try:
                connection.execute(f"UPDATE {table} SET {column} = ? {where}", (value,))
            except sqlite3.IntegrityError:
                continue  # it may not be null, or another row has it
        connection.close()
        lines = [("verify", path), ("audit", "run", path), ("doctor", "--db", path)]
        if table in {"events", "checkpoints", "cosignatures"}:
            lines.append(("log", "publish", published, "--db", path))
        for line in lines:
            ran = CliRunner().invoke(app, line)
            said = ran.stdout + ran.stderr
            assert ran.exit_code in set(Exit) - {Exit.DEFECT}, (line, value, said)
            assert ran.exception is None or isinstance(ran.exception, SystemExit)
            acting = {one for one in said if unicodedata.category(one) in ACTING}
            assert acting <= {"\n"}, (line, value)
            assert not any(part.startswith("verdict:") for part in said.splitlines())


@pytest.mark.parametrize("database_url", DATABASES[:1], indirect=True)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        *[(f"body = {value}", "is stored as int, not as bytes") for value in (-1, 2**62)],
        ("body = 'xx'", "is stored as str, not as bytes"),
        *[
            (f"prev_hash = {value}", "is no hash of 32 bytes")
            for value in ("3.5", "'xx'", "''", "x'010203'")
        ],
    ],
)
def test_a_value_of_another_kind_in_each_event_is_damage_that_is_said_in_a_sentence(
    furnished: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, says: str
) -> None:
    monkeypatch.setattr(server, "checks", lambda _client, _target: iter(()))  # there is none
    path = str(tmp_path / "hostile.sqlite")
    Path(path).write_bytes(furnished)
    with sqlite3.connect(path) as connection:
        unguard(connection)
        connection.execute(f"UPDATE events SET {change}")
    connection.close()
    lines = [("doctor", "--db", path), ("log", "publish", str(tmp_path / "tiles"), "--db", path)]
    if change.startswith("body"):
        lines.append(("serve", "--db", path, "--listen", "127.0.0.1:0"))
    for line in lines:
        ran = CliRunner().invoke(app, line)
        said = ran.stdout + ran.stderr
        assert ran.exit_code == Exit.INTEGRITY, (line, said)
        if change.startswith("body") or line[0] == "doctor":
            assert says in " ".join(said.split()), line
