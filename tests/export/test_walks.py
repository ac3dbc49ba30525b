"""The prover that walks gives the proofs of RFC 6962, reads each tile once and believes none.

Method: every leaf of trees around the sizes where tiles begin and end, against the prover that
reads node by node; counted reads; one bit changed in each tile. Ranges against plain sets.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.merkle import CompactRange, leaf_hash, memory_reader, prove_inclusion, root_of
from ledger.chain.tiles import RightEdge, TileError
from ledger.export.position_set import PositionSet, united
from ledger.export.proofs import TileProver, proof_line

LEAVES = [leaf_hash(b"%d" % n) for n in range(66_100)]


class Tiles:
    """Tiles as storage keeps them, and how often each was read."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.content = RightEdge(CompactRange(), []).extend(leaves)
        self.reads: Counter[tuple[int, int]] = Counter()

    def read(self, wanted: Sequence[tuple[int, int]]) -> list[bytes]:
        self.reads.update(wanted)
        return [self.content[place] for place in wanted]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 700])
def test_every_proof_is_that_of_the_tree(size: int) -> None:
    tiles = Tiles(LEAVES[:1_000])  # wider than the tree that is proved
    prover, nodes = TileProver(size, tiles.read), memory_reader(LEAVES[:size])
    assert prover.root() == root_of(LEAVES[:size])
    for index in range(size):
        expected = [one.hex() for one in prove_inclusion(index, size, nodes)]
        assert prover.proof(index) == expected
        assert prover.leaf(index) == LEAVES[index]


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 66_100])
def test_proofs_cross_three_levels_of_tiles(size: int) -> None:
    prover, nodes = TileProver(size, Tiles(LEAVES).read), memory_reader(LEAVES[:size])
    assert prover.root() == root_of(LEAVES[:size])
    for index in (*range(0, size, 997), size - 1):
        assert prover.proof(index) == [one.hex() for one in prove_inclusion(index, size, nodes)]


def test_each_tile_is_read_once_going_up_but_for_the_edge() -> None:
    tiles = Tiles(LEAVES[:10_000])
    prover = TileProver(10_000, tiles.read)
    for index in range(10_000):
        prover.proof(index)
    assert max(tiles.reads.values()) <= 2
    assert sum(tiles.reads.values()) <= len(tiles.content) + 2


@pytest.mark.parametrize("place", [(0, 0), (0, 1), (0, 2), (1, 0)])
def test_a_bit_changed_in_any_tile_is_noticed(place: tuple[int, int]) -> None:
    tiles = Tiles(LEAVES[:600])
    content = bytearray(tiles.content[place])
    content[33] ^= 1
    tiles.content[place] = bytes(content)
    prover = TileProver(600, tiles.read)
    try:
        is_noticed = prover.root() != root_of(LEAVES[:600])
        for index in range(600):
            prover.proof(index)
    except TileError:
        is_noticed = True
    assert is_noticed


def test_a_tile_cut_short_and_leaves_outside_are_refused() -> None:
    tiles = Tiles(LEAVES[:300])
    tiles.content[0, 1] = tiles.content[0, 1][:-32]
    with pytest.raises(TileError, match=r"tile/0/001\.p/44 holds"):
        TileProver(300, tiles.read).proof(299)
    with pytest.raises(ValueError, match="not in a tree"):
        TileProver(300, tiles.read).proof(300)
    with pytest.raises(ValueError, match="nothing can be proved"):
        TileProver(0, tiles.read)


def test_the_line_of_a_proof_is_canonical() -> None:
    assert proof_line(7, ["ab", "cd"]) == b'{"inclusion":["ab","cd"],"position":7}\n'
    assert proof_line(1, []) == b'{"inclusion":[],"position":1}\n'


POSITIONS = st.sets(st.integers(1, 60))


def ranges_of(positions: set[int]) -> PositionSet:
    found = PositionSet()
    for position in sorted(positions):
        found.add(position)
    return found


@given(POSITIONS, POSITIONS)
def test_ranges_are_sets(left: set[int], right: set[int]) -> None:
    ranges, others = ranges_of(left), ranges_of(right)
    assert ranges.count() == len(left)
    assert {at for at in range(70) if at in ranges} == left
    assert ranges.without(others) == ranges_of(left - right)
    assert united([*others, *ranges]) == ranges_of(left | right)
    pairs = list(ranges)
    assert all(before[1] + 1 < after[0] for before, after in pairwise(pairs))


@pytest.mark.parametrize("pair", [(5, 6), (3, 3), (8, 7), (0, 1)])
def test_ranges_grow_at_their_end_only(pair: tuple[int, int]) -> None:
    ranges = PositionSet([(2, 6)])
    with pytest.raises(ValueError, match="do not come next"):
        ranges.add(*pair)
