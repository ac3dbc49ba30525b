"""A bundle's keys are those that its events tell, and a signature counts where its key was valid.

Method: ledgers with a rotation and a revocation, exported with the right keys.json and with wrong
ones, signed by either key, verified with either key.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.chained import Chained, Signer, digest_of, log_key, rotate, small_chained
from tests.verifier.conftest import Refuse, Verify
from tests.verifier.editing import EVENTS
from tests.verifier.writing import write_bundle


def rotated_ledger() -> Chained:
    ledger = small_chained()
    rotate(ledger, 14, log_key(2), log_key(3))
    ledger.seal()
    return ledger


def spans(*rows: tuple[int, int | None, int]) -> list[dict[str, Any]]:
    return [
        {"from_position": first, "until_position": until, "vkey": log_key(number).vkey}
        for first, until, number in rows
    ]


RIGHT = spans((1, 14, 1), (12, None, 2))


@pytest.mark.parametrize("signers", [[1], [2], [1, 2]])
def test_in_an_overlap_either_key_is_enough(
    signers: list[int], tmp_path: Path, verify: Verify
) -> None:
    ledger = rotated_ledger()
    write_bundle(tmp_path, ledger, keys=RIGHT, signers=[log_key(n) for n in signers])
    for number in signers:
        found = verify(tmp_path, [log_key(number).vkey])
        assert found["signed by"] == [log_key(number).vkey]


def test_after_the_overlap_the_old_key_counts_for_nothing(
    tmp_path: Path, verify: Verify, refuse: Refuse
) -> None:
    ledger = rotated_ledger()
    ledger.seal()
    write_bundle(tmp_path, ledger, keys=RIGHT, signers=[log_key(1), log_key(2)])
    assert refuse(tmp_path, [log_key(1).vkey])[0] == "data/checkpoint"
    assert verify(tmp_path, [log_key(1).vkey, log_key(2).vkey])["signed by"] == [log_key(2).vkey]


@pytest.mark.parametrize(
    "keys",
    [
        spans((1, None, 1)),
        spans((1, 13, 1), (12, None, 2)),
        spans((1, 14, 1), (13, None, 2)),
        spans((1, 14, 1), (12, 20, 2)),
        spans((1, 14, 1), (12, None, 3)),
        spans((12, None, 2), (1, 14, 1)),
        [*RIGHT, *spans((15, None, 4))],
    ],
)
def test_keys_that_the_events_do_not_say_are_refused(
    keys: list[dict[str, Any]], tmp_path: Path, refuse: Refuse
) -> None:
    write_bundle(tmp_path, rotated_ledger(), keys=keys, signers=[log_key(1), log_key(2)])
    assert "data/keys.json" in refuse(tmp_path)[3]


def test_a_rotation_to_a_key_that_was_not_committed_is_refused(
    tmp_path: Path, refuse: Refuse
) -> None:
    ledger = small_chained()
    rotate(ledger, 14, log_key(9), log_key(3))
    keys = spans((1, 14, 1), (12, None, 9))
    write_bundle(tmp_path, ledger, keys=keys, signers=[log_key(1)])
    assert refuse(tmp_path)[:3] == (EVENTS, 12, 12)


def before_its_event(ledger: Chained) -> None:
    """A rotation from a size before its own event, though right behind the key before."""
    told = {"from_position": 5, "previous_until_position": 4, "vkey": log_key(2).vkey}
    ledger.add("key.rotated.v1", told)


def twice_committed(ledger: Chained) -> None:
    """A commitment while another one is open."""
    ledger.add("key.committed.v1", {"next_key_digest": digest_of(log_key(3))})


def unheard_of(ledger: Chained) -> None:
    """A revocation of a key that the ledger never had."""
    revoked = {"from_position": 13, "reason": "lost", "vkey": log_key(8).vkey}
    ledger.add("key.revoked.v1", revoked)


@pytest.mark.parametrize("wrong", [before_its_event, twice_committed, unheard_of])
def test_an_event_that_breaks_a_rule_of_keys_is_refused_where_it_is(
    wrong: Callable[[Chained], None], tmp_path: Path, refuse: Refuse
) -> None:
    """Everything is signed by the first key, and keys.json says what the events would."""
    ledger = small_chained()
    wrong(ledger)
    keys = spans((1, 4, 1), (5, None, 2)) if wrong is before_its_event else spans((1, None, 1))
    signers = [log_key(1), log_key(2)]
    write_bundle(tmp_path, ledger, keys=keys, signers=signers)
    assert refuse(tmp_path, [one.vkey for one in signers])[:3] == (EVENTS, 12, 12)


@pytest.mark.parametrize("wrong", [log_key(1), Signer("ledger.example.com/other", bytes(32))])
def test_a_key_that_comes_back_or_is_of_another_ledger_is_refused(
    wrong: Signer, tmp_path: Path, refuse: Refuse
) -> None:
    ledger = small_chained()
    rotate(ledger, 14, log_key(2), wrong)
    rotate(ledger, 16, wrong, log_key(3))
    write_bundle(tmp_path, ledger, keys=RIGHT, signers=[log_key(2)])
    assert refuse(tmp_path, [log_key(2).vkey])[:3] == (EVENTS, 14, 14)


def test_what_a_revoked_key_signed_counts_for_nothing(
    tmp_path: Path, verify: Verify, refuse: Refuse
) -> None:
    ledger = rotated_ledger()
    revoked = {"from_position": 13, "reason": "lost", "vkey": log_key(1).vkey}
    ledger.add("key.revoked.v1", revoked)
    both = [log_key(1), log_key(2)]
    write_bundle(tmp_path / "lie", ledger, keys=spans((1, 14, 1), (12, None, 2)), signers=both)
    assert refuse(tmp_path / "lie", [log_key(2).vkey])[0] == "data/keys.json"
    write_bundle(tmp_path / "right", ledger, keys=spans((1, 12, 1), (12, None, 2)), signers=both)
    assert verify(tmp_path / "right", [log_key(2).vkey])["verified"]
    assert refuse(tmp_path / "right", [log_key(1).vkey])[0] == "data/checkpoint"
    # A partial bundle cannot prove its keys, but not contradict its own events either.
    part = tmp_path / "part"
    write_bundle(part, ledger, span=(12, 15), keys=spans((1, 14, 1), (12, None, 2)), signers=both)
    assert refuse(part, [log_key(2).vkey])[0] == "data/keys.json"


@pytest.mark.parametrize("type_", ["key.revoked.v1", "key.rotated.v1", "key.committed.v1"])
def test_what_befell_keys_cannot_be_withheld(type_: str, tmp_path: Path, refuse: Refuse) -> None:
    ledger = rotated_ledger()
    revoked = {"from_position": 13, "reason": "lost", "vkey": log_key(1).vkey}
    ledger.add("key.revoked.v1", revoked)
    types = [event["header"]["type"] for event in ledger.events]
    at = types.index(type_) + 1
    write_bundle(tmp_path, ledger, keys=RIGHT, signers=[log_key(2)], withheld={at: "private"})
    assert refuse(tmp_path, [log_key(2).vkey])[:3] == (EVENTS, at, at)
