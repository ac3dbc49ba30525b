"""What is in service is decided by stated times: goal: order of arrival changes nothing of it.

Method: small fleets on a `data` ledger under `rules/2`, and the same under `rules/1` where the two
differ; everything is replayed, and what the evaluator holds warm is compared with a cold start.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.application.fleet.service_period import DeployedVersion, service_at
from ledger.errors import LedgerError, Reason
from ledger.events.fast import parse_observed
from ledger.events.models import ModelDeployed
from tests.support.world import DAY, HOUR, START, World, policy_text, reason_of, rule

LATER = START + 10 * DAY


def versions(world: World) -> list[str]:
    return [parse_observed(event).model_version for event in world.events("signal.observed.v1")]


def test_labels_that_come_late_belong_to_the_version_that_served_when_they_were_observed(
    world: World,
) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=LATER)
    world.see("m1", 1.2, LATER - DAY)
    world.see("m1", 0.4, LATER)
    world.see("m1", 1.2, LATER - 1)
    assert versions(world) == ["v1", "v2", "v1"]
    world.settle()
    (score,) = world.scores()[-1:]
    assert (score.model_version, score.priority) == ("v2", 0)
    assert score.signals[0].observations == 1
    world.check_replay()


def test_no_version_is_credited_with_what_was_observed_before_any_served(world: World) -> None:
    world.begin("m1")
    with pytest.raises(LedgerError) as error:
        world.see("m1", 1.2, START - 1)
    assert reason_of(error) is Reason.MODEL_NOT_DEPLOYED
    assert "2026-02-28T23:59:59Z" in error.value.violations[0].description


def test_a_deployment_stated_earlier_is_recorded_as_what_was_and_replaces_nothing(
    world: World,
) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=LATER)
    world.see("m1", 1.2, LATER + HOUR)
    world.settle()
    before = world.decisions()[-1]
    world.deploy("m1", "v1b", at=START + DAY, through=START)
    assert world.all_of(ModelDeployed)[-1].replaces == "v1", "what served just before it"
    serving = world.model("m1").model.in_service
    assert serving is not None
    assert serving.model_version == "v2"
    world.see("m1", 1.2, START + 2 * DAY)
    assert versions(world)[-1] == "v1b"
    world.see("m1", 1.2, LATER + 2 * HOUR)
    world.settle()
    assert {one.model_version for one in world.scores()} == {"v2"}
    assert before.action == world.decisions()[-1].action == "SCHEDULE_RETRAINING"
    assert world.decisions()[-1].environment.hours_since_deployed >= 0
    world.check_replay()


def test_under_rules_1_the_version_recorded_last_is_in_service_for_ever(world: World) -> None:
    world.begin("m1", procedure="rules/1")
    world.deploy("m1", "v2", at=LATER)
    world.deploy("m1", "v1b", at=START + DAY, through=START)
    world.see("m1", 1.2, START + 2 * DAY, version="v1b")
    world.settle()
    assert world.scores()[-1].model_version == "v1b"
    assert [event.type for event in world.events("decision.made.v1", "decision.made.v2")] == [
        "decision.made.v1"
    ]
    world.check_replay()


def test_what_rules_1_decided_replays_after_its_policy_moved_to_rules_2(world: World) -> None:
    world.begin("m1", procedure="rules/1")
    world.deploy("m1", "v2", at=LATER)
    world.deploy("m1", "v1b", at=START + DAY, through=START)
    world.see("m1", 1.2, START + 2 * DAY, version="v1b")
    world.settle()
    world.plan(10**7)
    world.activate(policy_text())
    world.see("m1", 0.4, LATER + HOUR)
    world.settle()
    world.plan(10**7)
    made = [event.type for event in world.events("decision.made.v1", "decision.made.v2")]
    assert made == ["decision.made.v1", "decision.made.v2"]
    assert [score.model_version for score in world.scores()] == ["v1b", "v2"]
    assert world.check_replay() == len(made) + len(world.scores()) + 2


def test_an_evaluation_in_the_past_is_of_the_version_that_served_then(world: World) -> None:
    world.begin("m1")
    world.see("m1", 1.4, START + DAY)
    world.deploy("m1", "v2", at=LATER)
    world.see("m1", 0.4, LATER + HOUR)
    (then,) = world.evaluate("m1", at=START + 2 * DAY)
    assert (then.score.model_version, then.decision.historical) == ("v1", True)
    assert then.decision.environment.hours_since_deployed == 48
    assert then.score.signals[0].observations == 1
    (before,) = world.evaluate("m1", at=START - 1)
    assert before.score.model_version is None
    assert before.decision.environment.hours_since_deployed == -1
    world.check_replay()


def test_a_version_stated_ahead_serves_from_its_time_on_and_the_one_before_until_then(
    world: World,
) -> None:
    world.begin("m1", "m2", silence="1d")
    world.deploy("m1", "v2", at=LATER)
    for day in range(1, 13):
        for model in ("m1", "m2"):
            world.see(model, 1.2 if model == "m1" else 0.4, START + day * DAY)
        world.settle()
    seen = [(one.model_version, one.evaluated_at) for one in world.scores("m1")]
    assert {version for version, at in seen if at < "2026-03-11"} == {"v1"}
    assert {version for version, at in seen if at >= "2026-03-11"} == {"v2"}
    world.check_replay()


def test_rules_see_how_long_a_version_has_served_and_when_its_first_report_is_due(
    world: World,
) -> None:
    silent = rule(
        "silent", "coverage == 0 && hours_since_deployed > report_interval_hours", "INVESTIGATE"
    )
    each = rule("each", 'signals["loss"].interval_hours != 24', "ADJUST_DATA_COLLECTION")
    world.begin("m1", "other", rules=[silent, each], interval="1h", silence="1h")
    world.deploy("m1", "v2", at=START + DAY)
    actions = {}
    for hour in (1, 24, 25, 26):
        world.see("other", 0.4, START + DAY + hour * HOUR)
        world.settle()
        made = world.decisions("m1")
        actions[hour] = made[-1].action if made else None
    assert actions == {1: None, 24: None, 25: "INVESTIGATE", 26: "INVESTIGATE"}
    assert world.decisions("m1")[-1].environment.model_dump()["report_interval_hours"] == 24
    world.check_replay()


def test_names_of_rules_2_are_refused_under_rules_1(world: World) -> None:
    world.begin("m1")
    text = policy_text(rules=[rule("x", "report_interval_hours > 1")], procedure="rules/1")
    with pytest.raises(LedgerError) as error:
        world.draft(text, "old")
    assert reason_of(error) is Reason.POLICY_INVALID
    assert "report_interval_hours" in error.value.message


def test_a_plan_counts_past_periods_by_stated_times_and_says_when_evidence_is_too_old(
    world: World,
) -> None:
    week = 7 * DAY
    world.begin("m1", "m2", planning={"max_periods": 2})
    world.see("m1", 0.9, START + HOUR)
    world.deploy("m1", "v2", at=START + 4 * week, through=START + 3 * week)
    world.deploy("m1", "v1b", at=START + HOUR, through=START)  # recorded last, long over
    world.see("m2", 0.9, START + 4 * week + HOUR)
    plan = {row.model: row for row in world.plan(1_000_000).backlog}
    assert plan["m1"].model_version == "v2"
    assert plan["m1"].trained_period == (START + 3 * week) // week
    assert plan["m1"].reason == (
        "No observation of its loss counts: none lies both in the last 2 periods and after the "
        "period in which it was last trained."
    )
    world.check_replay()


@pytest.mark.parametrize(
    ("version", "at", "through", "reason", "field"),
    [
        ("v2", LATER + DAY, LATER, Reason.ALREADY_EXISTS, "in_service_at"),
        ("v2", LATER, LATER, Reason.ALREADY_EXISTS, "in_service_at"),
        ("v2", LATER - DAY, LATER - DAY, Reason.FIELD_INVALID, "field"),
        ("v2", LATER + DAY, LATER - DAY, Reason.FIELD_INVALID, "field"),
        ("v1", LATER - DAY, START, Reason.ALREADY_EXISTS, "in_service_at"),
    ],
)
def test_a_version_is_not_deployed_beside_itself_nor_trained_otherwise_than_it_was(
    world: World, version: str, at: int, through: int, reason: Reason, field: str
) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=LATER)
    head = world.head
    with pytest.raises(LedgerError) as error:
        world.deploy("m1", version, at=at, through=through)
    assert reason_of(error) is reason
    assert error.value.metadata[field]
    assert world.head == head
    world.deploy("m1", "v1", at=LATER + DAY, through=START)
    world.deploy("m1", "v2", at=LATER + 2 * DAY, through=LATER)


times = st.integers(0, 9)


@given(
    stated=st.lists(st.tuples(times, st.sampled_from("abc")), max_size=8),
    at=st.none() | times,
    data=st.data(),
)
@settings(max_examples=200)
def test_what_is_in_service_does_not_depend_on_the_order_of_record(
    stated: list[tuple[int, str]], at: int | None, data: st.DataObject
) -> None:
    unique = list(dict(stated).items())
    made = [
        DeployedVersion(name, bool(place), time, 0, 1, place)
        for place, (time, name) in enumerate(unique)
    ]
    shuffled = data.draw(st.permutations(made))
    found = service_at(shuffled, at)
    begun = [time for time, _ in unique if at is None or time <= at]
    assert (None if found is None else found.since) == max(begun, default=None)
    later = [time for time, _ in unique if at is not None and time > at]
    if found is not None:
        assert found.until == min(later, default=None)
