"""The command that erases: goal: what it promises holds, under races and repeats too.

Method: erasures in small ledgers, by actors who may and may not, with requests wrong in one way
each, with writers that are overtaken between reading and recording, and with keepers of copies
that fail.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import pytest

from ledger.application.signing.checkpoints import SignedCheckpoint
from ledger.application.signing.prover import Inclusion
from ledger.chain.link import ChainVerifier
from ledger.chain.merkle import check_consistency, check_inclusion
from ledger.chain.seal import seal_record, seal_root
from ledger.errors import LedgerError, Reason
from ledger.events.proving import BodyErased
from ledger.events.registry import typed
from ledger.storage.records import AppendRequest, AppendResult
from tests.application.conftest import MakeWorld
from tests.application.erasing import AUTHORITY, GROUND, erase, first_of, outcomes
from tests.application.test_replay import eventful
from tests.support.audits import damage
from tests.support.check_ledger import link_of
from tests.support.hooks import warm_models
from tests.support.world import (
    ANA,
    DAY,
    HOUR,
    OFFICER,
    ORIGIN,
    START,
    World,
    reason_of,
    request,
)

# ---- races ---------------------------------------------------------------------------------------


def test_nothing_read_before_an_erasure_is_recorded_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.begin("m1")
    world.update("m1", owner="ann-of-the-night-shift")
    updated = world.head
    world.update("m1", owner="ann-of-the-night-shift")
    world.see("m1", "1.4", START)
    world.settle()
    submit = world.store.requests.submit
    raced: list[int] = []

    def late(wanted: AppendRequest) -> "Future[AppendResult]":
        if wanted.method in {"Evaluate", "MakePlan"} and not raced:
            raced.append(erase(world, (updated, updated)))
        return submit(wanted)

    monkeypatch.setattr(world.store.requests, "submit", late)
    (decided,) = world.evaluate("m1")
    assert raced == [1]
    assert decided.decision.as_of > world.events(BodyErased.TYPE)[0].position - 1
    raced.clear()
    updated = first_of(world, "model.deployed.v1", "m1")
    world.deploy("m1", "v2", at=START + HOUR)
    plan = world.plan(1)
    assert raced == [1]
    assert plan.as_of >= world.events(BodyErased.TYPE)[1].position


def test_the_evaluator_writes_nothing_of_what_it_had_read_before(world: World) -> None:
    world.begin("m1", interval="1h")
    lost = world.update("m1", owner="ann-of-the-night-shift").last_position
    world.see("m1", "1.4", START)
    world.settle()
    world.see("m1", "1.4", START + DAY)
    assert known_to_the_evaluator(world) == {"m1"}
    erase(world, (lost, lost))
    world.evaluator.run_due()  # before it has folded the erasure
    assert world.events()[-1].type == BodyErased.TYPE
    world.settle()
    assert known_to_the_evaluator(world) == set()
    assert world.events()[-1].type == BodyErased.TYPE


def known_to_the_evaluator(world: World) -> set[str]:
    """Return the models of which the evaluator holds state."""
    return set(warm_models(world.evaluator))


def test_two_servers_on_one_ledger_both_know(make_world: MakeWorld) -> None:
    one = make_world()
    other = make_world(shared=one)
    one.begin("m1")
    draft = first_of(one, "policy.drafted.v2")
    one.see("m1", "1.4", START)
    other.settle()
    assert other.check_replay()
    erase(one, (draft, draft))
    other.settle()
    assert {result.outcome for result in other.replay()} == {"NOT_REPLAYABLE"}
    view = other.ledger.fleet.policy("main")
    assert view is not None
    assert view.policy.drafts == (None,)


# ---- the command ---------------------------------------------------------------------------------


def test_an_erasure_is_recorded_with_its_ground_and_the_chain_still_verifies(
    world: World,
) -> None:
    eventful(world)
    kept = [(event.position, event.event_hash) for event in world.events()]
    head, replayed = world.head, outcomes(world)
    ranges = [(6, 9), (12, 12), (20, 31)]
    assert erase(world, *ranges) == 17
    recorded = world.events(BodyErased.TYPE)[0]
    assert (recorded.position, recorded.stream) == (head + 1, "ledger")
    assert recorded.body.actor == OFFICER.actor
    data = typed(recorded, BodyErased)
    assert (data.ground, data.authority) == (GROUND, AUTHORITY)
    assert data.positions == [[6, 9], [12, 12], [20, 31]]
    gone = {event.position for event in world.events() if event.body_bytes is None}
    assert gone == {*range(6, 10), 12, *range(20, 32)}
    assert all(event.salt is None for event in world.events() if event.position in gone)
    assert [(e.position, e.event_hash) for e in world.events()][:head] == kept
    verifier = ChainVerifier(origin=ORIGIN)
    for event in world.events():
        verifier.feed(link_of(event))
    assert damage(str(world.path)) == []
    assert replayed.keys() == outcomes(world).keys()


def test_every_proof_made_before_or_after_still_verifies(world: World) -> None:
    eventful(world)
    ledger = world.ledger
    sealed = ledger.attestation.seals.seal(ANA)
    before = ledger.attestation.checkpoints.sign()
    proofs = {
        position: ledger.attestation.prover.inclusion(position)
        for position in range(1, before.size + 1)
    }
    hashes = {event.position: event.event_hash for event in world.events()}
    gone = [event.position for event in world.events("signal.observed.v1", "decision.made.v2")]
    world.erase(*gone)
    world.see("m1", "0.4", START + 9 * DAY)
    again = ledger.attestation.seals.seal(ANA)
    after = ledger.attestation.checkpoints.sign()
    assert after.size > before.size
    for position, proof in proofs.items():
        check(hashes, position, before, proof)  # which somebody kept
        assert ledger.attestation.prover.inclusion(position, before.size).hashes == proof.hashes
        later = ledger.attestation.prover.inclusion(position, after.size)
        assert later.event_hash == hashes[position]
        check(hashes, position, after, later)
    consistency = ledger.attestation.prover.consistency(before.size, after.size)
    check_consistency(
        old_size=before.size,
        size=after.size,
        old_root=before.root,
        root=after.root,
        proof=consistency.hashes,
    )
    for seal in (sealed, again):
        records = [
            seal_record(event_hash=one[2].hex(), stream=one[0], stream_version=one[1])
            for one in world.store.proofs.stream_heads(ORIGIN, seal.as_of)
        ]
        assert seal_root(records) == seal.root
    assert damage(str(world.path)) == []


def check(hashes: dict[int, bytes], position: int, of: SignedCheckpoint, by: Inclusion) -> None:
    """Fail unless an event is in the tree of a checkpoint."""
    check_inclusion(
        index=position - 1, size=of.size, leaf=hashes[position], root=of.root, proof=by.hashes
    )


@pytest.mark.parametrize(
    ("ranges", "field"),
    [
        ([], "positions"),
        ([(0, 5)], "positions[0].first"),
        ([(7, 6)], "positions[0].last"),
        ([(5, 6), (6, 7)], "positions[1].first"),
        ([(8, 9), (5, 6)], "positions[1].first"),
        ([(3, 1_000_003)], "positions"),
        ([(2 * n + 3, 2 * n + 3) for n in range(10_001)], "positions"),
    ],
    ids=["none", "zero", "backwards", "overlap", "descending", "million", "ranges"],
)
def test_ranges_ascend_and_are_apart_and_bounded(
    world: World, ranges: list[tuple[int, int]], field: str
) -> None:
    world.begin("m1")
    with pytest.raises(LedgerError) as refused:
        erase(world, *ranges)
    assert reason_of(refused) is Reason.FIELD_INVALID
    assert refused.value.metadata["field"] == field
    assert not world.events(BodyErased.TYPE)


def test_ground_and_authority_are_required(world: World) -> None:
    world.begin("m1")
    with pytest.raises(LedgerError) as refused:
        erase(world, (3, 3), ground="")
    assert (reason_of(refused), refused.value.metadata["field"]) == (Reason.FIELD_INVALID, "ground")


def test_bodies_that_the_rest_rests_on_are_named_and_nothing_is_erased(world: World) -> None:
    world.begin("m1")
    erase(world, (4, 4))
    sealed = world.head
    with pytest.raises(LedgerError) as refused:
        erase(world, (1, 6), (sealed, sealed))
    assert reason_of(refused) is Reason.BODY_PERMANENT
    assert refused.value.metadata["positions"] == f"1,2,{sealed}"
    assert "ledger.created.v1" in refused.value.message
    assert "body.erased.v1" in refused.value.message
    assert world.head == sealed
    assert world.ledger.log.event(5).body_bytes is not None  # type: ignore[union-attr]


def test_a_position_beyond_the_head_is_refused(world: World) -> None:
    world.begin("m1")
    head = world.head
    with pytest.raises(LedgerError) as refused:
        erase(world, (3, head + 1))
    assert reason_of(refused) is Reason.POSITION_BEYOND_HEAD
    assert (world.head, world.events()[2].body_bytes is None) == (head, False)


def test_what_is_gone_already_is_not_erased_twice(world: World) -> None:
    world.begin("m1")
    assert erase(world, (3, 4)) == 2
    head = world.head
    with pytest.raises(LedgerError) as refused:
        erase(world, (3, 4))
    assert reason_of(refused) is Reason.BODY_ERASED
    assert world.head == head
    assert erase(world, (3, 5)) == 1, "one of them was still there"


def test_a_repeat_is_answered_as_the_first_time(world: World) -> None:
    world.begin("m1")
    caller = replace(request("r-1", "3-4"), actor=OFFICER.actor)
    first = world.ledger.erasure.erase_bodies(caller, [(3, 4)], GROUND, AUTHORITY)
    again = world.ledger.erasure.erase_bodies(caller, [(3, 4)], GROUND, AUTHORITY)
    assert (first.bodies, again.bodies) == (2, 2)
    assert again.written == replace(first.written, repeated=True)
    assert len(world.events(BodyErased.TYPE)) == 1
    other = replace(request("r-1", "5"), actor=OFFICER.actor)
    with pytest.raises(LedgerError) as refused:
        world.ledger.erasure.erase_bodies(other, [(5, 5)], GROUND, AUTHORITY)
    assert reason_of(refused) is Reason.REQUEST_ID_REUSED


def test_a_keeper_of_copies_is_told_and_what_it_cannot_remove_is_said(world: World) -> None:
    world.begin("m1")
    told: list[tuple[int, list[tuple[int, int]]]] = []
    broken = [True]

    def keeper(position: int, ranges: Sequence[tuple[int, int]]) -> None:
        told.append((position, list(ranges)))
        if broken[0]:
            raise LedgerError(Reason.STORE_UNAVAILABLE, "A file is held.", metadata={"place": "x"})

    world.ledger.erasure.on_erased(keeper)
    others: list[int] = []
    world.ledger.erasure.on_erased(lambda position, _: others.append(position))
    caller = replace(request("r-1", "3"), actor=OFFICER.actor)
    with pytest.raises(LedgerError, match="copies are left: A file is held") as refused:
        world.ledger.erasure.erase_bodies(caller, [(3, 3)], GROUND, AUTHORITY)
    assert reason_of(refused) is Reason.STORE_UNAVAILABLE
    assert told == [(world.head, [(3, 3)])]
    assert others == [world.head], "one's trouble keeps no other from his work"
    broken[0] = False
    assert world.ledger.erasure.erase_bodies(caller, [(3, 3)], GROUND, AUTHORITY).bodies == 1
    assert len(told) == 2
    with pytest.raises(LedgerError):
        erase(world, (3, 3))
    assert len(told) == 3, "also by a request that has nothing left to erase"
