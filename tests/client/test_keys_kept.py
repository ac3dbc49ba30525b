"""Keys that no client goes back to, and commitments that no thief replaces.

Method: histories in memory whose keys were rotated more than once, honestly and not; clients that
come in late; a server that shows of the key events what suits it.
"""

import pytest

from ledger.chain.keys import SecretKey
from ledger.client import BusyError, FirstUseWarning, ProofRefusedError, TrustStore
from ledger.client.errors import refused
from ledger.errors import Reason
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


def old_ledger() -> Forge:
    """Return a ledger as the first release began it: its next key is not committed."""
    forge = Forge()
    forge.record("ledger.created.v1", {"vkey": vkey(K1)})
    forge.record("ledger.configured.v1", {"clock": "wall", "skew_seconds": 0})
    return forge.grow(8)


def test_the_first_rotation_of_a_ledger_of_the_first_release_is_followed() -> None:
    forge, store = old_ledger(), pinned()
    forge.record("key.committed.v1", {"next_key_digest": digest_of(K2)})
    rotate(forge, until=20)
    forge.sign(K1, K2)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K2)


def in_third_overlap() -> Forge:
    """Return a ledger whose first key has retired, and whose second and third sign at present."""
    forge = born()
    forge.sign(K1)
    rotate(forge, until=10)
    forge.grow(3).sign(K2)
    rotate(forge, until=60, new=K3, following=key(4))
    forge.grow(3).sign(K2, K3)
    return forge


@pytest.mark.parametrize("first", [None, K2, K3], ids=["first use", "second key", "third key"])
def test_a_client_that_comes_in_a_later_overlap_goes_on_after_it(first: SecretKey | None) -> None:
    forge, store = in_third_overlap(), TrustStore()
    if first is None:
        with pytest.warns(FirstUseWarning):
            carry_out(forge, verification(store).checkpoint())
    else:
        store.pin(vkey(first))
        carry_out(forge, verification(store).checkpoint())
    assert vkey(K1) not in {one.verifier_key for one in trusted(store).keys}
    forge.grow(60).sign(K3)
    assert carry_out(forge, verification(store).checkpoint()).verifier_key == vkey(K3)


@pytest.mark.parametrize("shown", ["all", "nothing of the third key", "nothing of any key"])
def test_a_key_that_retired_before_the_trusted_one_came_does_not_come_back(shown: str) -> None:
    """Method: a thief of the first key goes on from what was seen, and shows what suits him."""
    forge, store = in_third_overlap(), TrustStore()
    store.pin(vkey(K3))
    forge.grow(60).sign(K3)
    carry_out(forge, verification(store).checkpoint())
    thief = forge.copy().grow(7, "forged")
    third = max(thief.events) - 1
    if shown != "all":
        thief.events = {
            at: event
            for at, event in thief.events.items()
            if at < third and shown != "nothing of any key"
        }
    thief.sign(K2)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(thief, verification(store).checkpoint())
    assert [one.verifier_key for one in trusted(store).keys] == [vkey(K3)]


@pytest.mark.parametrize("trick", ["in the open", "by naming the key again", "by beginning early"])
def test_a_commitment_that_was_made_is_never_replaced(trick: str) -> None:
    """Method: the thief of the key in use commits to his own, and lets the old key sign it all."""
    forge, store = born(), pinned()
    rotate(forge, until=10)
    forge.grow(3).sign(K2)
    with pytest.raises(ProofRefusedError):  # the old key has signed no tree with the new one
        carry_out(forge, verification(store).checkpoint())
    store = TrustStore()
    store.pin(vkey(K2))
    carry_out(forge, verification(store).checkpoint())
    if trick == "by naming the key again":
        forge.events.clear()
        rotate(forge, until=20, new=K2, following=THIEF)
    elif trick == "in the open":
        forge.record("key.committed.v1", {"next_key_digest": digest_of(THIEF)})
    position = len(forge.leaves) + 1
    start = 1 if trick == "by beginning early" else position
    new = K3 if trick == "by beginning early" else THIEF
    forge.record(
        "key.rotated.v1",
        {"from_position": start, "previous_until_position": position + 5, "vkey": vkey(new)},
    )
    forge.sign(K2, new)
    carry_out(forge, verification(store).checkpoint())
    forge.grow(20).sign(new)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


@pytest.mark.parametrize("data", [{}, {"vkey": 5}, {"vkey": "x"}], ids=str)
def test_a_rotation_without_form_is_refused_like_any_lie(data: dict[str, object]) -> None:
    forge, store = born(), pinned()
    forge.record("key.rotated.v1", data)
    forge.sign(K2)
    with pytest.raises(ProofRefusedError, match="no trusted key that counts"):
        carry_out(forge, verification(store).checkpoint())


def test_a_ledger_that_is_busy_is_no_liar() -> None:
    forge, store = born(), pinned()
    rotate(forge, until=20)
    forge.sign(K1, K2)

    def busy(_request: object) -> None:
        raise refused(Reason.LIMIT_REACHED, "too many calls at once")

    forge.overrides["ListEvents"] = busy
    with pytest.raises(BusyError):
        carry_out(forge, verification(store).checkpoint())
    assert store.evidence == []


def test_a_second_revocation_that_takes_more_away_is_learnt() -> None:
    forge, store = born(), pinned()
    rotate(forge, until=100)
    for start in (13, 12):
        forge.record("key.revoked.v1", {"vkey": vkey(K1), "from_position": start, "reason": "x"})
    forge.sign(K1, K2)
    carry_out(forge, verification(store).checkpoint())
    assert trusted(store).keys[0].revoked_from == 12
