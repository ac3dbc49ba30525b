"""The questions that `events` asks of the table of events, built once.

Each names its index on SQLite, which has no statistics here and would walk the primary key, whose
cost grows with the ledger.
"""

from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, func, select, text

from ledger.storage.database import EVENT_COLUMNS
from ledger.storage.schema import events, heads, is_of_run

EVENT: Final = select(*(events.c[name] for name in EVENT_COLUMNS if name != "ledger_id"))
RAW_COLUMNS: Final = ", ".join(column.name for column in EVENT.selected_columns)
BY_STREAM_TYPE: Final = EVENT.with_hint(events, "INDEXED BY events_stream_type", "sqlite")
BY_TYPE: Final = EVENT.with_hint(events, "INDEXED BY events_type", "sqlite")
BY_RUN: Final = EVENT.with_hint(events, "INDEXED BY events_run", "sqlite").where(is_of_run)
BY_OBSERVED: Final = EVENT.with_hint(events, "INDEXED BY events_observed", "sqlite")
HEAD: Final = select(
    heads.c.position,
    heads.c.event_hash,
    heads.c.recorded_at,
    heads.c.newest_observed_at,
    heads.c.tree,
    heads.c.seal,
).where(heads.c.ledger_id == bindparam("ledger_id_"))
AT: Final = EVENT.where(
    events.c.ledger_id == bindparam("ledger_id_"), events.c.position == bindparam("position_")
)
NEWEST_OF_STREAM: Final = (  # by the index of versions, which ascend with positions
    select(events.c.position, events.c.stream_version)
    .where(events.c.ledger_id == bindparam("ledger_id_"), events.c.stream == bindparam("stream_"))
    .order_by(events.c.stream_version.desc())
    .limit(1)
)
NEWEST_STREAMS: Final = (  # of one type, never observations, which the index leaves out
    select(events.c.stream)
    .where(events.c.ledger_id == bindparam("ledger_id_"), events.c.type == bindparam("type_"))
    .where(events.c.observed_at.is_(None))
    .order_by(events.c.position.desc())
    .limit(bindparam("limit_"))
)
TYPES_OF: Final = text(
    """
    WITH RECURSIVE found(type) AS (
        SELECT min(type) FROM events
        WHERE ledger_id = :ledger_id AND stream = :stream AND observed_at IS NULL
      UNION ALL
        SELECT (
            SELECT min(type) FROM events
            WHERE ledger_id = :ledger_id AND stream = :stream AND observed_at IS NULL
              AND type > found.type
        ) FROM found WHERE found.type IS NOT NULL
    )
    SELECT found.type FROM found WHERE found.type IS NOT NULL
    """
)


class Shape(NamedTuple):
    """The form of a question for events of some types; its values are bound when it is asked."""

    of_stream: bool
    of_many: bool
    """Whether of several types at once, as `types_`; else of one, as `type_`."""
    has_end: bool
    is_ordered: bool
    is_descending: bool
    has_limit: bool


@cache
def of_types(shape: Shape) -> Select[Any]:
    """Return the question for events of some types; to build one takes longer than to ask it."""
    statement = (BY_STREAM_TYPE if shape.of_stream else BY_TYPE).where(
        *_of_types(of_stream=shape.of_stream, of_many=shape.of_many),
        events.c.position > bindparam("after_"),
    )
    if shape.has_end:
        statement = statement.where(events.c.position <= bindparam("end_"))
    if shape.is_ordered:
        position = events.c.position
        statement = statement.order_by(position.desc() if shape.is_descending else position)
    return statement.limit(bindparam("limit_")) if shape.has_limit else statement


@cache
def count_of_types() -> Select[Any]:
    """Return the question for how many events of some types a stream has."""
    return (
        select(func.count())
        .select_from(events)
        .with_hint(events, "INDEXED BY events_stream_type", "sqlite")
        .where(*_of_types(of_stream=True, of_many=True))
    )


@cache
def newest_of_types(*, of_stream: bool) -> Select[Any]:
    """Return the question for the newest position of some types, in one stream or in all."""
    index = "INDEXED BY events_stream_type" if of_stream else "INDEXED BY events_type"
    statement = select(func.max(events.c.position)).with_hint(events, index, "sqlite")
    return statement.where(*_of_types(of_stream=of_stream, of_many=True))


def _of_types(*, of_stream: bool, of_many: bool) -> list[ColumnElement[bool]]:
    """Return the conditions of events of some types, by the index that leaves observations out."""
    many = events.c.type.in_(bindparam("types_", expanding=True))
    found = [
        events.c.ledger_id == bindparam("ledger_id_"),
        events.c.observed_at.is_(None),
        many if of_many else events.c.type == bindparam("type_"),
    ]
    if of_stream:
        found.append(events.c.stream == bindparam("stream_"))
    return found
