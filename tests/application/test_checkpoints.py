"""Checkpoints on request: goal: the key signs the log as it is, or nothing.

Method: notes opened with the ledger's published key, and heads tampered with by SQL.
"""

import pytest

from ledger.chain.checkpoint import parse
from ledger.chain.keys import VerifierKey
from ledger.chain.merkle import CompactRange, root_of
from ledger.chain.note import open_note
from ledger.errors import LedgerError, Reason
from tests.application.conftest import MakeWorld
from tests.support.stores import edit
from tests.support.world import ORIGIN, START, World, reason_of


def tamper(world: World, **columns: object) -> None:
    """Write into the head's row as a thief of the master key can, who seals it."""
    for name, value in columns.items():
        edit(world.store, f"UPDATE heads SET {name} = :value", value=value)
    world.store.keys.adopt(ORIGIN, world.store.events.head(ORIGIN))


def test_a_checkpoint_covers_every_event_and_verifies_with_the_published_key(world: World) -> None:
    world.begin("m1")
    signed = world.ledger.attestation.checkpoints.sign()
    assert signed.size == world.head
    assert signed.root == root_of(event.event_hash for event in world.events())
    assert signed.vkey == world.ledger.info.vkey
    opened = open_note(signed.note.encode(), [VerifierKey.parse(signed.vkey)])
    checkpoint = parse(opened.text)
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (
        ORIGIN,
        signed.size,
        signed.root,
    )


def test_a_head_is_signed_once_and_a_longer_one_of_itself(world: World) -> None:
    world.begin("m1")
    first = world.ledger.attestation.checkpoints.sign()
    assert world.ledger.attestation.checkpoints.sign() == first
    world.see("m1", "0.5", START)
    second = world.ledger.attestation.checkpoints.sign()
    assert second.size == first.size + 1
    world.restart()
    assert world.ledger.attestation.checkpoints.sign() == second


def test_a_tree_without_a_leaf_for_each_event_is_not_signed(world: World) -> None:
    world.begin("m1")
    before = world.ledger.attestation.checkpoints.sign()
    tree = CompactRange()
    tree.extend([b"x" * 32] * (world.head - 1))
    world.see("m1", "0.5", START)
    tamper(world, tree=tree.to_bytes())
    with pytest.raises(LedgerError) as error:
        world.ledger.attestation.checkpoints.sign()
    assert reason_of(error) is Reason.SIGNING_STOPPED
    kept = world.store.proofs.checkpoint(ORIGIN)
    assert kept is not None
    assert kept[0] == before.size


def test_a_damaged_tree_is_not_signed(world: World) -> None:
    world.begin("m1")
    tamper(world, tree=b"rubbish")
    with pytest.raises(LedgerError) as error:
        world.ledger.attestation.checkpoints.sign()
    assert reason_of(error) is Reason.SIGNING_STOPPED


def test_another_root_of_a_size_that_was_signed_is_not_signed(world: World) -> None:
    world.begin("m1")
    world.ledger.attestation.checkpoints.sign()
    tree = CompactRange()
    tree.extend([b"x" * 32] * world.head)
    tamper(world, tree=tree.to_bytes())
    with pytest.raises(LedgerError) as error:
        world.ledger.attestation.checkpoints.sign()
    assert reason_of(error) is Reason.SIGNING_STOPPED


def test_a_log_shorter_than_what_was_signed_is_not_signed(make_world: MakeWorld) -> None:
    world = make_world().begin("m1")
    head = world.store.events.head(ORIGIN)
    world.see("m1", "0.5", START)
    world.ledger.attestation.checkpoints.sign()
    tamper(world, position=head.position, tree=head.tree)
    with pytest.raises(LedgerError) as error:
        world.ledger.attestation.checkpoints.sign()
    assert reason_of(error) is Reason.SIGNING_STOPPED
    assert "some of them are gone" in error.value.message
