"""The questions that `events` asks of the table of events, built once.

Each names its index on SQLite, which has no statistics here and would walk the primary key, whose
cost grows with the ledger.
"""

from typing import Final

from sqlalchemy import bindparam, select, text

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
