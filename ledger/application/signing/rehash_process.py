"""Hashing stored events again: small batches here, large ones in a process of their own.

A checkpoint is due about every second, and under load it covers tens of thousands of events. Hashed
on a thread of the server they would take their time from appends.
"""

from collections.abc import Callable
from typing import Final

from ledger.chain.merkle import CompactRange
from ledger.storage.rehash import Rehashed, RehashProcess, rehash
from ledger.storage.store import Reader

INLINE_EVENTS_MAX: Final = 2_000  # above: cheaper to ask the other process than to hash here


Rehash = Callable[[str, int, int, bytes, CompactRange], Rehashed]
"""Takes a ledger, first and last position, the hash before the first, and the tree before it."""


def rehasher(reader: Reader, process: RehashProcess | None = None) -> Rehash:
    """Return what hashes events again; all of them here where there is no process to ask."""

    def again(ledger: str, first: int, last: int, prev_hash: bytes, tree: CompactRange) -> Rehashed:
        if process is None or last - first < INLINE_EVENTS_MAX:
            return rehash(reader, ledger, first, last, prev_hash, tree)
        return process.rehash(ledger, first, last, prev_hash, tree)

    return again


__all__ = ["INLINE_EVENTS_MAX", "Rehash", "RehashProcess", "Rehashed", "rehasher"]
