"""PostgreSQL as all engines of this process speak it; see `engines.py`."""

from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg


class PostgresDialect(PGDialect_psycopg):
    """A dialect that equals every other whose server said the same of itself."""

    supports_statement_cache = True

    @property
    def told(self) -> tuple[object, ...]:
        """Facts of the server that statements depend on; nothing before the first connection."""
        return self.server_version_info, self._backslash_escapes

    def __hash__(self) -> int:
        return hash(PostgresDialect)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresDialect) and self.told == other.told
