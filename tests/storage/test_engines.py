"""What one engine compiled serves every other of its kind, and none of another.

Method: count what is compiled while a ledger is opened and lives as it did before.
"""

import pytest
from sqlalchemy.sql.compiler import SQLCompiler

from ledger.engines import SqliteDialect
from ledger.postgres_dialect import PostgresDialect
from ledger.storage import Store
from tests.support.clocks import ManualClock
from tests.support.stores import ORIGIN, START, asking, begun, note


def live(url: str) -> Store:
    """Return a store that has appended and read, closed."""
    store = begun(url, ManualClock(START))
    store.requests.append(asking(note()))
    store.events.head(ORIGIN)
    store.close()
    return store


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_a_process_that_opens_a_ledger_again_compiles_no_statement_again(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []
    usual = SQLCompiler.__init__

    def counted(self: SQLCompiler, *args: object, **named: object) -> None:
        usual(self, *args, **named)  # type: ignore[arg-type]
        if self.cache_key is not None:  # the others make tables
            compiled.append(str(self))

    url = request.getfixturevalue(f"{kind}_url")
    live(url)
    live(url)  # opened where it is there already
    monkeypatch.setattr(SQLCompiler, "__init__", counted)
    live(url)
    assert compiled == []


def test_dialects_of_unlike_databases_are_unlike() -> None:
    one, other, third = (PostgresDialect() for _ in range(3))  # type: ignore[no-untyped-call]
    one.server_version_info = other.server_version_info = (18, 0)
    third.server_version_info = (13, 4)
    assert one == other
    assert hash(one) == hash(other)
    assert one != third
    assert SqliteDialect() == SqliteDialect()
    assert SqliteDialect() != one
