"""The tiles of the Merkle tree as rows: read by place, written where they have changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Insert
from sqlalchemy.dialects import postgresql, sqlite

from ledger.storage.database import damaged
from ledger.storage.schema import tiles


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
    statement = _UPSERTS[connection.dialect.name]
    rows = [
        {"ledger_id": ledger_id, "level": level, "number": index, "hashes": hashes}
        for (level, index), hashes in changed.items()
    ]
    connection.execute(statement, rows)


def _upserts() -> dict[str, Insert]:
    """Return the statement of each database that inserts a tile or lets it grow."""
    key = [tiles.c.ledger_id, tiles.c.level, tiles.c.number]
    of_sqlite, of_postgres = sqlite.insert(tiles), postgresql.insert(tiles)
    return {
        "sqlite": of_sqlite.on_conflict_do_update(
            index_elements=key, set_={"hashes": of_sqlite.excluded.hashes}
        ),
        "postgresql": of_postgres.on_conflict_do_update(
            index_elements=key, set_={"hashes": of_postgres.excluded.hashes}
        ),
    }


_UPSERTS: Final = _upserts()
