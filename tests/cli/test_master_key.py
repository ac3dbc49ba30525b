"""A head is sealed under the master key: what no server wrote is refused, and operators can adopt.

Method: a score and its decision are appended again by raw INSERTs, as a person can who may write to
the database and has no key: no trigger is touched, and hashes, links, tree and head are as they
must be.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger.cli.exits import Exit
from ledger.clock import SystemClock
from ledger.errors import LedgerError, Reason
from ledger.storage import open_store
from tests.cli.conftest import Run
from tests.support.forger import append_again
from tests.support.hooks import before_signing
from tests.support.served import ORIGIN, Fleets, observation, serving, serving_fleet

EVALUATED = ("score.computed.v1", "decision.made.v2")


@pytest.fixture
def database(fleets: Fleets, run: Run, tmp_path: Path) -> Path:
    """A ledger with two scores, two decisions and a checkpoint, which no server serves any more."""
    with serving_fleet(fleets, tmp_path, "fares") as served:
        for number, seconds in ((0.9, 0), (0.1, 86_400)):
            served.submit(observation(number=number, seconds=seconds))
            evaluated = run("--server", served.server.address, "evaluate", "fares")
            assert evaluated.code == 0, evaluated.err
        served.service.ledger().attestation.checkpoints.sign()
    return tmp_path / "ledger.sqlite"


def append_first_again(path: Path) -> None:
    """Append the first score and decision once more."""
    with closing(sqlite3.connect(path)) as raw:
        first = "SELECT min(position) FROM events WHERE type = ?"
        append_again(path, [raw.execute(first, (name,)).fetchone()[0] for name in EVALUATED])


def refused(path: Path) -> LedgerError:
    """Start a server on a ledger that it must refuse, and return why."""
    with pytest.raises(LedgerError) as caught, serving(path.parent):
        pass
    return caught.value


def test_a_decision_appended_without_the_master_key_is_never_served(database: Path) -> None:
    append_first_again(database)
    refusal = refused(database)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert refusal.metadata["ledger"] == ORIGIN
    with closing(sqlite3.connect(database)) as raw:
        ((size, hash_),) = raw.execute("SELECT position, event_hash FROM heads").fetchall()
    assert f"{size} events with hash {hash_.hex()}" in refusal.message
    assert f"over {size - 2} events" in refusal.message


@pytest.mark.parametrize("seal", [None, bytes(32), b"short"])
def test_a_head_without_its_seal_is_not_served(database: Path, seal: bytes | None) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("UPDATE heads SET seal = ?", (seal,))
    assert refused(database).reason is Reason.CHAIN_BROKEN


@pytest.mark.parametrize("column", ["recorded_at", "newest_observed_at"])
def test_each_column_of_a_head_is_sealed(database: Path, column: str) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute(f"UPDATE heads SET {column} = {column} + 1")
    assert refused(database).reason is Reason.CHAIN_BROKEN


def test_another_master_key_is_named_as_the_fault(database: Path) -> None:
    Path(f"{database}.key").write_text("ab" * 32)
    refusal = refused(database)
    assert refusal.reason is Reason.STORE_UNAVAILABLE
    assert "master key" in refusal.remedy


def test_a_running_server_neither_signs_nor_appends_to_a_head_that_it_did_not_write(
    fleets: Fleets, run: Run, tmp_path: Path
) -> None:
    with serving_fleet(fleets, tmp_path, "fares") as served:
        served.submit(observation(number=0.9))
        assert run("--server", served.server.address, "evaluate", "fares").code == 0
        checkpoints = served.service.ledger().attestation.checkpoints
        kept = checkpoints.sign().size
        append_first_again(tmp_path / "ledger.sqlite")
        with pytest.raises(LedgerError) as caught:
            checkpoints.sign()
        assert caught.value.reason is Reason.SIGNING_STOPPED
        newest = checkpoints.newest()
        assert newest is not None
        assert newest.size == kept
        ran = run("--server", served.server.address, "evaluate", "fares")
        assert ran.code == Exit.INTEGRITY, ran.err


def test_a_head_that_is_put_back_before_the_signature_is_kept_is_not_signed(
    fleets: Fleets, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "ledger.sqlite"
    with serving_fleet(fleets, tmp_path, "fares") as served:
        served.submit(observation(number=0.9))
        assert run("--server", served.server.address, "evaluate", "fares").code == 0
        checkpoints = served.service.ledger().attestation.checkpoints
        kept = checkpoints.sign().size
        with closing(sqlite3.connect(path)) as raw:
            honest = raw.execute("SELECT position, event_hash, tree FROM heads").fetchone()

        def put_back() -> None:
            with closing(sqlite3.connect(path)) as raw, raw:
                raw.execute("UPDATE heads SET position = ?, event_hash = ?, tree = ?", honest)

        append_first_again(path)
        before_signing(checkpoints, put_back)
        with pytest.raises(LedgerError) as caught:
            checkpoints.sign()
        assert caught.value.reason is Reason.SIGNING_STOPPED
        newest = checkpoints.newest()
        assert newest is not None
        assert newest.size == kept


def test_an_operator_adopts_a_database_that_verifies(run: Run, database: Path) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("UPDATE heads SET seal = NULL")
    adopted = run("ledger", "adopt", str(database), "--json")
    assert adopted.code == 0, adopted.err
    with serving(database.parent) as served:
        head = served.service.ledger().log.head()
        assert adopted.json["adopted"][0]["event_hash"] == head.event_hash.hex()
        served.submit(observation(seconds=90_000))


def test_a_database_that_does_not_verify_is_not_adopted(run: Run, database: Path) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("DROP TRIGGER events_no_update")
        raw.execute("UPDATE events SET body = replace(body, '0.9', '0.8') WHERE position = 8")
        raw.execute("UPDATE heads SET seal = NULL")
    ran = run("ledger", "adopt", str(database))
    assert ran.code == Exit.INTEGRITY
    assert "no head was sealed" in ran.err
    assert refused(database).reason is Reason.CHAIN_BROKEN


def test_everything_is_sealed_again_under_another_master_key(
    run: Run, database: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "new.key"
    ran = run("key", "reseal", str(database), "--to", str(fresh), "--json")
    assert ran.code == 0, ran.err
    assert ran.json["resealed"] == 2
    assert refused(database).reason is Reason.STORE_UNAVAILABLE  # by the old key
    fresh.replace(f"{database}.key")
    with serving(database.parent) as served:
        served.submit(observation(seconds=90_000))
        assert served.service.ledger().attestation.checkpoints.sign().size == served.head()


def kms(folder: Path, key: str) -> str:
    """Return the command, in JSON, of a program that prints a master key."""
    path = folder / f"kms-{key[:4]}"
    path.touch(mode=0o700)
    path.write_text(f"#!/bin/sh\necho {key}\n")
    return json.dumps([str(path)])


def test_everything_is_sealed_again_under_the_master_key_of_a_command_and_opens_with_it(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = kms(tmp_path, "ab" * 32), kms(tmp_path, "cd" * 32)
    ran = run("key", "reseal", str(database), "--to-command", first, "--json")
    assert ran.code == 0, ran.err
    assert ran.json == {"database": str(database), "key_file": None, "resealed": 2}
    assert refused(database).reason is Reason.STORE_UNAVAILABLE  # by the old key
    monkeypatch.setenv("LEDGER_KEYS__COMMAND", first)
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("UPDATE heads SET seal = NULL")
    assert run("ledger", "adopt", str(database)).code == 0
    ran = run("key", "reseal", str(database), "--to-command", second)
    assert ran.code == 0, ran.err
    assert "name it in `keys.command`" in ran.out
    with serving(database.parent, keys__command=tuple(json.loads(second))) as served:
        assert served.service.ledger().attestation.checkpoints.sign().size == served.head()
    ran = run("key", "reseal", str(database), "--to", str(tmp_path / "new.key"))
    assert ran.code == Exit.REFUSED, "the first command's key opens nothing more"


WRONG_TARGETS: list[tuple[list[str], str]] = [
    ([], "either --to or --to-command"),
    (["--to", "a.key", "--to-command", '["/bin/kms"]'], "either --to or --to-command"),
    (["--to-command", "/bin/kms get"], "Write it as in `keys.command`"),
    (["--to-command", '"/bin/kms get"'], "a command is a list of words"),
    (["--to-command", "[]"], "not a list of words"),
    (["--to-command", "{}"], "not a list of words"),
]


@pytest.mark.parametrize(("words", "why"), WRONG_TARGETS)
def test_another_master_key_is_named_in_one_way(run: Run, words: list[str], why: str) -> None:
    ran = run("key", "reseal", "none.sqlite", *words)
    assert ran.code == Exit.MISUSE
    assert why in ran.err


def test_nothing_is_sealed_again_where_the_head_has_no_seal(run: Run, database: Path) -> None:
    with closing(sqlite3.connect(database)) as raw, raw:
        raw.execute("UPDATE heads SET seal = NULL")
    ran = run("key", "reseal", str(database), "--to", str(database.with_suffix(".new")))
    assert ran.code == Exit.INTEGRITY
    assert run("ledger", "adopt", str(database)).code == 0
    with serving(database.parent) as served:
        assert served.service.ledger().attestation.checkpoints.sign().size == served.head()


def test_a_refused_head_is_refused_to_every_store(database: Path) -> None:
    append_first_again(database)
    store = open_store(str(database), SystemClock())
    try:
        with pytest.raises(LedgerError) as caught:
            store.keys.check_head(ORIGIN, store.events.head(ORIGIN))
        assert caught.value.reason is Reason.CHAIN_BROKEN
    finally:
        store.close()
