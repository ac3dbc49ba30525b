"""A score and its decision appended again by raw INSERTs as the newest: refused everywhere.

Method: a model that was well, by schedule, is bad again. Somebody who may write to the database and
has no key appends the score and the NO_ACTION of then once more; hashes, links, tiles and head are
as they must be, and no trigger is touched. The head's seal is the first defence. Where it is put
right here (`adopt` without an audit), somebody got past it: the horizon is the second.
"""

import re
from pathlib import Path

import pytest

from ledger.audit.database import DatabaseSource
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade
from ledger.storage import open_store
from tests.support.audits import audited
from tests.support.forger import append_again
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


def test_an_audit_names_its_position(overturned: tuple[Path, int]) -> None:
    path, place = overturned
    report = audited(DatabaseSource(str(path)))
    assert {("horizons.unbroken", place), ("horizons.unbroken", place + 1)} <= {
        (one.rule, one.position) for one in report.findings
    }
