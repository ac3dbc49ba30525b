"""Engines of SQLAlchemy, of which all to one kind of database compile a statement once.

SQLAlchemy keeps what it compiled for each engine alone. A process has several, for writing, reading
and read models, and a program that opens one database after another had compiled the same hundred
statements for each: a fifth of the time of a whole life in tests.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

_STATEMENTS_MAX: Final = 1_000  # many times what there is
_compiled: Final = LRUCache[Any, Any](_STATEMENTS_MAX)

# The name of a driver in a URL, and its class, which is imported where it is used.
registry.register("sqlite.ledger", __name__, "SqliteDialect")
registry.register("postgresql.ledger", "ledger.postgres_dialect", "PostgresDialect")


class _Compiler(SQLiteCompiler):
    """SQLAlchemy's compiler, plus the one hint that SQLite has: `INDEXED BY`."""

    def get_from_hint_text(self, table: object, text: str | None) -> str | None:  # noqa: ARG002
        """Return the hint as it is behind the table's name."""
        return text


class SqliteDialect(SQLiteDialect_pysqlite):
    """SQLite as all engines of this process speak it: what one compiled serves another."""

    supports_statement_cache = True
    statement_compiler = _Compiler

    def __hash__(self) -> int:
        return hash(SqliteDialect)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SqliteDialect)


def sqlite_engine(place: URL | None = None, **options: Any) -> Engine:  # noqa: ANN401 - as SQLAlchemy
    """Return an engine to a SQLite file; options are those of `create_engine`."""
    return _engine(place or URL.create("sqlite"), "sqlite+ledger", options)


def postgres_engine(place: URL, **options: Any) -> Engine:  # noqa: ANN401 - as SQLAlchemy
    """Return an engine to a PostgreSQL database; options are those of `create_engine`."""
    return _engine(place, "postgresql+ledger", options)


def _engine(place: URL, driver: str, options: Mapping[str, Any]) -> Engine:
    """Return an engine that shares what was compiled, and shows no values in its errors."""
    return create_engine(
        place.set(drivername=driver),
        execution_options={"compiled_cache": _compiled},
        hide_parameters=True,
        **options,
    )
