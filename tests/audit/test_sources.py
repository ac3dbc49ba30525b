"""A ledger is audited alike wherever it is: SQLite, PostgreSQL, a bundle, tiles, a live server.

Method: put one ledger in each place by other code than the audit's, and compare the reports; then
damage the place in ways that only it can be damaged in.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.audit.bundle import BundleSource
from ledger.audit.database import DatabaseSource
from ledger.audit.report import Report
from ledger.audit.tile_folder import TileFolderSource
from ledger.chain.entries import encode_entries
from ledger.chain.link import header_bytes
from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge, entries_path, tile_path, tiles_of
from ledger.errors import LedgerError
from ledger.events.canonical import encode
from ledger.events.envelope import encode_body
from ledger.events.recorder import RecorderEvent
from ledger.events.values import format_time
from ledger.storage import Store
from ledger.storage.records import NewEvent
from tests.audit.paper import Paper
from tests.audit.test_forgeries import FOREIGN, FOREIGN_STREAM, foreign
from tests.support.audits import audited
from tests.support.bundles import small_ledger
from tests.support.clocks import ManualClock
from tests.support.hooks import auditors_connection
from tests.support.stores import asking, edit
from tests.support.world import ORIGIN as WORLD


def seen(report: Report) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in report.findings]


# ---- databases -----------------------------------------------------------------------------------


def record(store: Store, count: int) -> None:
    """Append foreign events with request ids."""
    data = RecorderEvent.from_data(FOREIGN)
    for number in range(count):
        name = f"r{number}"
        body = encode_body(actor="users/ada", data=data.to_data(), request_id=name)
        event = NewEvent(FOREIGN_STREAM, data.TYPE, body)
        store.requests.append(asking(event, request_id=name, digest=bytes(32)))


def test_a_stored_ledger_holds_on_either_database(
    store: Store, database_url: str, clock: ManualClock
) -> None:
    clock.advance(1)
    record(store, 40)
    report = audited(DatabaseSource(database_url))  # while the store is open
    assert report.passed, report.text()
    assert (report.size, report.thing) == (42, "database")
    applied = {one.rule: one.checked for one in report.rules}
    assert applied["tiles"] == 1
    assert applied["database.requests"] >= 40
    assert applied["database.head"] == 1


@pytest.mark.parametrize("column", ["body", "salt", "body_hash", "prev_hash", "event_hash"])
def test_damage_is_named_on_either_database(store: Store, database_url: str, column: str) -> None:
    record(store, 10)
    other = "event_hash" if column == "prev_hash" else "prev_hash"
    edit(store, f"UPDATE events SET {column} = {other} WHERE position = 7")
    report = audited(DatabaseSource(database_url))
    assert seen(report)[0] == ("chain", 7)


def test_an_auditors_connection_cannot_write(store: Store, database_url: str) -> None:
    source = DatabaseSource(database_url)
    connection = auditors_connection(source)
    with pytest.raises(connection.errors, match=r"(?i)read.?only"):
        connection.query("DELETE FROM leases")
    source.close()


@pytest.mark.parametrize("place", ["missing.db", "mysql://host/name", "sqlite:///missing.db"])
def test_what_cannot_be_read_is_refused_with_what_to_do(place: str) -> None:
    with pytest.raises(LedgerError) as refused:
        DatabaseSource(place)
    assert refused.value.remedy


def test_a_ledger_must_be_named_where_there_are_several(paper: Paper, tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=WORLD):
        DatabaseSource(str(paper.write(tmp_path / "paper.db")), "ledger.example.com/other")


# ---- tiles ---------------------------------------------------------------------------------------


def published(paper: Paper, folder: Path) -> Path:
    """Write a ledger as static tiles, as the layout says."""
    rows = paper.rows()
    leaves = [row[11] for row in rows]
    headers = [
        header_bytes(
            body_hash=row[9].hex(), ledger=paper.origin, position=row[1], prev_hash=row[10].hex(),
            recorded_at=format_time(row[5]), stream=row[2], stream_version=row[3], type_=row[4],
        )
        for row in rows
    ]  # fmt: skip
    content = RightEdge(CompactRange(), []).extend(leaves)
    files = {"checkpoint": paper.note(len(rows), leaves).encode()}
    for tile in tiles_of(len(rows)):
        hashes = content[tile.level, tile.index]
        files[tile_path(tile)] = hashes
        if tile.level == 0:
            start = tile.index * 256
            entries = headers[start : start + tile.width]
            files[entries_path(tile.index, tile.width)] = encode_entries(entries)
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


@pytest.fixture
def many(paper: Paper) -> Paper:
    """The ledger with enough events for several tiles."""
    for _ in range(500):
        foreign(paper)
    paper.checkpoint_sizes = [len(paper.events)]
    return paper


def test_tiles_hold_with_a_key_and_say_what_they_cannot_show(many: Paper, tmp_path: Path) -> None:
    folder = published(many, tmp_path / "log")
    report = audited(TileFolderSource(folder), vkeys=[str(many.key.verifier_key)])
    assert report.passed, report.text()
    assert (report.size, report.checkpoint_size) == (572, 572)
    assert any("Headers only" in remark for remark in report.remarks)
    assert {one.rule: one.checked for one in report.rules}["tiles"] == 4
    unsigned = audited(TileFolderSource(folder))
    assert any("No key was given" in remark for remark in unsigned.remarks)
    assert unsigned.checkpoint_size == 0


@pytest.mark.parametrize(
    ("path", "at", "rule", "position"),
    [
        ("tile/entries/000", 300, "chain", 1),
        ("tile/entries/001", 300, "chain", 257),
        ("tile/0/001", 32 * 9, "tiles", 257 + 9),
        ("tile/0/002.p/60", 0, "tiles", 513),
        ("tile/1/000.p/2", 32, "tiles", 257),
        ("checkpoint", 40, "checkpoints", 572),
    ],
)
def test_a_changed_file_of_tiles_is_named(
    many: Paper, tmp_path: Path, path: str, at: int, rule: str, position: int
) -> None:
    folder = published(many, tmp_path / "log")
    data = bytearray((folder / path).read_bytes())
    # A root stays base64, so that it is another root and no other text.
    data[at] = (65 if data[at] != 65 else 66) if path == "checkpoint" else data[at] ^ 1
    (folder / path).write_bytes(data)
    report = audited(TileFolderSource(folder), vkeys=[str(many.key.verifier_key)])
    assert report.first_bad_position == position, report.text()
    assert rule in {found for found, _ in seen(report)}


def test_a_missing_file_of_entries_is_named(many: Paper, tmp_path: Path) -> None:
    folder = published(many, tmp_path / "log")
    (folder / "tile/entries/001").unlink()
    assert seen(audited(TileFolderSource(folder)))[0] == ("chain", 257)


# ---- bundles -------------------------------------------------------------------------------------


def bundled(paper: Paper, folder: Path, **scope: object) -> Path:
    """Write a ledger as a full bundle, from the format's page alone."""
    rows = paper.rows()
    leaves = [row[11] for row in rows]
    lines = [
        encode(
            {
                "body": None if row[7] is None else paper.at(row[1]).body,
                "hash": row[11].hex(),
                "header": {
                    "body_hash": row[9].hex(), "ledger": paper.origin, "position": row[1],
                    "prev_hash": row[10].hex(), "recorded_at": format_time(row[5]),
                    "stream": row[2], "stream_version": row[3], "type": row[4],
                },
                "salt": None if row[8] is None else row[8].hex(),
            }
        )
        for row in rows
    ]  # fmt: skip
    types = [row[4] for row in rows]
    stated = {
        "counts": {type_: types.count(type_) for type_ in types}, "first_position": 1,
        "format": "decision-ledger/1", "kind": "full", "last_position": len(rows),
        "requested_at": format_time(0), "requested_by": "users/ana", "stream": None, "withheld": [],
    } | scope  # fmt: skip
    key = {"from_position": 1, "until_position": None, "vkey": str(paper.key.verifier_key)}
    files = {
        "data/events.jsonl": b"".join(line + b"\n" for line in lines),
        "data/checkpoint": paper.note(len(rows), leaves).encode(),
        "data/keys.json": encode([key]),
        "data/scope.json": encode(stated),
        "data/report.html": b"<p>",
        "data/verify_bundle.py": b"#",
    }
    listed = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in files.items())
    tags = {
        "bagit.txt": b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n",
        "bag-info.txt": f"Payload-Oxum: {sum(map(len, files.values()))}.{len(files)}\n".encode(),
        "manifest-sha256.txt": "".join(f"{hash_}  {name}\n" for name, hash_ in listed).encode(),
    }
    sums = sorted((name, hashlib.sha256(data).hexdigest()) for name, data in tags.items())
    tags["tagmanifest-sha256.txt"] = "".join(f"{hash_}  {name}\n" for name, hash_ in sums).encode()
    for name, data in (files | tags).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def archived(folder: Path, path: Path) -> Path:
    """Pack a bundle as one uncompressed archive."""
    with tarfile.open(path, "w") as archive:
        archive.add(folder, "bundle")
    return path


@pytest.mark.parametrize("is_archive", [False, True])
def test_a_full_bundle_holds_like_its_ledger(
    many: Paper, tmp_path: Path, *, is_archive: bool
) -> None:
    folder = bundled(many, tmp_path / "bundle")
    place = archived(folder, tmp_path / "bundle.tar") if is_archive else folder
    report = audited(BundleSource(place), vkeys=[str(many.key.verifier_key)])
    assert report.passed, report.text()
    stored = audited(DatabaseSource(str(many.write(tmp_path / "paper.db"))))
    assert (report.size, report.root) == (stored.size, stored.root)
    own = {"tiles", "bundle.files"}
    counts = [
        {one.rule: one for one in found.rules if one.rule not in own and "database" not in one.rule}
        for found in (report, stored)
    ]
    assert counts[0] == counts[1]


def test_a_bundle_that_the_service_writes_holds(tmp_path: Path) -> None:
    ledger = small_ledger()
    ledger.write(tmp_path / "bundle", ledger.plan())
    report = audited(BundleSource(tmp_path / "bundle"), vkeys=[ledger.vkey])
    names = {one.rule for one in report.findings}
    # It is put together by hand: its model was never registered, and the like.
    assert not names & {"chain", "checkpoints", "keys", "bundle.files", "seals", "bodies.present"}
    assert report.checkpoint_size == ledger.size
    assert any("No signature covers the bundle's report" in one for one in report.remarks)


@pytest.mark.parametrize("withheld", [True, False])
def test_bodies_that_a_bundle_withholds_are_unchecked_if_it_says_so(
    paper: Paper, tmp_path: Path, *, withheld: bool
) -> None:
    position = foreign(paper)
    paper.at(position).is_gone = True
    stated = [{"positions": [[position, position]], "reason": "personal"}] if withheld else []
    report = audited(BundleSource(bundled(paper, tmp_path / "bundle", withheld=stated)))
    assert seen(report) == ([] if withheld else [("bodies.present", position)])
    assert report.withheld == 1


FAULTS: dict[str, Callable[[Path], object]] = {
    "another file": lambda folder: (folder / "data/more.txt").write_text("x"),
    "a changed report": lambda folder: (folder / "data/report.html").write_text("y"),
    "a missing file": lambda folder: (folder / "data/report.html").unlink(),
    "no manifest": lambda folder: (folder / "manifest-sha256.txt").unlink(),
    "other keys": lambda folder: (folder / "data/keys.json").write_text("[]"),
    "an untidy manifest": lambda folder: (folder / "manifest-sha256.txt").write_text("x\n"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_with_a_bundles_files_is_found(
    paper: Paper, tmp_path: Path, name: str
) -> None:
    folder = bundled(paper, tmp_path / "bundle")
    FAULTS[name](folder)
    assert {rule for rule, _ in seen(audited(BundleSource(folder)))} == {"bundle.files"}


def test_a_line_that_is_not_canonical_is_named(paper: Paper, tmp_path: Path) -> None:
    folder = bundled(paper, tmp_path / "bundle")
    path = folder / "data/events.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[19] = lines[19].replace(b'"header":', b'"header": ')
    path.write_bytes(b"\n".join(lines))
    assert seen(audited(BundleSource(folder)))[0] == ("chain", 20)


@pytest.mark.parametrize("kind", ["range", "stream"])
def test_a_partial_bundle_is_refused_with_what_to_do(
    paper: Paper, tmp_path: Path, kind: str
) -> None:
    folder = bundled(paper, tmp_path / "bundle", kind=kind)
    with pytest.raises(LedgerError, match=kind) as refused:
        BundleSource(folder)
    assert "decision-ledger verify" in refused.value.remedy


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(io.BytesIO(b"no archive").read())
    with pytest.raises(LedgerError, match="not a bundle"):
        BundleSource(path)
