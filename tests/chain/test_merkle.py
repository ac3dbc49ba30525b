"""The tree equals RFC 6962's recursion, and its proofs prove what is so and nothing else.

Method: a naive root written from the RFC; every tree up to 64 leaves, every leaf and every older
size, each proof damaged in every element; and known answers, ours and other people's.
"""

import base64
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.merkle import (
    EMPTY_ROOT,
    SIZE_MAX,
    CompactRange,
    Node,
    ProofError,
    check_consistency,
    check_inclusion,
    leaf_hash,
    memory_reader,
    node_hash,
    prove_consistency,
    prove_inclusion,
    root_of,
)
from tests.support.chained import merkle_root
from tests.support.vectors import load_cases, load_documents

EXHAUSTIVE = 64
LEAVES = [leaf_hash(bytes([n])) for n in range(EXHAUSTIVE)]
READ = memory_reader(LEAVES)


def damages(proof: Sequence[bytes]) -> list[list[bytes]]:
    """Return the proof with a bit flipped in, dropped and doubled at each place, and lengthened."""
    honest = list(proof)
    damaged = [[*honest, bytes(32)], [bytes(32), *honest]]
    for at, hash_ in enumerate(honest):
        flipped = bytes([hash_[0] ^ 1]) + hash_[1:]
        damaged.append([*honest[:at], flipped, *honest[at + 1 :]])
        damaged.append(honest[:at] + honest[at + 1 :])
        damaged.append([*honest[:at], hash_, *honest[at:]])
        damaged.append([*honest[:at], hash_[:31], *honest[at + 1 :]])
    return damaged


@pytest.mark.parametrize("size", range(EXHAUSTIVE + 1))
def test_root_is_that_of_the_recursion(size: int) -> None:
    assert root_of(LEAVES[:size]) == merkle_root(LEAVES[:size])


@pytest.mark.parametrize("size", range(1, EXHAUSTIVE + 1))
def test_every_inclusion_proof_proves_its_leaf_alone(size: int) -> None:
    root = root_of(LEAVES[:size])
    for index in range(size):
        leaf, proof = LEAVES[index], prove_inclusion(index, size, READ)
        check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=proof)
        for bad in damages(proof):
            with pytest.raises(ProofError):
                check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=bad)
        for other in (index - 1, index + 1):
            with pytest.raises(ProofError):
                check_inclusion(index=other, size=size, leaf=leaf, root=root, proof=proof)
        with pytest.raises(ProofError):
            check_inclusion(index=index, size=size, leaf=bytes(32), root=root, proof=proof)
        with pytest.raises(ProofError):
            check_inclusion(index=index, size=size, leaf=leaf, root=bytes(32), proof=proof)


@pytest.mark.parametrize("size", range(1, EXHAUSTIVE + 1))
def test_every_consistency_proof_proves_its_two_trees_alone(size: int) -> None:
    root = root_of(LEAVES[:size])
    for old_size in range(1, size + 1):
        old_root = root_of(LEAVES[:old_size])
        proof = prove_consistency(old_size, size, READ)
        sizes = {"old_size": old_size, "size": size}
        check_consistency(**sizes, old_root=old_root, root=root, proof=proof)
        for bad in damages(proof):
            with pytest.raises(ProofError):
                check_consistency(**sizes, old_root=old_root, root=root, proof=bad)
        with pytest.raises(ProofError):
            check_consistency(**sizes, old_root=bytes(32), root=root, proof=proof)
        with pytest.raises(ProofError):
            check_consistency(**sizes, old_root=old_root, root=bytes(32), proof=proof)


def test_no_proof_leads_from_nothing_backwards_or_outside() -> None:
    root = root_of(LEAVES)
    for old_size, size in [(0, 0), (0, 5), (6, 5), (-1, 5)]:
        with pytest.raises(ValueError, match="no consistency proof"):
            prove_consistency(old_size, size, READ)
        with pytest.raises(ProofError, match="no consistency proof"):
            check_consistency(
                old_size=old_size, size=size, old_root=EMPTY_ROOT, root=root, proof=[]
            )
    for index, size in [(5, 5), (-1, 5), (0, 0), (0, SIZE_MAX + 1)]:
        with pytest.raises(ValueError, match="not in a tree"):
            prove_inclusion(index, size, READ)


@given(st.lists(st.lists(st.binary(min_size=32, max_size=32), max_size=9), max_size=9))
def test_batches_of_any_size_make_the_same_tree(batches: list[list[bytes]]) -> None:
    tree = CompactRange()
    for batch in batches:
        before = tree.to_bytes()
        attempt = tree.copy()
        attempt.extend(batch)
        assert tree.to_bytes() == before
        tree = CompactRange.from_bytes(attempt.to_bytes())
    leaves = [leaf for batch in batches for leaf in batch]
    one_by_one = CompactRange()
    for leaf in leaves:
        one_by_one.append(leaf)
    assert tree.size == one_by_one.size == len(leaves)
    assert tree.root() == one_by_one.root() == merkle_root(leaves)
    assert tree.to_bytes() == one_by_one.to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        b"",  # not even a size: read as size 0 it would be an empty tree
        bytes(7),
        (1).to_bytes(8, "big"),
        (1).to_bytes(8, "big") + bytes(31),
        (1).to_bytes(8, "big") + bytes(33),
        (2).to_bytes(8, "big") + bytes(64),
        (1 << 63).to_bytes(8, "big") + bytes(32),
    ],
)
def test_damaged_state_of_a_tree_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="tree"):
        CompactRange.from_bytes(data)


def test_a_proof_reads_logarithmically_many_nodes_at_once() -> None:
    asked: list[Sequence[Node]] = []

    def read(nodes: Sequence[Node]) -> list[bytes]:
        asked.append(nodes)
        return [bytes(32) for _ in nodes]

    prove_inclusion(123_456_789, 961_984_013, read)
    prove_consistency(123_456_789, 961_984_013, read)
    assert len(asked) == 2
    assert all(len(nodes) <= 2 * 30 for nodes in asked)


# ---- known answers, ours and others' -------------------------------------------------------------


def unpack(text: str | None) -> bytes:
    return base64.b64decode(text or "", validate=True)


def proof_of(case: dict[str, Any]) -> list[bytes]:
    return [unpack(text) for text in case["proof"] or []]


def verdict(case: dict[str, Any]) -> str:
    """Check a case's proof, and return the word that the vector files use for the result."""
    try:
        if "size1" in case:
            check_consistency(
                old_size=case["size1"],
                size=case["size2"],
                old_root=unpack(case["root1"]),
                root=unpack(case["root2"]),
                proof=proof_of(case),
            )
        else:
            data = case.get("leaf_data")
            check_inclusion(
                index=case["leaf_index"],
                size=case["tree_size"],
                leaf=unpack(case["leaf_hash"]) if data is None else leaf_hash(unpack(data)),
                root=unpack(case["root"]),
                proof=proof_of(case),
            )
    except ProofError:
        return "invalid"
    return "valid"


HASHES = load_cases("rfc6962_hash.json")
PROOFS = {
    f"{file}:{name}": case
    for file in ("merkle_inclusion", "merkle_consistency", "merkle_real_world_ct")
    for name, case in load_cases(f"{file}.json").items()
}
GENERATED = {
    case["id"]: (document["leaves_utf8"], case)
    for document in load_documents("proof_generation.json")
    for case in document["cases"]
}


@pytest.mark.parametrize("name", HASHES)
def test_hash_known_answer(name: str) -> None:
    case = HASHES[name]
    if case["op"] == "leaf":
        computed = leaf_hash(bytes.fromhex(case["data_hex"]))
    elif case["op"] == "node":
        computed = node_hash(bytes.fromhex(case["left_hex"]), bytes.fromhex(case["right_hex"]))
    else:
        computed = root_of(leaf_hash(bytes.fromhex(leaf)) for leaf in case["leaves_hex"])
    assert computed.hex() == case["expect_hex"]


@pytest.mark.parametrize("name", PROOFS)
def test_proof_known_answer(name: str) -> None:
    case = PROOFS[name]
    assert verdict(case) == case["expect"]


@pytest.mark.parametrize("name", GENERATED)
def test_proof_generation_known_answer(name: str) -> None:
    entries, case = GENERATED[name]
    read = memory_reader([leaf_hash(entry.encode()) for entry in entries])
    if case["op"] == "inclusion":
        proof = prove_inclusion(case["leaf_index"], case["tree_size"], read)
    else:
        proof = prove_consistency(case["size1"], case["size2"], read)
    assert proof == proof_of(case)
