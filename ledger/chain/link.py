"""The hash chain that makes the ledger tamper-evident.

Every header commits to its body and to the header before it, so a holder of the last hash holds
the whole history. Pure: storage decides where events live, `ledger.events` what they mean. The
bytes are those of `docs/spec/ledger_format_v1.md`. A chain cut short is still a chain, and an
attacker who rewrites every event can rewrite every hash: compare the head with a signed checkpoint
to rule both out.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, NewType, TypeAlias

from ledger.chain.body import body_fault
from ledger.errors import chain_broken
from ledger.events.values import INTEGER_MAX, ORIGIN, STREAM, TYPE, parse_time

Digest = NewType("Digest", bytes)

DIGEST_BYTES: Final = 32
SALT_BYTES: Final = 16
GENESIS: Final = Digest(bytes(DIGEST_BYTES))  # what the first event links to

# The body of these can be neither erased nor withheld: without them the rest cannot be judged.
PERMANENT: Final = frozenset({"ledger.created", "key.rotated", "streams.sealed", "body.erased"})

_sha256 = hashlib.sha256


class Link(NamedTuple):
    """One stored event as the chain sees it: header fields, body and hashes as raw bytes.

    `body` and `salt` are None together, where the body was erased or withheld. A tuple, because
    a verification of a ledger makes millions of them.
    """

    position: int
    stream: str
    stream_version: int
    type: str
    recorded_at: str
    body: bytes | None
    salt: bytes | None
    body_hash: bytes
    prev_hash: bytes
    event_hash: bytes


EventRow: TypeAlias = tuple[
    int, str, int, str, str, bytes | None, bytes | None, bytes, bytes, bytes
]
"""The members of a Link in their order, without the cost of one."""


def header_bytes(  # noqa: PLR0913 - the eight fields of a header
    *,
    body_hash: str,
    ledger: str,
    position: int,
    prev_hash: str,
    recorded_at: str,
    stream: str,
    stream_version: int,
    type_: str,
) -> bytes:
    """Return the canonical header; hashes in hex, every argument within its grammar.

    A template instead of an encoder, because this runs once per event on the way in and out: the
    grammars leave nothing to escape, and the keys are in order. The caller has checked them.
    """
    return (
        f'{{"body_hash":"{body_hash}","ledger":"{ledger}","position":{position},'
        f'"prev_hash":"{prev_hash}","recorded_at":"{recorded_at}","stream":"{stream}",'
        f'"stream_version":{stream_version},"type":"{type_}"}}'
    ).encode("ascii")


def event_hash(header: bytes) -> Digest:
    """Return the hash of canonical header bytes: chain link and Merkle leaf hash in one."""
    return Digest(_sha256(b"\x00" + header).digest())


def body_hash(salt: bytes, body: bytes) -> Digest:
    """Return the salted hash of canonical body bytes that the header commits to."""
    assert len(salt) == SALT_BYTES  # or salt and body could trade bytes
    return Digest(_sha256(b"\x02" + salt + body).digest())


def checked_header(row: EventRow, origin: str) -> bytes:
    """Return the canonical header of an event, once both its hashes are found to be right.

    CHAIN_BROKEN where one is not, or where the row is not what an event's can be. The grammar of
    its names, and what comes before it, are the caller's to check.
    """
    position, stream, version, type_, time, body, salt, committed, prev_hash, stored = row
    if type(committed) is not bytes or len(committed) != DIGEST_BYTES:
        raise chain_broken(position, "the stored body hash is not 32 bytes")
    header = (  # as `header_bytes`, without the cost of a call for each event
        f'{{"body_hash":"{committed.hex()}","ledger":"{origin}","position":{position},'
        f'"prev_hash":"{prev_hash.hex()}","recorded_at":"{time}","stream":"{stream}",'
        f'"stream_version":{version},"type":"{type_}"}}'
    ).encode("ascii")
    if _sha256(b"\x00" + header).digest() != stored:
        raise chain_broken(position, "the header does not have the stored event hash")
    if type(body) is bytes and type(salt) is bytes:
        if len(salt) != SALT_BYTES:
            why = f"the salt is {len(salt)} bytes long instead of {SALT_BYTES}"
            raise chain_broken(position, why)
        if _sha256(b"\x02" + salt + body).digest() != committed:
            raise chain_broken(position, "the body does not have the stored body hash")
    elif body is not None or salt is not None:
        raise chain_broken(position, "body and salt must both be bytes, or both be absent")
    elif type_.rpartition(".")[0] in PERMANENT:
        raise chain_broken(position, f"the body of {type_} can be neither erased nor withheld")
    return header


def hash_page(
    rows: Iterable[EventRow], origin: str, position: int, prev_hash: bytes
) -> list[bytes]:
    """Return the event hashes of rows that begin at a position, after the event with `prev_hash`.

    CHAIN_BROKEN names the first position whose row does not follow, or is not what it hashes to.
    """
    hashes: list[bytes] = []
    try:
        for row in rows:
            if row[0] != position or row[8] != prev_hash:
                raise chain_broken(position, "it does not follow the event before it")
            checked_header(row, origin)
            prev_hash = row[9]
            hashes.append(prev_hash)
            position += 1
    except (TypeError, ValueError, AttributeError) as error:
        why = f"it is not stored as an event is: {error}"  # a column holds what no event's can
        raise chain_broken(position, why) from error
    return hashes


class ChainVerifier:
    """Checks a ledger event by event, in memory that grows with the number of streams only.

    The strict pass proves that every stored body is the canonical JSON that the format asks for.
    With `strict=False` (the hash pass, about three times as fast) bodies are hashed but not read;
    all else is checked alike: positions, links, hashes, the header's grammar, stream versions,
    order of time.

    Started after position 1, the first event of each stream is taken at its word for its version,
    unless `versions` gives the version that each stream had reached.
    """

    def __init__(
        self,
        *,
        origin: str,
        head: Digest = GENESIS,
        start_position: int = 1,
        strict: bool = True,
        versions: Mapping[str, int] | None = None,
        recorded_at: str = "",
    ) -> None:
        """Start after `head`, the hash at start_position - 1, and its `recorded_at` if known."""
        assert ORIGIN.fullmatch(origin)
        assert len(head) == DIGEST_BYTES
        assert start_position >= 1
        self._origin = origin
        self._head: bytes = head
        self._position = start_position
        self._strict = strict
        self._versions = dict(versions or {})
        self._from_start = start_position == 1 or versions is not None
        self._recorded_at = recorded_at
        self._types: set[str] = set()

    @property
    def head(self) -> Digest:
        """The hash of the last event that was accepted."""
        return Digest(self._head)

    @property
    def next_position(self) -> int:
        """The position that the next event must have."""
        return self._position

    def feed(self, record: Link) -> None:
        """Accept the next event, or raise LedgerError (CHAIN_BROKEN) and accept nothing."""
        position = self._position
        stream = record.stream
        version = record.stream_version
        before = self._versions.get(stream)
        # A text that was valid once is valid again: only new texts are checked against the grammar.
        if (
            record.position != position
            or type(record.position) is not int
            or record.prev_hash != self._head
            or before is None
            or record.type not in self._types
            or record.recorded_at != self._recorded_at
        ):
            self._check_news(record)
        try:
            checked_header(record, self._origin)
        except (TypeError, ValueError, AttributeError) as error:
            raise self._broken(f"it is not stored as an event is: {error}") from error
        if version != (before + 1 if before is not None else self._first_version(version)):
            expected = 1 if before is None else before + 1
            raise self._broken(f"stream {stream} is at version {version} instead of {expected}")
        if self._strict and record.body is not None and (why := body_fault(record.body, position)):
            raise self._broken(why)
        self._versions[stream] = version
        self._types.add(record.type)
        self._recorded_at = record.recorded_at
        self._head = record.event_hash
        self._position = position + 1

    def _check_news(self, record: Link) -> None:
        """Check the place of an event, and the grammar of texts that appear for the first time."""
        if record.position != self._position or type(record.position) is not int:
            raise self._broken(f"found position {record.position!r} there")
        if self._position > INTEGER_MAX:
            raise self._broken("positions end at 2^53 - 1")
        if record.prev_hash != self._head:
            raise self._broken("its previous hash is not the hash of the event before it")
        stream, type_, recorded_at = record.stream, record.type, record.recorded_at
        if type(stream) is not str or STREAM.fullmatch(stream) is None:
            raise self._broken(f"{str(stream)[:160]!r} is not a stream name")
        if type(type_) is not str or TYPE.fullmatch(type_) is None:
            raise self._broken(f"{str(type_)[:160]!r} is not an event type")
        if type(recorded_at) is not str:
            raise self._broken(f"the record time is {type(recorded_at).__name__}, not text")
        if recorded_at != self._recorded_at:
            try:
                parse_time(recorded_at)
            except ValueError as error:
                raise self._broken(f"record time: {error}") from error
            # Times have one width, so their text sorts as they do.
            if recorded_at < self._recorded_at:
                raise self._broken(
                    f"its record time {recorded_at} is before the previous {self._recorded_at}"
                )

    def _first_version(self, claimed: int) -> int:
        """Return the version that the first event seen of a stream must have."""
        if self._from_start or type(claimed) is not int or not 1 <= claimed <= self._position:
            return 1
        return claimed

    def _broken(self, why: str) -> Exception:
        """Blame the position that should come next."""
        return chain_broken(self._position, why)
