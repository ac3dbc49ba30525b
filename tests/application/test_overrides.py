"""Overrides: goal: what a person sets holds at once, for its time and no longer, and is of record.

Method: a model that calls for retraining, on both databases and both clocks; a clock that is moved
to the microsecond; a decision that is made between reading and writing; every refusal; an audit.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.application.commands import Caller
from ledger.application.decisions.overrides import OverrideSpec
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DECISION_TYPES, DecisionOverriddenV1, DecisionOverriddenV2
from ledger.events.values import format_time, parse_time
from ledger.limits import OVERRIDE_SECONDS_MAX
from tests.support.staffed import PAT, Governed
from tests.support.stores import VAULT
from tests.support.world import ANA, DAY, HOUR, MONITOR, START, World, reason_of, request

BAD = "1.4"
SPEC = OverrideSpec("m1", "NO_ACTION", "ds", "Its labels are wrong.", 7_200)


@pytest.fixture
def there(database_url: str) -> Iterator[World]:
    """A `wall` ledger on each database, with a model that calls for retraining."""
    world = World(database_url, clock="wall", vault=VAULT)
    retraining(world)
    yield world
    world.close()


def retraining(world: World) -> None:
    world.begin("m1", silence="20d", interval="6h")
    world.see("m1", BAD, START)
    world.settle()
    assert actions(world) == ["SCHEDULE_RETRAINING"]


def actions(world: World) -> list[str]:
    return [made.action for made in world.decisions("m1")]


def last_decision(world: World) -> int:
    return world.events(*DECISION_TYPES)[-1].position


def test_an_override_holds_at_once_and_ends_to_the_microsecond(there: World) -> None:
    prior = there.events(*DECISION_TYPES)[-1]
    there.clock.advance(HOUR)
    recorded = there.ledger.overrides.override(ANA, SPEC)
    assert recorded.effective_until == START + 3 * HOUR
    there.settle()
    assert actions(there)[1:] == ["NO_ACTION"], "within the interval of the policy"
    made = there.decisions("m1")[-1]
    assert made.overridden is not None
    assert made.overridden.position == recorded.written.last_position
    assert made.overridden.action == "SCHEDULE_RETRAINING"
    there.clock.advance(2 * HOUR - 1)
    there.settle()
    assert len(actions(there)) == 2
    there.clock.advance(1)
    there.settle()
    assert actions(there)[2:] == ["SCHEDULE_RETRAINING"]
    assert there.decisions("m1")[-1].overridden is None
    (event,) = there.events(DecisionOverriddenV2.TYPE)
    assert (event.body.actor, event.body.causation_position) == (ANA.actor, prior.position)
    assert event.body.run_id == prior.body.run_id
    there.check_replay()


def test_in_a_ledger_whose_data_are_its_clock_the_data_end_an_override(world: World) -> None:
    retraining(world)
    world.override("m1", "INVESTIGATE", DAY)
    world.settle()
    assert actions(world)[1:] == ["INVESTIGATE"]
    world.see("m1", BAD, START + DAY - 1)
    world.settle()
    assert len(actions(world)) == 2
    world.see("m1", BAD, START + DAY)
    world.settle()
    assert actions(world)[2:] == ["SCHEDULE_RETRAINING"]
    world.check_replay()


def test_a_server_that_starts_later_decides_by_the_override_and_by_its_end(wall: World) -> None:
    retraining(wall)
    wall.override("m1", "INVESTIGATE", HOUR)
    wall.restart()
    wall.settle()
    assert actions(wall)[1:] == ["INVESTIGATE"]
    wall.restart()
    wall.clock.advance(HOUR)
    wall.settle()
    assert actions(wall)[2:] == ["SCHEDULE_RETRAINING"]
    wall.check_replay()


def test_a_late_observation_does_not_bring_back_an_override_that_ended(wall: World) -> None:
    retraining(wall)
    wall.override("m1", "INVESTIGATE", 12 * HOUR)
    wall.settle()
    wall.clock.advance(12 * HOUR)
    wall.settle()
    wall.clock.advance(6 * HOUR)
    wall.see("m1", BAD, START + 11 * HOUR)
    wall.settle()
    assert len(wall.scores("m1")) == 4, "it was news"
    assert actions(wall)[1:] == ["INVESTIGATE", "SCHEDULE_RETRAINING"]
    wall.check_replay()


def test_of_two_overrides_the_last_one_counts_for_as_long_as_it_lasts(wall: World) -> None:
    retraining(wall)
    wall.override("m1", "INVESTIGATE", 3 * HOUR)
    wall.override("m1", "NO_ACTION", HOUR)
    for _ in range(4):
        wall.settle()
        wall.clock.advance(HOUR)
    assert actions(wall)[1:] == ["NO_ACTION", "INVESTIGATE", "SCHEDULE_RETRAINING"]
    wall.check_replay()


def test_a_model_that_nothing_was_decided_about_can_be_overridden(wall: World) -> None:
    wall.begin("m1")
    recorded = wall.ledger.overrides.override(ANA, replace(SPEC, action="INVESTIGATE"))
    assert recorded.decision_position is None
    assert recorded.effective_from == START, "without any observation it holds from now on"
    wall.settle()
    assert actions(wall) == ["INVESTIGATE"]
    wall.check_replay()


def test_an_evaluation_on_request_is_under_the_override_though_nothing_new_was_observed(
    wall: World,
) -> None:
    retraining(wall)
    wall.clock.advance(HOUR)
    wall.override("m1", "INVESTIGATE", HOUR)
    (decided,) = wall.evaluate("m1")
    assert decided.decision.evaluated_at == format_time(START), "of the newest observation"
    assert decided.decision.action == "INVESTIGATE"
    wall.check_replay()


def test_a_decision_erased_meanwhile_is_not_cited(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    erased = last_decision(there)
    there.before_append(lambda: there.erase(erased))
    assert there.ledger.overrides.override(ANA, SPEC).decision_position is None


def test_a_decision_made_meanwhile_is_what_the_override_cites(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.before_append(lambda: there.evaluate("m1"))
    recorded = there.ledger.overrides.override(ANA, SPEC)
    assert recorded.decision_position == last_decision(there) == recorded.written.last_position - 1


def test_a_person_who_saw_another_decision_is_told_so_and_nothing_is_written(
    there: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = last_decision(there)
    there.before_append(lambda: there.evaluate("m1"))
    with pytest.raises(LedgerError) as refused:
        there.ledger.overrides.override(ANA, replace(SPEC, decision_position=seen))
    assert reason_of(refused) is Reason.VERSION_CONFLICT
    assert refused.value.metadata["found"] == str(last_decision(there))
    assert there.events(DecisionOverriddenV2.TYPE) == []


def test_a_repeat_gets_the_first_answer_whatever_was_decided_since(there: World) -> None:
    spec = replace(SPEC, decision_position=last_decision(there))
    first = there.ledger.overrides.override(request("r-1", "x"), spec)
    there.settle()
    head = there.head
    again = there.ledger.overrides.override(request("r-1", "x"), spec)
    assert again == replace(first, written=replace(first.written, repeated=True))
    with pytest.raises(LedgerError) as refused:
        there.ledger.overrides.override(request("r-1", "y"), SPEC)
    assert reason_of(refused) is Reason.REQUEST_ID_REUSED
    assert there.head == head


REFUSED: dict[str, tuple[Caller, OverrideSpec, Reason, str]] = {
    "a service": (MONITOR, SPEC, Reason.ACTOR_NOT_AUTHORISED, "only a person"),
    "a model that is none": (ANA, replace(SPEC, model="m9"), Reason.MODEL_UNKNOWN, "m9"),
    "a retired model": (ANA, replace(SPEC, model="m2"), Reason.MODEL_RETIRED, "m2"),
    "a tier that is none": (ANA, replace(SPEC, tier="dss"), Reason.FIELD_INVALID, "tier"),
    "no time": (ANA, replace(SPEC, expires_after_seconds=0), Reason.FIELD_INVALID, "is 0"),
    "too long a time": (
        ANA,
        replace(SPEC, expires_after_seconds=OVERRIDE_SECONDS_MAX + 1),
        Reason.FIELD_INVALID,
        "90d",
    ),
    "too long a reason": (
        ANA,
        replace(SPEC, reason="x" * 2_001),
        Reason.FIELD_INVALID,
        "rationale",
    ),
    "no such decision": (ANA, replace(SPEC, decision_position=1), Reason.VERSION_CONFLICT, "1"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_may_not_be_is_refused_and_nothing_is_written(wall: World, name: str) -> None:
    retraining(wall)
    wall.register("m2")
    wall.ledger.commands.retire_model(ANA, "m2", "over")
    head = wall.head
    caller, spec, reason, word = REFUSED[name]
    with pytest.raises(LedgerError) as refused:
        wall.ledger.overrides.override(caller, spec)
    assert (reason_of(refused), word in refused.value.message) == (reason, True)
    assert refused.value.remedy
    assert wall.head == head


def test_without_a_policy_or_without_any_time_there_is_nothing_to_override(world: World) -> None:
    world.register("m1")
    with pytest.raises(LedgerError) as refused:
        world.ledger.overrides.override(ANA, SPEC)
    assert reason_of(refused) is Reason.POLICY_NOT_IN_FORCE
    world.begin("m2")
    with pytest.raises(LedgerError) as refused:
        world.ledger.overrides.override(ANA, SPEC)
    assert "no time to be counted from" in refused.value.message


def test_an_auditor_finds_overrides_as_they_must_be(wall: World, tmp_path: Path) -> None:
    retraining(wall)
    wall.override("m1", "INVESTIGATE", 2 * HOUR)
    wall.settle()
    wall.override("m1", "NO_ACTION", HOUR)
    wall.clock.advance(3 * HOUR)
    wall.settle()
    source = DatabaseSource(str(wall.path))
    report = Audit(source, "test").run()
    source.close()
    assert report.findings == (), report.text()
    assert {one.rule: one.checked for one in report.rules}["overrides.follow"] == 2
    until = [parse_time(one.effective_until) for one in wall.all_of(DecisionOverriddenV2)]
    assert until == [START + 2 * HOUR, START + HOUR]


# ---- roles ---------------------------------------------------------------------------------------


@pytest.fixture
def staffed(tmp_path: Path) -> Iterator[Governed]:
    """A ledger with an administrator, and a model that calls for retraining; ana owns it."""
    world = Governed(tmp_path / "ledger.db", clock="wall")
    retraining(world)
    world.staff()
    world.grant(ANA.actor, "model-owner")
    yield world
    world.close()


def test_before_a_ledger_has_an_administrator_no_role_is_stated(wall: World) -> None:
    retraining(wall)
    with pytest.raises(LedgerError) as refused:
        wall.ledger.overrides.override(ANA, replace(SPEC, role="model-owner"))
    assert refused.value.metadata["field"] == "role"
    assert wall.ledger.overrides.override(ANA, SPEC).role == ""
    assert [one.role for one in wall.all_of(DecisionOverriddenV2)] == [None]


def test_an_override_is_in_a_role_that_its_person_holds_and_that_allows_it(
    staffed: Governed, tmp_path: Path
) -> None:
    recorded = staffed.ledger.overrides.override(ANA, SPEC)
    assert recorded.role == "model-owner", "the one that allows it of those that she holds"
    assert staffed.ledger.overrides.override(ANA, replace(SPEC, role="model-owner")).role
    staffed.settle()
    (said,) = {
        staffed.ledger.decisions.told_override(made)
        for made in staffed.decisions("m1")
        if made.overridden is not None
    }
    assert said.startswith("users/ana as model-owner overrode it until")
    source = DatabaseSource(str(staffed.path))
    report = Audit(source, "test").run()
    source.close()
    assert [one for one in report.findings if one.rule.startswith("overrides")] == []
    assert {one.rule: one.checked for one in report.rules}["overrides.role"] == 2


@pytest.mark.parametrize(
    ("caller", "role", "word"),
    [
        (ANA, "operator", "does not allow"),
        (ANA, "emperor", "there is no role"),
        (PAT, "model-owner", "does not hold"),
        (PAT, "", "does not say in which role"),
    ],
)
def test_a_role_that_is_not_so_is_refused_and_the_refusal_says_which_are(
    staffed: Governed, caller: Caller, role: str, word: str
) -> None:
    head = staffed.head
    with pytest.raises(LedgerError) as refused:
        staffed.ledger.overrides.override(caller, replace(SPEC, role=role))
    assert (refused.value.metadata["field"], word in refused.value.message) == ("role", True)
    assert (refused.value.remedy == "Choose one of model-owner.") == (caller is ANA)
    assert staffed.head == head


def test_a_role_that_is_withdrawn_meanwhile_is_not_recorded(staffed: Governed) -> None:
    granted = staffed.grant(PAT.actor, "model-owner")
    staffed.before_append(lambda: staffed.ungrant(granted))
    with pytest.raises(LedgerError) as refused:
        staffed.ledger.overrides.override(PAT, SPEC)
    assert refused.value.metadata["field"] == "role"
    assert staffed.events(DecisionOverriddenV2.TYPE) == []


def test_an_override_of_an_earlier_release_decides_and_replays_for_ever(wall: World) -> None:
    retraining(wall)
    data = wall.events(*DECISION_TYPES)[-1]
    wall.ledger.overrides.override(ANA, SPEC)
    known = wall.all_of(DecisionOverriddenV2)[-1].to_data()
    del known["role"]
    wall.forge("models/m1", known | {"action": "INVESTIGATE"}, DecisionOverriddenV1.TYPE)
    wall.restart()
    wall.settle()
    made = wall.decisions("m1")[-1]
    assert made.overridden is not None
    assert (made.action, made.overridden.position) == ("INVESTIGATE", data.position + 2)
    assert wall.ledger.decisions.told_override(made).startswith("users/")
    wall.check_replay()
