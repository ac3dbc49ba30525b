"""The Merkle tree over event hashes (RFC 6962): root, proofs, and their verification.

Leaf i (from 0) is the event hash at position i + 1. Nothing is stored here: `CompactRange` is
what an appender keeps (a hash per complete subtree on the right edge, at most 63), and provers
read inner hashes through a function that the caller supplies, from memory, tiles or a database.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from ledger.chain.link import DIGEST_BYTES, Digest

EMPTY_ROOT: Final = Digest(hashlib.sha256(b"").digest())
SIZE_MAX: Final = (1 << 63) - 1  # what a database integer holds; no ledger gets near it

_SIZE_BYTES: Final = 8
_sha256 = hashlib.sha256


class ProofError(ValueError):
    """A proof that does not prove what it should; the text says why."""


class Node(NamedTuple):
    """A complete subtree: the leaves from offset * 2^level up to (offset + 1) * 2^level."""

    level: int
    offset: int


# Returns the hashes of the nodes asked for, in the same order; one call per proof.
HashReader = Callable[[Sequence[Node]], Sequence[bytes]]


def leaf_hash(data: bytes) -> Digest:
    """Return the leaf hash of an entry's bytes; an event's is its event hash."""
    return Digest(_sha256(b"\x00" + data).digest())


def node_hash(left: bytes, right: bytes) -> Digest:
    """Return the hash of an inner node."""
    return Digest(_sha256(b"\x01" + left + right).digest())


class CompactRange:
    """The right edge of a growing tree: enough to append and to know the root, without reads."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """Take up a tree of `size` leaves: one hash per set bit of size, biggest subtree first."""
        if not 0 <= size <= SIZE_MAX:
            raise ValueError(f"a tree of {size} leaves is out of range")
        if len(hashes) != size.bit_count() or any(len(h) != DIGEST_BYTES for h in hashes):
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} hashes of 32 bytes")
        self._size = size
        self._hashes = list(hashes)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The root of each complete subtree, biggest first."""
        return tuple(self._hashes)

    def append(self, leaf: bytes) -> list[bytes]:
        """Add one leaf hash; return the root of each subtree that it completes, smallest first.

        On average one node is hashed.
        """
        assert len(leaf) == DIGEST_BYTES
        carry = leaf
        completed: list[bytes] = []
        while self._size >> len(completed) & 1:
            carry = _sha256(b"\x01" + self._hashes.pop() + carry).digest()
            completed.append(carry)
        self._hashes.append(carry)
        self._size += 1
        return completed

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Add leaf hashes in order."""
        size, hashes = self._size, self._hashes
        for leaf in leaves:
            assert len(leaf) == DIGEST_BYTES
            carry, bits = leaf, size
            while bits & 1:
                carry = _sha256(b"\x01" + hashes.pop() + carry).digest()
                bits >>= 1
            hashes.append(carry)
            size += 1
        self._size = size

    def root(self) -> Digest:
        """Return the root of the tree as it is now."""
        if not self._hashes:
            return EMPTY_ROOT
        return _fold(self._hashes)

    def copy(self) -> "CompactRange":
        """Return an independent copy, to try an append on and throw away if it fails."""
        return CompactRange(self._size, self._hashes)

    def to_bytes(self) -> bytes:
        """Return the size (8 bytes, big-endian) and the hashes, biggest subtree first."""
        return self._size.to_bytes(_SIZE_BYTES, "big") + b"".join(self._hashes)

    @classmethod
    def from_bytes(cls, data: bytes) -> "CompactRange":
        """Return the tree that `to_bytes` wrote; ValueError if it cannot have."""
        if len(data) < _SIZE_BYTES:
            raise ValueError("the state of a tree begins with its size in 8 bytes")
        size, hashes = int.from_bytes(data[:_SIZE_BYTES], "big"), data[_SIZE_BYTES:]
        starts = range(0, len(hashes), DIGEST_BYTES)
        return cls(size, [hashes[at : at + DIGEST_BYTES] for at in starts])


def root_of(leaves: Iterable[bytes]) -> Digest:
    """Return the root of the tree over leaf hashes."""
    tree = CompactRange()
    tree.extend(leaves)
    return tree.root()


def memory_reader(leaves: Sequence[bytes]) -> HashReader:
    """Return a reader over leaf hashes that are all in memory; it holds twice their bytes."""
    levels: list[Sequence[bytes]] = [leaves]
    while len(below := levels[-1]) > 1:
        pairs = zip(below[::2], below[1::2], strict=False)  # an odd last one has no sibling yet
        levels.append([node_hash(left, right) for left, right in pairs])
    return lambda nodes: [levels[node.level][node.offset] for node in nodes]


# ---- proving -------------------------------------------------------------------------------------


def prove_inclusion(index: int, size: int, read: HashReader) -> list[Digest]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves."""
    if not 0 <= index < size <= SIZE_MAX:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return _read_roots(reversed(ranges), read)  # the leaf's sibling first


def prove_consistency(old_size: int, size: int, read: HashReader) -> list[Digest]:
    """Return the proof that the tree of `size` leaves begins with the tree of `old_size`.

    There is none from the empty tree, which is consistent with everything.
    """
    if not 0 < old_size <= size <= SIZE_MAX:
        raise ValueError(f"no consistency proof leads from size {old_size} to {size}")
    ranges: list[tuple[int, int]] = []
    start, end = 0, size
    while end != old_size:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start > 0:  # otherwise the old root is this subtree, and the verifier has it
        ranges.append((start, end))
    return _read_roots(reversed(ranges), read)


def _split(size: int) -> int:
    """Return the largest power of two below size, where RFC 6962 divides a tree of size leaves."""
    return 1 << ((size - 1).bit_length() - 1)


def _read_roots(ranges: Iterable[tuple[int, int]], read: HashReader) -> list[Digest]:
    """Return the root of each range of leaves, reading all the complete subtrees at once."""
    parts = [complete_subtrees(start, end) for start, end in ranges]
    hashes = iter(read([node for nodes in parts for node in nodes]))
    return [_fold([next(hashes) for _ in nodes]) for nodes in parts]


def complete_subtrees(start: int, end: int) -> list[Node]:
    """Return the complete subtrees of a range that RFC 6962 splitting gave, biggest first."""
    nodes = []
    while start < end:
        level = (end - start).bit_length() - 1
        assert start % (1 << level) == 0
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def _fold(hashes: Sequence[bytes]) -> Digest:
    """Return the root over complete subtrees, biggest first."""
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return Digest(root)


# ---- verifying -----------------------------------------------------------------------------------


def check_inclusion(
    *, index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise ProofError unless proof shows the leaf hash at `index` in the tree with this root."""
    if root_from_inclusion(index=index, size=size, leaf=leaf, proof=proof) != root:
        raise ProofError("the proof leads to another root")


def root_from_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> Digest:
    """Return the root that an inclusion proof leads to; ProofError if it is none for this place."""
    if not 0 <= index < size:
        raise ProofError(f"leaf {index} is not in a tree of {size}")
    _check_digests((leaf, *proof))
    inner = (index ^ (size - 1)).bit_length()
    _check_length(proof, inner + (index >> inner).bit_count())
    root = leaf
    for level, sibling in enumerate(proof):
        # Past the level where leaf and last leaf part, every sibling is on the left.
        is_right = level >= inner or index >> level & 1
        root = node_hash(sibling, root) if is_right else node_hash(root, sibling)
    return Digest(root)


def check_consistency(
    *, old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raise ProofError unless proof shows that the new tree begins with the old one.

    Refuses old size 0: a caller that has seen nothing has nothing to compare.
    """
    if not 0 < old_size <= size:
        raise ProofError(f"no consistency proof leads from size {old_size} to {size}")
    if old_size == size:
        _check_length(proof, 0)
        if old_root != root:
            raise ProofError("two trees of one size have different roots")
        return
    old, new = roots_from_consistency(old_size=old_size, size=size, old_root=old_root, proof=proof)
    if old != old_root:
        raise ProofError("the proof does not lead to the old root")
    if new != root:
        raise ProofError("the proof does not lead to the new root")


def roots_from_consistency(
    *, old_size: int, size: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[Digest, Digest]:
    """Return the old and the new root that a consistency proof leads to, between unequal sizes.

    The old root given is used where the proof leaves it out: at sizes that are powers of two.
    """
    if not 0 < old_size < size:
        raise ProofError(f"no consistency proof leads from size {old_size} to {size}")
    _check_digests((old_root, *proof))
    first, last = old_size - 1, size - 1
    level = (old_size & -old_size).bit_length() - 1  # of the subtree that ends the old tree
    inner = (first ^ last).bit_length() - level
    path = first >> level
    is_whole = path == 0  # a power of two: the old root is a node of the new tree itself
    _check_length(proof, inner + (path >> inner).bit_count() + (not is_whole))
    seed, steps = (old_root, proof) if is_whole else (proof[0], proof[1:])
    old, new = seed, seed
    for step, sibling in enumerate(steps):
        if step >= inner or path >> step & 1:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    return Digest(old), Digest(new)


def _check_digests(hashes: Iterable[bytes]) -> None:
    """Refuse hashes of another length, which could trade bytes with their neighbours."""
    if any(len(hash_) != DIGEST_BYTES for hash_ in hashes):
        raise ProofError("a hash is not 32 bytes long")


def _check_length(proof: Sequence[bytes], length: int) -> None:
    """Refuse a proof with more or fewer hashes than its sizes ask for."""
    if len(proof) != length:
        raise ProofError(f"the proof has {len(proof)} hashes instead of {length}")
