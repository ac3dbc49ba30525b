"""Triggers: what each table refuses, on either database.

They stop mistakes. An attacker can drop them, and is found by the chain. Everything is
append-only, with four exceptions: the body and salt of an event may be erased together, a request
id may go once none of its events has a body left, the tile at the right edge of a tree may grow,
and a signing key may be sealed again under another master key.
"""

from typing import Final, NamedTuple

from sqlalchemy import Connection

from ledger.events.registry import KEPT_NAMES
from ledger.storage.schema import (
    checkpoints,
    cosignatures,
    events,
    requests,
    signing_keys,
    tiles,
)

_OTHER_COLUMNS: Final = [c.name for c in events.columns if c.name not in {"body", "salt"}]


class _Rule(NamedTuple):
    """When an edit of a table is let through, as SQL over OLD and NEW; empty for never."""

    table: str
    update: str = ""
    delete: str = ""


def create_triggers(connection: Connection, table: str = "") -> None:
    """Create all of them, on a database that has none, or those of one table that has none."""
    dialect = connection.dialect.name
    if dialect == "postgresql":
        connection.exec_driver_sql(_POSTGRES_REFUSE)
        connection.exec_driver_sql(_POSTGRES_REFUSE_REQUEST)
    for rule in _rules(dialect):
        if table not in ("", rule.table):
            continue
        for statement in _postgres(rule) if dialect == "postgresql" else _sqlite(rule):
            connection.exec_driver_sql(statement)


def _rules(dialect: str) -> list[_Rule]:
    """Return the rules in the words of a database."""
    same, starts, growing = (
        ("IS NOT DISTINCT FROM", "starts_with(OLD.type, '{}.v')", "substring(NEW.hashes, 1, {})")
        if dialect == "postgresql"
        else ("IS", "OLD.type GLOB '{}.v*'", "substr(NEW.hashes, 1, {})")
    )
    unchanged = [f"NEW.{name} {same} OLD.{name}" for name in _OTHER_COLUMNS]
    erasable = [f"NOT {starts.format(kept)}" for kept in sorted(KEPT_NAMES)]
    gone = ["OLD.body IS NOT NULL", "NEW.body IS NULL", "NEW.salt IS NULL"]
    place = [f"NEW.{name} = OLD.{name}" for name in ("ledger_id", "level", "number")]
    whose = [f"NEW.{name} = OLD.{name}" for name in ("ledger_id", "number", "vkey")]
    return [
        _Rule(events.name, update=" AND ".join(gone + unchanged + erasable)),
        _Rule(requests.name, delete=_REQUEST_GONE),
        _Rule(
            tiles.name,
            update=" AND ".join([*place, f"{growing.format('length(OLD.hashes)')} = OLD.hashes"]),
        ),
        _Rule(signing_keys.name, update=" AND ".join(whose)),
        *(_Rule(table.name) for table in (checkpoints, cosignatures)),
    ]


# A request without events of its own names no event that could be erased: it stays.
_REQUEST_GONE: Final = (
    "OLD.first_position <= OLD.last_position AND NOT EXISTS (SELECT 1 FROM events "
    "WHERE ledger_id = OLD.ledger_id AND body IS NOT NULL "
    "AND position BETWEEN OLD.first_position AND OLD.last_position)"
)

_POSTGRES_REFUSE: Final = """
CREATE OR REPLACE FUNCTION ledger_refuse_edit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the ledger is append-only: %% of %% refused', TG_OP, TG_TABLE_NAME; END $$
"""
# The condition of a trigger may not look at other tables, so this one looks for itself.
_POSTGRES_REFUSE_REQUEST: Final = f"""
CREATE OR REPLACE FUNCTION ledger_refuse_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF {_REQUEST_GONE} THEN RETURN OLD; END IF;
  RAISE EXCEPTION 'the ledger is append-only: %% of %% refused', TG_OP, TG_TABLE_NAME;
END $$
"""


def _sqlite(rule: _Rule) -> list[str]:
    """Return the statements for a table of SQLite."""
    return [
        f"CREATE TRIGGER {rule.table}_no_{action.lower()} BEFORE {action} ON {rule.table} "
        + (f"WHEN NOT coalesce({allowed}, 0) " if allowed else "")
        + f"BEGIN SELECT RAISE(ABORT, "
        f"'the ledger is append-only: {action} of {rule.table} refused'); END"
        for action, allowed in (("UPDATE", rule.update), ("DELETE", rule.delete))
    ]


def _postgres(rule: _Rule) -> list[str]:
    """Return the statements for a table of PostgreSQL."""
    made = []
    for action, each, allowed in (
        ("UPDATE", "ROW", rule.update),
        ("DELETE", "ROW", rule.delete),
        ("TRUNCATE", "STATEMENT", ""),
    ):
        condition, function = "", "ledger_refuse_edit"
        if allowed is _REQUEST_GONE:
            function = "ledger_refuse_request"
        elif allowed:
            condition = f"WHEN (NOT coalesce({allowed}, false)) "
        made.append(
            f"CREATE TRIGGER {rule.table}_no_{action.lower()} BEFORE {action} ON {rule.table} "
            f"FOR EACH {each} {condition}EXECUTE FUNCTION {function}()"
        )
    return made
