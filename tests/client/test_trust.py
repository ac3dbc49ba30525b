"""What is trusted is remembered as a whole, said aloud at first use, and never goes back.

Method: histories in memory that sign as told (`tests/support/forging.py`), asked through the
verification that both clients carry out; the file of the store is read and damaged by hand.
"""

import json
import threading
import warnings
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.cosignature import CosigningKey
from ledger.chain.policy import parse_policy
from ledger.client import (
    FirstUseWarning,
    ForkError,
    ProofRefusedError,
    QuorumMissingError,
    TrustBasis,
    TrustFileError,
    TrustStore,
)
from ledger.client.decode import decode
from ledger.client.observations import add_observations
from ledger.client.records import Checkpoint
from ledger.client.trust.store import Disagreement, TrustedKey, TrustedLedger
from ledger.clock import SystemClock
from ledger.v1 import signal_service_pb2
from tests.support.forging import (
    K1,
    K2,
    K3,
    ORIGIN,
    SECONDS,
    THIEF,
    born,
    carry_out,
    key,
    pinned,
    trusted,
    verification,
    vkey,
)

# ---- the store -----------------------------------------------------------------------------------


def test_what_was_verified_is_found_again_by_another_process(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "trust.json"
    forge = born()
    forge.sign(K1)
    carry_out(forge, verification(pinned(path)).checkpoint())
    again = TrustStore(path)
    assert trusted(again) == TrustedLedger(
        ORIGIN, (TrustedKey(vkey(K1)),), forge.checkpoints[10].note, is_pinned=True
    )
    document = json.loads(path.read_text())
    assert document["format"] == "ledger-trust/1"
    assert document["ledgers"][ORIGIN]["checkpoint"].startswith(f"{ORIGIN}\n10\n")


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{}",
        "[]",
        '{"format": "ledger-trust/9", "servers": {}, "ledgers": {}}',
        '{"format": "ledger-trust/1", "servers": {}, "ledgers": {"a": {}}}',
        '{"format": "ledger-trust/1", "servers": {}, "ledgers": {"a": {"pinned": 1}}}',
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, damaged: str) -> None:
    path = tmp_path / "trust.json"
    path.write_text(damaged)
    with pytest.raises(TrustFileError, match="Nothing was trusted") as caught:
        TrustStore(path)
    assert str(path) in str(caught.value)
    assert path.read_text() == damaged


def test_a_file_that_another_key_was_slipped_into_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    pinned(path)
    path.write_text(path.read_text().replace(vkey(K1), vkey(key(1, "ledger.example/other"))))
    with pytest.raises(TrustFileError, match="has another name"):
        TrustStore(path)


@pytest.mark.parametrize(
    ("old", "new"), [(f"{ORIGIN}\\n", "ledger.example/other\\n"), ("\\n\\n", "\\n")]
)
def test_a_file_whose_checkpoint_is_none_or_is_of_another_ledger_is_refused(
    old: str, new: str, tmp_path: Path
) -> None:
    path = tmp_path / "trust.json"
    forge = born()
    forge.sign(K1)
    carry_out(forge, verification(pinned(path)).checkpoint())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(TrustFileError, match="it is damaged"):
        TrustStore(path)


def test_of_two_that_advance_at_once_the_second_is_told_to_look_again() -> None:
    store = pinned()
    before = trusted(store)
    one, two = TrustedLedger(ORIGIN, before.keys, "one"), TrustedLedger(ORIGIN, before.keys, "two")
    assert store.advance(before, one)
    assert not store.advance(before, two)
    assert trusted(store) == one


def test_processes_that_share_a_file_lose_nothing(tmp_path: Path) -> None:
    """Method: eight stores on one file pin a hundred keys at the same time."""
    path = tmp_path / "trust.json"

    def pin(first: int) -> None:
        store = TrustStore(path)
        for number in range(first, first + 12):
            store.pin(vkey(key(number + 10, f"ledger.example/{number}")))

    threads = [threading.Thread(target=pin, args=(n * 12,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = TrustStore(path)
    assert all(store.known(f"ledger.example/{n}") for n in range(96))


def test_evidence_is_never_written_over(tmp_path: Path) -> None:
    store = TrustStore(tmp_path / "trust.json")
    one = Disagreement("fork", ORIGIN, "why", "a\n", "b\n", (bytes(32),))
    path = store.keep(one, "2026-01-01T00:00:00.000000Z")
    assert path is not None
    assert path.parent == tmp_path / "evidence"
    first = path.read_bytes()
    assert store.keep(one, "2027-01-01T00:00:00.000000Z") == path
    assert path.read_bytes() == first
    other = store.keep(Disagreement("fork", ORIGIN, "why", "a\n", "c\n"), "2027-01-01T00:00:00.0Z")
    assert other != path
    assert len(list(path.parent.iterdir())) == 2


def test_only_a_ledgers_key_can_be_pinned() -> None:
    witness = CosigningKey("w.example", bytes(32)).cosigner_key
    for text in ("nonsense", str(witness)):
        with pytest.raises(ValueError, match="key"):
            TrustStore().pin(text)


# ---- first use, and remembering ------------------------------------------------------------------


def test_first_use_is_said_aloud_and_a_pin_is_not() -> None:
    forge = born()
    forge.sign(K1)
    store = TrustStore()
    with pytest.warns(FirstUseWarning, match="at its own word") as said:
        first = carry_out(forge, verification(store).checkpoint())
    assert vkey(K1) in str(said[0].message)
    assert first.basis is TrustBasis.FIRST_USE
    again = carry_out(forge, verification(store).checkpoint())
    assert (again.basis, again.remembered_size) == (TrustBasis.REMEMBERED, 10)
    store.pin(vkey(K1))
    assert carry_out(forge, verification(store).checkpoint()).basis is TrustBasis.PINNED
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert carry_out(forge, verification(pinned()).checkpoint()).basis is TrustBasis.PINNED


def test_the_key_taken_at_first_use_binds_from_then_on() -> None:
    forge = born()
    forge.sign(K1)
    store = TrustStore()
    with pytest.warns(FirstUseWarning):
        carry_out(forge, verification(store).checkpoint())
    forge.grow(1).sign(THIEF)
    with pytest.raises(ProofRefusedError, match="no trusted key"):
        carry_out(forge, verification(store).checkpoint())


def test_a_proof_under_the_name_of_another_position_is_refused() -> None:
    forge, store = born(), pinned()
    forge.sign(K1)
    answer = forge.ProveInclusion

    def renamed(request: Any) -> Any:  # noqa: ANN401
        response = answer(request)
        response.proof.position += 1
        return response

    forge.overrides["ProveInclusion"] = renamed
    with pytest.raises(ProofRefusedError, match="asked for position 3, it proves position 4"):
        carry_out(forge, verification(store).inclusion(3))


def test_a_slow_answer_that_a_fast_one_has_overtaken_is_no_rollback() -> None:
    """Method: the answer of size 10 arrives after another call has learnt of size 20."""
    forge, store = born(), pinned()
    small = forge.sign(K1)
    forge.grow(10).sign(K1)
    slow = verification(store).checkpoint()
    next(slow)
    carry_out(forge, verification(store).checkpoint())
    forge.asked.clear()
    done = carry_out(forge, slow, first=decode(Checkpoint, small))
    assert done.size == 10
    assert forge.asked == ["ProveConsistency"]
    assert trusted(store).note == forge.checkpoints[20].note  # and never goes back


def test_a_head_that_overtakes_while_a_proof_is_under_way_is_compared_with_too() -> None:
    """Method: a forger's other head of size 30 is learnt between question and answer."""
    forge, store = born(), pinned()
    forge.sign(K1)
    carry_out(forge, verification(store).checkpoint())
    other = forge.copy().grow(20, "other")
    other.sign(K1)
    forge.grow(20).sign(K1)

    def overtake(request: Any) -> Any:  # noqa: ANN401
        if not other.asked:
            carry_out(other, verification(store).checkpoint())
        return forge.ProveConsistency(request)

    forge.overrides["ProveConsistency"] = overtake
    with pytest.raises(ForkError):
        carry_out(forge, verification(store).checkpoint())
    assert trusted(store).note == other.checkpoints[30].note


# ---- witnesses -----------------------------------------------------------------------------------

W1, W2 = (CosigningKey(f"w{n}.example", bytes([n]) * 32) for n in (1, 2))
POLICY = parse_policy(
    f"log {vkey(K1)}\nwitness w1 {W1.cosigner_key}\nwitness w2 {W2.cosigner_key}\n"
    "group both all w1 w2\nquorum both\n".encode()
)


def test_with_a_policy_it_waits_for_the_witnesses() -> None:
    """Method: the second cosignature comes in at the first pause, on a later checkpoint."""
    forge, store = born(), TrustStore()
    forge.sign(K1)
    forge.cosign(10, W1)

    def later() -> None:
        forge.grow(5).sign(K1)
        forge.cosign(15, W1, W2)

    verified = carry_out(forge, verification(store, witness_policy=POLICY).checkpoint(), later)
    assert (verified.size, verified.witnesses) == (15, ("w1", "w2"))
    assert verified.basis is TrustBasis.PINNED  # by the policy's own line
    proof = carry_out(forge, verification(store, witness_policy=POLICY).inclusion(3))
    assert (proof.checkpoint.size, proof.checkpoint.witnesses) == (15, ("w1", "w2"))


def test_a_batch_waits_for_the_witnesses_too() -> None:
    forge = born()
    forge.sign(K1)

    def later() -> None:
        forge.grow(2).sign(K1)
        forge.cosign(12, W2, W1)

    batch = signal_service_pb2.SubmitSignalsRequest()
    add_observations(batch, [("a", "b", 1, 1_772_359_200_000_000)])
    done = carry_out(
        forge, verification(TrustStore(), witness_policy=POLICY).submission(batch), later
    )
    assert (done.appended.position, done.proof.position) == (10, 10)
    assert done.proof.checkpoint.size == 12
    assert done.proof.checkpoint.witnesses == ("w1", "w2")
    assert "\n12\n" in done.proof.text


def test_when_the_deadline_has_passed_it_says_who_is_missing() -> None:
    forge = born()
    forge.sign(K1)
    forge.cosign(10, W2)
    clock = _Moving()
    asked = verification(TrustStore(), witness_policy=POLICY, clock=clock).checkpoint()
    with pytest.raises(
        QuorumMissingError, match=r"cosigned by w2 at 2026-01-01T00:00:00Z; not yet by w1"
    ) as caught:
        carry_out(forge, asked, clock.move)
    assert caught.value.missing == ("w1",)
    assert "Wait for the witnesses" in str(caught.value)


@pytest.mark.parametrize(
    ("now", "bounds", "why"),
    [
        (SECONDS - 300, {}, ""),
        (SECONDS - 301, {}, "more than 5m after"),
        (SECONDS - 301, {"max_future_seconds": 400}, ""),
        (SECONDS + 10**8, {}, ""),
        (SECONDS + 61, {"max_age_seconds": 60}, "more than 1m before"),
        (SECONDS + 60, {"max_age_seconds": 60}, ""),
    ],
)
def test_a_cosignature_counts_for_a_client_by_the_clock_that_it_has_then(
    now: int, bounds: dict[str, int], why: str
) -> None:
    forge, clock = born(), _Moving(now)
    forge.sign(K1)
    forge.cosign(10, W1, W2)
    asked = verification(TrustStore(), witness_policy=POLICY, clock=clock, **bounds).checkpoint()
    if why:
        with pytest.raises(QuorumMissingError, match=f"not counted: w1 at .*{why}"):
            carry_out(forge, asked, clock.move)
        return
    verified = carry_out(forge, asked)
    assert verified.witnesses == ("w1", "w2")
    assert verified.cosigned_at == ("2026-01-01T00:00:00.000000Z",) * 2


def test_a_policy_that_lists_another_key_refuses_the_ledger() -> None:
    forge = born()
    forge.sign(K2)
    with pytest.raises(ProofRefusedError, match="no trusted key"):
        carry_out(forge, verification(TrustStore(), witness_policy=POLICY).checkpoint())
    empty = parse_policy(b"quorum none\n")
    with pytest.raises(ProofRefusedError, match="lists no key of this ledger"):
        carry_out(forge, verification(TrustStore(), witness_policy=empty).checkpoint())
    store = TrustStore()
    store.pin(vkey(K3))
    with pytest.raises(ProofRefusedError, match="other keys than those that are pinned"):
        carry_out(forge, verification(store, witness_policy=POLICY).checkpoint())


class _Moving(SystemClock):
    """A clock that shows one time, and on which every pause takes four seconds."""

    def __init__(self, now: int = SECONDS) -> None:
        self._now, self._at = now, 0.0

    def now_micros(self) -> int:
        return self._now * 1_000_000

    def monotonic_seconds(self) -> float:
        return self._at

    def move(self) -> None:
        self._at += 4.0
