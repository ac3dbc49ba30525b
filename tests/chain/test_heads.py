"""Two heads of one log are joined by a proof, or told to be a fork.

Method: genuine pairs from the vectors, a genuine fork among them; then every pair of sizes of two
histories that part, in both orders.
"""

import base64
from typing import Any

import pytest

from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.heads import Comparison, Relation, TreeHead, compare, head_of
from ledger.chain.keys import VerifierKey
from ledger.chain.link import Digest
from ledger.chain.merkle import (
    leaf_hash,
    memory_reader,
    prove_consistency,
    root_of,
)
from ledger.chain.note import open_note
from tests.support.vectors import load_cases

CASES = load_cases("equivocation.json")
CONVICTED = "is proven to begin with other"
PART = 5  # where the two histories part
HONEST = [leaf_hash(bytes([n])) for n in range(12)]
FORKED = [*HONEST[:PART], *(leaf_hash(bytes([n, 1])) for n in range(PART, 12))]


def opened(note: str, vkey: str) -> TreeHead:
    return head_of(parse_checkpoint(open_note(note.encode(), [VerifierKey.parse(vkey)]).text))


def compared(case: dict[str, Any]) -> Comparison:
    return compare(
        opened(case["old_note"], case["vkey"]),
        opened(case["new_note"], case["vkey"]),
        [base64.b64decode(text) for text in case["proof_old_to_new"]],
    )


@pytest.mark.parametrize("name", CASES)
def test_pair_known_answer(name: str) -> None:
    case = CASES[name]
    assert case["expect"]["old"] == case["expect"]["new"] == "ok"
    comparison = compared(case)
    if case["expect"]["consistent"]:
        assert comparison.relation in {Relation.SAME, Relation.NEWER}
    else:
        assert comparison.relation is Relation.FORK


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("-fork")])
def test_a_genuine_fork_convicts_the_log_by_its_own_proof(name: str) -> None:
    case = CASES[name]
    comparison = compared(case)
    assert CONVICTED in comparison.why
    other = TreeHead(
        opened(case["old_note"], case["vkey"]).size,
        base64.b64decode(case["root_of_old_size_in_new_history"]),
    )
    proof = [base64.b64decode(text) for text in case["proof_old_to_new"]]
    assert compare(other, opened(case["new_note"], case["vkey"]), proof).is_extended


@pytest.mark.parametrize("name", [n for n in CASES if n.endswith("-proof-for-other-size")])
def test_a_proof_for_another_size_convicts_no_head(name: str) -> None:
    comparison = compared(CASES[name])
    assert comparison.relation is Relation.FORK
    assert CONVICTED not in comparison.why


@pytest.mark.parametrize("sizes", [(3, 9), (9, 3), (4, 9), (8, 11), (7, 8)])
def test_a_damaged_proof_convicts_no_head(sizes: tuple[int, int]) -> None:
    known, offered = sizes
    honest = proof(HONEST, sizes)
    for at in range(len(honest)):
        damaged = [*honest[:at], bytes(32), *honest[at + 1 :]]
        comparison = compare(head(HONEST, known), head(HONEST, offered), damaged)
        assert comparison.relation is Relation.FORK  # as far as anybody can tell
        assert CONVICTED not in comparison.why


def head(leaves: list[Digest], size: int) -> TreeHead:
    return TreeHead(size, root_of(leaves[:size]))


def proof(leaves: list[Digest], sizes: tuple[int, int]) -> list[bytes]:
    small, large = sorted(sizes)
    return (
        [] if small in (0, large) else list(prove_consistency(small, large, memory_reader(leaves)))
    )


PAIRS = [(known, offered) for known in range(13) for offered in range(13)]


@pytest.mark.parametrize("sizes", PAIRS)
def test_one_history_is_the_same_newer_or_older(sizes: tuple[int, int]) -> None:
    known, offered = sizes
    comparison = compare(head(HONEST, known), head(HONEST, offered), proof(HONEST, sizes))
    expected = (
        Relation.SAME if known == offered else Relation.NEWER if known < offered else Relation.OLDER
    )
    assert comparison.relation is expected
    assert comparison.is_extended == (known <= offered)


@pytest.mark.parametrize("sizes", PAIRS)
@pytest.mark.parametrize("whose", [HONEST, FORKED], ids=["honest proof", "forked proof"])
def test_two_histories_are_a_fork_from_where_they_part(
    sizes: tuple[int, int], whose: list[Digest]
) -> None:
    known, offered = sizes
    comparison = compare(head(HONEST, known), head(FORKED, offered), proof(whose, sizes))
    if min(sizes) <= PART:
        # What both share says nothing about the rest; but the proof must be the larger tree's.
        larger = HONEST if known >= offered else FORKED
        if min(sizes) == 0 or max(sizes) <= PART or known == offered or whose is larger:
            assert comparison.relation is not Relation.FORK
        else:
            assert comparison.relation is Relation.FORK
            assert CONVICTED not in comparison.why
        return
    assert comparison.relation is Relation.FORK
    assert comparison.why


def test_without_a_proof_nothing_is_said_but_about_equal_sizes() -> None:
    assert compare(head(HONEST, 3), head(FORKED, 9), None).relation is Relation.UNPROVEN
    assert compare(head(HONEST, 9), head(HONEST, 3), None).relation is Relation.UNPROVEN
    assert compare(head(HONEST, 9), head(FORKED, 9), None).relation is Relation.FORK
    assert compare(head(HONEST, 0), head(FORKED, 9), None).relation is Relation.NEWER


def test_an_empty_tree_with_a_root_is_no_tree() -> None:
    odd = TreeHead(0, HONEST[0])
    for known, offered in [(odd, head(HONEST, 4)), (head(HONEST, 4), odd), (odd, odd)]:
        assert compare(known, offered, []).relation is Relation.FORK
