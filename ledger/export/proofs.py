"""Inclusion proofs for many events of one tree, in order of position.

Neighbours share all but the lowest hashes of their proofs, so the prover walks: it holds one tile
of each level with the tree levels between, and the proof before. Going up, each tile is read once
and a proof costs two hashes on average, however many events there are.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from ledger.chain.link import DIGEST_BYTES
from ledger.chain.merkle import SIZE_MAX
from ledger.chain.tiles import TILE_BYTES, Tile, TileError, TileReader, tile_path

_LEVELS: Final = 8  # of the tree within one tile
_sha256 = hashlib.sha256


class TileProver:
    """Proves leaves of the tree of `size` leaves; quick where they come in ascending order.

    Every tile is compared with the one above it: if `root` is the root that one expects, every
    proof leads to it. TileError where the tiles do not belong together.
    """

    def __init__(self, size: int, read: TileReader) -> None:
        if not 0 < size <= SIZE_MAX:
            raise ValueError(f"nothing can be proved in a tree of {size} leaves")
        self._size = size
        self._read = read
        self._tiles: dict[int, tuple[int, list[bytes]]] = {}
        self._edges: dict[int, bytes] = {}
        # Of the proof before, by level: which sibling it took, and its hash in hex.
        self._siblings: dict[int, tuple[int, str]] = {}

    def proof(self, index: int) -> list[str]:
        """Return the proof of leaf `index` in hex, the leaf's sibling first."""
        if not 0 <= index < self._size:
            raise ValueError(f"leaf {index} is not in a tree of {self._size}")
        path, level, offset, last = [], 0, index, self._size - 1
        while last:
            sibling = offset ^ 1
            if sibling <= last:  # otherwise the subtree is alone at the edge and goes up as it is
                known = self._siblings.get(level)
                if known is None or known[0] != sibling:
                    known = sibling, self._hash(level, sibling).hex()
                    self._siblings[level] = known
                path.append(known[1])
            level, offset, last = level + 1, offset >> 1, last >> 1
        return path

    def leaf(self, index: int) -> bytes:
        """Return a leaf's hash as the tree has it."""
        return self._complete(0, index)

    def root(self) -> bytes:
        """Return the root of the tree."""
        level = (self._size - 1).bit_length()
        return self._hash(level, 0)

    def _hash(self, level: int, offset: int) -> bytes:
        """Return the root of a subtree, complete or the one at the edge."""
        if (offset + 1) << level <= self._size:
            return self._complete(level, offset)
        known = self._edges.get(level)
        if known is None:
            left, right = offset << 1, (offset << 1) + 1
            known = self._hash(level - 1, left)
            if right << (level - 1) < self._size:
                known = _sha256(b"\x01" + known + self._hash(level - 1, right)).digest()
            self._edges[level] = known
        return known

    def _complete(self, level: int, offset: int) -> bytes:
        """Return the root of a complete subtree from its tile."""
        tile_level, inner = divmod(level, _LEVELS)
        index = offset >> _LEVELS - inner
        held = self._tiles.get(tile_level)
        if held is None or held[0] != index:
            held = index, self._rows(tile_level, index)
            self._tiles[tile_level] = held
        start = (offset - (index << _LEVELS - inner)) * DIGEST_BYTES
        return held[1][inner][start : start + DIGEST_BYTES]

    def _rows(self, level: int, index: int) -> list[bytes]:
        """Return the hashes of a tile, as far as they are in the tree, and the rows above them."""
        count = (self._size >> _LEVELS * level) * DIGEST_BYTES - index * TILE_BYTES
        wanted = min(count, TILE_BYTES)
        stored = self._read([(level, index)])[0][:wanted]
        if len(stored) < wanted:
            place = tile_path(Tile(level, index, wanted // DIGEST_BYTES))
            raise TileError(f"{place} holds {len(stored)} bytes only")
        rows = [stored]
        while len(rows) < _LEVELS:
            rows.append(_paired(rows[-1]))
        # A tile must agree with the full ones below, else a proof would not lead to the root.
        is_full = wanted == TILE_BYTES
        if is_full and _paired(rows[-1]) != self._complete((level + 1) * _LEVELS, index):
            raise TileError(f"{tile_path(Tile(level, index))} is not what the tree has there")
        return rows


def _paired(row: bytes) -> bytes:
    """Return the hashes of each two neighbours; a last one without neighbour has none yet."""
    pair = 2 * DIGEST_BYTES
    return b"".join(
        [
            _sha256(b"\x01" + row[at : at + pair]).digest()
            for at in range(0, len(row) // pair * pair, pair)
        ]
    )


def proof_line(position: int, proof: Sequence[str]) -> bytes:
    """Return a line of `proofs.jsonl`."""
    return b'{"inclusion":[%s],"position":%d}\n' % (
        ",".join([f'"{one}"' for one in proof]).encode(),
        position,
    )
