"""The tree of an earlier size, read from the stored tiles."""

from ledger.chain.merkle import CompactRange, Node
from ledger.chain.tiles import TileReader, hash_reader


def tree_at(size: int, read: TileReader) -> CompactRange:
    """Return the tree of the first `size` leaves; TileError where tiles do not reach so far."""
    nodes, start = [], 0
    for level in reversed(range(size.bit_length())):
        if size >> level & 1:
            nodes.append(Node(level, start >> level))
            start += 1 << level
    return CompactRange(size, hash_reader(size, read)(nodes))
