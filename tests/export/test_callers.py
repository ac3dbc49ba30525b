"""A bundle says which of its callers were believed: by its events, or in its issuer's words.

Method: a ledger in memory with callers before and after its first administrator, one of them
without a credential; bundles of each kind of it, whose reports are rendered again.
"""

from pathlib import Path

import pytest

from ledger.authority.believed import UNSHOWN, BelievedCallers
from ledger.chain.keys import VerifierKey
from ledger.export.files import REPORT, BundleError, open_bundle
from ledger.export.scope import BundlePlan, Withholding
from ledger.export.verify import VerifiedBundle, verify_opened
from ledger.operations.verification.bundle_report import SAME, with_report
from tests.support.bundles import TIME, LedgerInMemory

NAMED, TRIED = 5, 7
"""Where the administrator is named, and where a caller without a credential is let in."""
BELIEVED = (
    "Callers of events up to position {} were believed, not authenticated: "
    "no administrator was named before."
)
WITHOUT = (
    "From position 7 on, some callers were believed without a credential, by "
    "`authentication.development`."
)
TRUE = BelievedCallers(NAMED, TRIED)


def named(made: LedgerInMemory) -> None:
    data = {"actor": "users/ana", "identities": [], "person": "staff-1", "reason": "She runs it."}
    made.add("administrator.named.v1", data, "authority/changes", actor="system/operator")


def used(made: LedgerInMemory, method: str) -> None:
    data = {
        "actor": "users/ana",
        "address": "127.0.0.1",
        "fingerprint": None if method == "development" else "00" * 32,
        "issuer": "",
        "method": method,
        "subject": "users/ana",
        "used_at": TIME,
    }
    made.add("credential.used.v1", data, "authority/credentials", actor="system/credentials")


@pytest.fixture
def made() -> LedgerInMemory:
    ledger = LedgerInMemory()
    ledger.observe("fares")
    ledger.observe("fares")
    named(ledger)
    used(ledger, "certificate")
    used(ledger, "development")
    ledger.observe("fares")
    ledger.seal()
    assert (ledger.type_of(NAMED), ledger.size) == ("administrator.named.v1", 9)
    return ledger


def written(
    made: LedgerInMemory,
    folder: Path,
    plan: BundlePlan | None = None,
    callers: BelievedCallers | None = None,
) -> VerifiedBundle:
    """Write a bundle and verify it; each sentence about callers is in its report too."""
    made.write(folder, plan, callers=callers)
    bundle = open_bundle(folder)
    found = with_report(bundle, verify_opened(bundle, [VerifierKey.parse(made.vkey)]))
    page = (folder / REPORT).read_text("utf-8")
    assert found.report_verdict == SAME
    assert all(sentence in page for sentence in found.callers)
    assert bool(found.callers) == ('<th scope="row">Callers</th>' in page)
    return found


def test_a_whole_bundle_shows_up_to_where_its_callers_were_believed(
    made: LedgerInMemory, tmp_path: Path
) -> None:
    assert written(made, tmp_path / "b").callers == (BELIEVED.format(NAMED - 1), WITHOUT)


def test_a_bundle_of_a_ledger_without_an_administrator_says_that_all_its_callers_were_believed(
    tmp_path: Path,
) -> None:
    ledger = LedgerInMemory()
    ledger.observe("fares")
    assert written(ledger, tmp_path / "b").callers == (BELIEVED.format(3),)


def test_a_bundle_of_a_ledger_that_began_with_an_administrator_says_nothing_of_believed_callers(
    tmp_path: Path,
) -> None:
    ledger = LedgerInMemory()
    named(ledger)
    used(ledger, "certificate")
    ledger.observe("fares")
    assert written(ledger, tmp_path / "b").callers == ()


def test_a_part_from_the_first_event_on_shows_it_by_itself(
    made: LedgerInMemory, tmp_path: Path
) -> None:
    found = written(made, tmp_path / "b", made.plan("range", last=4))
    assert found.callers == (BELIEVED.format(4),)


def test_a_part_that_does_not_hold_the_beginning_repeats_its_issuer_and_says_so(
    made: LedgerInMemory, tmp_path: Path
) -> None:
    part = made.plan("range", first=4, last=6)
    found = written(made, tmp_path / "a", part, TRUE)
    assert found.callers == (f"The issuer states: {BELIEVED.format(NAMED - 1)}",)
    assert f"{REPORT}: up to where callers were believed" in found.unsigned
    later = written(made, tmp_path / "b", made.plan("range", first=6), TRUE)
    assert later.callers == (f"The issuer states: {WITHOUT}",)


def test_a_stream_repeats_its_issuer(made: LedgerInMemory, tmp_path: Path) -> None:
    found = written(made, tmp_path / "b", made.plan("stream", stream="models/fares"), TRUE)
    assert [one.removeprefix("The issuer states: ") for one in found.callers] == [
        BELIEVED.format(NAMED - 1),
        WITHOUT,
    ]


@pytest.mark.parametrize("kind", ["range", "stream"])
def test_a_part_whose_issuer_states_nothing_says_that_it_is_not_shown(
    kind: str, made: LedgerInMemory, tmp_path: Path
) -> None:
    stream = "models/fares" if kind == "stream" else None
    found = written(made, tmp_path / "b", made.plan(kind, first=4, stream=stream))
    assert found.callers == (UNSHOWN,)


def test_where_uses_of_credentials_are_withheld_the_issuer_is_repeated(
    made: LedgerInMemory, tmp_path: Path
) -> None:
    hidden = Withholding(types=frozenset({"credential.used.v1"}), reason="addresses of people")
    found = written(made, tmp_path / "b", made.plan(withholding=hidden), TRUE)
    assert found.callers == tuple(
        f"The issuer states: {one}" for one in (BELIEVED.format(NAMED - 1), WITHOUT)
    )


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        (BelievedCallers(0, TRIED), f"position {NAMED} shows otherwise"),
        (BelievedCallers(NAMED + 1, TRIED), f"position {NAMED} shows otherwise"),
        (BelievedCallers(NAMED, 0), f"position {TRIED} shows otherwise"),
        (BelievedCallers(NAMED, TRIED + 1), f"position {TRIED} shows otherwise"),
        (BelievedCallers(NAMED - 1, TRIED), f"position {NAMED - 1} names no administrator"),
    ],
)
def test_an_issuer_who_denies_what_the_events_show_is_refused(
    stated: BelievedCallers, why: str, made: LedgerInMemory, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match=why):
        written(made, tmp_path / "b", made.plan("range", first=4), stated)


def test_an_event_of_a_later_release_shows_that_authority_is_in_force(
    made: LedgerInMemory, tmp_path: Path
) -> None:
    ledger = LedgerInMemory()
    ledger.observe("fares")
    ledger.add("administrator.named.v9", {"of": "a later release"}, "authority/changes")
    ledger.observe("fares")
    assert written(ledger, tmp_path / "b").callers == (BELIEVED.format(3),)
