"""Plans from a ledger: goal: what the planner is given is what the specification says it is.

Method: small fleets whose losses are easy to add up; each number is looked up in the plan.
"""

import pytest

from ledger.application.commands import Caller
from ledger.application.planning.plans import Planning, PlanRequest
from ledger.application.planning.reuse import FleetReuse
from ledger.errors import LedgerError, Reason
from ledger.events.notation import share
from ledger.events.plans import PlanMade, PlanRowPart
from ledger.events.policies import ScopePart
from ledger.events.values import parse_time
from ledger.kernel.decay import ONE_BITS, decays_by_age
from tests.application.conftest import MakeWorld
from tests.support.world import ANA, DAY, HOUR, START, World, policy_text, reason_of, request, rule

WEEK = 7 * DAY
FIRST = START // WEEK * WEEK + WEEK  # the first period that begins after START
MONEY = 1_000_000


def row(plan: PlanMade, model: str) -> PlanRowPart:
    """Return a model's row."""
    return next(one for one in plan.backlog if one.model == model)


def outcomes(plan: PlanMade) -> dict[str, str]:
    """Return each model's outcome."""
    return {one.model: one.outcome for one in plan.backlog}


def see_week(
    world: World,
    model: str,
    week: int,
    value: str,
    *,
    signal: str = "loss",
    version: str = "",
    size: int = 100,
) -> None:
    """Report one week's loss on 100 rows."""
    world.see(model, value, FIRST + week * WEEK + DAY, signal=signal, version=version, size=size)


def test_a_plan_ranks_the_fleet_and_gives_each_model_a_reason(world: World) -> None:
    world.begin("bad", "worse", "fine", "silent")
    for model, value in (("bad", "0.8"), ("worse", "1.2"), ("fine", "0.4")):
        see_week(world, model, 0, value)
    plan = world.plan(MONEY)
    assert [one.model for one in plan.backlog] == ["worse", "bad", "fine", "silent"]
    assert outcomes(plan) == {
        "worse": "admitted",
        "bad": "below_price" if int(plan.price) > int(row(plan, "bad").rank) else "over_purse",
        "fine": "below_price",
        "silent": "no_evidence",
    }
    assert all(one.reason for one in plan.backlog)
    assert plan.purse_left_micros == "0"
    assert plan.as_of == world.head - 1
    assert parse_time(plan.made_at) == FIRST + DAY
    assert world.check_replay() == 1


@pytest.mark.parametrize("procedure", ["rules/1", "rules/2"])
def test_a_reason_compares_shares_of_cost_and_under_rules_1_what_it_always_did(
    world: World, procedure: str
) -> None:
    world.begin("bad", procedure=procedure)
    see_week(world, "bad", 0, "0.8")
    plan = world.plan(MONEY)
    rank, price = int(row(plan, "bad").rank), int(plan.price)
    words = {
        "rules/1": f" gives rank {rank}, against the price {price}",
        "rules/2": f" is {share(rank)} of its cost, against a price of {share(price)}",
    }
    assert rank > 0
    assert words[procedure] in row(plan, "bad").reason
    assert world.check_replay() == 1


def test_gain_is_excess_over_the_baseline_times_rows(world: World) -> None:
    world.begin("m1")
    see_week(world, "m1", 0, "0.6", size=300)
    see_week(world, "m1", 0, "0.8", size=100)
    plan = world.plan(0)
    mean = (600_000_000 * 300 + 800_000_000 * 100) // 400
    assert row(plan, "m1").gain == str((mean - 400_000_000) * 1_000_000 // 400_000_000 * 400)


def test_a_past_period_counts_for_the_version_in_service_at_its_end(world: World) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=FIRST + 6 * DAY, through=START, baseline="0.5")
    see_week(world, "m1", 0, "9", version="v1", size=7)
    see_week(world, "m1", 0, "1", version="v2", size=3)
    see_week(world, "m1", 1, "0.5")
    planned = world.plan(0)
    see = row(planned, "m1")
    assert see.gain == str(int(3 * 1_000_000 * decay(world, 1))), "v2's rows, over v2's baseline"
    assert (see.model_version, see.baseline_nano) == ("v2", "500000000")
    world.deploy("m1", "v3", at=FIRST + WEEK, through=START, baseline="0.25")
    late = world.plan(0)
    assert row(late, "m1").gain == see.gain, "what begins when a period ends does not count in it"
    assert row(late, "m1").baseline_nano == "250000000"
    world.check_replay()


def decay(world: World, age: int) -> float:
    """Return the share of a period's excess that counts after some periods, rounded down."""
    return decays_by_age(7 * 86_400, 42 * 86_400, 10)[age] / (1 << ONE_BITS)


def test_the_present_period_counts_for_the_version_in_service_now(world: World) -> None:
    world.begin("m1")
    see_week(world, "m1", 0, "1.2")
    assert row(world.plan(0), "m1").seen
    world.deploy("m1", "v2", at=FIRST + 2 * DAY, through=START)
    assert row(world.plan(0), "m1").seen, "by the data's time the other one is not there yet"
    world.see("m1", "1.2", FIRST + 2 * DAY, signal="drift")
    plan = world.plan(0)
    assert not row(plan, "m1").seen, "of the version now in service no loss was observed"
    world.check_replay()


def test_only_evidence_since_the_last_training_counts(world: World) -> None:
    world.begin("m1")
    for week in range(3):
        see_week(world, "m1", week, "0.8")
    before = world.plan(0)
    assert row(before, "m1").trained_period == START // WEEK
    world.deploy("m1", "v2", at=FIRST + 3 * WEEK, through=FIRST + 2 * WEEK)
    see_week(world, "m1", 3, "0.8")
    after = row(world.plan(0), "m1")
    assert after.trained_period == FIRST // WEEK + 2
    assert int(after.gain) == 1_000_000 * 100
    world.check_replay()


def test_putting_an_earlier_version_back_leaves_the_trained_period_as_it_was(world: World) -> None:
    world.begin("m1")
    world.deploy("m1", "v2", at=FIRST + WEEK, through=FIRST + WEEK - 1)
    see_week(world, "m1", 2, "0.8")
    trained = row(world.plan(0), "m1").trained_period
    assert trained == FIRST // WEEK
    world.deploy("m1", "v1", at=FIRST + 3 * WEEK, through=START)
    see_week(world, "m1", 3, "0.8")
    plan = row(world.plan(0), "m1")
    assert (plan.trained_period, plan.model_version) == (trained, "v1")
    world.check_replay()


def test_observations_of_other_signals_and_after_the_period_do_not_count(world: World) -> None:
    world.begin("m1")
    see_week(world, "m1", 0, "0.4")
    see_week(world, "m1", 0, "100", signal="drift")
    assert row(world.plan(0), "m1").gain == "0"


def test_only_the_policys_periods_are_supplied(world: World) -> None:
    world.begin("m1", planning={"max_periods": 3})
    for week in range(5):
        see_week(world, "m1", week, "0.8")
    plan = world.plan(0)
    assert [mode.period for mode in plan.modes] == [FIRST // WEEK + week for week in (2, 3, 4)]
    world.check_replay()


# ---- the price -----------------------------------------------------------------------------------


def test_the_price_goes_from_period_to_period_but_not_within_one(world: World) -> None:
    world.begin("m1", "m2")
    see_week(world, "m1", 0, "0.8")
    see_week(world, "m2", 0, "1.2")
    first = world.plan(MONEY)
    again = world.plan(MONEY)
    assert first.price_before is None
    assert again.price_before is None, "made again in the same period it starts from the same price"
    assert again.price == first.price
    see_week(world, "m1", 1, "0.8")
    next_one = world.plan(MONEY)
    assert next_one.price_before == next_one.price == again.next_price
    thrice = world.plan(5 * MONEY)
    assert thrice.price == next_one.price
    see_week(world, "m1", 3, "0.8")
    assert world.plan(MONEY).price == thrice.next_price
    world.check_replay()


def test_each_policy_has_a_price_of_its_own(world: World) -> None:
    world.begin("m1", "m2")
    east = ScopePart(kind="labels", model=None, labels={"region": "east"})
    world.activate(policy_text(planning={"price_up": 2}), policy="other", scope=east)
    see_week(world, "m1", 0, "0.8")
    world.plan(0)
    see_week(world, "m1", 1, "0.8")
    assert world.plan(0, policy="other").price_before is None
    world.check_replay()


# ---- who is in scope -----------------------------------------------------------------------------


def test_the_fleet_is_the_models_in_the_policys_scope(world: World) -> None:
    world.begin("m1", "m2")
    world.register("west", labels={"region": "west"})
    world.deploy("west", "v1")
    world.register("bare")
    east = ScopePart(kind="labels", model=None, labels={"region": "east"})
    world.activate(policy_text(), policy="regional", scope=east)
    for model in ("m1", "m2", "west"):
        see_week(world, model, 0, "0.8")
    assert set(outcomes(world.plan(0))) == {"m1", "m2", "west"}, "without a version no candidate"
    assert set(outcomes(world.plan(0, policy="regional"))) == {"m1", "m2"}
    world.ledger.commands.retire_model(ANA, "m2", "over")
    assert set(outcomes(world.plan(0))) == {"m1", "west"}
    world.check_replay()


def test_one_model_under_the_same_version_does_not_shrink_the_fleet(world: World) -> None:
    world.begin("m1", "m2")
    one = ScopePart(kind="model", model="m1", labels={})
    world.ledger.commands.activate_policy(ANA, "main", 1, "", one, "go")
    see_week(world, "m1", 0, "0.8")
    see_week(world, "m2", 0, "0.8")
    assert set(outcomes(world.plan(0))) == {"m1", "m2"}
    world.check_replay()


def test_a_plan_needs_a_policy_that_is_in_force_and_plans(world: World) -> None:
    world.begin("m1")
    for name, reason in (("none", Reason.POLICY_UNKNOWN), ("draft", Reason.POLICY_NOT_IN_FORCE)):
        if name == "draft":
            world.draft(policy_text(), "draft")
        with pytest.raises(LedgerError) as error:
            world.plan(0, policy=name)
        assert reason_of(error) is reason
    world.activate(policy_text(), policy="newer")
    with pytest.raises(LedgerError) as error:
        world.plan(0, policy="main")  # another one has taken its scope
    assert reason_of(error) is Reason.POLICY_NOT_IN_FORCE
    see_week(world, "m1", 0, "0.8")
    assert world.plan(0).policy == "newer"
    assert world.all_of(PlanMade)[-1].backlog[0].model == "m1"


def test_an_empty_fleet_has_an_empty_plan(world: World) -> None:
    world.begin()
    plan = world.plan(MONEY)
    assert (plan.backlog, plan.demand_micros, plan.purse_left_micros) == ([], "0", str(MONEY))
    world.check_replay()


# ---- candidates, budget, ids ---------------------------------------------------------------------


def test_by_default_a_candidates_decision_must_be_to_retrain(world: World) -> None:
    world.begin("m1", "m2", planning={"candidates": "decided"}, rules=[rule("x", "priority > 1")])
    for model in ("m1", "m2"):
        see_week(world, model, 0, "0.8")
    assert set(outcomes(world.plan(9 * MONEY)).values()) == {"not_decided"}
    world.ledger.decisions.evaluate(ANA, ["m1"], None)
    plan = world.plan(9 * MONEY)
    assert outcomes(plan) == {"m1": "admitted", "m2": "not_decided"}
    assert row(plan, "m1").action_in_force == "SCHEDULE_RETRAINING"
    assert plan.demand_micros == str(MONEY), "only candidates are demand"
    world.ledger.decisions.evaluate(ANA, ["m2"], START)
    assert outcomes(world.plan(9 * MONEY))["m2"] == "not_decided", "a historical one does not count"
    world.check_replay()


def test_all_are_candidates_where_the_policy_says_so(world: World) -> None:
    world.begin("m1", rules=[])
    see_week(world, "m1", 0, "0.8")
    assert outcomes(world.plan(MONEY)) == {"m1": "admitted"}


@pytest.mark.parametrize(
    ("budget", "cap", "field"),
    [
        (-1, 5, "purse_micros"),
        (6, 5, "purse_micros"),
        (0, -1, "purse_micros"),
        (0, 10**30 + 1, "purse_cap_micros"),
    ],
)
def test_a_budget_has_bounds(world: World, budget: int, cap: int, field: str) -> None:
    world.begin("m1")
    before = world.head
    with pytest.raises(LedgerError) as error:
        world.plan(budget, cap=cap)
    assert error.value.metadata["field"] == field
    assert world.head == before


def test_what_the_budget_cannot_pay_is_said(world: World) -> None:
    world.begin("dear", "good")
    world.update("dear", cost_micros=str(9 * MONEY), unit_value_micros=str(99 * MONEY))
    for model in ("dear", "good"):
        see_week(world, model, 0, "1.2")
    assert outcomes(world.plan(MONEY, cap=5 * MONEY))["dear"] == "too_dear"
    assert outcomes(world.plan(MONEY, cap=9 * MONEY))["dear"] == "over_purse"
    full = world.plan(9 * MONEY, cap=10**30)
    assert outcomes(full)["dear"] == "admitted"
    world.check_replay()


def test_the_largest_numbers_still_make_a_plan(world: World) -> None:
    world.begin()
    world.register("m1", cost_micros="1", unit_value_micros=str(10**21))
    world.deploy("m1", "v1", baseline="0.000000001")
    world.observe(
        *[("m1", "loss", "", "999999999999.999999999", FIRST + n, 10**12) for n in range(100)]
    )
    assert row(world.plan(1), "m1").outcome == "admitted"
    world.check_replay()


def test_a_plans_id_is_used_once(world: World) -> None:
    world.begin("m1")
    make = world.ledger.plans.make
    made, event = make(ANA, policy="", budget_micros=0, budget_cap_micros=0, plan_id="week-9")
    assert made.plan == "week-9"
    assert world.ledger.plans.get("week-9") == (made, event)
    before = world.head
    with pytest.raises(LedgerError) as error:
        make(ANA, policy="", budget_micros=0, budget_cap_micros=0, plan_id="week-9")
    assert reason_of(error) is Reason.ALREADY_EXISTS
    for bad in ("Week 9", "w" * 129, "é"):
        with pytest.raises(LedgerError) as error:
            make(ANA, policy="", budget_micros=0, budget_cap_micros=0, plan_id=bad)
        assert error.value.metadata["field"] == "plan_id"
    assert world.head == before
    with pytest.raises(LedgerError) as error:
        world.ledger.plans.get("week-8")
    assert reason_of(error) is Reason.PLAN_UNKNOWN
    assert error.value.remedy.endswith("List the plans: `decision-ledger plan list`.")


def test_a_repeated_request_gets_the_same_plan(world: World) -> None:
    world.begin("m1")

    def make(by: Caller) -> tuple[PlanMade, int]:
        made, event = world.ledger.plans.make(by, policy="", budget_micros=0, budget_cap_micros=0)
        return made, event.position

    first = make(request("p", "x"))
    see_week(world, "m1", 0, "0.8")
    assert make(request("p", "x")) == first
    with pytest.raises(LedgerError) as error:
        make(request("p", "y"))
    assert reason_of(error) is Reason.REQUEST_ID_REUSED


def test_plans_are_listed_newest_first(world: World) -> None:
    world.begin("m1")
    made = [world.plan(budget).plan for budget in range(5)]
    listed = world.ledger.plans.page(before=world.head + 1, limit=3)
    assert [plan.plan for plan, _ in listed] == made[:1:-1]
    rest = world.ledger.plans.page(before=listed[-1][1].position, limit=9)
    assert [plan.plan for plan, _ in rest] == made[1::-1]


def test_a_plan_reads_nothing_beyond_its_horizon(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything that can happen happens between reading the head and computing the plan."""
    world = make_world().begin("m1", "m2")
    see_week(world, "m1", 0, "0.8")
    compute = Planning.compute
    meanwhile: list[int] = []
    computed: list[PlanMade] = []

    def interrupted(
        self: Planning, asked: PlanRequest, reuse: FleetReuse | None = None
    ) -> PlanMade:
        if not meanwhile:
            meanwhile.append(1)
            see_week(world, "m2", 0, "1.4")
            world.see("m1", "9", FIRST + DAY + HOUR)
            world.deploy("m1", "v2", at=FIRST + 2 * DAY)
            world.update("m2", cost_micros="7")
            world.activate(policy_text(planning={"max_periods": 2}))
        computed.append(compute(self, asked, reuse))
        return computed[-1]

    monkeypatch.setattr(Planning, "compute", interrupted)
    recorded = world.plan(MONEY)
    plan = computed[0]
    assert plan.policy_version == 1
    assert (recorded, recorded.policy_version) == (computed[1], 2)  # what it rests on was replaced
    assert not row(plan, "m2").seen
    assert (row(plan, "m1").model_version, row(plan, "m2").cost_micros) == ("v1", str(MONEY))
    assert int(row(plan, "m1").gain) == 1_000_000 * 100
    world.check_replay()
