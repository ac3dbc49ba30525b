"""The tree cut into tiles (C2SP tlog-tiles): 256 hashes of every eighth level, side by side.

Hash j of tile N at tile level L is the root of the leaves from (256N + j) * 256^L on; the levels
between are recomputed when needed. A full tile never changes, so a tree can be served as files,
and a proof reads one tile for every eight levels. Nothing is read or written here: `RightEdge`
says what an appender has to store, `hash_reader` what a prover has to read.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from ledger.chain.link import DIGEST_BYTES, Digest
from ledger.chain.merkle import SIZE_MAX, CompactRange, HashReader, Node, complete_subtrees

TILE_WIDTH: Final = 256
TILE_BYTES: Final = TILE_WIDTH * DIGEST_BYTES
TILE_LEVEL_MAX: Final = 63  # what a path may say; a tree of 2^63 leaves ends at level 7

_LEVELS: Final = 8  # tree levels per tile: 2^8 = 256
_LAST: Final = TILE_WIDTH - 1
_PATH: Final = re.compile(
    r"tile/(?P<level>0|[1-9][0-9]?)/(?P<groups>(?:x[0-9]{3}/){0,6}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)
_sha256 = hashlib.sha256


class TileError(ValueError):
    """A tile that is missing, cut short or not of this tree; the text names it."""


class Tile(NamedTuple):
    """A tile's place, and how many hashes it holds: 256, or fewer at the right edge."""

    level: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which is not needed
    width: int = TILE_WIDTH


# Returns the stored hashes of the tiles asked for by (level, index), in the same order. A tile may
# be wider than the tree that is asked about, since it may have grown.
TileReader = Callable[[Sequence[tuple[int, int]]], Sequence[bytes]]


# ---- places --------------------------------------------------------------------------------------


def tiles_of(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of `size` leaves, by level and then by index."""
    level, count = 0, size
    while count:
        full, rest = divmod(count, TILE_WIDTH)
        yield from (Tile(level, index) for index in range(full))
        if rest:
            yield Tile(level, full, rest)
        level, count = level + 1, full


def tile_of(node: Node, size: int) -> Tile:
    """Return the tile from which a complete subtree's root is computed, as of `size` leaves."""
    level, inner = divmod(node.level, _LEVELS)
    index = node.offset >> _LEVELS - inner
    width = min(TILE_WIDTH, (size >> _LEVELS * level) - index * TILE_WIDTH)
    if width <= 0:
        raise ValueError(f"{node} is not in a tree of {size}")
    return Tile(level, index, width)


def tile_path(tile: Tile) -> str:
    """Return where a tile is served, below the log's prefix: `tile/0/x001/067.p/8`."""
    assert 0 <= tile.level <= TILE_LEVEL_MAX
    return f"tile/{tile.level}/{_place(tile.index, tile.width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """Return where the entries under level-0 tile `index` are served, `width` of them."""
    return f"tile/entries/{_place(index, width)}"


def parse_tile_path(path: str) -> Tile | None:
    """Return the tile that `tile_path` gives this path to, or None if there is none."""
    match = _PATH.fullmatch(path)
    if match is None or int(match["level"]) > TILE_LEVEL_MAX:
        return None
    groups, is_partial = match["groups"], match["width"] is not None
    index, width = int(re.sub("[x/]", "", groups)), int(match["width"] or TILE_WIDTH)
    if index > SIZE_MAX or width > TILE_WIDTH - is_partial or groups.startswith("x000/"):
        return None
    return Tile(int(match["level"]), index, width)


def _place(index: int, width: int) -> str:
    """Return index and width as a path: groups of three digits, and the width if not full."""
    assert 0 <= index <= SIZE_MAX
    assert 1 <= width <= TILE_WIDTH
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    place = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return place if width == TILE_WIDTH else f"{place}.p/{width}"


# ---- reading -------------------------------------------------------------------------------------


def hash_reader(size: int, read: TileReader) -> HashReader:
    """Return a reader of the tree of `size` leaves, for `prove_inclusion` and its like.

    Each proof calls `read` once, for at most two tiles per tile level. Tiles are believed: a caller
    that does not trust them checks the proof against a checkpoint.
    """

    def read_nodes(nodes: Sequence[Node]) -> list[bytes]:
        tiles = [tile_of(node, size) for node in nodes]
        wanted = list(dict.fromkeys(tiles))
        stored = read([(tile.level, tile.index) for tile in wanted]) if wanted else ()
        contents = dict(zip(wanted, stored, strict=True))
        for tile, hashes in contents.items():
            if len(hashes) < tile.width * DIGEST_BYTES:
                raise TileError(f"{tile_path(tile)} holds {len(hashes)} bytes only")
        return [_node_in(contents[tile], node) for tile, node in zip(tiles, nodes, strict=True)]

    return read_nodes


def tree_at(size: int, read: TileReader) -> CompactRange:
    """Return the tree of the first `size` leaves; TileError where tiles do not reach so far."""
    return CompactRange(size, hash_reader(size, read)(complete_subtrees(0, size)))


def _node_in(hashes: bytes, node: Node) -> bytes:
    """Return a subtree's root from the hashes of its tile."""
    inner = node.level % _LEVELS
    start = (node.offset << inner) % TILE_WIDTH * DIGEST_BYTES
    return complete_root(hashes[start : start + (DIGEST_BYTES << inner)])


def complete_root(hashes: bytes) -> Digest:
    """Return the root over a power of two of hashes, side by side."""
    while (length := len(hashes)) > DIGEST_BYTES:
        pairs = range(0, length, 2 * DIGEST_BYTES)
        hashes = b"".join(
            [_sha256(b"\x01" + hashes[at : at + 2 * DIGEST_BYTES]).digest() for at in pairs]
        )
    return Digest(hashes)


# ---- growing -------------------------------------------------------------------------------------


class RightEdge:
    """The right edge of a tree that is stored as tiles: the unfinished tile of each level.

    Appending costs one hash per leaf on average and reads nothing.
    """

    def __init__(self, tree: CompactRange, partial: Sequence[bytes]) -> None:
        """Take up a tree with its unfinished tiles by level (b"" where the edge is even)."""
        self._tree = tree
        self._partial = [bytes(hashes) for hashes in partial]
        widths = [count % TILE_WIDTH for count in _counts(tree.size)]
        self._partial += [b""] * (len(widths) - len(self._partial))
        if [len(hashes) for hashes in self._partial] != [
            width * DIGEST_BYTES for width in widths + [0] * (len(self._partial) - len(widths))
        ]:
            raise TileError(f"these are not the unfinished tiles of a tree of {tree.size} leaves")

    @classmethod
    def load(cls, tree: CompactRange, read: TileReader) -> "RightEdge":
        """Return the edge from stored tiles; TileError unless they belong to this tree.

        Tiles that are wider than the tree are cut: they grew after it.
        """
        places = [
            (level, count // TILE_WIDTH)
            for level, count in enumerate(_counts(tree.size))
            if count % TILE_WIDTH
        ]
        partial = [b""] * len(_counts(tree.size))
        stored = read(places) if places else ()
        for (level, index), hashes in zip(places, stored, strict=True):
            width = (tree.size >> _LEVELS * level) - index * TILE_WIDTH
            partial[level] = hashes[: width * DIGEST_BYTES]
        edge = cls(tree, partial)
        if edge._subtrees() != list(tree.hashes):
            raise TileError(f"the tiles are not those of this tree of {tree.size} leaves")
        return edge

    @property
    def tree(self) -> CompactRange:
        """The tree itself; it grows with `extend` and in no other way."""
        return self._tree

    @property
    def partial(self) -> list[bytes]:
        """The hashes of the unfinished tile of each level."""
        return list(self._partial)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._tree.size

    def root(self) -> Digest:
        """Return the root of the tree as it is now."""
        return self._tree.root()

    def extend(self, leaves: Iterable[bytes]) -> dict[tuple[int, int], bytes]:
        """Add leaf hashes in order; return every tile that changed, by (level, index), whole."""
        changed: dict[tuple[int, int], bytes] = {}
        coming = iter(leaves)
        while run := list(islice(coming, TILE_WIDTH - self._tree.size % TILE_WIDTH)):
            last_is_edge = (self._tree.size + len(run)) % TILE_WIDTH == 0
            plain = run[:-1] if last_is_edge else run
            self._tree.extend(plain)
            # Only the last leaf of a tile completes subtrees that are hashes of higher tiles.
            completed = self._tree.append(run[-1]) if last_is_edge else []
            self._put(changed, 0, b"".join(run))
            for level, hash_ in enumerate(completed[_LEVELS - 1 :: _LEVELS], 1):
                self._put(changed, level, hash_)
        return changed

    def _put(self, changed: dict[tuple[int, int], bytes], level: int, hashes: bytes) -> None:
        """Add hashes to the unfinished tile of a level, which they fill at most."""
        if level == len(self._partial):
            self._partial.append(b"")
        content = self._partial[level] + hashes
        index = ((self._tree.size >> _LEVELS * level) - 1) // TILE_WIDTH
        changed[level, index] = content
        self._partial[level] = b"" if len(content) == TILE_BYTES else content

    def _subtrees(self) -> list[bytes]:
        """Return what the tiles say are the complete subtrees at the edge, biggest first."""
        roots: list[bytes] = []
        for hashes in reversed(self._partial):
            width, start = len(hashes) // DIGEST_BYTES, 0
            for bit in reversed(range(_LEVELS)):
                if width >> bit & 1:
                    end = start + (DIGEST_BYTES << bit)
                    roots.append(complete_root(hashes[start:end]))
                    start = end
        return roots


def _counts(size: int) -> list[int]:
    """Return how many hashes each tile level holds, lowest first."""
    counts = []
    while size:
        counts.append(size)
        size >>= _LEVELS
    return counts
