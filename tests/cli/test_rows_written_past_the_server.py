"""A score and its decision appended again by raw INSERTs as the newest: refused everywhere.

Method: a model that was well, by schedule, is bad again. Somebody who may write to the database and
has no key appends the score and the NO_ACTION of then once more; hashes, links, tiles and head are
as they must be, and no trigger is touched. The head's seal is the first defence. Where it is put
right here (`adopt` without an audit), somebody got past it: the horizon is the second.
"""

import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.audit.database import DatabaseSource
from ledger.cli.exits import Exit
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade
from ledger.storage import open_store
from tests.cli.conftest import Run
from tests.support.audits import audited
from tests.support.forger import Forger, append_again, drop_triggers
from tests.support.served import serving
from tests.support.world import DAY, ORIGIN, START, StillClock, World

SENTENCE = re.compile(r"its horizon is \d+, and position \d+ holds what it should have known")


def lived(folder: Path) -> World:
    """Return a ledger whose model is to be retrained, after it was well by schedule."""
    world = World(folder / "ledger.sqlite").begin("alpha", "beta", silence="2d")
    for day, value in ((0, 1.4), (1, 1.4)):
        world.see("alpha", value, START + day * DAY)
        world.settle()
    for day in range(2, 30, 2):
        world.see("beta", 0.4, START + day * DAY)
        world.settle()
    world.see("alpha", 1.4, START + 30 * DAY)
    world.settle()
    assert in_force(world).action == "SCHEDULE_RETRAINING"
    return world


def in_force(world: World) -> DecisionMade:
    return world.decisions("alpha")[-1]


def overturn(world: World) -> int:
    """Append the old score and its NO_ACTION again; return where the score is now."""
    old = next(
        event
        for event in world.events("decision.made.v2")
        if (event.data["trigger"], event.data["action"]) == ("schedule", "NO_ACTION")
    )
    place = world.head + 1
    append_again(Path(world.path), [old.position - 1, old.position])
    return place


def adopt(path: Path) -> None:
    """Seal whatever head there is."""
    store = open_store(str(path), StillClock(START))
    store.keys.adopt(ORIGIN, store.events.head(ORIGIN))
    store.close()


@pytest.fixture
def overturned(tmp_path: Path) -> tuple[Path, int]:
    world = lived(tmp_path)
    world.ledger.attestation.checkpoints.sign()
    place = overturn(world)
    assert in_force(world).action == "NO_ACTION", "or nothing was overturned"
    world.close()
    return tmp_path / "ledger.sqlite", place


def start(path: Path) -> LedgerError:
    with pytest.raises(LedgerError) as caught, serving(path.parent):
        pass
    return caught.value


def test_a_server_does_not_start_on_it(overturned: tuple[Path, int]) -> None:
    path, place = overturned
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert "no server with this master key wrote it" in refusal.message
    adopt(path)
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert refusal.metadata["position"] == str(place)
    assert SENTENCE.search(refusal.message)


def test_a_signer_signs_nothing_of_it(tmp_path: Path) -> None:
    world = lived(tmp_path)
    signed = world.ledger.attestation.checkpoints.sign().size
    place = overturn(world)
    world.store.keys.adopt(ORIGIN, world.store.events.head(ORIGIN))
    with pytest.raises(LedgerError) as caught:
        world.ledger.attestation.checkpoints.sign()
    assert caught.value.reason is Reason.SIGNING_STOPPED
    assert f"at position {place}: its horizon is" in caught.value.message
    newest = world.ledger.attestation.checkpoints.newest()
    assert newest is not None
    assert newest.size == signed
    world.close()


def test_a_signer_signs_no_event_that_was_recorded_before_the_one_before_it(
    tmp_path: Path,
) -> None:
    world = lived(tmp_path)
    world.ledger.attestation.checkpoints.sign()
    with closing(Forger(Path(world.path))) as forger:
        old = len(forger.rows)
        seen = next(row for row in forger.rows if row.observed_at is not None)
        forger.rows.append(replace(seen))
        forger.append_rows(old)
    world.store.keys.adopt(ORIGIN, world.store.events.head(ORIGIN))
    with pytest.raises(LedgerError) as caught:
        world.ledger.attestation.checkpoints.sign()
    assert caught.value.reason is Reason.SIGNING_STOPPED
    said = f"at position {old + 1}: it was recorded before the event before it"
    assert said in caught.value.message
    world.close()


def test_an_audit_and_a_verification_name_its_position(
    overturned: tuple[Path, int], run: Run
) -> None:
    path, place = overturned
    report = audited(DatabaseSource(str(path)))
    assert {("horizons.unbroken", place), ("horizons.unbroken", place + 1)} <= {
        (one.rule, one.position) for one in report.findings
    }
    ran = run("verify", str(path), "--json")
    assert ran.code == Exit.INTEGRITY
    named = {(one["rule"], one["position"]) for one in ran.json["findings"]}
    assert {("horizons.unbroken", place), ("horizons.unbroken", place + 1)} <= named
    assert f"at position {place}, its horizon is" in run("verify", str(path)).err


# ---- rows beside the events --------------------------------------------------------------------

HEAD = "position, event_hash, recorded_at, newest_observed_at, tree, seal"


def went_on(folder: Path) -> tuple[Path, tuple[object, ...]]:
    """Return a ledger that went on after its checkpoint, and the sealed head of before."""
    world = lived(folder)
    world.ledger.attestation.checkpoints.sign()
    with closing(sqlite3.connect(world.path)) as raw:
        before = raw.execute(f"SELECT {HEAD} FROM heads").fetchone()
    world.see("beta", 0.5, START + 31 * DAY)
    world.close()
    return folder / "ledger.sqlite", before


def put_back(path: Path, head: tuple[object, ...]) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute(f"UPDATE heads SET ({HEAD}) = (?, ?, ?, ?, ?, ?)", head)


def test_an_older_head_with_its_seal_is_refused_while_there_are_events_behind_it(
    tmp_path: Path,
) -> None:
    path, before = went_on(tmp_path)
    put_back(path, before)
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert "it is there, and the stored head is at position" in refusal.message


def test_neither_writer_nor_signer_goes_on_from_an_older_head(tmp_path: Path) -> None:
    path, before = went_on(tmp_path)
    put_back(path, before)
    world = World(path)
    with pytest.raises(LedgerError) as signing:
        world.ledger.attestation.checkpoints.sign()
    assert "the stored head is at position" in signing.value.message
    with pytest.raises(LedgerError) as appending:
        world.see("beta", 0.5, START + 32 * DAY)
    assert appending.value.reason is Reason.CHAIN_BROKEN
    world.close()


def reindexed(path: Path, type_: str, time: str) -> int:
    """Give the newest event of a type another time of observation in its row, as an owner can."""
    drop_triggers(path)
    with closing(sqlite3.connect(path)) as raw, raw:
        newest = "SELECT max(position) FROM events WHERE type = ?"
        position: int = raw.execute(newest, (type_,)).fetchone()[0]
        raw.execute(f"UPDATE events SET observed_at = {time} WHERE position = ?", (position,))
    return position


HIDDEN = [
    ("signal.observed.v1", "NULL", "its row has no time of observation, and it is an observation"),
    ("decision.made.v2", "0", "its row has a time of observation, and it is none"),
    ("policy.activated.v1", "0", "its row has a time of observation, and it is none"),
]


@pytest.mark.parametrize(("type_", "time", "said"), HIDDEN)
def test_a_signer_signs_nothing_that_is_not_found_as_what_it_is(
    tmp_path: Path, type_: str, time: str, said: str
) -> None:
    world = lived(tmp_path)
    position = reindexed(Path(world.path), type_, time)
    with pytest.raises(LedgerError) as caught:
        world.ledger.attestation.checkpoints.sign()
    assert f"at position {position}: {said}" in caught.value.message
    world.close()


def test_an_observation_that_was_hidden_before_a_checkpoint_is_missed_at_the_next_start(
    tmp_path: Path,
) -> None:
    path, _ = went_on(tmp_path)
    position = reindexed(path, "signal.observed.v1", "NULL")
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert refusal.metadata["position"] == str(position)


def test_a_model_with_a_hidden_observation_is_not_evaluated(tmp_path: Path) -> None:
    world = lived(tmp_path)
    position = reindexed(Path(world.path), "signal.observed.v1", "NULL")
    with pytest.raises(LedgerError) as caught:
        world.evaluate("alpha")
    assert caught.value.reason is Reason.EVENT_UNREADABLE
    assert caught.value.metadata["position"] == str(position)
    world.close()


@pytest.mark.parametrize(("type_", "time", "said"), HIDDEN)
def test_a_verification_names_a_row_that_is_indexed_as_what_it_is_not(
    tmp_path: Path, run: Run, type_: str, time: str, said: str
) -> None:
    path, _ = went_on(tmp_path)
    assert run("verify", str(path)).code == 0
    position = reindexed(path, type_, time)
    ran = run("verify", str(path), "--json")
    assert ran.code == Exit.INTEGRITY
    assert ("database.observed_at", position) in {
        (one["rule"], one["position"]) for one in ran.json["findings"]
    }


def test_a_ledger_cannot_be_served_as_one_that_has_no_key(overturned: tuple[Path, int]) -> None:
    path, _ = overturned
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE ledgers SET vkey = ''")
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert "its first events say" in refusal.message


def test_decisions_in_a_ledger_without_a_key_are_not_served(tmp_path: Path) -> None:
    """A ledger of its own is put before the one that is there, so that it is the usual one."""
    path, _ = went_on(tmp_path)
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("INSERT INTO ledgers VALUES (0, 'example.com/first', 'data', 300, '')")
        raw.execute(
            "INSERT INTO heads SELECT 0, 1, event_hash, recorded_at, NULL, tree, NULL FROM heads"
        )
        raw.execute(
            "INSERT INTO events SELECT 0, 1, stream, 1, type, recorded_at, observed_at, body, salt,"
            " body_hash, prev_hash, event_hash FROM events WHERE type = 'decision.made.v2' LIMIT 1"
        )
    refusal = start(path)
    assert refusal.reason is Reason.CHAIN_BROKEN
    assert "a ledger without a key holds no decision.made.v2" in refusal.message
