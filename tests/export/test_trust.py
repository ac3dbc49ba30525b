"""Whose word a bundle rests on: keys within their spans, witnesses by policy, plain files.

Method: the same small ledger, its checkpoint signed by another of its keys, or cosigned by more and
more witnesses; then folders that are not what they seem.
"""

from pathlib import Path

import pytest

from ledger.chain.cosignature import CosigningKey, add_cosignatures
from ledger.chain.keys import SecretKey, VerifierKey
from ledger.chain.policy import parse_policy
from ledger.export.files import CHECKPOINT, EVENTS, KEYS, BundleError
from ledger.export.scope import BundlePlan
from ledger.export.verify import verify_bundle
from tests.support.bundles import VERIFIER, LedgerInMemory, small_ledger
from tests.support.chained import ORIGIN


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    for key in (SecretKey(ORIGIN, bytes(32)), SecretKey("ledger.example/other", bytes(32))):
        with pytest.raises(BundleError, match="no trusted key has signed") as refusal:
            verify_bundle(tmp_path, [key.verifier_key])
        assert refusal.value.file == CHECKPOINT


def signed_by(
    made: LedgerInMemory, folder: Path, key: int, plan: BundlePlan | None = None
) -> VerifierKey:
    """Write a bundle whose checkpoint another of the ledger's keys has signed."""
    plan = plan or made.plan()
    writer = made.writer(folder, plan)
    writer.add(made.rows(plan, writer.resume()))
    writer.finish(made.signed(key=key), made.keys_json(), [""], VERIFIER)
    return VerifierKey.parse(made.keys[key].vkey)


def rotated(until: int) -> LedgerInMemory:
    made = small_ledger()
    vkey = made.keys[1].vkey
    data = {
        "from_position": made.size + 1,
        "previous_until_position": until,
        "vkey": vkey,
    }
    made.add("key.rotated.v1", data)
    return made


def test_a_key_counts_within_its_span_only(tmp_path: Path) -> None:
    made = rotated(until=11)
    verify_bundle(tmp_path / "new", [signed_by(made, tmp_path / "new", 1)])
    with pytest.raises(BundleError, match="does not count for a tree of 12") as refusal:
        verify_bundle(tmp_path / "old", [signed_by(made, tmp_path / "old", 0)])
    assert refusal.value.file == CHECKPOINT
    made = rotated(until=12)
    verify_bundle(tmp_path / "both", [signed_by(made, tmp_path / "both", 0)])


def test_a_revoked_key_counts_for_nothing_from_there_on(tmp_path: Path) -> None:
    made = small_ledger()
    data = {"from_position": 5, "reason": "stolen", "vkey": made.vkey}
    made.add("key.revoked.v1", data)
    with pytest.raises(BundleError, match="does not count"):
        verify_bundle(tmp_path, [signed_by(made, tmp_path, 0)])


def test_a_key_that_the_ledger_never_had_counts_for_nothing(tmp_path: Path) -> None:
    made = small_ledger()
    with pytest.raises(BundleError, match="never had the key") as refusal:
        verify_bundle(tmp_path, [signed_by(made, tmp_path, 2)])
    assert refusal.value.file == KEYS


def test_a_policy_asks_for_its_witnesses(tmp_path: Path) -> None:
    made = small_ledger()
    witnesses = [CosigningKey(f"witness.example/{n}", bytes([n]) * 32) for n in (1, 2, 3)]
    text = f"log {made.vkey}\n" + "".join(
        f"witness w{n} {witness.cosigner_key}\n" for n, witness in enumerate(witnesses)
    )
    policy = parse_policy(f"{text}group all 2 w0 w1 w2\nquorum all\n".encode())
    checkpoint = made.checkpoint().encode()
    for count in range(4):
        plan, folder = made.plan(), tmp_path / str(count)
        writer = made.writer(folder, plan)
        writer.add(made.rows(plan, writer.resume()))
        lines = [one.cosign(checkpoint, 1_800_000_000).line() for one in witnesses[:count]]
        note = add_cosignatures(made.signed(), lines)
        writer.finish(note, made.keys_json(), [""], VERIFIER)
        if count < 2:
            with pytest.raises(BundleError, match="quorum") as refusal:
                verify_bundle(folder, policy=policy)
            assert refusal.value.file == CHECKPOINT
        else:
            found = verify_bundle(folder, policy=policy)
            assert found.witnesses == ("w0", "w1", "w2")[:count]
            assert found.signed_by == (made.vkey,)


def test_a_key_beside_a_policy_must_have_signed_too(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    policy = parse_policy(f"log {made.vkey}\nquorum none\n".encode())
    verify_bundle(tmp_path, [VerifierKey.parse(made.vkey)], policy)
    with pytest.raises(BundleError, match="has not signed"):
        verify_bundle(tmp_path, [VerifierKey.parse(made.keys[1].vkey)], policy)


def test_nothing_is_verified_without_a_key_from_elsewhere(tmp_path: Path) -> None:
    made = small_ledger()
    made.write(tmp_path)
    with pytest.raises(BundleError, match="key from elsewhere"):
        verify_bundle(tmp_path)


@pytest.mark.parametrize("trick", ["link", "folder", "missing"])
def test_a_bundle_is_plain_files_in_their_places(trick: str, tmp_path: Path) -> None:
    made = small_ledger()
    folder = tmp_path / "bundle"
    made.write(folder)
    if trick == "link":
        (folder / EVENTS).rename(tmp_path / "events")
        (folder / EVENTS).symlink_to(tmp_path / "events")
    elif trick == "folder":
        (folder / "data" / "more").mkdir()
    else:
        folder = tmp_path / "nowhere"
    with pytest.raises(BundleError):
        verify_bundle(folder, [VerifierKey.parse(made.vkey)])
