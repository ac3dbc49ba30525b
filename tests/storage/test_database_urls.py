"""No part of a password in a database's URL is shown, however the URL is written.

Method: the same password in every place and every wrong spelling; all that opens a database is
given the URL, and each error is looked at with all that caused it.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.audit.connection import connect
from ledger.clock import SystemClock
from ledger.database_url import has_password, refuse_malformed, shown
from ledger.errors import LedgerError
from ledger.operations import audits
from ledger.operations.trust import TrustAnchors
from ledger.service import Service
from ledger.storage import open_store
from projections.store import ProjectionStore
from tools.quiet import quiet

PARTS = ("sesame", "opennow")

WRITTEN = {
    "as it should be": "postgresql://ana:sesameopennow@127.0.0.1:1/l",
    "for SQLAlchemy": "postgresql+psycopg://ana:sesameopennow@127.0.0.1:1/l",
    "in short": "postgres://ana:sesameopennow@127.0.0.1:1/l",
    "escaped": "postgresql://ana:sesame%2Fopennow@127.0.0.1:1/l",
    "as a parameter": "postgresql://127.0.0.1:1/l?user=ana&password=sesameopennow",
    "of the key": "postgresql://127.0.0.1:1/l?sslmode=prefer&sslpassword=sesameopennow",
    "with a colon": "postgresql://ana:sesame:opennow@127.0.0.1:1/l",
    "of another database": "mysql://ana:sesameopennow@127.0.0.1:1/l",
}
MALFORMED = {
    "with an @": "postgresql://ana:sesame@opennow@127.0.0.1:1/l",
    "with a slash": "postgresql://ana:sesame/opennow@127.0.0.1:1/l",
    "with digits and a slash": "postgresql://ana:12/sesameopennow@127.0.0.1:1/l",
    "with a question mark": "postgresql://ana:sesame?opennow@127.0.0.1:1/l",
    "with digits and a question mark": "postgresql://ana:12?sesameopennow@127.0.0.1:1/l",
    "with a per cent sign": "postgresql://ana:sesame%opennow@127.0.0.1:1/l",
    "with a line end": "postgresql://ana:sesame\nopennow@127.0.0.1:1/l",
    "in the place of the port": "postgresql://ana:sesameopennow/l",
    "as a port": "postgresql://127.0.0.1:sesameopennow/l",
    "as a parameter with a per cent sign": "postgresql://127.0.0.1:1/l?password=sesame%opennow",
    "as a parameter with =": "postgresql://127.0.0.1:1/l?password=sesame=opennow",
    "as a parameter with &": "postgresql://127.0.0.1:1/l?password=sesame&opennow",
    "without //": "postgresql:ana:sesameopennow@127.0.0.1:1/l",
    "with one /": "postgresql:/ana:sesameopennow@127.0.0.1:1/l",
    "in the driver's own form": "host=127.0.0.1 port=1 password=sesameopennow",
}
HARMLESS = {
    "postgresql://ana@db.example:5432/ledger": "postgresql://ana@db.example:5432/ledger",
    "postgresql+psycopg://ana:@/l?host=/run/pg": "postgresql+psycopg://ana@/l?host=/run/pg",
    "postgresql://[::1]:5432/l?sslmode=verify-full": "postgresql://[::1]:5432/l?sslmode=verify-full",
    "postgresql://a:1,b:2/l": "postgresql://a:1,b:2/l",
    "/srv/a@b/ledger.sqlite": "/srv/a@b/ledger.sqlite",
    "sqlite:////srv/a:c@b/ledger.sqlite": "sqlite:////srv/a:c@b/ledger.sqlite",
    "postgres.sqlite": "postgres.sqlite",
}


def store_at(url: str) -> None:
    open_store(url, SystemClock())


def store_to_read(url: str) -> None:
    open_store(url, SystemClock(), read_only=True)


def service_at(url: str) -> None:
    Service(quiet(url))


def service_with_rows_at(url: str) -> None:
    Service(quiet("of another.sqlite", storage__projections=url))


OPENING: dict[str, Callable[[str], object]] = {
    "a store": store_at,
    "a store that reads": store_to_read,
    "an audit": connect,
    "read models": ProjectionStore,
    "a service": service_at,
    "a service with read models elsewhere": service_with_rows_at,
}


@pytest.mark.parametrize("written", [*WRITTEN.values(), *MALFORMED.values()])
def test_what_is_shown_of_a_url_has_no_part_of_its_password(written: str) -> None:
    if "://" in written:
        assert not any(part in shown(written) for part in PARTS)
    assert has_password(written) or "opennow/l" in written  # which would be a port


@pytest.mark.parametrize("opening", OPENING)
@pytest.mark.parametrize("written", [*WRITTEN, *MALFORMED])
def test_no_error_with_all_that_caused_it_has_a_part_of_the_password(
    opening: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each in words of its own
        OPENING[opening]((WRITTEN | MALFORMED)[written])
    said = "".join(traceback.format_exception(caught.value))
    assert not any(part in said for part in PARTS), said


@pytest.mark.parametrize("url", MALFORMED.values(), ids=[*MALFORMED])
def test_a_url_of_which_a_driver_would_show_a_part_is_refused_before(url: str) -> None:
    with pytest.raises(LedgerError) as caught:
        refuse_malformed(url)
    assert caught.value.metadata["field"] == "database"
    assert caught.value.remedy


@pytest.mark.parametrize("place", HARMLESS)
def test_a_place_without_a_secret_is_shown_as_it_is(place: str) -> None:
    refuse_malformed(place)
    assert shown(place) == HARMLESS[place]
    assert not has_password(place)


def test_an_audit_remembers_its_place_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Method: what an audit would note, if it were interrupted, is its `place`."""
    places: list[str] = []

    class Noted:
        def __init__(self, *_: object, place: str, **__: object) -> None:
            places.append(place)

        def run(self) -> None:
            """Audit nothing."""

    monkeypatch.setattr(audits, "Audit", Noted)
    source: Any = SimpleNamespace(kind="database")
    audits.audit_log(source, TrustAnchors(), place=WRITTEN["as it should be"])
    assert places == ["postgresql://ana@127.0.0.1:1/l"]
