"""`log publish` writes the same folder from a server and from its database, and follows on.

Method: a real ledger is published from both sides while it grows; folders are compared byte by byte
and every entry with the stored events. What a folder or a database must not be is tried by hand.
"""

import shutil
import sqlite3
from pathlib import Path

import pytest

from ledger.chain.entries import decode_entries, encode_entries
from ledger.chain.keys import SecretKey
from ledger.chain.link import event_hash
from ledger.chain.tiles import entries_path
from ledger.cli.exits import Exit
from tests.cli.conftest import Run, csv_of
from tests.support.forger import drop_triggers
from tests.support.served import Served, serving
from tools.quiet import quiet


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_server_and_database_give_the_same_folder_step_by_step(
    cli: Run, run: Run, served: Served, folder: Path, tmp_path: Path
) -> None:
    database = str(folder / "ledger.sqlite")
    live, stored = tmp_path / "live", tmp_path / "stored"
    for days in (5, 100, 200):
        assert cli("signal", "submit", stdin=csv_of(days)).code == 0
        done = cli("log", "publish", str(live), "--json").json
        assert done["size"] == served.head()
        ran = run("log", "publish", str(stored), "--db", database, "--json")
        assert ran.code == 0, ran.err
        assert files(live) == files(stored)
    ledger, found = served.service.ledger(), []
    for index in range(done["size"] // 256 + 1):
        width = min(256, done["size"] - index * 256)
        found += decode_entries((live / entries_path(index, width)).read_bytes())
    assert [event_hash(entry) for entry in found] == [
        event.event_hash for event in ledger.log.events(limit=10_000)
    ]


def test_nothing_of_a_body_is_published(cli: Run, served: Served, tmp_path: Path) -> None:
    assert cli("model", "register", "zanzibar-cloves", "--owner", "very-secret-owner",
               "--unit-value", "0.000005", "--cost", "0.000009").code == 0  # fmt: skip
    assert cli("log", "publish", str(tmp_path / "tiles")).code == 0
    everything = b"".join(files(tmp_path / "tiles").values())
    assert b"models/zanzibar-cloves" in everything  # streams are part of the header
    assert b"very-secret-owner" not in everything
    for event in served.service.ledger().log.events():
        assert event.salt is not None
        assert event.salt not in everything
        assert event.salt.hex().encode() not in everything


def test_a_restored_backup_does_not_start_behind_what_was_published(
    run: Run, tmp_path: Path
) -> None:
    """Method: the database is copied, goes on and is published; then the copy is started."""
    from ledger.errors import LedgerError, Reason
    from ledger.service import Service

    now, backup, tiles = tmp_path / "now", tmp_path / "backup", tmp_path / "tiles"
    now.mkdir()
    with serving(now) as server:
        server.prepare(("fares", "hotels"))
        size = server.head()
    shutil.copytree(now, backup)
    with serving(now) as server:
        address = server.server.address
        assert run("signal", "submit", "--server", address, stdin=csv_of(9)).code == 0
        assert run("log", "publish", str(tiles), "--server", address).code == 0
        published = server.head()
    options = quiet(
        str(backup / "ledger.sqlite"), service__evaluate=False, checkpoints__published=str(tiles)
    )
    with pytest.raises(LedgerError) as caught:
        Service(options).start()
    assert caught.value.reason is Reason.LEDGER_BEHIND
    assert str(size) in caught.value.message
    assert str(published) in caught.value.message


def test_a_ledger_that_was_rewritten_is_not_published_over_the_old_one(
    cli: Run, run: Run, folder: Path, tmp_path: Path
) -> None:
    tiles = tmp_path / "tiles"
    assert cli("log", "publish", str(tiles)).code == 0
    before = files(tiles)
    other = tmp_path / "other"
    other.mkdir()
    with serving(other) as forger:
        forger.prepare(("fares", "hotels", "rooms"))
        assert run("log", "publish", str(tiles), "--server", forger.server.address).code == 4
        run("log", "checkpoint", "--server", forger.server.address)
        forger.service.ledger().attestation.checkpoints.sign()
        ran = run("log", "publish", str(tiles), "--db", str(other / "ledger.sqlite"))
    assert ran.code == Exit.INTEGRITY
    assert files(tiles) == before


def test_what_cannot_be_read_in_a_folder_is_said_in_words(cli: Run, tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    assert cli("signal", "submit", stdin=csv_of(5)).code == 0
    assert cli("log", "publish", str(tiles)).code == 0
    (entries,) = (path for path in (tiles / "tile" / "entries").rglob("*") if path.is_file())
    entries.unlink()
    entries.mkdir()
    assert cli("signal", "submit", stdin=csv_of(10)).code == 0
    ran = cli("log", "publish", str(tiles))
    assert (ran.code, "Errno" in ran.err) == (Exit.INTEGRITY, False)
    assert "cannot be read: it is not a plain file" in ran.err


def test_tiles_that_do_not_hold_are_spoken_of_in_the_plural(
    cli: Run, run: Run, tmp_path: Path
) -> None:
    tiles = tmp_path / "tiles"
    assert cli("signal", "submit", stdin=csv_of(5)).code == 0
    assert cli("log", "publish", str(tiles)).code == 0
    key = ("--vkey", str(cli("vkey", "--json").json["verifier_key"]))
    shown = run("verify", str(tiles), *key).out
    assert "`audit run` of the server, its database or a full bundle checks it." in shown
    (entries,) = (path for path in (tiles / "tile" / "entries").rglob("*") if path.is_file())
    kept = decode_entries(entries.read_bytes())
    changed = kept[3].replace(b'"stream_version":', b'"stream_version":9')
    entries.write_bytes(encode_entries([*kept[:3], changed, *kept[4:]]))
    assert "The tiles do not hold: " in run("verify", str(tiles), *key).out


def test_an_edited_database_is_not_published(
    cli: Run, run: Run, folder: Path, tmp_path: Path
) -> None:
    database = folder / "ledger.sqlite"
    assert cli("log", "checkpoint").code == 0
    drop_triggers(database)
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE events SET stream_version = 7 WHERE position = 4")
    connection.close()
    ran = run("log", "publish", str(tmp_path / "tiles"), "--db", str(database))
    assert ran.code == Exit.INTEGRITY
    assert not (tmp_path / "tiles" / "checkpoint").exists()


def test_what_cannot_be_published_says_why(
    cli: Run, run: Run, served: Served, folder: Path, tmp_path: Path
) -> None:
    tiles, database = str(tmp_path / "tiles"), str(folder / "ledger.sqlite")
    assert (
        cli("log", "publish", tiles, "--witness-policy", str(tmp_path / "none")).code == Exit.MISUSE
    )
    ran = run("log", "publish", tiles, "--db", database)
    assert (ran.code, "No checkpoint was signed yet" in ran.err) == (Exit.MISUSE, True)
    assert run("log", "publish", tiles, "--db", str(tmp_path / "none")).code == Exit.MISUSE
    assert cli("log", "checkpoint").code == 0
    stranger = str(SecretKey("ledger.example/test", bytes(32)).verifier_key)
    assert run("log", "publish", tiles, "--db", database, "--vkey", "x").code == Exit.MISUSE
    assert run("log", "publish", tiles, "--db", database, "--vkey", stranger).code != 0
    (tmp_path / "tiles").mkdir(exist_ok=True)
    (tmp_path / "tiles" / "checkpoint").write_text("no note\n")
    ran = cli("log", "publish", tiles)
    assert (ran.code, "is not a checkpoint" in ran.err) == (Exit.INTEGRITY, True)
