"""The writer's memory of a ledger between groups, and how it is brought up to date.

Another server may have appended meanwhile: then the head that is stored is another one than the
head remembered, and what was learnt before is renewed from the database.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, select

from ledger.chain.merkle import CompactRange
from ledger.chain.tiles import RightEdge
from ledger.storage.database import beyond_head, damaged
from ledger.storage.records import LedgerInfo
from ledger.storage.repeats import RecentIdentities
from ledger.storage.schema import events
from ledger.storage.tile_rows import in_order, tile_query

VERSIONS_MAX: Final = 200_000  # streams whose version a chain remembers; beyond it starts over
CATCH_UP_MAX: Final = 20_000  # events of other servers worth reading to keep the versions

_BEYOND: Final = select(func.min(events.c.position)).where(
    events.c.ledger_id == bindparam("ledger_id_"), events.c.position > bindparam("position_")
)
_NEWEST: Final = (
    select(events.c.stream_version)
    .where(
        events.c.ledger_id == bindparam("ledger_id_"),
        events.c.stream == bindparam("stream_"),
    )
    .order_by(events.c.stream_version.desc())
    .limit(1)
)


@dataclass(slots=True)
class Chain:
    """The writer's view of one ledger: its head, its tree, and the versions of recent streams."""

    info: LedgerInfo
    position: int
    event_hash: bytes
    recorded_at: int
    newest_observed_at: int | None
    edge: RightEdge
    versions: dict[str, int]
    recent: RecentIdentities = field(default_factory=RecentIdentities)

    def is_at(self, head: Any) -> bool:  # noqa: ANN401 - a row of `heads`
        """Return whether the stored head is the one remembered."""
        return bool((self.position, self.event_hash) == (head.position, head.event_hash))

    def learn_versions(
        self, connection: Connection, streams: Iterable[str], placed: Callable[[], set[str]]
    ) -> None:
        """Make sure that the version of every stream is known; 0 for a new stream.

        `placed` returns the streams whose remembered version is ahead of the stored one.
        """
        missing = {stream for stream in streams if stream not in self.versions}
        if not missing:
            return
        if len(self.versions) + len(missing) > VERSIONS_MAX:
            kept = {*placed(), *streams}
            self.versions = {name: at for name, at in self.versions.items() if name in kept}
        for name in sorted(missing):
            values = {"ledger_id_": self.info.ledger_id, "stream_": name}
            self.versions[name] = connection.execute(_NEWEST, values).scalar() or 0


def load_chain(
    connection: Connection,
    head: Any,  # noqa: ANN401 - a row of `heads`
    info: LedgerInfo,
    before: Chain | None,
) -> Chain:
    """Return a ledger as it is stored; CHAIN_BROKEN where head, tiles and events do not fit."""
    values = {"ledger_id_": head.ledger_id, "position_": head.position}
    beyond = connection.execute(_BEYOND, values).scalar()
    if beyond is not None:
        raise beyond_head(beyond, head.position)
    return Chain(
        info=info,
        position=head.position,
        event_hash=head.event_hash,
        recorded_at=head.recorded_at,
        newest_observed_at=head.newest_observed_at,
        edge=_edge(connection, head),
        versions=_versions_since(connection, info.ledger_id, head.position, before),
    )


def _edge(connection: Connection, head: Any) -> RightEdge:  # noqa: ANN401 - a row of `heads`
    try:
        tree = CompactRange.from_bytes(head.tree)
        return RightEdge.load(
            tree,
            lambda wanted: in_order(
                wanted, connection.exec_driver_sql(tile_query(head.ledger_id, wanted))
            ),
        )
    except ValueError as error:
        raise damaged(f"the Merkle tree cannot be continued: {error}") from error


def _versions_since(
    connection: Connection, ledger_id: int, position: int, before: Chain | None
) -> dict[str, int]:
    """Return the stream versions that still hold after other servers have appended."""
    if before is None or not before.position <= position <= before.position + CATCH_UP_MAX:
        return {}
    statement = (
        select(events.c.stream, func.max(events.c.stream_version))
        .where(events.c.ledger_id == ledger_id, events.c.position > before.position)
        .group_by(events.c.stream)
    )
    news = {row[0]: row[1] for row in connection.execute(statement)}
    return before.versions | news
