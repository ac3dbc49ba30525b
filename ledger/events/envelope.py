"""A recorded event as every room above storage sees it: typed header, stored body bytes.

The body stays bytes until a caller asks, because the bytes are what was hashed. `spec` names below
are those of the ledger format: header, body, salt.
"""

from typing import Any, NamedTuple

from ledger.errors import body_erased, event_unreadable
from ledger.events.canonical import CanonicalError, decode, encode


class Body(NamedTuple):
    """The five members of a body: who, why, what, for which request, in which run."""

    actor: str
    causation_position: int | None
    data: dict[str, Any]
    request_id: str | None
    run_id: str | None


class RecordedEvent(NamedTuple):
    """One event at its place. Times are microseconds since the epoch, hashes raw bytes.

    A tuple, because folds make millions of them; the members are in the order in which storage
    selects its columns. `body` decodes at each access: keep what you need of it.
    """

    position: int
    stream: str
    stream_version: int
    type: str
    recorded_at: int
    observed_at: int | None
    body_bytes: bytes | None
    salt: bytes | None
    body_hash: bytes
    prev_hash: bytes
    event_hash: bytes

    @property
    def body(self) -> Body:
        """Return the decoded body; BODY_ERASED if it is gone, EVENT_UNREADABLE if not canonical."""
        if self.body_bytes is None:
            raise body_erased(self.position)
        try:
            raw = decode(self.body_bytes)
        except CanonicalError as error:
            raise event_unreadable(self.position, str(error)) from error
        if not isinstance(raw, dict) or set(raw) != set(Body._fields):
            raise event_unreadable(self.position, "its body has other keys than the format's five")
        return Body(**raw)

    @property
    def data(self) -> dict[str, Any]:
        """Return what happened: the body's `data`."""
        return self.body.data


def encode_body(
    *,
    actor: str,
    data: object,
    causation_position: int | None = None,
    request_id: str | None = None,
    run_id: str | None = None,
) -> bytes:
    """Return the canonical bytes of a body."""
    return encode(
        {
            "actor": actor,
            "causation_position": causation_position,
            "data": data,
            "request_id": request_id,
            "run_id": run_id,
        }
    )
