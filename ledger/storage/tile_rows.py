"""The tiles of the Merkle tree as rows: read by place, written where they have changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, text

from ledger.storage.database import damaged

_UPSERT: Final = text(
    "INSERT INTO tiles (ledger_id, level, number, hashes) "
    "VALUES (:ledger_id, :level, :number, :hashes) "
    "ON CONFLICT (ledger_id, level, number) DO UPDATE SET hashes = excluded.hashes"
)


def tile_query(ledger_id: int, wanted: Sequence[tuple[int, int]]) -> str:
    """Return the one statement that reads tiles by (level, index): a look-up for each.

    Joined in this order, because SQLite would rather walk along a whole ledger's tiles.
    """
    places = ", ".join(f"({level:d}, {index:d})" for level, index in wanted)
    return (
        f"WITH wanted (level, number) AS (VALUES {places}) "  # noqa: S608 - numbers
        "SELECT tiles.level, tiles.number, tiles.hashes FROM wanted CROSS JOIN tiles "
        f"WHERE tiles.ledger_id = {ledger_id:d} "
        "AND tiles.level = wanted.level AND tiles.number = wanted.number"
    )


def in_order(wanted: Sequence[tuple[int, int]], rows: Iterable[Any]) -> list[bytes]:
    """Return the hashes of tiles in the order asked for; CHAIN_BROKEN where one is missing."""
    found = {(level, index): hashes for level, index, hashes in rows}
    for level, index in wanted:
        if type(found.get((level, index))) is not bytes:
            raise damaged(f"tile {index} of level {level} of the Merkle tree is missing")
    return [found[place] for place in wanted]


def write_tiles(
    connection: Connection, ledger_id: int, changed: Mapping[tuple[int, int], bytes]
) -> None:
    """Store tiles that are new or have grown; a trigger refuses any other change."""
    if not changed:
        return
    rows = [
        {"ledger_id": ledger_id, "level": level, "number": index, "hashes": hashes}
        for (level, index), hashes in changed.items()
    ]
    connection.execute(_UPSERT, rows)
