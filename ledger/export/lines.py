"""An event as a line of `events.jsonl`: written and read by template, never by tree.

Header and body are canonical already and the keys stand in order, so a line is put together from
the bytes that were hashed. Reading takes it apart again; a line that this module accepts is, byte
for byte, the one that it would write, except for the body, which `ledger.chain.link` judges.
"""

import hashlib
import re
from typing import Final, TypeAlias

from ledger.chain.link import GENESIS, ChainVerifier, Digest, Link
from ledger.errors import LedgerError, chain_broken
from ledger.events.registry import keeps_body

EventRow: TypeAlias = tuple[
    int, str, int, str, str, bytes | None, bytes | None, bytes, bytes, bytes
]
"""The members of a Link in their order, without the cost of one."""

_sha256: Final = hashlib.sha256
_COUNTING: Final = rb"[1-9][0-9]{0,15}"
_HEX: Final = rb"[0-9a-f]{64}"
_PLAIN: Final = rb"[a-zA-Z0-9._/:-]{1,300}"  # no character that JSON would escape
_LINE: Final = re.compile(
    rb'\{"body":(.+),"hash":"(' + _HEX + rb')","header":'
    rb'\{"body_hash":"('
    + _HEX
    + rb')","ledger":"('
    + _PLAIN
    + rb')","position":('
    + _COUNTING
    + rb'),"prev_hash":"('
    + _HEX
    + rb')","recorded_at":"('
    + _PLAIN
    + rb')","stream":"('
    + _PLAIN
    + rb')","stream_version":('
    + _COUNTING
    + rb'),"type":"('
    + _PLAIN
    + rb')"\},"salt":(?:"([0-9a-f]{32})"|null)\}\n',
    re.DOTALL,
)


class LineError(ValueError):
    """A line that is no event, or not in its only spelling."""


def checked_line(row: EventRow, origin: str, *, is_withheld: bool = False) -> bytes:
    """Return an event as its line, LF included, with its body or, if that is withheld, without.

    CHAIN_BROKEN unless header and body have the hashes that were stored with them.
    """
    position, stream, version, type_, time, body, salt, body_hash, prev_hash, hash_ = row
    header = (
        f'{{"body_hash":"{body_hash.hex()}","ledger":"{origin}","position":{position},'
        f'"prev_hash":"{prev_hash.hex()}","recorded_at":"{time}","stream":"{stream}",'
        f'"stream_version":{version},"type":"{type_}"}}'
    ).encode("ascii")
    if _sha256(b"\x00" + header).digest() != hash_:
        raise chain_broken(position, "the header does not have the stored event hash")
    if body is None or salt is None:
        if keeps_body(type_):
            raise chain_broken(position, f"the body of {type_} is missing")
    elif _sha256(b"\x02" + salt + body).digest() != body_hash:
        raise chain_broken(position, "the body does not have the stored body hash")
    elif not is_withheld:
        return b'{"body":%s,"hash":"%s","header":%s,"salt":"%s"}\n' % (
            body,
            hash_.hex().encode(),
            header,
            salt.hex().encode(),
        )
    return b'{"body":null,"hash":"%s","header":%s,"salt":null}\n' % (hash_.hex().encode(), header)


def parse_line(line: bytes, origin: str) -> Link:
    """Return the event that a line holds; LineError unless it has the form of one of this ledger.

    What the form does not show is left to a ChainVerifier: hashes, grammar, the body.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        raise LineError("it is not the canonical JSON of an event and a newline")
    body, hash_, body_hash, ledger, position, prev_hash, time, stream, version, type_, salt = (
        match.groups()
    )
    if ledger.decode() != origin:
        raise LineError(f"its ledger is {ledger.decode()!r} instead of {origin!r}")
    if (body == b"null") != (salt is None):
        raise LineError("body and salt are not null together")
    return Link(
        position=int(position),
        stream=stream.decode(),
        stream_version=int(version),
        type=type_.decode(),
        recorded_at=time.decode(),
        body=None if salt is None else body,
        salt=None if salt is None else bytes.fromhex(salt.decode()),
        body_hash=bytes.fromhex(body_hash.decode()),
        prev_hash=bytes.fromhex(prev_hash.decode()),
        event_hash=bytes.fromhex(hash_.decode()),
    )


def parse_alone(line: bytes, origin: str) -> Link:
    """Return the event that a line holds, checked as far as that can be without those before it.

    LineError where that fails.
    """
    link = parse_line(line, origin)
    before = GENESIS if link.position == 1 else Digest(link.prev_hash)
    try:
        ChainVerifier(origin=origin, head=before, start_position=link.position).feed(link)
    except LedgerError as error:
        raise LineError(error.message) from error
    return link


def row_of(link: Link) -> EventRow:
    """Return an event as `checked_line` takes it."""
    return (
        link.position,
        link.stream,
        link.stream_version,
        link.type,
        link.recorded_at,
        link.body,
        link.salt,
        link.body_hash,
        link.prev_hash,
        link.event_hash,
    )
