"""An event as a line of `events.jsonl`: written and read by template, never by tree.

Header and body are canonical already and the keys are in order, so a line is put together from
the bytes that were hashed. Reading takes it apart again; a line that this module accepts is, byte
for byte, the one that it would write, except for the body, which `ledger.chain.link` judges.
"""

import re
from typing import Final

from ledger.chain.link import (
    GENESIS,
    ChainVerifier,
    Digest,
    EventRow,
    Link,
    checked_header,
)
from ledger.errors import LedgerError, chain_broken
from ledger.events.registry import keeps_body
from ledger.events.values import ORIGIN_FORM

_COUNTING: Final = rb"[1-9][0-9]{0,15}"
_HEX: Final = rb"[0-9a-f]{64}"
_PLAIN: Final = rb"[a-zA-Z0-9._/:-]+"  # no character that JSON would escape
_LINE: Final = re.compile(
    rb'\{"body":(.+),"hash":"(' + _HEX + rb')","header":'
    rb'\{"body_hash":"('
    + _HEX
    + rb')","ledger":"('
    + ORIGIN_FORM.encode()
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
    header = checked_header(row, origin)
    body, salt, event_hash = row[5], row[6], row[9].hex().encode()
    if body is None or salt is None:
        if keeps_body(row[3]):
            raise chain_broken(row[0], f"the body of {row[3]} is missing")
    elif not is_withheld:
        return b'{"body":%s,"hash":"%s","header":%s,"salt":"%s"}\n' % (
            body,
            event_hash,
            header,
            salt.hex().encode(),
        )
    return b'{"body":null,"hash":"%s","header":%s,"salt":null}\n' % (event_hash, header)


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
