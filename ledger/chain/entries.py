"""Bundles of log entries, as tlog-tiles serves them beside the tiles.

An entry is what a leaf hash is over: here the canonical header of an event, never its body. The
entries of bundle N are those under level-0 tile N, each behind its length in two bytes.
"""

from collections.abc import Sequence
from typing import Final

from ledger.chain.tiles import TILE_WIDTH

ENTRY_BYTES_MAX: Final = 0xFFFF

_LENGTH_BYTES: Final = 2
ENTRIES_BYTES_MAX: Final = TILE_WIDTH * (_LENGTH_BYTES + ENTRY_BYTES_MAX)  # of a whole bundle


class EntriesError(ValueError):
    """Bytes that are no bundle of entries; the text says where."""


def encode_entries(entries: Sequence[bytes]) -> bytes:
    """Return the bundle of 1 to 256 entries."""
    assert 1 <= len(entries) <= TILE_WIDTH
    parts: list[bytes] = []
    for entry in entries:
        assert len(entry) <= ENTRY_BYTES_MAX
        parts += (len(entry).to_bytes(_LENGTH_BYTES, "big"), entry)
    return b"".join(parts)


def decode_entries(bundle: bytes) -> list[bytes]:
    """Return the entries of a bundle; EntriesError unless it is exactly 1 to 256 of them."""
    entries: list[bytes] = []
    at = 0
    while at < len(bundle) and len(entries) <= TILE_WIDTH:
        start = at + _LENGTH_BYTES
        end = start + int.from_bytes(bundle[at:start], "big")
        if end > len(bundle):
            raise EntriesError(f"entry {len(entries)} of the bundle is cut short")
        entries.append(bundle[start:end])
        at = end
    if not 1 <= len(entries) <= TILE_WIDTH:
        found = "none" if not entries else "more"
        raise EntriesError(f"a bundle holds 1 to {TILE_WIDTH} entries; there are {found}")
    return entries
