"""What commands do is called from Python: with a client or a path in, a result or a failure out.

Method: a served ledger with a few events; each operation is called as a program would, without the
command line, and its result is compared with what the server says.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.operations.bundle_fetch import Fetch
from ledger.operations.examination.examination import examine
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.publication import publish, stored_log
from ledger.operations.served_ledger import ServedLedger
from ledger.operations.trust import Trusted, trusted
from ledger.operations.verification.bundle import check_bundle
from ledger.operations.verification.log import verify_log
from ledger.operations.verification.thing import source_at, thing_at
from ledger.settings import Settings
from tests.support.served import ORIGIN, Served, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as server:
        server.prepare(("fares", "hotels"))
        yield server


@pytest.fixture
def client(served: Served) -> Iterator[LedgerClient]:
    with LedgerClient(served.server.address, ledger=ORIGIN, actor="users/ana") as made:
        yield made


def test_a_log_is_verified_whatever_holds_it(
    client: LedgerClient, served: Served, tmp_path: Path
) -> None:
    signed = client.get_checkpoint()
    database, given = str(tmp_path / "ledger.sqlite"), trusted([signed.verifier_key], None)
    with stored_log(database, ORIGIN, given) as log:
        assert publish(tmp_path / "tiles", log, lambda _: None).size == signed.size
    sources = [ServedLedger(client), source_at(database), source_at(str(tmp_path / "tiles"))]
    for source in sources:
        found = verify_log(source, given, kept=signed.note)
        assert (found.thing, found.size, found.root) == (source.kind, signed.size, signed.root)
        source.close()


def test_a_bundle_is_fetched_and_verified(client: LedgerClient, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar"
    fetch = Fetch(client, out, lambda _: None)
    export = fetch.follow(fetch.ask({"kind": "FULL"}, SystemClock()), lambda *_: None)
    fetch.fetch(export, lambda *_: None)
    given = trusted([client.get_checkpoint().verifier_key], None)
    assert check_bundle(fetch.archive, given).events == export.events_total
    fetch.keep()
    assert thing_at(str(out)) == "bundle"
    with pytest.raises(MisuseError, match="did not come with it"):
        check_bundle(out, Trusted())
    out.write_bytes(out.read_bytes().replace(b'"fares"', b'"hares"', 1))
    with pytest.raises(IntegrityFailure, match="does not verify"):
        check_bundle(out, given)


def test_an_installation_is_examined(client: LedgerClient, served: Served, tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.sqlite")
    checks = examine(Settings(), client, served.server.address, place)
    assert {"database", "server", f"chain of {ORIGIN}"} <= {check.name for check in checks}
    assert not [check for check in checks if check.state == "fail"]
