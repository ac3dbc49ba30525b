"""A service's account holds its ledger to what it recorded: what is missing is named.

Method: a served ledger that ended in order is put on paper; as a key holder would, take out what
the service recorded by itself, with its account rewritten or not, and write everything again.
"""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from ledger.application.signing.schedule import SEALER
from ledger.events.access import ACCESS_KINDS
from tests.application.test_accounts import session
from tests.audit.left_out import account
from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, SCORE, audit_of
from tests.support.live_fleet import ORIGIN, Observed

ACCOUNT = "service.accounted.v3"
DUE = "scores.due"
READS: dict[str, Any] = {"access__seconds": 3_600.0, "access__recorded": ACCESS_KINDS}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    """A ledger whose service evaluated, sealed, counted refusals and reads and ended in order."""
    folder = tmp_path_factory.mktemp("served")
    with session(folder, Observed(), **READS) as served:
        with served.client() as client:
            assert client.get_ledger().origin == ORIGIN
            assert len(list(client.using(purpose="audit").list_events(until_position=2))) == 2
        seals = served.service.ledger(ORIGIN).attestation.seals
        assert seals.seal_if_new(SEALER, seals.newest())
    paper = Paper.copied(folder / "ledger.sqlite", ORIGIN)
    # The seal is of the ledger's own first event, whose key is another one on paper.
    seal = paper.find("streams.sealed.v1")[-1]
    paper.at(seal).data["root"] = root_on_paper(paper, folder)
    assert findings(paper, folder) == []
    return paper


def root_on_paper(paper: Paper, folder: Path) -> str:
    """Return the root that the audit expects of the newest seal."""
    (found,) = audit_of(paper, folder).findings
    return found.what.rpartition(" ")[2]


def findings(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [
        (one.rule, one.position) for one in audit_of(paper, folder).findings if one.rule != "seals"
    ]


def scored(paper: Paper, model: str = "") -> list[int]:
    """Return where scores and decisions are, of one model or of all."""
    return sorted(
        at
        for type_ in (SCORE, DECISION)
        for at in paper.find(type_)
        if not model or paper.at(at).stream == f"models/{model}"
    )


def lie(paper: Paper) -> None:
    """Have the account count what is left, as a key holder can."""
    data = paper.at(paper.find(ACCOUNT)[0]).data
    data["scores"], data["decisions"] = len(paper.find(SCORE)), len(paper.find(DECISION))


@pytest.mark.parametrize("model", ["", "m0", "m3"])
@pytest.mark.parametrize("is_account_rewritten", [False, True])
def test_no_scores_can_be_left_out_of_what_a_service_accounts_for(
    served: Paper, tmp_path: Path, model: str, *, is_account_rewritten: bool
) -> None:
    paper = deepcopy(served)
    paper.remove(*scored(paper, model))
    if is_account_rewritten:
        lie(paper)
    found = findings(paper, tmp_path)
    assert {rule for rule, _ in found} == {DUE}
    assert (DUE, paper.find(ACCOUNT)[0]) in found or is_account_rewritten


def test_the_newest_score_and_its_decision_cannot_be_left_out(
    served: Paper, tmp_path: Path
) -> None:
    paper = deepcopy(served)
    places = scored(paper)
    paper.remove(*places[-2:])
    lie(paper)
    assert {rule for rule, _ in findings(paper, tmp_path)} == {DUE}
    text = audit_of(paper, tmp_path).text()
    assert "while account 1 of service" in text
    assert "scored again and again" not in text


@pytest.mark.parametrize(
    ("type_", "rule"),
    [
        ("streams.sealed.v1", "seals.due"),
        ("requests.refused.v2", "refusals.due"),
        ("reads.counted.v1", "accesses.due"),
        ("access.recorded.v1", "accesses.due"),
    ],
)
def test_no_seal_no_count_and_no_access_can_be_left_out(
    served: Paper, tmp_path: Path, type_: str, rule: str
) -> None:
    paper = deepcopy(served)
    paper.remove(*paper.find(type_))
    assert findings(paper, tmp_path) == [(rule, paper.find(ACCOUNT)[0])]


def test_without_the_account_too_there_is_a_gap_in_the_report(
    served: Paper, tmp_path: Path
) -> None:
    paper = deepcopy(served)
    paper.remove(*scored(paper), *paper.find(ACCOUNT))
    report = audit_of(paper, tmp_path)
    assert {one.rule for one in report.findings} <= {"seals"}
    gap = next(remark for remark in report.remarks if remark.startswith("Gap"))
    assert "no service that evaluates accounts for positions" in gap
    assert gap in report.text()


def test_a_seal_that_did_not_come_in_its_interval_is_missed_whatever_is_counted(
    paper: Paper, tmp_path: Path
) -> None:
    places = [
        account(paper, number, ran_seconds=number * 3_600, seal_seconds=3_600)
        for number in range(1, 5)
    ]
    # It is due by the third, which may come right after an outage; so the fourth misses it.
    assert findings(paper, tmp_path) == [("seals.due", places[3])]
    paper.remove(places[3])
    assert findings(paper, tmp_path) == []


def test_a_seal_is_not_missed_by_a_service_that_seals_seldom_or_on_demand(
    paper: Paper, tmp_path: Path
) -> None:
    for number, every in enumerate((0, 0, 86_400, 86_400, 86_400), 1):
        account(paper, number, ran_seconds=number * 3_600, seal_seconds=every)
    assert findings(paper, tmp_path) == []
