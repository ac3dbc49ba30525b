"""The tables of keys, cosignatures and tiles: no event states what they hold, but much must fit.

A server signs with the keys that are kept, shows the cosignatures to readers, and proves by the
tiles. A row too many, or of a ledger that is not there, was put in by other means than the service.
"""

import hashlib
from typing import Any, Final

from ledger.audit.bookkeeping import Query
from ledger.audit.source import Finding, SourceReport
from ledger.chain.cosignature import parse_signature_lines, timestamp_of
from ledger.chain.key_history import KeyHistory, vkey_digest
from ledger.chain.link import DIGEST_BYTES
from ledger.chain.tiles import TILE_BYTES

ROWS_OF_LEDGERS: Final = (
    "events", "heads", "requests", "checkpoints", "cosignatures", "tiles", "signing_keys",
)  # fmt: skip
"""The tables whose rows each belong to a ledger."""

_PAGE: Final = 5_000
_TILE_LEVELS: Final = 8  # levels of the tree in a tile; also how many levels of tiles there can be
_TILE_SPANS: Final = (
    "SELECT level, min(number), max(number) FROM tiles WHERE ledger_id = ? GROUP BY level"
)
_TILE_LENGTH: Final = (
    "SELECT length(hashes) FROM tiles WHERE ledger_id = ? AND level = ? AND number = ?"
)
_NEWEST: Final = "SELECT position FROM events WHERE ledger_id = ? ORDER BY position DESC LIMIT 1"
_SEALED_BYTES: Final = 1 + 12 + 16  # of a sealed key at least: its form, nonce and tag
_KEYS: Final = "SELECT number, vkey, secret FROM signing_keys WHERE ledger_id = ? ORDER BY number"
_LATER_KEYS: Final = (
    "SELECT position FROM events WHERE ledger_id = ? AND stream = 'ledger' AND position > ?"
    " AND type IN ('key.rotated.v1', 'key.committed.v1') LIMIT 1"
)
_COSIGNATURES: Final = (
    "SELECT c.size, c.name, c.key_id, c.line, c.seal, k.size FROM cosignatures AS c"
    " LEFT JOIN checkpoints AS k ON k.ledger_id = c.ledger_id AND k.size = c.size"
    " WHERE c.ledger_id = ? AND (c.size, c.name, c.key_id) > (?, ?, ?)"
    " ORDER BY c.size, c.name, c.key_id LIMIT ?"
)


def examine(
    query: Query,
    tables: set[str],
    ledger_id: int,
    size: int,
    history: KeyHistory,
    found: SourceReport,
) -> None:
    """Note what of the tables does not fit the events and each other."""
    _orphans(query, tables, found)
    _checkpoints(query, ledger_id, found)
    if "tiles" in tables:
        _tiles(query, ledger_id, found)
    if "signing_keys" in tables:
        _keys(query, ledger_id, size, history, found)
    if "cosignatures" in tables:
        _cosignatures(query, ledger_id, found)


def _orphans(query: Query, tables: set[str], found: SourceReport) -> None:
    """Look for rows of ledgers that are not there, skipping along each index."""
    rule = "database.orphans"
    known = {row[0] for row in query("SELECT ledger_id FROM ledgers")}
    for table in ROWS_OF_LEDGERS:
        if table not in tables:
            continue
        found.checked[rule] = found.checked.get(rule, 0) + 1
        select = f"SELECT min(ledger_id) FROM {table}"  # noqa: S608 - our own names
        (newest,) = query(select)[0]
        while newest is not None:
            if newest not in known:
                what = f"a row of {table} is of a ledger that is not there"
                found.findings.append(Finding(rule, 0, what, "", str(newest)))
                break
            (newest,) = query(f"{select} WHERE ledger_id > ?", newest)[0]


def _checkpoints(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Look for checkpoints of no size; all others are compared with the events elsewhere."""
    sql = "SELECT size FROM checkpoints WHERE ledger_id = ? AND size < 1"
    for (size,) in query(sql, ledger_id):
        what = "a checkpoint is kept that covers nothing"
        found.findings.append(Finding("checkpoints", 0, what, "1 or more", str(size)))


def _tiles(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Look for hashes beyond the tree; those within it are compared with the events elsewhere."""
    rule = "database.tiles"
    found.checked[rule] = 1
    spans = query(_TILE_SPANS, ledger_id)
    lengths = {level: query(_TILE_LENGTH, ledger_id, level, last)[0][0] for level, _, last in spans}
    newest = query(_NEWEST, ledger_id)  # read after the tiles: appends only make the tree larger
    size = newest[0][0] if newest and type(newest[0][0]) is int else 0
    for level, first, last in spans:
        hashes = size >> _TILE_LEVELS * level if 0 <= level < _TILE_LEVELS else 0
        if not (first >= 0 and last * TILE_BYTES + lengths[level] <= hashes * DIGEST_BYTES):
            what = f"the tiles of level {level} hold more hashes than the tree"
            position = hashes + 1 if level == 0 else 0
            found.findings.append(Finding(rule, position, what, str(hashes)))


def _keys(
    query: Query, ledger_id: int, size: int, history: KeyHistory, found: SourceReport
) -> None:
    """Compare the kept keys with those that the events name, and the one that is to follow.

    That one has no commitment yet where a ledger is older than commitments. Whether the secrets
    open is for the holder of the master key to find out, who starts the server.
    """
    rule = "database.keys"
    rows = query(_KEYS, ledger_id)
    if query(_LATER_KEYS, ledger_id, size):
        return  # keys have changed since the audited events; the next audit compares them
    found.checked[rule] = len(rows)
    named = [span.vkey for span in history.spans]
    if not named:  # a recorder's ledger may have one that its events do not name
        (vkey,) = query("SELECT vkey FROM ledgers WHERE ledger_id = ?", ledger_id)[0]
        named = [vkey] if vkey else []
    kept = [vkey for _, vkey, _ in rows]
    following = [vkey for vkey in kept if vkey not in named]
    committed = history.next_key_digest
    if (
        [number for number, _, _ in rows] != [*range(1, len(rows) + 1)]
        or [vkey for vkey in kept if vkey in named] != named
        or len(following) != bool(named)
        or (committed is not None and [vkey_digest(str(one)) for one in following] != [committed])
    ):
        shown = ", ".join(str(vkey)[:300] for vkey in kept) or "none"
        what = "the keys that are kept are not those that the events name"
        found.findings.append(Finding(rule, 0, what, ", ".join(named), shown))
    for number, _, secret in rows:
        if type(secret) is not bytes or len(secret) <= _SEALED_BYTES:
            found.findings.append(Finding(rule, 0, f"key {number} is not sealed as a key is"))


def _cosignatures(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Look at each cosignature: its form, its seal, and that its checkpoint is kept.

    Whether it is the witness's is checked when it arrives, and by readers who know its key.
    """
    rule, last, count = "database.cosignatures", (-(1 << 62), "", b""), 0
    while page := query(_COSIGNATURES, ledger_id, *last, _PAGE):
        for row in page:
            count += 1
            what = _cosignature_fault(ledger_id, row)
            if what:
                at = row[0] if type(row[0]) is int else 0
                found.findings.append(Finding(rule, at, f"a cosignature of size {row[0]} {what}"))
        last = page[-1][:3]
    found.checked[rule] = count


def _cosignature_fault(ledger_id: int, row: Any) -> str:  # noqa: ANN401 - a row as found
    """Return what is wrong with a kept cosignature; empty if nothing is."""
    size, name, key_id, line, seal, signed = row
    try:
        (signature,) = parse_signature_lines(f"{line}\n".encode())
        timestamp_of(signature.signature)
        text = f"{ledger_id}\n{size}\n{name}\n{bytes(key_id).hex()}\n{line}\n"
        if hashlib.sha256(text.encode()).digest() != bytes(seal):
            return "was changed"
        if (signature.name, signature.key_id) != (name, bytes(key_id)):
            return "is stored under another name or key"
    except (TypeError, ValueError) as error:
        return f"cannot be read: {error}"
    return "" if signed is not None else "is of a checkpoint that is not kept"
