"""What commands do is called from Python: with a client or a path in, a result or a failure out.

Method: a served ledger with a few events; each operation is called as a program would, without the
command line, and its result is compared with what the server says.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger.audit.rules  # noqa: F401 - registers the rules
from ledger.audit.registry import RULES
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.compliance.decisions import UNEXPLAINED
from ledger.compliance.facts import FactFilter
from ledger.compliance.inquiry import Inquiry
from ledger.compliance.questions import answer
from ledger.errors import LedgerError
from ledger.operations.audits import audit_log, record_audit
from ledger.operations.bundle_fetch import BundleDownload
from ledger.operations.compliance import (
    BundleExplainer,
    BundleFacts,
    ServerExplainer,
    ServerFacts,
    ServerLive,
    write_compliance,
)
from ledger.operations.erasure import preview, ranges_of
from ledger.operations.examination.examination import examine
from ledger.operations.failures import IntegrityFailure, MisuseError
from ledger.operations.publication import publish, stored_log
from ledger.operations.served_ledger import ServedLedger
from ledger.operations.submission import rows
from ledger.operations.submission.batches import SendOptions, Submission, prefix_of
from ledger.operations.trust import TrustAnchors, trusted
from ledger.operations.verification.files import check_bundle
from ledger.operations.verification.log import RULES_HELD, verify_log
from ledger.operations.verification.target import source_at, thing_at
from ledger.operations.verification.verdict import required
from ledger.operations.witness import witness_key, witness_server, witnessed_logs
from ledger.reading import STATE_BYTES_MAX
from ledger.setting_sections import Settings
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
        assert (found.thing, found.size) == (source.kind, signed.size)
        assert found.root == signed.root.hex()
        source.close()


def fetched(client: LedgerClient, out: Path) -> BundleDownload:
    fetch = BundleDownload(client, out, lambda _: None)
    fetch.fetch(fetch.follow(fetch.ask({"kind": "FULL"}, SystemClock()), ignored), ignored)
    return fetch


def ignored(*_: object) -> None:
    """Take no notice of how far it has come."""


def test_the_rules_that_a_verification_holds_mean_what_the_auditors_do() -> None:
    assert {name: RULES[name].meaning for name in RULES_HELD} == RULES_HELD


def test_a_bundle_is_fetched_and_verified(client: LedgerClient, tmp_path: Path) -> None:
    out = tmp_path / "bundle.tar"
    fetch, head = fetched(client, out), client.get_ledger().head_position
    given = trusted([client.get_checkpoint().verifier_key], None)
    verdict = required(check_bundle(fetch.archive, given))
    assert verdict.last_position == head - 1, "all but its own issue"
    fetch.keep()
    assert thing_at(str(out)) == "bundle"
    with pytest.raises(MisuseError, match="did not come with it"):
        check_bundle(out, TrustAnchors())
    out.write_bytes(out.read_bytes().replace(b'"fares"', b'"hares"', 1))
    with pytest.raises(IntegrityFailure, match="does not hold"):
        required(check_bundle(out, given))


def test_an_installation_is_examined(client: LedgerClient, served: Served, tmp_path: Path) -> None:
    place = str(tmp_path / "ledger.sqlite")
    checks = examine(Settings(), client, served.server.address, place)
    assert {"database", "server", f"chain of {ORIGIN}"} <= {check.name for check in checks}
    assert not [check for check in checks if check.state == "fail"]


def test_a_server_and_its_bundle_give_the_same_tables_and_answers(
    client: LedgerClient, tmp_path: Path
) -> None:
    client.evaluate(["fares"])
    fetched(client, tmp_path / "bundle.tar").keep()
    scope = FactFilter(model="fares")
    served = ServerFacts(client), ServerExplainer(client)
    kept = BundleFacts(tmp_path / "bundle.tar"), BundleExplainer()
    contents = []
    for source, explainer in (served, kept):
        folder = tmp_path / type(source).__name__
        files, _ = write_compliance(source, explainer, scope, folder, "csv")
        assert files.rows["decisions"] == 1
        contents.append((folder / "decisions.csv").read_bytes())
    assert contents[0] == contents[1]
    in_words, _ = write_compliance(kept[0], UNEXPLAINED, scope, tmp_path / "page", "html")
    assert in_words.rows == files.rows
    asked = Inquiry(model="fares", live=ServerLive(client))
    assert answer("why", served[0], asked).said == answer("why", kept[0], asked).said
    replayed = answer("replay", kept[0], asked)
    assert replayed.said[-1] == "Computed again on the server: IDENTICAL."
    with pytest.raises(MisuseError, match="cannot be written"):
        write_compliance(*served, scope, tmp_path / "bundle.tar", "csv")


def test_rows_of_a_file_are_submitted_once_and_accounted_for(
    client: LedgerClient, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(
        "model,signal,value,observed_at\n"
        + "".join(f"fares,log-loss,0.{n},2026-02-0{n}T00:00:00Z\n" for n in range(1, 4))
    )
    how = SendOptions(batch_size=2, request_prefix=prefix_of(file))
    for recorded, already in ((3, 0), (0, 3)):
        with rows.opened(file) as source:
            told = Submission(client, how).run(rows.read(source, "auto", file), ignored)
        assert (told.recorded, told.already) == (recorded, already)
    assert told.acknowledged == 3
    file.write_text("model,signal,value\nfares,log-loss,much\n")
    with rows.opened(file) as source, pytest.raises(MisuseError, match="row 1: value 'much'"):
        Submission(client, how).run(rows.read(source, "auto", file), ignored)


def test_an_audit_is_run_and_recorded(client: LedgerClient, tmp_path: Path) -> None:
    database, state = str(tmp_path / "ledger.sqlite"), tmp_path / "memory.json"
    given = trusted([client.get_checkpoint().verifier_key], None)
    source = source_at(database)
    report = audit_log(source, given, state=state, place=database)
    source.close()
    assert report.passed
    assert state.is_file(), "what was verified is remembered"
    recorded = record_audit(client, report)
    (event,) = client.list_events(after_position=recorded.position - 1)
    assert (event.type, event.data["root"]) == ("audit.completed.v2", report.root)
    with pytest.raises(MisuseError, match="--state"):
        audit_log(source_at(database), given, state=tmp_path)
    large = tmp_path / "large.json"
    with large.open("wb") as file:
        file.truncate(STATE_BYTES_MAX + 1)
    with pytest.raises(MisuseError, match=r"an audit: it has more than \d+ bytes\."):
        audit_log(source_at(database), given, state=large)


def test_what_an_erasure_would_take_is_seen_before_it(client: LedgerClient, tmp_path: Path) -> None:
    fetched(client, tmp_path / "bundle").keep()
    found = preview(client, ranges_of("1-3,900"))
    (export,) = client.list_exports()
    assert found.types.total() == 3
    assert (found.gone, found.bundles) == (0, [export.name.removeprefix("exports/")])
    assert not preview(client, ranges_of("900")).types
    with pytest.raises(MisuseError, match="does not ascend"):
        ranges_of("3,1")


def test_a_witness_is_started_from_its_folder_and_keeps_its_key(
    client: LedgerClient, tmp_path: Path
) -> None:
    logs, clock = witnessed_logs([client.get_checkpoint().verifier_key], None), SystemClock()
    assert list(logs) == [ORIGIN]
    server, key = witness_server(tmp_path / "w", "witness.example", logs, clock)
    with server:
        assert server.port > 0
    assert str(witness_key(tmp_path / "w", None, clock)) == str(key)
    (tmp_path / "w" / "witness.sqlite").unlink()
    with pytest.raises(LedgerError):
        witness_server(tmp_path / "w", None, logs, clock)
    with pytest.raises(MisuseError, match="No log is named"):
        witnessed_logs([], None)
