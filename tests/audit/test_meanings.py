"""A meaning that changes with its policies: what the auditor accepts, and each lie near it.

Method: a ledger of the service's own, in which one request turns a signal and replaces both policy
versions that read it; then one thing about that append is changed, and everything is signed again.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.application.fleet.definitions import Replacement
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.events.policies import ScopePart
from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of, foreign
from tests.support.world import HOUR, ORIGIN, START, World, defined, policy_text, request
from tests.support.world import signal_rule as rule

FITTING = policy_text(signals=[rule(baseline=1.4, critical=0.4)])
UNTOUCHED = policy_text(signals=[rule("drift")], planning={"loss_signal": "drift"})
DRAFTED = "policy.drafted.v2"
ACTIVATED = "policy.activated.v1"


def told(path: Path) -> World:
    """Return a ledger in which two policies are replaced with the signal that they read."""
    world = World(path)
    world.begin("m1", "m2", "m3")
    world.activate(UNTOUCHED, policy="other", scope=ScopePart(kind="model", model="m3", labels={}))
    world.activate(
        policy_text(), policy="aux", scope=ScopePart(kind="model", model="m1", labels={})
    )
    world.draft(UNTOUCHED, "aux")
    world.see("m1", 1.2, START + HOUR)
    world.settle()
    turned = defined("loss").model_copy(update={"direction": "lower_is_worse"})
    replacements = [Replacement(name, 0, FITTING, "turned") for name in ("main", "aux")]
    world.ledger.definitions.define(request("turn"), turned, replacements)
    return world


@pytest.fixture
def story(tmp_path: Path) -> Paper:
    """The same on paper; it ends where the policies come into force."""
    path = tmp_path / "ledger.sqlite"
    world = told(path)
    world.ledger.attestation.checkpoints.sign()
    world.close()
    return Paper.copied(path, ORIGIN)


def turned_at(paper: Paper) -> int:
    """Return where the signal is turned: two drafts and two activations follow, and no more."""
    found = paper.find("signal.defined.v1", signal="loss")[-1]
    following = [event.type for event in paper.events[found:]]
    assert following == [DRAFTED, DRAFTED, ACTIVATED, ACTIVATED]
    return found


def leave_out_an_activation(paper: Paper) -> None:
    paper.events.pop()


def leave_out_what_follows(paper: Paper) -> None:
    del paper.events[-4:]


def forget_the_request(paper: Paper) -> None:
    """A caller may state no request id; then no other rule can tell two appends apart."""
    for event in paper.events[-5:]:
        assert isinstance(event.body, dict)
        event.body["request_id"] = None


def replace_later(paper: Paper) -> None:
    forget_the_request(paper)
    foreign(paper)
    paper.events.insert(len(paper.events) - 5, paper.events.pop())


def replace_one_later(paper: Paper) -> None:
    forget_the_request(paper)
    foreign(paper)
    paper.events.insert(len(paper.events) - 2, paper.events.pop())


def replace_for_another_scope(paper: Paper) -> None:
    paper.events[-1].data["scope"] = {"kind": "model", "model": "m2", "labels": {}}


def replace_under_another_request(paper: Paper) -> None:
    body = paper.events[-1].body
    assert isinstance(body, dict)
    body["request_id"] = "later"


def replace_as_somebody_else(paper: Paper) -> None:
    body = paper.events[-1].body
    assert isinstance(body, dict)
    body["actor"] = "users/mallory"


def replace_without_a_cause(paper: Paper) -> None:
    body = paper.events[-1].body
    assert isinstance(body, dict)
    body["causation_position"] = None


def replace_at_another_time(paper: Paper) -> None:
    paper.events[-1].recorded_at += 1


def replace_by_what_was_drafted_before(paper: Paper) -> None:
    earlier = paper.at(paper.find(DRAFTED, policy="aux", version=2)[0]).data
    paper.events[-1].data.update({name: earlier[name] for name in ("version", "digest")})


def replace_by_another_policy(paper: Paper) -> None:
    """Activate, for the scope of the one, the version that was drafted for the other."""
    aux, main = paper.events[-1], paper.events[-2]
    aux.stream = main.stream
    aux.data.update({name: main.data[name] for name in ("policy", "version", "digest")})


LIES = [
    leave_out_an_activation,
    leave_out_what_follows,
    replace_later,
    replace_one_later,
    replace_for_another_scope,
    replace_under_another_request,
    replace_as_somebody_else,
    replace_without_a_cause,
    replace_by_what_was_drafted_before,
    replace_by_another_policy,
]


@pytest.mark.parametrize("change", [turned_at, forget_the_request])
def test_a_meaning_that_changes_with_its_policies_holds(
    story: Paper, tmp_path: Path, change: Callable[[Paper], object]
) -> None:
    change(story)
    report = audit_of(story, tmp_path)
    assert report.passed, report.text()
    assert report.gaps == ()


def test_the_service_s_own_database_holds_with_its_request_ids_and_what_came_after(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    world = told(path)
    world.see("m1", 1.3, START + 3 * HOUR)
    world.settle()
    assert world.scores("m1")[-1].policy == "aux"
    assert world.scores("m1")[-1].policy_version == 3
    world.ledger.attestation.checkpoints.sign()
    world.check_replay()
    world.close()
    report = Audit(DatabaseSource(str(path)), "test").run()
    assert report.passed, report.text()
    assert report.gaps == ()


@pytest.mark.parametrize("lie", LIES)
def test_a_meaning_that_changes_without_one_of_its_policies_is_refused_by_this_rule_alone(
    story: Paper, tmp_path: Path, lie: Callable[[Paper], None]
) -> None:
    at = turned_at(story)
    lie(story)
    story.checkpoint_sizes = [len(story.events)]
    report = audit_of(story, tmp_path)
    seen = [(finding.rule, finding.position) for finding in report.findings]
    assert seen == [("meanings.pinned", at)], report.text()


def test_a_replacement_at_another_time_is_refused_though_it_is_no_time_of_the_ledger_either(
    story: Paper, tmp_path: Path
) -> None:
    at = turned_at(story)
    replace_at_another_time(story)
    story.checkpoint_sizes = [len(story.events)]
    seen = {finding.rule: finding.position for finding in audit_of(story, tmp_path).findings}
    last = len(story.events)
    # The events of a request are recorded at one time, so its id was used twice, too.
    assert seen == {"meanings.pinned": at, "times.derived": last, "requests.unique": last}


def test_a_replacement_whose_body_was_erased_is_unchecked_and_no_finding(
    story: Paper, tmp_path: Path
) -> None:
    last = len(story.events)
    story.at(last).is_gone = True
    data = {"authority": "DPO", "ground": "GDPR", "positions": [[last, last]]}
    story.append("ledger", "body.erased.v1", data)
    report = audit_of(story, tmp_path)
    assert report.passed, report.text()
    unchecked = {one.rule: one.unchecked for one in report.rules}
    assert unchecked["meanings.pinned"] == 2, report.text()


def test_the_request_id_of_a_definition_may_be_that_of_a_draft_too(
    story: Paper, tmp_path: Path
) -> None:
    draft = story.at(story.find(DRAFTED, policy="main")[-1])
    foreign(story)
    more = draft.data | {"version": draft.data["version"] + 1}
    story.append(draft.stream, DRAFTED, more, request_id="turn")
    report = audit_of(story, tmp_path)
    assert report.passed, report.text()


def test_a_later_draft_with_the_request_id_of_a_definition_counts_as_that_request(
    story: Paper, tmp_path: Path
) -> None:
    draft = story.at(story.find(DRAFTED, policy="main")[-1])
    cause = turned_at(story)
    foreign(story)
    again = story.append(
        draft.stream,
        DRAFTED,
        draft.data | {"version": draft.data["version"] + 1},
        causation_position=cause,
        request_id="turn",
    )
    report = audit_of(story, tmp_path)
    seen = [(finding.rule, finding.position) for finding in report.findings]
    assert seen == [("requests.unique", again)], report.text()
