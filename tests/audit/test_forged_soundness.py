"""What the linter refuses of a policy/2 is refused in the log too, where it was forced around it.

Method: a `wall` ledger of people with roles, two sources of one signal, and an honest version. The
same document is drafted again, spoilt in one way, as somebody with database and key could do it.
"""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.application.commands import Caller
from ledger.application.fleet.definitions import Definitions
from ledger.audit.report import Report
from ledger.errors import LedgerError, Reason
from tests.audit.paper import Paper
from tests.audit.test_absence import erase
from tests.audit.test_forged_governance import AUTHOR, PAT, ROOT
from tests.audit.test_forgeries import audit_of
from tests.audit.unauthorised import show
from tests.audit.ungoverned import activate, draft, submit, version_of
from tests.governance.test_approvals import check_audit
from tests.support import staffed
from tests.support.staffed import APPROVER, Governed, governed, governed_text
from tests.support.world import ORIGIN, START

Document = dict[str, Any]
Change = Callable[[Document], object]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Paper:
    path = tmp_path_factory.mktemp("sound") / "ledger.db"
    world = governed(path, (APPROVER, 1))
    world.grant("users/pat", "model-owner")
    world.register("m1")
    world.deploy("m1", "v1")
    for source in ("a", "b"):
        world.see("m1", 0.4, START, caller=Caller(f"services/{source}"))
    world.drafted(governed_text((APPROVER, 1), title="Second"))
    world.close()
    return Paper.copied(path, ORIGIN)


@pytest.fixture
def paper(written: Paper) -> Paper:
    """The same, for one test; everybody has shown who they are."""
    paper = deepcopy(written)
    for actor in (AUTHOR, PAT, ROOT):
        show(paper, actor)
    return paper


def findings(report: Report) -> list[tuple[str, int]]:
    """Return what the report refuses, without what the gate would have refused to the fleet."""
    of_the_gate = {"authority.shown", "authority.rights"}
    return [(one.rule, one.position) for one in report.findings if one.rule not in of_the_gate]


def said(report: Report) -> str:
    """Return what is said of the one document that is wrong."""
    (found,) = (one for one in report.findings if one.rule.startswith("policies."))
    return found.what


def signal(**members: object) -> Change:
    return lambda document: document["scoring"]["signals"][0].update(members)


def rule(*, otherwise: str | None = None, **members: object) -> Change:
    def change(document: Document) -> None:
        first = {
            "id": "one", "when": "priority >= 400000", "hold": None, "action": "INVESTIGATE",
            "tier": "none", "rationale": "x",
        } | members  # fmt: skip
        document["decision"]["rules"] = [first]
        if otherwise is not None:
            document["decision"]["rules"].append(first | {"id": "two", "when": otherwise})

    return change


def decision(**members: object) -> Change:
    return lambda document: document["decision"].update(members)


def evaluation(**members: object) -> Change:
    return lambda document: document["evaluation"].update(members)


def quota(**members: object) -> Change:
    def change(document: Document) -> None:
        document["scoring"]["kernel"] = "bucketed/2"
        signal(source_cap=10, **members)(document)

    return change


def tiers(*named: tuple[str, str]) -> Change:
    made = [{"name": a, "route": "", "acknowledge_hours": 1, "next": b} for a, b in named]

    def change(document: Document) -> None:
        rule()(document)
        decision(otherwise_tier="none", error_tier="none")(document)
        document["tiers"] = made

    return change


def approvals(*asked: tuple[str, int]) -> Change:
    made = [{"role": role, "count": count} for role, count in asked]
    return lambda document: document["governance"].update(approvals=made)


def jobs(gate: str = "training", when: str = "attempt < 3", count: int = 1) -> Change:
    asked = {
        "budget": "optional", "candidate_test": "required", "margin_ppm": None,
        "deployments": "any",
        "approvals": [{"role": "model-owner", "count": count}],
        "criteria": [{"gate": gate, "name": "one", "when": when, "rationale": "x"}],
    }  # fmt: skip
    return lambda document: document.update(jobs=asked)


UNSOUND: Final[dict[str, tuple[str, Change]]] = {
    "a breach at nothing": ("BREACH_ZERO", signal(breach_ppm=0)),
    "sustained by nothing": ("SUSTAIN_ZERO", signal(sustain_ppm=0)),
    "more buckets than there are": ("MIN_BUCKETS_BEYOND_WINDOW", signal(min_buckets=500)),
    "a quota that limits nothing": ("SOURCE_CAP_IDLE", quota(sources_needed=1)),
    "a quota that one can buy": ("SOURCE_ALONE_SUSTAINS", quota(sources_needed=2, breach_ppm=1)),
    "a rule that is never true": ("RULE_NEVER_TRUE", rule(when="priority > 1000000")),
    "a rule that fails": ("CONDITION_FAILS", rule(when="priority / 0 > 1")),
    "a rule twice": ("RULE_TWICE", rule(otherwise="priority >= 400000")),
    "a rule behind another": ("RULE_UNREACHABLE", rule(otherwise="priority >= 500000")),
    "a rule that always retrains": (
        "RETRAINS_ALWAYS", rule(when="priority >= 0", action="SCHEDULE_RETRAINING"),
    ),
    "retraining wherever no rule decides": (
        "RETRAINS_ALWAYS", decision(otherwise_action="SCHEDULE_RETRAINING"),
    ),
    "a hold that asks for more": ("HOLD_NARROWER", rule(hold="priority >= 500000")),
    "a hold that never holds": ("HOLD_NEVER_TRUE", rule(hold="priority < 0")),
    "a cool-down beyond the window": ("COOL_DOWN_BEYOND_WINDOW", decision(cool_down_hours=9_999)),
    "a priority that never moves": ("PRIORITY_NEVER_MOVES", decision(max_priority_step=0)),
    "an interval beyond the window": (
        "INTERVAL_BEYOND_WINDOW", evaluation(interval_seconds=3 * 10**6, silence_seconds=3 * 10**6),
    ),
    "a silence below the interval": (
        "SILENCE_BELOW_INTERVAL", evaluation(interval_seconds=60, silence_seconds=59),
    ),
    "a silence of two years": ("SPAN_TOO_LONG", evaluation(silence_seconds=732 * 86_400)),
    "a weight without a reason": (
        "RATIONALE_MISSING", signal(rationale={"weight": " ", "thresholds": "x"}),
    ),
    "thresholds without a reason": (
        "RATIONALE_MISSING", signal(rationale={"weight": "x", "thresholds": ""}),
    ),
    "a rule without a reason": ("RATIONALE_MISSING", rule(rationale="")),
    "a tier that nobody declared": ("TIER_UNDECLARED", decision(error_tier="board")),
    "tiers in a circle": ("TIER_CYCLE", tiers(("a", "b"), ("b", "a"))),
    "a tier twice": ("NAME_TWICE", tiers(("a", "none"), ("a", "none"))),
    "a criterion at no gate": ("CRITERION_MISPLACED", jobs(gate="approval")),
    "a criterion that reads nothing": ("CRITERION_CONSTANT", jobs(when="1 < 2")),
    "a criterion that fails": ("CONDITION_FAILS", jobs(when="attempt / 0 > 1")),
    "a criterion that is none": ("EXPRESSION_INVALID", jobs(when="attempts < 3")),
}  # fmt: skip


@pytest.mark.parametrize("how", UNSOUND)
def test_a_document_that_cannot_do_what_it_is_for_is_found_where_it_is_drafted(
    paper: Paper, tmp_path: Path, how: str
) -> None:
    code, change = UNSOUND[how]
    position = draft(paper, change, actor=AUTHOR)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.sound", position)], report.text()
    assert f"({code})" in said(report)


def unknown(document: Document) -> None:
    signal(signal="los")(document)
    rule(when="priority >= 400000")(document)


def swapped(document: Document) -> None:
    first = document["scoring"]["signals"][0]
    first["baseline"], first["critical"] = first["critical"], first["baseline"]


GROUNDLESS: Final[dict[str, tuple[str, Change]]] = {
    "a signal that nobody defined": ("SIGNAL_UNKNOWN", unknown),
    "limits the wrong way round": ("THRESHOLD_SIDE", swapped),
    "a source that does not exist": ("SOURCES_TOO_FEW", signal(sources_needed=3)),
    "a role that does not exist": ("ROLE_UNKNOWN", approvals(("pope", 1))),
    "approvals that nobody can give": ("APPROVERS_TOO_FEW", approvals((APPROVER, 9))),
    "approvals of jobs that nobody can give": ("APPROVERS_TOO_FEW", jobs(count=9)),
    "approvals by who may not approve": (
        "APPROVERS_TOO_FEW", approvals(("data-protection-officer", 1)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", GROUNDLESS)
def test_a_document_for_which_the_ledger_lacks_something_is_found_where_it_is_drafted(
    paper: Paper, tmp_path: Path, how: str
) -> None:
    code, change = GROUNDLESS[how]
    position = draft(paper, change, actor=AUTHOR)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [("policies.grounds", position)], report.text()
    assert f"({code})" in said(report)


def test_a_step_of_such_a_version_and_its_activation_are_found_too(
    paper: Paper, tmp_path: Path
) -> None:
    drafted = draft(paper, signal(sources_needed=3), actor=AUTHOR)
    submitted = submit(paper, AUTHOR, version_of(paper, version=3))
    report = audit_of(paper, tmp_path)
    expected = [("policies.grounds", drafted), ("policies.grounds", submitted)]
    assert findings(report) == expected, report.text()
    named = version_of(paper, version=3)
    (first,) = paper.find("policy.activated.v1")
    enforced = activate(paper, PAT, named, first)
    again = audit_of(paper, tmp_path)
    assert ("policies.grounds", enforced) in findings(again), again.text()


def test_what_the_ledger_has_for_it_is_no_finding(paper: Paper, tmp_path: Path) -> None:
    draft(paper, signal(sources_needed=2), actor=AUTHOR)
    draft(paper, jobs(), actor=AUTHOR)
    draft(paper, approvals((APPROVER, 4)), actor=AUTHOR)
    report = audit_of(paper, tmp_path)
    assert findings(report) == [], report.text()


def test_sources_are_not_missed_where_an_observation_is_gone(paper: Paper, tmp_path: Path) -> None:
    erase(paper, paper.find("signal.observed.v1")[0], actor=ROOT)
    position = draft(paper, signal(sources_needed=3), actor=AUTHOR)
    report = audit_of(paper, tmp_path)
    assert ("policies.grounds", position) not in findings(report), report.text()


def test_a_role_that_is_withdrawn_after_the_draft_makes_no_finding(tmp_path: Path) -> None:
    world = governed(tmp_path / "ledger.db", (APPROVER, 1))
    granted = world.grant("users/dpo", APPROVER)
    world.drafted(governed_text((APPROVER, 5), title="Second"))
    world.ungrant(granted)
    check_audit(world)


def test_a_role_that_is_withdrawn_while_the_service_decides_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world: Governed = governed(tmp_path / "ledger.db", (APPROVER, 1))
    granted, linted = [world.grant("users/dpo", APPROVER)], Definitions.linted

    def a_moment_before(self: Definitions, text: str) -> Any:  # noqa: ANN401
        made = linted(self, text)
        if granted:
            world.ungrant(granted.pop())
        return made

    monkeypatch.setattr(Definitions, "linted", a_moment_before)
    with pytest.raises(LedgerError) as caught:
        world.drafted(governed_text((APPROVER, 5), title="Second"), by=staffed.AUTHOR)
    assert caught.value.reason is Reason.POLICY_INVALID
    assert "5 persons can approve as policy-approver" in caught.value.message
    world.close()
