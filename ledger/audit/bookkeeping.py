"""The rows a database keeps beside its events, compared with them: no hash covers these rows.

The service finds observations by an indexed time, answers repeated requests from a table, and goes
on from a stored head; it signs with the keys that are kept, shows the cosignatures to readers, and
proves by the tiles. A change of one of them changes what the service does and no event. A row too
many, or of a ledger that is not there, was put in by other means than the service.
"""

import hashlib
from collections.abc import Callable
from itertools import islice
from typing import Any, Final

from ledger.audit.request_cover import RequestCover
from ledger.audit.source import HashPassResult, SourceReport
from ledger.audit.transcript import RowDigest, digested
from ledger.chain.cosignature import parse_signature_lines, timestamp_of
from ledger.chain.key_history import KeyHistory, vkey_digest
from ledger.chain.link import DIGEST_BYTES
from ledger.chain.merkle import SIZE_MAX
from ledger.chain.tiles import TILE_BYTES
from ledger.events.canonical import CanonicalError, decode
from ledger.events.signals import OBSERVED_TYPES
from ledger.events.system import LedgerCreated
from ledger.events.values import format_time

ROWS_OF_LEDGERS: Final = (
    "events", "heads", "requests", "checkpoints", "cosignatures", "tiles", "signing_keys",
)  # fmt: skip
"""The tables whose rows each belong to a ledger."""

_TILE_LEVELS: Final = 8  # levels of the tree in a tile; also how many levels of tiles there can be
_TILE_SPANS: Final = (
    "SELECT level, min(number), max(number) FROM tiles WHERE ledger_id = ? GROUP BY level"
)
_TILE_LENGTH: Final = (
    "SELECT length(hashes) FROM tiles WHERE ledger_id = ? AND level = ? AND number = ?"
)
_NEWEST: Final = "SELECT position FROM events WHERE ledger_id = ? ORDER BY position DESC LIMIT 1"
_SIZELESS: Final = (  # SQLite keeps anything in a column, and text is more than any number
    "SELECT size FROM checkpoints WHERE ledger_id = ? AND (size IS NULL OR size < 1 OR size > ?)"
)
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

_PAGE: Final = 5_000
_FORGOTTEN_MAX: Final = 100
_OBSERVED: Final = frozenset(OBSERVED_TYPES)

_TIMES: Final = (
    "SELECT position, type, observed_at, body FROM events WHERE ledger_id = ? AND position > ?"
    " AND position <= ? ORDER BY position LIMIT ?"
)
_REQUESTS: Final = (
    "SELECT actor, method, request_id, digest, first_position, last_position, seal FROM requests"
    " WHERE ledger_id = ? AND (actor, method, request_id) > (?, ?, ?)"
    " ORDER BY actor, method, request_id LIMIT ?"
)
_BODIES: Final = "SELECT body FROM events WHERE ledger_id = ? AND position IN (?, ?)"
_HEAD: Final = (
    "SELECT position, event_hash, recorded_at, newest_observed_at, tree FROM heads"
    " WHERE ledger_id = ?"
)
_ROW: Final = "SELECT vkey, clock, skew_seconds FROM ledgers WHERE ledger_id = ?"

_TABLES: Final = {
    _HEAD: "heads",
    _ROW: "ledgers",
    _REQUESTS: "requests",
    _KEYS: "signing_keys",
    _COSIGNATURES: "cosignatures",
}
"""The statements whose rows are digested, and by which name."""

Query = Callable[..., list[Any]]
"""Runs one statement, given with its parameters, and returns all its rows."""


def examine(
    query: Query,
    tables: set[str],
    ledger_id: int,
    size: int,
    hashed: HashPassResult,
    found: SourceReport,
) -> None:
    """Note what was compared, what was read for it, and what does not fit."""
    digests: dict[str, RowDigest] = {}
    query, cover = digested(query, _TABLES, digests), RequestCover()
    newest = _observed_at(query, ledger_id, size, cover, found)
    if "heads" in tables:
        _head(query, ledger_id, size, (newest, hashed.tree), found)
    if "requests" in tables:
        _requests(query, ledger_id, size, cover, found)
    _row(query, ledger_id, found)
    _orphans(query, tables, found)
    _checkpoints(query, ledger_id, found)
    if "tiles" in tables:
        _tiles(query, ledger_id, found)
    if "signing_keys" in tables:
        _keys(query, ledger_id, size, hashed.keys, found)
    if "cosignatures" in tables:
        _cosignatures(query, ledger_id, found)
    found.read = {name: digest.hexdigest() for name, digest in digests.items()}


def _observed_at(
    query: Query, ledger_id: int, size: int, cover: RequestCover, found: SourceReport
) -> int | None:
    """Compare each event's indexed time with its body; return the newest."""
    rule, after, newest, count = "database.observed_at", 0, None, 0
    while page := query(_TIMES, ledger_id, after, size, _PAGE):
        for position, type_, observed_at, body in page:
            count += 1
            if body is not None:
                cover.note(position, _bytes(body))
            if type_ not in _OBSERVED:
                if observed_at is not None:
                    found.fail(rule, position, f"a {type_} is indexed as an observation")
                continue
            text = _time_text(observed_at)
            if text is None or (body is not None and text not in _bytes(body)):
                what = "the indexed time of observation is not the body's"
                found.fail(rule, position, what)
            elif newest is None or observed_at > newest:
                newest = observed_at
        after = page[-1][0]
        if type(after) is not int:
            break  # the pass over the hashes names it
    found.checked[rule] = count
    return newest


def _time_text(observed_at: object) -> bytes | None:
    """Return the member of a body that states this time; None if it is no time."""
    try:
        return f'"observed_at":"{format_time(observed_at)}"'.encode()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _head(
    query: Query, ledger_id: int, size: int, expected: tuple[int | None, bytes], found: SourceReport
) -> None:
    """Compare the stored head, which may have moved on since, with the event that it names.

    `expected` are the newest time of observation and the tree, if it has not moved on.
    """
    rule = "database.head"
    found.checked[rule] = 1
    rows = query(_HEAD, ledger_id)
    if not rows:
        found.fail(rule, 0, "the ledger has no stored head")
        return
    position, event_hash, recorded_at, newest_observed_at, tree = rows[0]
    if type(position) is not int or position < size:
        what = "the stored head lies before the last event"
        found.fail(rule, size, what, str(size), str(position))
        return
    at = query(
        "SELECT event_hash, recorded_at FROM events WHERE ledger_id = ? AND position = ?",
        ledger_id,
        position,
    )
    if position and not at:
        what = "the stored head names an event that is not there"
        found.fail(rule, size + 1, what, f"position {position}", "none")
    elif at and (_bytes(at[0][0]), at[0][1]) != (_bytes(event_hash), recorded_at):
        what = "the stored head is not the event that it names"
        found.fail(rule, position, what)
    elif position == size and (newest_observed_at, _bytes(tree)) != expected:
        what = "the stored head's tree or newest time of observation is not the events'"
        found.fail(rule, position, what)


def _requests(
    query: Query, ledger_id: int, size: int, cover: RequestCover, found: SourceReport
) -> None:
    """Compare every remembered request with its seal and its events, and those with it."""
    rule, last, count = "database.requests", ("", "", ""), 0
    while page := query(_REQUESTS, ledger_id, *last, _PAGE):
        for row in page:
            count += 1
            what = _request_fault(query, ledger_id, size, row)
            if what:
                position = row[4] if type(row[4]) is int else 0
                named = f"the row of request id {str(row[2])[:140]!r} {what}"
                found.fail(rule, position, named)
            elif row[4] <= size:
                cover.cover(row[4], row[5])
        last = (page[-1][0], page[-1][1], page[-1][2])
    for position in islice(cover.missing(), _FORGOTTEN_MAX):
        what = "no request is remembered for its request id, so a repeat would be recorded again"
        found.fail(rule, position, what)
    found.checked[rule] = count


def _request_fault(query: Query, ledger_id: int, size: int, row: Any) -> str:  # noqa: ANN401
    """Return what is wrong with a remembered request; empty if nothing is."""
    actor, method, request_id, digest, first, last, seal = row
    try:
        text = f"{ledger_id}\n{actor}\n{method}\n{request_id}\n{first}\n{last}\n"
        if hashlib.sha256(text.encode() + _bytes(digest)).digest() != _bytes(seal):
            return "was changed"
        if not 1 <= first <= last + 1:
            return "names positions that cannot be"
    except (TypeError, ValueError):
        return "does not have the types of its columns"
    if last > size or first > last:
        return ""  # of an append since, or one that placed nothing
    bodies = query(_BODIES, ledger_id, first, last)
    if len(bodies) < len({first, last}):
        return "names positions where there is nothing"
    for (body,) in bodies:
        if body is not None and _request_of(_bytes(body)) != request_id:
            return "names events of another request"
    return ""


def _request_of(body: bytes) -> object:
    try:
        return decode(body)["request_id"]
    except (CanonicalError, KeyError, TypeError):
        return None


def _bytes(value: object) -> bytes:
    """Return the bytes in a column; TypeError for all else: of a number, `bytes` makes zeros."""
    if type(value) is not bytes:
        raise TypeError(f"a {type(value).__name__} is in the place of bytes")
    return value


def _row(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Compare the ledger's own row with its first events."""
    rule = "database.row"
    found.checked[rule] = 1
    rows = query(_ROW, ledger_id)
    vkey, clock, skew_seconds = rows[0]
    firsts = query(
        "SELECT position, type, body FROM events WHERE ledger_id = ? AND position <= 2"
        " AND body IS NOT NULL ORDER BY position",
        ledger_id,
    )
    for position, type_, body in firsts:
        try:
            data = decode(_bytes(body))["data"]
            differs = (type_ == LedgerCreated.TYPE and data["vkey"] != vkey) or (
                str(type_).startswith("ledger.configured.")
                and (data["clock"], data["skew_seconds"]) != (clock, skew_seconds)
            )
        except (CanonicalError, KeyError, TypeError):
            continue  # its body is judged elsewhere
        if differs:
            what = "the ledger's row is not what its first events say"
            found.fail(rule, position, what)


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
                found.fail(rule, 0, what, "", str(newest))
                break
            (newest,) = query(f"{select} WHERE ledger_id > ?", newest)[0]


def _checkpoints(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Look for checkpoints of no size; all others are compared with the events elsewhere."""
    for (size,) in query(_SIZELESS, ledger_id, SIZE_MAX):
        what = "a checkpoint is kept that covers nothing"
        found.fail("checkpoints", 0, what, "1 or more", str(size)[:200])


def _tiles(query: Query, ledger_id: int, found: SourceReport) -> None:
    """Look for hashes beyond the tree; those within it are compared with the events elsewhere."""
    rule = "database.tiles"
    found.checked[rule] = 1
    spans = query(_TILE_SPANS, ledger_id)
    if any(type(number) is not int for span in spans for number in span):
        found.fail(rule, 0, "a tile's level or number is not an integer")
        return
    lengths = {level: query(_TILE_LENGTH, ledger_id, level, last)[0][0] for level, _, last in spans}
    newest = query(_NEWEST, ledger_id)  # read after the tiles: appends only make the tree larger
    size = newest[0][0] if newest and type(newest[0][0]) is int else 0
    for level, first, last in spans:
        hashes = size >> _TILE_LEVELS * level if 0 <= level < _TILE_LEVELS else 0
        if not (first >= 0 and last * TILE_BYTES + lengths[level] <= hashes * DIGEST_BYTES):
            what = f"the tiles of level {level} hold more hashes than the tree"
            position = hashes + 1 if level == 0 else 0
            found.fail(rule, position, what, str(hashes))


def _keys(
    query: Query, ledger_id: int, size: int, history: KeyHistory, found: SourceReport
) -> None:
    """Compare the kept keys with those that the events name, and the one that is to follow.

    That one has no commitment yet where a ledger is older than commitments. Only the
    server that holds the master key can check whether the secrets open.
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
        found.fail(rule, 0, what, ", ".join(named), shown)
    for number, _, secret in rows:
        if type(secret) is not bytes or len(secret) <= _SEALED_BYTES:
            found.fail(rule, 0, f"key {number} is not sealed as a key is")


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
                found.fail(rule, at, f"a cosignature of size {row[0]} {what}")
        last = page[-1][:3]
    found.checked[rule] = count


def _cosignature_fault(ledger_id: int, row: Any) -> str:  # noqa: ANN401 - a row as found
    """Return what is wrong with a kept cosignature; empty if nothing is."""
    size, name, key_id, line, seal, signed = row
    try:
        (signature,) = parse_signature_lines(f"{line}\n".encode())
        timestamp_of(signature.signature)
        text = f"{ledger_id}\n{size}\n{name}\n{_bytes(key_id).hex()}\n{line}\n"
        if hashlib.sha256(text.encode()).digest() != _bytes(seal):
            return "was changed"
        if (signature.name, signature.key_id) != (name, _bytes(key_id)):
            return "is stored under another name or key"
    except (TypeError, ValueError) as error:
        return f"cannot be read: {error}"
    return "" if signed is not None else "is of a checkpoint that is not kept"
