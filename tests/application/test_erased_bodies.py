"""What erased bodies leave behind: goal: they are gone from every use case, and all else goes on.

Method: one eventful ledger, the body of each kind of event erased in turn, and every read and
command tried afterwards, warm and cold: what was made before the erasure and rests on it cannot be
replayed, what did not rest on it replays as before, and whatever is made later replays.
"""

from collections.abc import Callable

import pytest

from ledger.application.decisions.decisions import RecordedDecision
from ledger.errors import LedgerError, Reason
from ledger.events.budgets import BUDGET_TYPES
from ledger.events.cases import CASE_TYPES
from ledger.events.decisions import DECISION_TYPES, DecisionMade
from ledger.events.registry import BY_TYPE, typed
from ledger.events.shadows import SHADOW_CLASSES, ShadowPlanned
from tests.application.erasing import erase, first_of, outcomes
from tests.application.test_replay import eventful
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    HOUR,
    START,
    World,
    policy_text,
    reason_of,
    registered,
    rule,
)

LATER = START + 9 * DAY
ERASABLE = [
    "model.registered.v1",
    "model.deployed.v1",
    "decision.overridden.v2",
    "signal.observed.v1",
    "signal.defined.v1",
    "score.computed.v1",
    "decision.made.v2",
    "policy.drafted.v2",
    "policy.activated.v1",
    "plan.made.v1",
]


def mended(world: World) -> None:
    """Record again whatever an erasure may have taken out of force."""
    for model in ("m1", "m2", "m3"):
        world.update(model)
        world.deploy(model, "v9", at=LATER)
    for signal in ("loss", "drift"):
        world.see("m1", "0.4", LATER, signal=signal)


# Each type once, warm and cold in turns; the slow run tries the rest.
CASES = [
    pytest.param(type_, start, marks=[pytest.mark.slow] * (number % 2 != is_cold))
    for number, type_ in enumerate(ERASABLE)
    for is_cold, start in enumerate(("warm", "cold"))
]


@pytest.mark.parametrize(("type_", "start"), CASES)
def test_whatever_is_erased_every_use_case_goes_on(world: World, type_: str, start: str) -> None:
    eventful(world)
    before = outcomes(world)
    horizon = world.head
    lost = first_of(world, type_)
    assert erase(world, (lost, lost)) == 1
    if start == "cold":
        world.restart()
    world.settle()
    assert world.evaluator.unreadable.keys() <= {"m1", "m2", "m3"}
    after = outcomes(world)
    for result in world.replay():
        if result.outcome != "IDENTICAL":
            assert result.outcome == "NOT_REPLAYABLE", result
            assert result.position <= horizon, "what is made later is made without it"
            assert result.why == (
                f"erased: the body at position {lost} was erased by the event at position "
                f"{horizon + 1}"
            )
    untouched = {position for position in before if position < lost}
    assert {after[position] for position in untouched} <= {"IDENTICAL"}
    read_everything(world)
    mended(world)
    world.activate(next_policy(), policy="next")
    world.settle()
    assert world.follower.failure is None
    decided = world.evaluate("m1", "m2", "m3")
    assert len(decided) == 3
    world.plan(1_000_000, policy="next")
    made = outcomes(world)
    assert {made[position] for position in made if position > world.head - 7} == {"IDENTICAL"}
    assert not world.evaluator.unreadable


def next_policy() -> str:
    """Return a policy that looks at the loss alone."""
    return policy_text(rules=[rule("bad", "priority >= 300000")])


def refusal_of(ask: Callable[[], object]) -> LedgerError | None:
    """Return why something cannot be had, None if it can."""
    try:
        ask()
    except LedgerError as error:
        return error
    return None


def read_everything(world: World) -> None:
    """Ask for every single thing there is: an answer, or that it was erased."""
    ledger, head = world.ledger, world.head
    asked: list[Callable[[], object]] = [
        lambda: ledger.plans.page(before=head + 1, limit=50),
        lambda: ledger.decisions.events(None, after=0, until=head, limit=500),
        ledger.fleet.refresh,
        ledger.fleet.models,
        ledger.fleet.signals,
        ledger.fleet.policies,
    ]
    for ask in asked:
        ask()
    for event in world.events():
        model = event.stream.partition("/")[2]
        single: Callable[[], object] | None = None
        if event.type == "decision.made.v2":
            single = lambda at=event.position, name=model: (  # noqa: E731
                ledger.decisions.get(name, at),
                ledger.decisions.explain(name, at),
            )
        elif event.type == "score.computed.v1":
            single = lambda at=event.position, name=model: (  # noqa: E731
                ledger.decisions.explain_score(name, at)
            )
        elif event.type == "plan.made.v1":
            single = lambda name=model: ledger.plans.get(name)  # noqa: E731
        if single is not None:
            found = refusal_of(single)
            assert found is None or found.reason is Reason.BODY_ERASED, found
            assert found is None or found.metadata["erased_by"]


def test_every_kind_of_event_that_can_be_erased_is_tried() -> None:
    about_the_ledger = {
        name for name, cls in BY_TYPE.items() if cls.STREAM.startswith(("ledger", "authority/"))
    }
    # These have their own tests; those of governance in `tests/governance/`.
    others = {"model.updated.v1", "model.retired.v1", "recorder.event.v1", "signal.defined.v2"}
    others |= {"policy.drafted.v3", "policy.activated.v2", "signal.observed.v2"}
    others |= {"plan.made.v2"}  # in `test_plans_by_excess_2.py`
    others |= {"reuse.proposed.v1"}  # in `test_reuse.py`
    others |= {"plan.scheduled.v1"}  # in `test_plan_schedules.py`
    others |= {name for name, cls in BY_TYPE.items() if cls.KEEPS_BODY}
    earlier = {"policy.drafted.v1", "decision.made.v1"}  # the same by procedure `rules/1`
    earlier |= {"decision.overridden.v1"}  # the same without a role
    tried = set(ERASABLE) | CASE_TYPES  # those in `test_erased_cases.py`
    tried |= {cls.TYPE for cls in SHADOW_CLASSES}  # those in `test_shadows.py`
    tried |= {ShadowPlanned.TYPE}  # in `test_shadow_plans.py`
    tried |= BUDGET_TYPES  # in `test_budgets.py`
    assert tried | others | earlier | about_the_ledger == set(BY_TYPE)


# ---- what each kind leaves behind ----------------------------------------------------------------


def test_only_what_rests_on_an_observation_cannot_be_replayed(world: World) -> None:
    world.begin("m1", "m2")
    lost = world.see("m1", "1.4", START).last_position
    world.see("m2", "1.4", START)
    world.settle()
    world.see("m1", "1.4", START + 30 * DAY)
    world.settle()
    erase(world, (lost, lost))
    by_model = {model: [] for model in ("m1", "m2")}  # type: dict[str, list[str]]
    for result in world.replay({"score"}):
        by_model[result.name.split("/")[1]].append(result.outcome)
    assert by_model["m2"] == ["IDENTICAL"] * len(by_model["m2"])
    assert by_model["m1"][0] == "NOT_REPLAYABLE"
    assert by_model["m1"][-1] == "IDENTICAL", "outside its window it is not missed"


def test_a_model_without_a_description_is_not_scored_by_an_older_one(world: World) -> None:
    world.begin("m1", "m2", rules=[rule("rich", "impact >= 900000")], interval="1h")
    updated = world.update("m1", impact_ppm=950_000).last_position
    for model in ("m1", "m2"):
        world.see(model, "0.9", START)
    world.settle()
    erase(world, (updated, updated))
    with pytest.raises(LedgerError) as refused:
        world.evaluate("m1")
    assert reason_of(refused) is Reason.BODY_ERASED
    assert refused.value.metadata["position"] == str(updated)
    count = len(world.scores("m1"))
    for model in ("m1", "m2"):
        world.see(model, "0.9", START + DAY)
    world.settle()
    assert len(world.scores("m1")) == count
    assert len(world.scores("m2")) == 2, "the others go on"
    view = world.model("m1")
    assert view.model.described is None
    assert view.described.position == updated
    assert world.plan(1).backlog[0].model == "m2"
    assert [row.model for row in world.plan(1).backlog] == ["m2"]
    world.update("m1", version=view.model.version)
    world.settle()
    assert len(world.scores("m1")) == count + 1
    assert {outcome for at, outcome in outcomes(world).items() if at > updated + 9} == {"IDENTICAL"}


def test_the_name_of_a_model_stays_taken(world: World) -> None:
    position = world.register("m1").last_position
    erase(world, (position, position))
    with pytest.raises(LedgerError) as refused:
        world.ledger.commands.register_model(ANA, registered("m1"))
    assert reason_of(refused) is Reason.ALREADY_EXISTS


def test_a_retired_model_stays_retired(world: World) -> None:
    world.begin("m1", "m2")
    world.see("m2", "0.4", START)
    retired = world.ledger.commands.retire_model(ANA, "m1", "gone for good").last_position
    erase(world, (retired, retired))
    for _ in range(2):
        with pytest.raises(LedgerError) as refused:
            world.see("m1", "0.4", START)
        assert "retired" in str(refused.value)
        with pytest.raises(LedgerError) as refused:
            world.evaluate("m1")
        assert reason_of(refused) is Reason.MODEL_RETIRED
        assert [row.model for row in world.plan(1).backlog] == ["m2"]
        world.restart()


def test_without_its_newest_deployment_no_version_is_taken_to_serve(world: World) -> None:
    world.begin("m1")
    newest = world.deploy("m1", "v2", at=START + HOUR).last_position
    erase(world, (newest, newest))
    view = world.model("m1")
    assert view.model.in_service is None
    assert [one.model_version for one in view.model.deployments] == ["v1"]
    with pytest.raises(LedgerError) as refused:
        world.see("m1", "0.4", START)
    assert "MODEL_NOT_DEPLOYED" in str(refused.value)
    world.see("m1", "0.4", START, version="v2")
    assert world.plan(1).backlog == []
    world.deploy("m1", "v3", at=START + 2 * HOUR)
    assert world.model("m1").model.in_service is not None
    world.see("m1", "0.4", START + 2 * HOUR)
    assert [one.model_version for one in world.plan(1).backlog] == ["v3"]


def test_an_older_deployment_is_not_missed_by_what_comes_after(world: World) -> None:
    world.begin("m1", rules=[rule("young", "retrainings_30d >= 2", "INVESTIGATE")])
    old = first_of(world, "model.deployed.v1", "m1")
    world.deploy("m1", "v2", at=START + HOUR)
    world.see("m1", "0.4", START + DAY)
    world.settle()
    assert world.decisions("m1")[-1].action == "INVESTIGATE"
    erase(world, (old, old))
    (decided,) = world.evaluate("m1")
    assert decided.decision.environment.retrainings_30d == 1
    assert outcomes(world)[decided.decision_event.position] == "IDENTICAL"


def test_an_erased_override_has_no_effect_from_then_on(world: World) -> None:
    world.begin("m1")
    world.see("m1", "0.4", START)
    override = world.override("m1", "INVESTIGATE", 90 * DAY).written.last_position
    world.settle()
    assert world.decisions("m1")[-1].action == "INVESTIGATE"
    erase(world, (override, override))
    (decided,) = world.evaluate("m1")
    assert (decided.decision.action, decided.decision.overridden) == ("NO_ACTION", None)
    under = next(made for made in world.decisions("m1") if made.overridden)
    assert "were erased" in world.ledger.decisions.told_override(under)
    assert outcomes(world)[decided.decision_event.position] == "IDENTICAL"


def test_an_erased_activation_is_in_force_no_longer(world: World) -> None:
    world.begin("m1")
    first = first_of(world, "policy.activated.v1")
    world.see("m1", "1.4", START)
    world.settle()
    erase(world, (first, first))
    with pytest.raises(LedgerError) as refused:
        world.evaluate("m1")
    assert reason_of(refused) is Reason.POLICY_NOT_IN_FORCE
    world.activate(next_policy())
    (decided,) = world.evaluate("m1")
    assert decided.decision.policy_version == 2
    assert outcomes(world)[decided.decision_event.position] == "IDENTICAL"


def test_a_version_whose_draft_is_gone_cannot_be_used_and_keeps_its_number(world: World) -> None:
    world.begin("m1")
    draft = first_of(world, "policy.drafted.v2")
    world.see("m1", "1.4", START)
    world.settle()
    erase(world, (draft, draft))
    for refused_call in (
        lambda: world.evaluate("m1"),
        lambda: world.ledger.commands.activate_policy(ANA, "main", 1, "", EVERYWHERE, "once more"),
        lambda: world.plan(1),
    ):
        with pytest.raises(LedgerError) as refused:
            refused_call()
        assert reason_of(refused) is Reason.BODY_ERASED
        assert refused.value.metadata["position"] == str(draft)
    assert world.draft(next_policy()).version == 2


def test_after_an_erased_decision_nothing_is_in_force_until_the_next(world: World) -> None:
    world.begin("m1")
    world.see("m1", "1.4", START)
    world.settle()
    older = world.events(*DECISION_TYPES)[-1]
    assert typed(older, DecisionMade).action == "SCHEDULE_RETRAINING"
    newest = world.evaluate("m1")[0].decision_event.position
    erase(world, (newest, newest))
    decided: tuple[RecordedDecision, ...] = world.evaluate("m1")
    assert decided[0].decision.environment.in_force == "NO_ACTION", "not the older one"
    assert decided[0].run_id not in {None, older.body.run_id}
    assert outcomes(world)[decided[0].decision_event.position] == "IDENTICAL"
    listed = world.ledger.decisions.events("m1", after=0, until=world.head, limit=100)
    assert newest not in [event.position for event in listed]
    with pytest.raises(LedgerError) as refused:
        world.ledger.decisions.get("m1", newest)
    assert reason_of(refused) is Reason.BODY_ERASED


def test_lists_are_as_long_as_asked_for_though_entries_were_erased(world: World) -> None:
    world.begin("m1")
    made = [world.plan(1).plan for _ in range(6)]
    at = [event.position for event in world.events("plan.made.v1")]
    erase(world, (at[1], at[3]))
    shown = [plan.plan for plan, _ in world.ledger.plans.page(before=world.head + 1, limit=3)]
    assert shown == [made[5], made[4], made[0]]


def test_a_signal_without_a_definition_still_takes_observations(world: World) -> None:
    world.begin("m1")
    at = first_of(world, "signal.defined.v1")
    erase(world, (at, at))
    assert [view.name for view in world.ledger.fleet.signals()] == ["drift"]
    world.see("m1", "0.4", START, signal="loss")
    result = world.ledger.definitions.lint(next_policy())
    assert any("loss" in problem.message for problem in result.problems)


def test_a_body_that_no_erasure_names_is_damage_and_not_erasure(world: World) -> None:
    world.begin("m1")
    lost = world.see("m1", "1.4", START).last_position
    world.settle()
    world.lose(lost)
    (result, *_) = world.replay({"score"})
    assert result.outcome == "NOT_REPLAYABLE"
    assert "no erasure names it" in result.why
    with pytest.raises(LedgerError) as refused:
        world.evaluate("m1")
    assert reason_of(refused) is Reason.EVENT_UNREADABLE
