"""A log that can sign any history it likes, and what it asks of witnesses."""

import http.client
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ledger.chain.checkpoint import CheckpointBody
from ledger.chain.checkpoint import parse as parse_checkpoint
from ledger.chain.checkpoint import sign as sign_checkpoint
from ledger.chain.keys import SecretKey
from ledger.chain.link import Digest
from ledger.chain.merkle import (
    HashReader,
    leaf_hash,
    memory_reader,
    prove_consistency,
    root_of,
)
from ledger.chain.note import parse as parse_note
from ledger.chain.witness import encode_request

ORIGIN = "ledger.example.com/test"
LOG_KEY = SecretKey(ORIGIN, bytes(range(1, 33)))
WITNESS_NAME = "witness.example.com"
NOW_SECONDS = 1_767_225_600
REQUEST_SECONDS = 60.0


@dataclass(frozen=True)
class History:
    """One history of the log's leaves; the log's key signs every head of it that is asked for."""

    leaves: Sequence[Digest]
    _notes: dict[int, bytes] = field(default_factory=dict, compare=False)

    @cached_property
    def _read(self) -> HashReader:
        return memory_reader(self.leaves)

    def head(self, size: int) -> CheckpointBody:
        return parse_checkpoint(parse_note(self.note(size)).text)

    def note(self, size: int) -> bytes:
        if size not in self._notes:
            head = CheckpointBody(ORIGIN, size, root_of(self.leaves[:size]))
            self._notes[size] = sign_checkpoint(head, [LOG_KEY])
        return self._notes[size]

    def proof(self, old: int, size: int) -> list[Digest]:
        return prove_consistency(old, size, self._read) if 0 < old <= size else []

    def request(self, old: int, size: int) -> bytes:
        """Return an honest request to go from one head of this history to another."""
        return encode_request(old, self.proof(old, size), self.note(size))


def history(size: int, *, fork_at: int | None = None, salt: str = "") -> History:
    """Return a history of so many leaves, which parts from the honest one at `fork_at`."""
    return History(
        [
            leaf_hash(f"{n}{salt if fork_at is not None and n >= fork_at else ''}".encode())
            for n in range(size)
        ]
    )


def ask(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, str, bytes]:
    """Return status, content type and body of what a witness on loopback answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.headers.get("Content-Type", ""), response.read()
    finally:
        connection.close()
