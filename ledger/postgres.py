"""The settings of every connection to PostgreSQL, and the checks of each one before use.

A server's defaults may change under us (`ALTER SYSTEM`, `ALTER ROLE`, a fail-over), so nothing is
taken from them: time limits and durability are set in the session, and what a session cannot set is
looked at again on every connection, and in every transaction that writes the ledger. Read models
and auditor use the same limits. The driver is an extra and is not imported here.
"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, LiteralString

from ledger.errors import DATABASE_ERROR, LedgerError, Reason

if TYPE_CHECKING:
    import psycopg

# A writer that sleeps in its transaction holds the head's row: it is cut off before a writer that
# waits for the row gives up; both leave other servers without commits for 4 seconds at most.
WRITER_IDLE_MS: Final = 3_500
WRITER_LOCK_MS: Final = 4_000
_OTHER_IDLE_MS: Final = 10_000
_OTHER_LOCK_MS: Final = 10_000
_STATEMENT_MS: Final = 60_000  # also how long a commit waits for a standby that is gone

_CONNECT: Final[dict[str, str]] = {
    "client_encoding": "utf8",
    "connect_timeout": "4",
    "keepalives": "1",
    "keepalives_idle": "2",
    "keepalives_interval": "1",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
# The server's half: it notices a client whose machine is gone.
_SERVER_SIDE: Final[dict[str, str]] = {
    "tcp_keepalives_idle": "2",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
_DURABLE: Final = frozenset({"on", "remote_apply"})
_ENCODING: Final = "UTF8"
_READ_ONLY: Final = "25006"

# The store reports lost connections once and in words. Without a handler the driver's own lines
# would go to standard error.
logging.getLogger("psycopg").addHandler(logging.NullHandler())


class Purpose(Enum):
    """The purpose of a connection."""

    WRITES = "writes"
    READS = "reads"
    READ_MODELS = "read models"


@dataclass(frozen=True, slots=True)
class PostgresSession:
    """The state of a writing session; `pid` is that of the server's process."""

    pid: int
    synchronous_commit: str
    fsync: str
    full_page_writes: str
    read_only: str


LOOK: Final = (
    "SELECT pg_backend_pid(), current_setting('synchronous_commit'), current_setting('fsync'), "
    "current_setting('full_page_writes'), current_setting('transaction_read_only')"
)
"""One row, the members of `PostgresSession` in order."""


_REMEDIES: Final = {
    "certificate verify failed": "Name the file with the CA of its certificate as sslrootcert in "
    "the URL; if that is right, the certificate has expired.",
    "does not match host name": "Name the host in the URL as its certificate does.",
    "does not support SSL": "Have the server use TLS (ssl = on), or connect on its own machine.",
}
_REMEDY: Final = "Check that the server runs, and the URL, the user and its rights."


def remedy_of(why: str) -> str:
    """Return what to do about a connection that did not come about, by the driver's words."""
    return next((remedy for words, remedy in _REMEDIES.items() if words in why), _REMEDY)


def connect_args(stated: Collection[str] = ()) -> dict[str, str]:
    """Return how to connect: bounded waits on a host that is gone, and UTF-8.

    `stated`: what the operator's URL says already, which holds.
    """
    return {name: value for name, value in _CONNECT.items() if name not in stated}


def prepare_session(
    raw: "psycopg.Connection[Any]",
    use: Purpose,
    connect: "Callable[[], psycopg.Connection[Any]]",
) -> int:
    """Set a fresh connection's limits, and for the writer its durability; commits that.

    Set by statements, since a connection pooler refuses `options` at the start. `connect` opens
    one more connection. Returns the process that serves the session. STORE_UNAVAILABLE where
    sessions are shared, or the database does not store text as UTF-8. A connection that cannot be
    used is closed.
    """
    try:
        return _prepared(raw, use, connect)
    except BaseException:
        raw.close()
        raise


def _prepared(
    raw: "psycopg.Connection[Any]",
    use: Purpose,
    connect: "Callable[[], psycopg.Connection[Any]]",
) -> int:
    pid = _pid(raw)
    if pid != raw.info.backend_pid:  # between us and it is a pooler
        _refuse_shared_sessions(raw, pid, connect)
    settings = dict(_SERVER_SIDE)
    is_writer = use is Purpose.WRITES
    settings["lock_timeout"] = str(WRITER_LOCK_MS if is_writer else _OTHER_LOCK_MS)
    if use is Purpose.READS:  # no limit on statements: verifying a large ledger takes its time
        settings["default_transaction_read_only"] = "on"
    else:
        settings["statement_timeout"] = str(_STATEMENT_MS)
        idle = WRITER_IDLE_MS if is_writer else _OTHER_IDLE_MS
        settings["idle_in_transaction_session_timeout"] = str(idle)
    with raw.cursor() as cursor:
        if is_writer:  # set even if it is the default, which may change
            shown = _shown(cursor, "synchronous_commit")
            settings["synchronous_commit"] = shown if shown in _DURABLE else "on"
        calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        values = [part for pair in settings.items() for part in pair]
        cursor.execute(f"SELECT {calls}".encode(), values)
        encoding = _shown(cursor, "server_encoding")
    raw.commit()
    if encoding != _ENCODING:
        raise _refused(
            f"The database stores text as {encoding}; a ledger needs {_ENCODING}.",
            f"Make another one with CREATE DATABASE name ENCODING '{_ENCODING}' TEMPLATE "
            "template0, and name that.",
        )
    return pid


def _refuse_shared_sessions(
    raw: "psycopg.Connection[Any]",
    pid: int,
    connect: "Callable[[], psycopg.Connection[Any]]",
) -> None:
    """Refuse a pooler that gives two transactions of one client, or two clients, mixed sessions.

    A session that changes later is noticed by `check_session`.
    """
    with connect() as other:
        if _pid(raw) != pid or _pid(other) == pid:
            raise transaction_pooling()


def _pid(raw: "psycopg.Connection[Any]") -> int:
    """Return the server's process, in a transaction that ends at once."""
    with raw.cursor() as cursor:
        found = cursor.execute("SELECT pg_backend_pid()").fetchone()
    raw.commit()
    assert found is not None, "a SELECT without FROM has one row"
    return int(found[0])


def _shown(cursor: "psycopg.Cursor[Any]", name: LiteralString) -> str:
    found = cursor.execute(f"SHOW {name}").fetchone()
    assert found is not None, "SHOW has one row"
    return str(found[0])


def check_session(found: PostgresSession, pid: int) -> None:
    """Refuse a transaction whose commit would not be what it is taken for; `pid`: at connecting.

    STORE_UNAVAILABLE where the session is another one, cannot write, or would not be durable.
    """
    if found.pid != pid:
        raise transaction_pooling()
    if found.read_only != "off":
        raise LedgerError(
            Reason.STORE_UNAVAILABLE,
            "The database is read-only at the moment: it is a standby, or "
            "default_transaction_read_only is on.",
            remedy="Send the same request again. If this lasts, check the primary and the "
            "setting default_transaction_read_only.",
            retry_after_seconds=1.0,
            metadata={DATABASE_ERROR: _READ_ONLY},
        )
    durable = {
        "fsync": found.fsync == "on",
        "full_page_writes": found.full_page_writes == "on",
        "synchronous_commit": found.synchronous_commit in _DURABLE,
    }
    for name, is_durable in durable.items():
        if not is_durable:
            raise _refused(
                f"The PostgreSQL server has {name} = {getattr(found, name)}; an acknowledged "
                "event could be lost.",
                f"Set {name} = on.",
            )


def transaction_pooling() -> LedgerError:
    """Return the refusal of a pooler that hands one session from client to client."""
    return _refused(
        "Between this server and PostgreSQL is a connection pooler in transaction or statement "
        "mode, which gives a session's settings, LISTEN and prepared statements to other clients.",
        "Set pool_mode = session in PgBouncer for this database, or connect to PostgreSQL itself.",
    )


def _refused(what: str, remedy: str) -> LedgerError:
    return LedgerError(
        Reason.STORE_UNAVAILABLE, what, remedy=remedy, metadata={DATABASE_ERROR: "session"}
    )
