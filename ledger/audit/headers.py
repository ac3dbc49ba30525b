"""Headers as text: one canonical header, and a row made from it without re-encoding anything."""

import re
from typing import Final

from ledger.audit.source import Row
from ledger.events.values import INTEGER_MAX, parse_time

HEADER: Final = (
    rb'\{"body_hash":"(?P<body_hash>[0-9a-f]{64})","ledger":"(?P<ledger>[a-z0-9._/-]{1,255})",'
    rb'"position":(?P<position>[1-9][0-9]{0,15}),"prev_hash":"(?P<prev_hash>[0-9a-f]{64})",'
    rb'"recorded_at":"(?P<recorded_at>[0-9TZ:.-]{27})","stream":"(?P<stream>[a-z0-9._/-]{1,255})",'
    rb'"stream_version":(?P<version>[1-9][0-9]{0,15}),"type":"(?P<type>[a-z0-9._]+)"\}'
)
"""The one form of canonical header; grammars are checked where rows are."""


def row_of(
    match: re.Match[bytes], origin: str, body: bytes | None, salt: bytes | None, event_hash: bytes
) -> Row:
    """Return the row of a matched header; ValueError where it is of another ledger or no time."""
    if match["ledger"].decode() != origin:
        raise ValueError(f"it is of the ledger {match['ledger'].decode()}")
    position, version = int(match["position"]), int(match["version"])
    if max(position, version) > INTEGER_MAX:
        raise ValueError("a number is beyond 2^53 - 1")
    return (
        position,
        match["stream"].decode(),
        version,
        match["type"].decode(),
        parse_time(match["recorded_at"].decode()),
        body,
        salt,
        bytes.fromhex(match["body_hash"].decode()),
        bytes.fromhex(match["prev_hash"].decode()),
        event_hash,
    )
