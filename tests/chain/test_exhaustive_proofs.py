"""Every proof of every tree up to 256 leaves is accepted, and none that was damaged.

Half of the sizes in the slow run, since what there is to prove grows with their square.
Method: proofs are made from tiles; in each, a bit of each element is flipped, each element is
dropped, and one is added at each place. Roots come from the recursion of RFC 6962.
"""

from collections.abc import Callable, Iterator, Sequence

import pytest

from ledger.chain.merkle import (
    CompactRange,
    ProofError,
    check_consistency,
    check_inclusion,
    leaf_hash,
    prove_consistency,
    prove_inclusion,
)
from ledger.chain.tiles import RightEdge, hash_reader
from tests.support.chained import merkle_root

SIZE = 256
LEAVES = [leaf_hash(f"entry {n}".encode()) for n in range(SIZE)]
ROOTS = [merkle_root(LEAVES[:size]) for size in range(SIZE + 1)]
TILES = RightEdge(CompactRange(), []).extend(LEAVES)
QUICK = 128
BLOCKS = [
    pytest.param(sizes, id=str(sizes), marks=[pytest.mark.slow] * (sizes[-1] > QUICK))
    for sizes in (range(start, start + 64) for start in range(1, SIZE, 64))
]


def damages(proof: Sequence[bytes], seed: int) -> Iterator[list[bytes]]:
    """Yield the proof flipped, shortened and lengthened at each place; the seed picks the bits."""
    for at, hash_ in enumerate(proof):
        bit = (seed + 97 * at) % 256
        flipped = bytearray(hash_)
        flipped[bit // 8] ^= 1 << bit % 8
        yield [*proof[:at], bytes(flipped), *proof[at + 1 :]]
        yield [*proof[:at], *proof[at + 1 :]]
        yield [*proof[:at], hash_, *proof[at:]]
    yield [*proof, bytes(32)]


def refusals(check: Callable[[Sequence[bytes]], None], proof: Sequence[bytes], seed: int) -> int:
    """Return how many damaged proofs were refused; fail if one was not."""
    check(proof)
    count = 0
    for count, damaged in enumerate(damages(proof, seed), 1):
        try:
            check(damaged)
        except ProofError:
            continue
        pytest.fail(f"damage {count} of the proof was accepted")
    return count


@pytest.mark.parametrize("sizes", BLOCKS)
def test_every_inclusion_proof_to_256_leaves(sizes: range) -> None:
    done = 0
    for size in sizes:
        read = hash_reader(size, lambda wanted: [TILES[place] for place in wanted])
        for index in range(size):
            proof = prove_inclusion(index, size, read)

            def check(hashes: Sequence[bytes], index: int = index, size: int = size) -> None:
                leaf, root = LEAVES[index], ROOTS[size]
                check_inclusion(index=index, size=size, leaf=leaf, root=root, proof=hashes)

            done += refusals(check, proof, index + 31 * size) == 3 * len(proof) + 1
    assert done == sum(sizes)


@pytest.mark.parametrize("sizes", BLOCKS)
def test_every_consistency_proof_to_256_leaves(sizes: range) -> None:
    done = 0
    for size in sizes:
        read = hash_reader(size, lambda wanted: [TILES[place] for place in wanted])
        for old in range(1, size + 1):
            proof = prove_consistency(old, size, read)

            def check(hashes: Sequence[bytes], old: int = old, size: int = size) -> None:
                old_root, root = ROOTS[old], ROOTS[size]
                check_consistency(
                    old_size=old, size=size, old_root=old_root, root=root, proof=hashes
                )

            done += refusals(check, proof, old + 31 * size) == 3 * len(proof) + 1
    assert done == sum(sizes)
