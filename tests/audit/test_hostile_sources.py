"""Nothing that a source holds can hold an auditor up, fill its memory, or end in a traceback.

Method: put a pipe, a device, a folder, a loop of links or a file of a terabyte in the place of each
file of a folder of tiles and of a bundle; put every kind of value in every column of a database
(half of them, other halves in turn; all in the slow run); audit and verify, and require a finding
or a refusal in words.
"""

import os
import re
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.audit.bundle import BundleSource
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.audit.tile_folder import TileFolderSource
from ledger.errors import LedgerError
from ledger.export.publishing import PublishError, TileFolder
from ledger.operations.compliance import BundleFacts
from ledger.operations.failures import MisuseError
from ledger.operations.trust import trusted
from ledger.operations.verification.log import verify_log
from ledger.operations.verification.target import thing_at
from tests.audit.paper import Paper
from tests.audit.test_forgeries import foreign
from tests.audit.test_sources import bundled, published
from tests.support.audits import audited
from tests.verifier.archives import edited

TERABYTE = 1 << 40


def as_pipe(path: Path) -> None:
    os.mkfifo(path)


def as_device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def as_folder(path: Path) -> None:
    path.mkdir()


def as_loop(path: Path) -> None:
    path.symlink_to(path)


def as_giant(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(TERABYTE)


KINDS: dict[str, Callable[[Path], None]] = {
    "a pipe": as_pipe,
    "a device": as_device,
    "a folder": as_folder,
    "a loop": as_loop,
    "a terabyte": as_giant,
}


def replaced(path: Path, kind: str) -> None:
    path.unlink()
    KINDS[kind](path)


@pytest.fixture
def several(paper: Paper) -> Paper:
    """The ledger with enough events for several tiles."""
    for _ in range(300):
        foreign(paper)
    paper.checkpoint_sizes = [len(paper.events)]
    return paper


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("path", "rule", "position"),
    [
        ("tile/entries/000", "chain", 1),
        ("tile/entries/001.p/116", "chain", 257),
        ("tile/0/000", "tiles", 1),
        ("tile/0/001.p/116", "tiles", 257),
    ],
)
def test_what_is_in_the_place_of_a_tile_is_a_finding(
    several: Paper, tmp_path: Path, kind: str, path: str, rule: str, position: int
) -> None:
    folder = published(several, tmp_path / "log")
    replaced(folder / path, kind)
    report = audited(TileFolderSource(folder), vkeys=[str(several.key.verifier_key)])
    assert (rule, position) in {(one.rule, one.position) for one in report.findings}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_the_place_of_a_checkpoint_is_refused(
    paper: Paper, tmp_path: Path, kind: str
) -> None:
    folder = published(paper, tmp_path / "log")
    replaced(folder / "checkpoint", kind)
    with pytest.raises(LedgerError, match="holds no checkpoint of a log") as refused:
        TileFolderSource(folder)
    assert refused.value.remedy


def report_or_refusal(path: Path) -> Report | LedgerError:
    try:
        return audited(BundleSource(path))
    except LedgerError as refused:
        return refused


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name",
    [
        "bagit.txt",
        "bag-info.txt",
        "manifest-sha256.txt",
        "data/events.jsonl",
        "data/checkpoint",
        "data/keys.json",
        "data/scope.json",
    ],
)
def test_what_is_in_the_place_of_a_bundles_file_is_refused_or_found(
    paper: Paper, tmp_path: Path, kind: str, name: str
) -> None:
    folder = bundled(paper, tmp_path / "bundle")
    replaced(folder / name, kind)
    found = report_or_refusal(folder)
    if isinstance(found, LedgerError):
        assert "is not a bundle: " in found.message
        assert kind == "a terabyte" or "is not a plain file" in found.message
    else:
        assert {one.rule for one in found.findings} == {"bundle.files"}


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "a loop"])
def test_questions_to_a_bundle_are_refused_where_its_events_are_no_file(
    paper: Paper, tmp_path: Path, kind: str
) -> None:
    folder = bundled(paper, tmp_path / "bundle")
    assert BundleFacts(folder).origin == paper.origin
    replaced(folder / "data/events.jsonl", kind)
    with pytest.raises(MisuseError, match="cannot be read as a bundle"):
        BundleFacts(folder)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["checkpoint", "tile/0/000.p/72", "tile/entries/000.p/72"])
def test_tiles_are_not_published_over_what_is_no_file(
    paper: Paper, tmp_path: Path, kind: str, name: str
) -> None:
    folder = published(paper, tmp_path / "log")
    rows = paper.rows()
    note = paper.note(72, [row[11] for row in rows]).encode()
    assert TileFolder(folder).publish(note, lambda _after, _until: ()).entries == 0
    foreign(paper)
    longer = paper.note(73, [row[11] for row in paper.rows()]).encode()
    replaced(folder / name, kind)
    with pytest.raises((PublishError, OSError)):
        TileFolder(folder).publish(longer, lambda _after, _until: ())


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_an_archive_in_every_form_is_audited(paper: Paper, tmp_path: Path, form: int) -> None:
    with tarfile.open(tmp_path / "bundle.tar", "w", format=form) as archive:
        archive.add(bundled(paper, tmp_path / "bundle"), "bundle")
    report = audited(BundleSource(tmp_path / "bundle.tar"))
    assert report.passed, report.text()
    assert report.size == len(paper.events)


@pytest.mark.parametrize("size", [-1_024, -1, TERABYTE])
def test_a_size_that_an_archive_does_not_have_is_refused(
    paper: Paper, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "bundle.tar"
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(bundled(paper, tmp_path / "bundle"), "bundle")
        which = next(at for at, one in enumerate(archive.getmembers()) if one.isreg())
    written = (b"\x80" if size > 0 else b"\xff") + size.to_bytes(11, "big", signed=True)
    edited(124, written, which)(path)
    found = report_or_refusal(path)
    assert isinstance(found, LedgerError)
    assert "is not a bundle: " in found.message


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a folder", "a loop"])
def test_what_is_named_on_a_line_is_refused_before_it_is_read(tmp_path: Path, kind: str) -> None:
    KINDS[kind](tmp_path / "thing")
    with pytest.raises((MisuseError, OSError)):
        thing_at(str(tmp_path / "thing"))


# ---- databases -----------------------------------------------------------------------------------

VALUES = (
    "NULL", "0", "-1", "302.5", "9223372036854775807", "1e300", "''", "'x'", "'—  x'", "X''",
    "X'ff00'", "zeroblob(32)", "'a' || char(10) || 'b'", "char(27) || '[2J'",
    "CAST(X'fffe41' AS TEXT)", "printf('%.100000c', 'x')",
)  # fmt: skip
COLUMNS = [
    (table, column)
    for table, columns in {
        "ledgers": "ledger_id origin clock skew_seconds vkey",
        "events": "ledger_id position stream stream_version type recorded_at observed_at body salt "
        "body_hash prev_hash event_hash",
        "heads": "ledger_id position event_hash recorded_at newest_observed_at tree",
        "checkpoints": "ledger_id size note",
        "cosignatures": "ledger_id size name key_id line seal",
        "tiles": "ledger_id level number hashes",
        "requests": "ledger_id actor method request_id digest first_position last_position seal",
    }.items()
    for column in columns.split()
]


@pytest.fixture(scope="module")
def furnished(copied: Paper, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a database with a row in every table."""
    copied.cosignatures = [(72, "w", b"\1\2\3\4", "\u2014 w AQIDBAAA")]
    copied.requests = [("users/ana", "Evaluate", "r", 3, 3)]
    data = copied.write(tmp_path_factory.mktemp("furnished") / "ledger.db").read_bytes()
    copied.cosignatures, copied.requests = [], []
    return data


def verified(path: Path) -> Report:
    source = DatabaseSource(str(path))
    try:
        return verify_log(source, trusted(None, None))
    finally:
        source.close()


@pytest.mark.parametrize("step", [2, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_no_value_in_any_column_ends_in_a_traceback(
    furnished: bytes, tmp_path: Path, table: str, column: str, step: int
) -> None:
    first = COLUMNS.index((table, column)) % step
    for number, value in list(enumerate(VALUES))[first::step]:
        path = tmp_path / f"{number}.db"
        path.write_bytes(furnished)
        with sqlite3.connect(path) as connection:
            where = "WHERE position = 20" if table == "events" else ""
            try:
                connection.execute(f"UPDATE {table} SET {column} = {value} {where}")
            except sqlite3.IntegrityError:
                continue  # another row has it
        connection.close()
        for look in (audited, verified):
            with suppress(LedgerError):
                report = look(path)
                assert report.text()
                assert all(type(one.position) is int for one in report.findings)
        path.unlink()


def test_a_value_of_gigabytes_is_refused_before_it_is_read(paper: Paper, tmp_path: Path) -> None:
    path = paper.write(tmp_path / "paper.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET body = zeroblob(67108865) WHERE position = 20")
    connection.close()
    report = audited(path)
    assert (report.findings[0].rule, report.first_bad_position) == ("chain", 20)
    assert "too big" in report.text()


# ---- words ---------------------------------------------------------------------------------------


def test_a_checkpoint_that_was_not_looked_at_is_not_said_to_be_missing(
    paper: Paper, tmp_path: Path
) -> None:
    path = paper.write(tmp_path / "paper.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE events SET body = X'00' WHERE position = 20")
    connection.close()
    text = audited(path).text()
    assert "No checkpoint was signed" not in text
    assert "No checkpoint was verified: each one that is kept covers events that do not" in text
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM checkpoints")
    connection.close()
    assert "No checkpoint was signed" in audited(path).text()


def test_a_name_that_no_ledger_can_have_is_refused_and_shown_inert(
    paper: Paper, tmp_path: Path
) -> None:
    path = paper.write(tmp_path / "paper.db")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE ledgers SET origin = ?", ("a\n\x1b[2J\u202eb",))
    connection.close()
    with pytest.raises(LedgerError, match="is not a ledger's name") as refused:
        DatabaseSource(str(path))
    assert re.search(r"[\x00-\x1f\x7f-\x9f\u202e]", refused.value.message) is None


EVIL = "x\nEverything that could be checked holds.\n\x1b[2J\u202e\u2066\x9b"
SHOWN = [
    "UPDATE events SET recorded_at = :evil WHERE position = 20",
    "UPDATE events SET type = :evil WHERE position = 20",
    "UPDATE events SET stream = :evil WHERE position = 20",
    "UPDATE events SET position = :evil WHERE position = 72",
    "UPDATE checkpoints SET note = :evil",
    "UPDATE cosignatures SET size = :evil",
    "UPDATE cosignatures SET line = :evil",
    "UPDATE requests SET request_id = :evil",
    "UPDATE heads SET position = :evil",
]


@pytest.mark.parametrize("statement", SHOWN)
def test_what_a_source_holds_can_only_be_read_in_a_report(
    furnished: bytes, tmp_path: Path, statement: str
) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(furnished)
    with sqlite3.connect(path) as connection:
        connection.execute(statement, {"evil": EVIL})
    connection.close()
    report = audited(path)
    assert not report.passed
    lines = report.text().split("\n")
    assert not any(line.startswith("Everything that could") for line in lines)
    assert all(line.isprintable() for line in lines)
    assert all(one.sentence.isprintable() for one in report.findings)
