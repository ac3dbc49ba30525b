"""From the key that is trusted a client follows only to keys that are proven to have come after it.

Method: histories in memory that rotate and revoke keys as told, rightly and wrongly; at the end a
real server with its real keys.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.client import ForkError, LedgerClient, ProofRefusedError, TrustStore
from ledger.client.trust.store import TrustedKey
from tests.support.forging import (
    K1,
    K2,
    K3,
    THIEF,
    Forge,
    born,
    carry_out,
    digest_of,
    key,
    pinned,
    rotate,
    trusted,
    verification,
    vkey,
)
from tests.support.served import HOUR, Fleets, Served, observation, serving_fleet


def test_a_rotation_that_both_keys_sign_is_followed() -> None:
    forge, store = born(), pinned()
    position = rotate(forge, until=20)
    forge.sign(K1, K2)
    verified = carry_out(forge, verification(store).checkpoint())
    assert verified.verifier_key == vkey(K2)
    assert trusted(store).keys == (
        TrustedKey(vkey(K1), 0, 20),
        TrustedKey(vkey(K2), position),
    )
    forge.grow(20).sign(K2)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K2)
    forge.grow(1).sign(K1)  # a thief who still has the old key
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


def test_a_rotation_seen_too_late_is_followed_through_a_tree_that_the_old_key_signed() -> None:
    forge, store = born(), pinned()
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    rotate(forge, until=12)
    forge.sign(K1, K2)
    forge.grow(50).sign(K2)
    verified = carry_out(forge, verification(store).checkpoint())
    assert (verified.size, verified.verifier_key) == (62, vkey(K2))
    assert [one.verifier_key for one in trusted(store).keys] == [vkey(K1), vkey(K2)]


def test_two_rotations_are_followed_one_after_the_other() -> None:
    forge, store = born(), pinned()
    rotate(forge, until=12)
    forge.sign(K1, K2)
    forge.grow(10)
    rotate(forge, until=24, new=K3, following=key(4))
    forge.sign(K2, K3)
    forge.grow(10).sign(K3)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K3)


def test_a_key_that_no_tree_of_the_old_key_holds_is_not_followed() -> None:
    """Method: the rotation was never signed for by the old key, and that was not revoked."""
    forge, store = born(), pinned()
    forge.sign(K1)
    rotate(forge, until=10)
    forge.sign(K2)
    with pytest.raises(ProofRefusedError, match="signed a tree with the rotation at position 11"):
        carry_out(forge, verification(store).checkpoint())
    assert [one.verifier_key for one in trusted(store).keys] == [vkey(K1)]


def test_a_key_that_was_not_committed_is_not_followed_even_if_both_sign() -> None:
    forge, store = born(), pinned()
    rotate(forge, until=100, new=THIEF)
    forge.sign(K1, THIEF)
    verified = carry_out(forge, verification(store).checkpoint())
    assert verified.verifier_key == vkey(K1)  # genuine as it is, by the key that is known
    forge.grow(1).sign(THIEF)
    with pytest.raises(ProofRefusedError, match="not committed in advance"):
        carry_out(forge, verification(store).checkpoint())


def test_a_commitment_that_is_shown_and_not_in_the_tree_counts_for_nothing() -> None:
    forge, store = born(), pinned()
    shown = forge.copy()
    position = shown.record("key.committed.v1", {"next_key_digest": digest_of(THIEF)})
    forge.grow(1)
    rotate(forge, until=100, new=THIEF)
    forge.events[position] = shown.events[position]
    forge.sign(K1, THIEF)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K1)
    forge.grow(1).sign(THIEF)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


def test_a_rotation_in_another_history_of_the_old_key_is_not_followed() -> None:
    """Method: all about the thief's key is proven, in a tree that the one at hand does not hold."""
    forge, store = born(), pinned()
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    other = Forge()
    other.record("ledger.created.v1", {"vkey": vkey(K1)})
    other.record("ledger.configured.v2", {"next_key_digest": digest_of(THIEF)})
    other.grow(10, "other")
    rotate(other, until=100, new=THIEF)
    side = other.sign(K1)
    forge.grow(20).sign(THIEF)
    forge.events = other.events
    forge.checkpoints[side.size] = side
    forge.overrides["ProveInclusion"] = other.ProveInclusion
    with pytest.raises(ProofRefusedError, match="proven to begin with other 14 events"):
        carry_out(forge, verification(store).checkpoint())


def test_a_key_counts_only_within_its_span() -> None:
    key_ = TrustedKey(vkey(K1), from_position=10, until_position=20, revoked_from=15)
    assert [size for size in range(8, 24) if key_.covers(size)] == list(range(10, 15))
    forge, store = born(), pinned()
    forge.grow(5)
    forge.sign(K2, size=12)
    position = rotate(forge, until=20)
    forge.sign(K1, K2)
    carry_out(forge, verification(store).checkpoint())
    assert trusted(store).keys[1].from_position == position
    with pytest.raises(ProofRefusedError, match="no trusted key that counts at size 12"):
        carry_out(forge, verification(store).checkpoint(size=12))


@pytest.mark.parametrize("lie", ["body", "salt", "position"])
def test_a_rotation_whose_body_is_not_the_one_in_the_tree_is_not_followed(lie: str) -> None:
    forge, store = born(), pinned()
    position = rotate(forge, until=12, new=THIEF)
    forge.sign(K1)
    # What is in the tree names the thief; what is shown fits the commitment.
    shown = born()
    rotate(shown, until=12)
    event = shown.events[position]
    if lie == "salt":
        event.salt = b"1" * 16
    if lie == "position":
        event.position = 9
    forge.events[position] = event
    forge.grow(1).sign(K2)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


def test_a_revoked_key_gives_way_to_the_committed_one_at_once() -> None:
    forge, store = born(), pinned()
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    forge.record("key.revoked.v1", {"vkey": vkey(K1), "from_position": 11, "reason": "stolen"})
    rotate(forge, until=10)
    forge.sign(K2)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K2)
    assert trusted(store).keys[0].revoked_from == 11
    thief = forge.copy().grow(1)
    thief.sign(K1)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(thief, verification(store).checkpoint())


def test_a_commitment_signed_only_after_the_revocation_counts_for_nothing() -> None:
    """Method: nothing was committed yet; the thief of the old key commits to a key of his own."""
    forge, store = Forge(), pinned()
    forge.record("ledger.created.v1", {"vkey": vkey(K1)})
    forge.record("ledger.configured.v1", {})
    forge.grow(8)
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    forge.record("key.committed.v1", {"next_key_digest": digest_of(THIEF)})
    forge.sign(K1)
    forge.record("key.revoked.v1", {"vkey": vkey(K1), "from_position": 11, "reason": "stolen"})
    rotate(forge, until=10, new=THIEF)
    forge.sign(THIEF)
    with pytest.raises(ProofRefusedError, match="signed a tree with position 11"):
        carry_out(forge, verification(store).checkpoint())


def test_a_revocation_of_one_of_two_keys_is_learnt_from_its_missing_signature() -> None:
    forge, store = born(), pinned()
    rotate(forge, until=100)
    forge.sign(K1, K2)
    carry_out(forge, verification(store).checkpoint())
    forge.record("key.revoked.v1", {"vkey": vkey(K2), "from_position": 13, "reason": "stolen"})
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    assert trusted(store).keys[1].revoked_from == 13
    forge.grow(1).sign(K2)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


# ---- a real server -------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path: Path, fleets: Fleets) -> Iterator[Served]:
    with serving_fleet(fleets, tmp_path, "fares") as server:
        yield server


def test_real_rotations_and_a_revocation_are_followed(served: Served, tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    first = served.service.ledger().info.vkey
    store.pin(first)
    hours = itertools.count(1)

    def rows() -> list[tuple[str, str, float, int]]:  # never the same: repeats are left out
        return [("fares", "log-loss", 0.5, (1_767_225_600 + next(hours) * HOUR) * 1_000_000)]

    with LedgerClient(served.server.address, trust=store) as client:
        assert client.verified_checkpoint().verifier_key == first
        second = client.rotate_key(overlap=3).key.verifier_key
        client.verified_checkpoint()
        for _ in range(6):
            client.submit(rows())
        assert client.verified_checkpoint().verifier_key == second
        assert client.list_keys().keys[0].until_position > 0
        head = client.get_ledger().head_position
        changed = client.revoke_key(second, head + 1, "the disk was stolen")
        assert changed.key.revoked_reason == "the disk was stolen"
        third = client.verified_checkpoint()
        assert third.verifier_key not in {first, second}
        done = client.submit(rows(), wait_for_checkpoint=True)
        assert done.proof.position == done.appended.position
        for position in (1, head, done.appended.position):
            assert client.prove_inclusion(position).checkpoint.verifier_key == third.verifier_key
        seal = client.seal_streams()
        kept = client.verified_checkpoint()
        client.submit(rows())
        joined = client.verify_consistency(kept.size, kept.root)
        assert joined.checkpoint.size > kept.size >= seal.appended.position
        with pytest.raises(ForkError, match="does not extend the kept tree"):
            client.verify_consistency(kept.size, bytes(32))
    assert [one.verifier_key for one in trusted(store).keys] == [
        first,
        second,
        third.verifier_key,
    ]


def test_an_unverified_answer_is_named_as_such(served: Served) -> None:
    served.submit(observation())
    with LedgerClient(served.server.address) as client:
        stated = client.get_checkpoint()
        listed = list(client.list_checkpoints())
        assert stated.size == served.head()
        assert listed[-1].note == stated.note
        assert client.get_checkpoint(size=stated.size) == stated
        assert client.prove_consistency(2, to_size=stated.size).from_size == 2
        assert "unverified" in (LedgerClient.get_checkpoint.__doc__ or "")
