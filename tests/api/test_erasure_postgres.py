"""Erasure on PostgreSQL: goal: no live row of any table holds the text after the call returned.

Method: as on SQLite, one unusual text is put into everything that takes text and then erased; every
row of every table is searched, in text and in bytes. What PostgreSQL itself keeps of dead rows, in
pages, write-ahead log and backups, is the operator's business: the README says for how long.
"""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.api.test_erasure import (
    AUTHORITY,
    GROUND,
    SECRET,
    WHO,
    client,
    everything_answered,
    exported,
    files_holding,
    positions_holding,
    settle,
    tell,
)
from tests.support.served import OFFICER, serving

pytestmark = pytest.mark.postgres


def tables_holding(url: str, text: str) -> list[str]:
    """Return the tables with a row that holds a text, as text or as bytes."""
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        tables = connection.execute(
            "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
        ).fetchall()
        found = []
        for (table,) in tables:
            rows = connection.execute(
                f"SELECT count(*) FROM {table} AS t "
                "WHERE position(%s in t::text) > 0 OR position(%s in t::text) > 0",
                (text, text.encode().hex()),
            ).fetchone()
            if rows is not None and rows[0]:
                found.append(table)
        return found


def test_no_live_row_of_any_table_holds_the_text(postgres_url: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "storage__database": postgres_url,
        "keys__secret": "00" * 32,
        "exports__folder": str(tmp_path),
        "operators__actors": WHO,
    }
    with serving(tmp_path, service__evaluate=True, **options) as served:
        served.create()
        tell(served)
        with client(served, f"users/{SECRET}") as ann:
            exported(served, ann, purpose=SECRET)
        with client(served, OFFICER) as officer:
            assert set(tables_holding(postgres_url, SECRET)) == {
                "events",
                "projection_rows",
                "requests",
            }
            officer.erase_bodies(
                positions_holding(served, SECRET), ground=GROUND, authority=AUTHORITY
            )
            assert tables_holding(postgres_url, SECRET) == []
            assert files_holding(tmp_path, SECRET) == []
            settle(served)
            assert SECRET not in everything_answered(officer)
    assert tables_holding(postgres_url, SECRET) == []
