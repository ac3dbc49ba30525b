"""A live server as an audit's source: it is only asked for bytes, all checking is done here."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ledger.audit.absence import ranges_of
from ledger.audit.source import (
    HashPassResult,
    Opener,
    Row,
    SourceKind,
    SourceReport,
    UnreadableError,
    Withheld,
)
from ledger.chain.link import Link
from ledger.client.inputs import micros_of_datetime
from ledger.events.proving import BodyErased
from ledger.events.values import format_time

if TYPE_CHECKING:
    from ledger.client import LedgerClient
    from ledger.client.records import Event


def link_of(event: "Event") -> Link:
    """Return an event of the client as the chain sees it."""
    return Link(
        event.position,
        event.stream,
        event.stream_version,
        event.type,
        format_time(micros_of_datetime(event.recorded_at)),
        event.body or None,
        event.salt or None,
        event.body_hash,
        event.prev_hash,
        event.event_hash,
    )


class ServedLedger:
    """One ledger of a server, up to a checkpoint that it signs when the audit begins."""

    kind: SourceKind = "server"
    has_bodies = True
    withheld: tuple[Withheld, ...] = ()
    opener: Opener | None = None
    """Other processes would only ask the same server."""

    def __init__(self, client: "LedgerClient") -> None:
        """Have a checkpoint signed."""
        self._client = client
        signed = client.get_checkpoint()
        self.origin, self.size = signed.origin, signed.size
        self._notes = [
            (one.size, one.note) for one in client.list_checkpoints() if one.size <= self.size
        ]

    def rows(self, after: int, until: int) -> Iterator[Row]:
        """Yield the events as rows, page after page."""
        position = after
        for event in self._client.list_events(after_position=after, until_position=until):
            position += 1
            link = link_of(event)
            yield (*link[:4], micros_of_datetime(event.recorded_at), *link[5:])
        if position < until:
            raise UnreadableError(position + 1, "the server gave fewer events than it signed")

    def sizes(self, after: int, until: int) -> list[int]:
        """Return the sizes of the kept checkpoints."""
        return [size for size, _ in self._notes if after < size <= until]

    def notes(self, after: int) -> Iterator[tuple[int, str]]:
        """Yield the kept checkpoints with their cosignatures."""
        return ((size, note) for size, note in self._notes if size > after)

    def tiles(self, level: int, first: int, last: int) -> None:
        """Return None: a server hands out proofs, not tiles."""

    def erased_later(self) -> list[tuple[int, int]]:
        """Return what was erased since."""
        later = self._client.list_events(after_position=self.size, types=[BodyErased.TYPE])
        return [pair for event in later for pair in ranges_of(event.body)]

    def examine(self, hashed: HashPassResult) -> SourceReport:  # noqa: ARG002 - a server shows nothing else
        """Return nothing: there is nothing beside the events."""
        return SourceReport()

    def close(self) -> None:
        """Do nothing: the session closes its client."""
