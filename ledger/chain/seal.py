"""The seal over all streams: one hash that fixes how far each stream had come.

An export of one stream proves by it that nothing newer was held back. When to seal, and reading the
streams' newest events, is left to the caller.
"""

from collections.abc import Iterable

from ledger.chain.link import Digest
from ledger.chain.merkle import leaf_hash, root_of


def seal_record(*, event_hash: str, stream: str, stream_version: int) -> bytes:
    """Return the canonical record of a stream's newest event; event_hash in hex.

    A template, as for headers: the grammar of a stream leaves nothing to escape.
    """
    return (
        f'{{"event_hash":"{event_hash}","stream":"{stream}","stream_version":{stream_version}}}'
    ).encode("ascii")


def seal_root(records: Iterable[bytes]) -> Digest:
    """Return the root over one record per stream, which must come in ascending order of name."""
    return root_of(leaf_hash(record) for record in records)
