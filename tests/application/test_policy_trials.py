"""A policy tried on a history decides what it would have decided had it been in force.

Method: worlds that see the same observations under different policies. A trial of the one's policy
on the other's ledger must give the decisions on record there, one for one.
"""

import pytest

from ledger.application.decisions.trial import TrialSpan
from ledger.application.decisions.trial_result import Trial, TrialStep, report_of
from ledger.application.fleet.chosen_policy import PolicyChoice
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError, Reason
from ledger.events.decisions import DecisionMade, ScoreComputed
from ledger.events.policy_document import Action
from ledger.events.registry import decode_data
from ledger.events.values import parse_time
from tests.application.conftest import MakeWorld
from tests.support.correcting import correct
from tests.support.shadowed import shadow
from tests.support.world import DAY, HOUR, START, World, policy_text, rule

LOSSES = (0.4, 1.3, 1.4, 0.8, 0.7, 0.4, 1.4, 1.4, 0.6, 0.5)
HALF = len(LOSSES) // 2
AHEAD = 3 * DAY
LOOSE = policy_text()
HOLDING = rule("bad", "priority >= 60%", hold="priority >= 25%")
STRICT = policy_text(
    rules=[HOLDING, rule("look", "priority >= 15%", "INVESTIGATE", hold="priority >= 5%")],
    cool_down="24h",
    max_priority_step="30%",
)
FIRST = policy_text(rules=[HOLDING], procedure="rules/1", max_priority_step="40%")

Told = tuple[str, int, int, tuple[str, str, str]]


def lived(
    world: World, policy: str = LOOSE, *, is_settled: bool = True, is_ahead: bool = False
) -> World:
    """Let two models live through the losses; one is deployed again halfway."""
    world.begin("m1", "m2", policy=policy)
    if is_ahead:
        world.deploy("m1", "v2", at=START + AHEAD, replaces="v1")  # stated before its time
    for day, loss in enumerate(LOSSES):
        at, is_second = START + day * DAY, day >= HALF
        if day == HALF:
            world.deploy("m2", "v2", at=at, replaces="v1")
        world.see("m1", loss, at, version="v2" if is_ahead and day * DAY >= AHEAD else "v1")
        world.see("m2", LOSSES[-day], at + HOUR, version="v2" if is_second else "v1")
        if is_settled:
            world.settle()
    return world


def chosen(world: World, text: str) -> CompiledPolicy:
    return world.ledger.chosen_policies.chosen(PolicyChoice("policy", document=text))


def tried(world: World, text: str) -> list[TrialStep]:
    policies = (None, chosen(world, text))
    return world.ledger.trials.run(policies, ["m1", "m2"], TrialSpan())[1].steps


def told(step: TrialStep) -> Told:
    return step.model, step.evaluated_at, step.priority, step.decided


def on_record(world: World) -> list[Told]:
    """Return model, time, priority and decision in force after each score, from events alone."""
    found: dict[int, Told] = {}
    in_force: dict[str, tuple[str, str, str]] = {}
    for event in world.events():
        data = decode_data(event)
        if isinstance(data, ScoreComputed):
            decided = in_force.get(data.model, ("NO_ACTION", "", ""))
            at = parse_time(data.evaluated_at)
            found[event.position] = data.model, at, data.priority, decided
        elif isinstance(data, DecisionMade):
            is_none = data.action == "NO_ACTION" and not data.rule
            decided = (data.action, "" if is_none else data.tier, data.rule)
            in_force[data.model] = decided
            found[data.score_position] = (*found[data.score_position][:3], decided)
    return sorted(found.values())


@pytest.mark.parametrize(
    ("text", "is_ahead"), [(STRICT, True), (FIRST, False)], ids=["rules/2", "rules/1"]
)
def test_a_trial_gives_what_is_on_record_where_the_policy_was_in_force(
    make_world: MakeWorld, text: str, *, is_ahead: bool
) -> None:
    loose = lived(make_world("a"), is_ahead=is_ahead)
    strict = lived(make_world("b"), text, is_ahead=is_ahead)
    head = loose.head
    recorded = on_record(strict)
    assert [told(step) for step in tried(loose, text)] == recorded
    assert len(recorded) >= 2 * len(LOSSES)
    assert len({decided for *_, decided in recorded}) >= 2
    assert [told(step) for step in tried(strict, text)] == recorded, "on its own ledger too"
    assert loose.head == head, "a trial writes nothing"


def test_a_first_policy_is_tried_at_its_own_interval_where_nothing_was_scored(
    make_world: MakeWorld,
) -> None:
    unscored, strict = lived(make_world("a"), is_settled=False), lived(make_world("b"), STRICT)
    assert not unscored.scores()
    found = [told(step) for step in tried(unscored, STRICT)]
    assert [one for one in found if one[0] == "m1"] == [
        one for one in on_record(strict) if one[0] == "m1"
    ]
    assert len(found) == 2 * len(LOSSES)
    weekly = STRICT.replace('"interval": "1h"', '"interval": "7d"')
    assert len(tried(unscored, weekly)) == 2 * 3  # the first, the one a week later and the last


def test_a_correction_counts_in_a_trial_from_its_position_on(make_world: MakeWorld) -> None:
    unbounded = STRICT.replace('"max_priority_step": "30%"', '"max_priority_step": "none"')
    worlds = [
        make_world("a").begin("m1", policy=LOOSE),
        make_world("b").begin("m1", policy=unbounded),
    ]
    for world in worlds:
        for day in range(4):
            world.see("m1", 1.4, START + day * DAY)
            world.settle()
        for event in world.events("signal.observed.v1")[:3]:
            correct(world, event.position, 0.4)
            world.settle()
        world.see("m1", 0.9, START + 4 * DAY)
        world.settle()
    loose, strict = worlds
    assert [told(step) for step in tried(strict, unbounded)] == on_record(strict)
    assert told(tried(loose, unbounded)[-1]) == on_record(strict)[-1]


def test_a_trial_ends_at_the_next_score_once_it_is_not_wanted(make_world: MakeWorld) -> None:
    world, asked = lived(make_world()), []
    policies = chosen(world, STRICT), chosen(world, STRICT)

    def is_wanted() -> bool:
        asked.append(True)
        return len(asked) <= 3

    before, after = world.ledger.trials.run(policies, ["m1"], TrialSpan(), is_wanted)
    assert (len(before.steps), len(after.steps)) == (2, 0), "asked once a model and at each score"
    assert len(asked) == 4


@pytest.mark.parametrize("is_corrected", [False, True])
def test_what_a_trial_reads_again_for_corrections_counts_against_its_bound(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch, *, is_corrected: bool
) -> None:
    world = make_world().begin("m1")
    for day in range(6):
        world.see("m1", 1.4, START + day * DAY)
        if day >= 3 and is_corrected:
            correct(world, world.events("signal.observed.v1")[day - 3].position, 0.4)
        world.settle()
    count = sum(event.stream == "models/m1" for event in world.events())
    monkeypatch.setattr("ledger.application.decisions.trial.EVENTS_MAX", count)
    policies = None, chosen(world, STRICT)
    if not is_corrected:
        assert world.ledger.trials.run(policies, ["m1"], TrialSpan())[1].steps
        return
    with pytest.raises(LedgerError) as caught:
        world.ledger.trials.run(policies, ["m1"], TrialSpan())
    assert caught.value.reason is Reason.FIELD_INVALID
    assert f"more than {count} events" in caught.value.message


def test_a_trial_reads_again_only_the_bucket_that_a_correction_is_in(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, corrections = make_world().begin("m1", policy=STRICT), 5
    for day in range(2 * corrections):
        world.see("m1", 1.4, START + day * DAY)
        if day >= corrections:
            correct(world, world.events("signal.observed.v1")[day - corrections].position, 0.4)
        world.settle()
    count = sum(event.stream == "models/m1" for event in world.events())
    monkeypatch.setattr("ledger.application.decisions.trial.EVENTS_MAX", count + corrections)
    found = world.ledger.trials.run((None, chosen(world, STRICT)), ["m1"], TrialSpan())[1].steps
    assert [told(step) for step in found] == on_record(world)


def test_a_report_counts_what_differs_retrainings_their_cost_and_escalations(
    make_world: MakeWorld,
) -> None:
    world = lived(make_world())
    report = world.ledger.trials.report(chosen(world, STRICT), None, [], TrialSpan())
    recorded = {one[:2]: one[3] for one in on_record(world)}
    steps = tried(world, STRICT)
    differing = [step for step in steps if recorded[step.model, step.evaluated_at] != step.decided]
    assert [each.after for each in report.differences] == differing
    assert report.before.retrainings > report.after.retrainings > 0
    cost = int(world.model("m1").model.described.cost_micros)  # type: ignore[union-attr]
    assert report.before.cost_micros == report.before.retrainings * cost
    assert sum(report.after.actions.values()) == report.after.scores == len(steps)
    assert report.after.escalations == {
        "ds": sum(1 for s in steps if s.is_begun and s.tier == "ds")
    }
    assert [(each.model, each.differing) for each in report.models] == [
        (model, sum(1 for each in differing if each.model == model)) for model in ("m1", "m2")
    ]


def test_a_retraining_that_only_changes_its_tier_is_not_another_one() -> None:
    def step(position: int, action: Action, tier: str, last: Action) -> TrialStep:
        return TrialStep(
            "m", position, position, 0, action, tier, "r",
            is_begun=True, last_action=last, cost_micros=5,
        )  # fmt: skip

    trial = Trial(
        [
            step(1, "SCHEDULE_RETRAINING", "a", "NO_ACTION"),
            step(2, "SCHEDULE_RETRAINING", "b", "SCHEDULE_RETRAINING"),
            step(3, "NO_ACTION", "none", "SCHEDULE_RETRAINING"),
            step(4, "SCHEDULE_RETRAINING", "b", "NO_ACTION"),
        ]
    )
    side = report_of(trial, trial).after
    assert (side.retrainings, side.cost_micros) == (2, 10)
    assert side.escalations == {"a": 1, "b": 2}
    begun_before = Trial([step(5, "SCHEDULE_RETRAINING", "c", "SCHEDULE_RETRAINING")])
    assert report_of(begun_before, begun_before).after.retrainings == 0


def test_a_span_leaves_scores_out_and_keeps_them_as_history(make_world: MakeWorld) -> None:
    world = lived(make_world())
    since, until = START + 3 * DAY, START + 6 * DAY
    policies = (None, chosen(world, STRICT))
    before, after = world.ledger.trials.run(policies, ["m1"], TrialSpan(since, until))
    whole = [step for step in tried(world, STRICT) if step.model == "m1"]
    assert after.steps == [step for step in whole if since <= step.evaluated_at <= until] != []
    assert [step.position for step in before.steps] == [step.position for step in after.steps]


def test_two_policies_are_compared_at_the_same_scores(make_world: MakeWorld) -> None:
    world = lived(make_world())
    policies = (chosen(world, STRICT), chosen(world, LOOSE))
    before, after = world.ledger.trials.run(policies, ["m1", "m2"], TrialSpan())
    assert before.steps == tried(world, STRICT)
    assert after.steps == tried(world, LOOSE)
    assert report_of(before, before).differences == ()


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        (PolicyChoice("policy", "other"), Reason.POLICY_UNKNOWN),
        (PolicyChoice("policy", "main", 2), Reason.POLICY_UNKNOWN),
        (PolicyChoice("policy", "drafted"), Reason.POLICY_NOT_IN_FORCE),
        (PolicyChoice("policy", document="title: x"), Reason.POLICY_INVALID),
    ],
)
def test_a_policy_that_is_not_there_is_refused(
    world: World, choice: PolicyChoice, reason: Reason
) -> None:
    world.begin("m1")
    world.draft(LOOSE, "drafted")
    with pytest.raises(LedgerError) as caught:
        world.ledger.chosen_policies.chosen(choice)
    assert caught.value.reason is reason
    assert caught.value.remedy


def test_a_model_that_is_not_there_is_refused(world: World) -> None:
    world.begin("m1")
    with pytest.raises(LedgerError) as caught:
        world.ledger.trials.report(chosen(world, LOOSE), None, ["m3"], TrialSpan())
    assert caught.value.reason is Reason.MODEL_UNKNOWN


def test_as_many_trials_as_may_be_run_at_once_and_one_more_is_refused(world: World) -> None:
    world.begin("m1")
    world.see("m1", 0.5, START)
    policy = chosen(world, LOOSE)

    def last() -> bool:
        with pytest.raises(LedgerError) as caught:
            world.ledger.trials.report(policy, None, [], TrialSpan())
        assert caught.value.reason is Reason.LIMIT_REACHED
        return True

    def second() -> bool:
        return world.ledger.trials.report(policy, None, [], TrialSpan(), last).after.scores > 0

    report = world.ledger.trials.report(policy, None, [], TrialSpan(), second)
    again = world.ledger.trials.report(policy, None, [], TrialSpan())
    assert again == report, "each place is given back"


def test_a_comparison_of_a_shadow_takes_the_place_of_a_trial(world: World) -> None:
    world.begin("m1")
    world.see("m1", 0.5, START)
    policy, position = chosen(world, LOOSE), shadow(world, LOOSE)

    def last() -> bool:
        with pytest.raises(LedgerError) as caught:
            world.ledger.shadow_comparisons.compare(position)
        assert caught.value.reason is Reason.LIMIT_REACHED
        return True

    def second() -> bool:
        return bool(world.ledger.trials.report(policy, None, [], TrialSpan(), last))

    world.ledger.trials.report(policy, None, [], TrialSpan(), second)
    assert world.ledger.shadow_comparisons.compare(position)


def test_a_report_looks_at_each_step_as_often_however_many_models_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    usual = TrialStep.__getattribute__

    def counted(step: TrialStep, name: str) -> object:
        looked.append(1)
        return usual(step, name)

    monkeypatch.setattr(TrialStep, "__getattribute__", counted)

    def looks(models: int) -> float:
        trials = Trial(), Trial()
        for trial in trials:
            for number in range(models):
                name = f"m{number:03d}"
                trial.add(
                    TrialStep(
                        name, 1, 1, 0, "INVESTIGATE", "a", "r",
                        is_begun=True, last_action="NO_ACTION", cost_micros=5,
                    )
                )  # fmt: skip
        looked.clear()
        report_of(*trials)
        return len(looked) / models

    assert looks(100) == looks(10)
