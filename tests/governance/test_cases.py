"""Decisions of a governed policy ask something of people: what is open follows from events alone.

Method: the pure fold and its judges, on decisions one after another; no ledger, no clock.
"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.application.policies.text import parse
from ledger.events.base import EventData
from ledger.events.cases import (
    GOVERNOR,
    EscalationAcknowledged,
    EscalationEscalated,
    EscalationResolved,
    TaskClosed,
    TaskOverdue,
    TaskTaken,
)
from ledger.events.values import SECOND, parse_time
from ledger.governance.cases import Decided, ModelCases, case_fault, consequences, passed_on
from tools import golden_governance

HOUR = 3_600 * SECOND
NOW = parse_time("2026-03-01T00:00:00.000000Z")
GOVERNED = parse(golden_governance.POLICY).model_dump(mode="json")
PLAIN = {name: value for name, value in GOVERNED.items() if name != "governance"}
ANA, BOB = "users/ana", "users/bob"
INVESTIGATE, SCHEDULE, ADJUST, NOTHING = (
    "INVESTIGATE", "SCHEDULE_RETRAINING", "ADJUST_DATA_COLLECTION", "NO_ACTION",
)  # fmt: skip


class Story:
    """One model's decisions and what people did, folded as they come."""

    def __init__(self) -> None:
        self.cases = ModelCases()
        self.position = 100

    def decide(
        self, action: str, tier: str = "data-science", document: dict[str, Any] = GOVERNED
    ) -> list[EventData]:
        self.position += 1
        decided = Decided("fraud", self.position, action, tier, NOW)
        made = consequences(self.cases, decided, document, "team-fraud")
        for one in made:
            self.add(one, "system/evaluator")
        return list(made)

    def add(self, data: EventData, actor: str) -> None:
        self.position += 1
        self.cases = self.cases.applied(self.position, data.TYPE, actor, data.to_data())

    def fault(self, data: EventData, actor: str) -> str:
        return case_fault(self.cases, data.TYPE, actor, data.to_data())


def types(made: Sequence[EventData]) -> list[str]:
    return [one.TYPE.removesuffix(".v1") for one in made]


def test_a_decision_raises_an_escalation_to_its_tier_and_opens_a_task() -> None:
    story = Story()
    raised, opened = story.decide(INVESTIGATE)
    assert raised.to_data() == {
        "model": "fraud",
        "escalation": 101,
        "action": INVESTIGATE,
        "tier": "data-science",
        "route": "the weekly review",
        "raised_at": "2026-03-01T00:00:00.000000Z",
        "acknowledge_until": "2026-03-02T00:00:00.000000Z",
    }
    assert opened.to_data() == {
        "model": "fraud",
        "task": 101,
        "action": INVESTIGATE,
        "owner": "team-fraud",
        "opened_at": "2026-03-01T00:00:00.000000Z",
        "due_at": "2026-03-08T00:00:00.000000Z",
    }


def test_an_escalation_goes_on_while_action_and_tier_stay() -> None:
    story = Story()
    story.decide(SCHEDULE)
    assert story.decide(SCHEDULE) == []
    assert types(story.decide(SCHEDULE, "head-of-risk")) == [
        "escalation.ended", "escalation.raised",
    ]  # fmt: skip
    assert types(story.decide(NOTHING, "none")) == ["escalation.ended"]
    assert story.decide(NOTHING, "none") == []


def test_a_task_stays_open_until_a_person_closes_it_and_of_each_action_one_is_open() -> None:
    story = Story()
    story.decide(INVESTIGATE, "none")
    assert story.decide(NOTHING, "none") == []
    assert story.decide(INVESTIGATE, "none") == []
    assert types(story.decide(ADJUST, "none")) == ["task.opened"]
    assert sorted(story.cases.tasks) == [ADJUST, INVESTIGATE]
    first = story.cases.tasks[INVESTIGATE].task
    story.add(TaskClosed(model="fraud", task=first, outcome="false_alarm", note=""), ANA)
    assert sorted(story.cases.tasks) == [ADJUST]
    assert types(story.decide(INVESTIGATE, "none")) == ["task.opened"]


def test_a_policy_without_governance_begins_nothing_and_still_ends_what_was_begun() -> None:
    story = Story()
    assert story.decide(INVESTIGATE, document=PLAIN) == []
    story.decide(INVESTIGATE)
    assert types(story.decide(INVESTIGATE, document=PLAIN)) == ["escalation.ended"]


def test_a_tier_that_no_policy_declares_is_reached_and_awaits_no_answer() -> None:
    raised, _ = Story().decide(INVESTIGATE, "elsewhere")
    assert raised.to_data()["route"] == ""
    assert raised.to_data()["acknowledge_until"] is None


def test_without_an_answer_it_goes_on_to_the_next_tier_and_no_further_than_the_last() -> None:
    story = Story()
    story.decide(SCHEDULE)
    open_ = story.cases.escalation
    assert open_ is not None
    assert not open_.is_due(NOW + 24 * HOUR - 1)
    assert open_.is_due(NOW + 24 * HOUR)
    late = NOW + 30 * HOUR  # no server was there for six hours
    following = passed_on(open_, GOVERNED, late)
    assert following is not None
    assert following.tier == "head-of-risk"
    assert following.reached_at == "2026-03-02T06:00:00.000000Z"
    assert following.acknowledge_until == "2026-03-02T10:00:00.000000Z"
    story.add(following, GOVERNOR)
    assert story.cases.escalation is not None
    assert story.cases.escalation.raised_at == NOW
    assert story.cases.escalation.reached_at == late
    assert not story.cases.escalation.is_due(late + 4 * HOUR - 1)
    assert passed_on(story.cases.escalation, GOVERNED, late) is None
    assert story.decide(SCHEDULE) == [], "it is the same decision, further on"


def test_an_answer_holds_it_where_it_is() -> None:
    story = Story()
    story.decide(SCHEDULE)
    story.add(EscalationAcknowledged(model="fraud", escalation=101, note=""), ANA)
    assert story.cases.escalation is not None
    assert story.cases.escalation.acknowledged_by == ANA
    assert not story.cases.escalation.is_due(NOW + 1_000 * HOUR)


@pytest.mark.parametrize(
    ("data", "actor", "fault"),
    [
        (EscalationAcknowledged(model="fraud", escalation=101, note=""), BOB, "was acknowledged"),
        (EscalationAcknowledged(model="fraud", escalation=9, note=""), BOB, "no escalation of"),
        (
            EscalationResolved(model="fraud", escalation=101, resolution="x"),
            "services/robot",
            "services/robot is not a person",
        ),
        (TaskTaken(model="fraud", task=101), ANA, "has taken it already"),
        (TaskTaken(model="fraud", task=9), ANA, "no task of position 9 is open"),
        (TaskOverdue(model="fraud", task=101), ANA, "users/ana recorded it"),
        (
            TaskClosed(model="fraud", task=101, outcome="cause_found", note=""),
            GOVERNOR,
            "system/governor is not a person",
        ),
        (
            EscalationEscalated(
                model="fraud",
                escalation=101,
                tier="x",
                route="",
                reached_at="2026-03-02T00:00:00.000000Z",
                acknowledge_until=None,
            ),
            GOVERNOR,
            "was acknowledged",
        ),
    ],
)
def test_only_what_is_open_is_answered_and_by_a_person(
    data: EventData, actor: str, fault: str
) -> None:
    story = Story()
    story.decide(INVESTIGATE)
    story.add(EscalationAcknowledged(model="fraud", escalation=101, note=""), ANA)
    story.add(TaskTaken(model="fraud", task=101), ANA)
    assert fault in story.fault(data, actor)


def test_what_may_be_answered_has_no_fault() -> None:
    story = Story()
    story.decide(INVESTIGATE)
    for data in (
        EscalationAcknowledged(model="fraud", escalation=101, note=""),
        EscalationResolved(model="fraud", escalation=101, resolution="x"),
        TaskTaken(model="fraud", task=101),
        TaskClosed(model="fraud", task=101, outcome="retrain_after_all", note=""),
    ):
        assert story.fault(data, ANA) == ""
    assert story.fault(TaskOverdue(model="fraud", task=101), GOVERNOR) == ""


def test_erased_bodies_leave_nothing_open_that_they_named() -> None:
    story = Story()
    story.decide(INVESTIGATE)
    cases = story.cases
    for type_, open_, tasks in (
        ("escalation.raised.v1", False, 1),
        ("escalation.ended.v1", False, 1),
        ("escalation.acknowledged.v1", True, 1),
        ("task.opened.v1", True, 1),
        ("task.closed.v1", True, 0),
        ("escalation.lapsed.v1", False, 1),
        ("task.lapsed.v1", True, 0),
    ):
        after = cases.applied(200, type_, "", None)
        assert (after.escalation is not None, len(after.tasks)) == (open_, tasks)


actions = st.sampled_from([INVESTIGATE, SCHEDULE, ADJUST, NOTHING])
tiers = st.sampled_from(["none", "data-science", "head-of-risk"])


@given(st.lists(st.tuples(actions, tiers), max_size=30))
def test_at_most_one_escalation_is_open_and_it_is_that_of_the_decision_in_force(
    decisions: list[tuple[str, str]],
) -> None:
    story = Story()
    for action, tier in decisions:
        story.decide(action, tier)
        open_ = story.cases.escalation
        assert (None if open_ is None else (open_.action, open_.raised_to)) == (
            None if tier == "none" else (action, tier)
        )
