"""Plans that take models in by their priority, or by the forecast of their next job.

Method: models of equal cost whose losses and scores are in opposite orders; each plan is looked at,
and afterwards the ledger replays and the audit finds nothing.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from ledger.events.jobs import JobClosed
from ledger.events.notation import share
from ledger.events.plans import PlanMadeV2, SteppedRowPart
from ledger.events.policies import PolicyDraftedV3
from ledger.events.shadows import ShadowPlanned
from ledger.events.values import PPM
from tests.application.test_plan_steps import FIRST, LOSSES, NEED, changes, reasons
from tests.support.audits import audited
from tests.support.governed import governed
from tests.support.job_worlds import Working
from tests.support.world import (
    ANA,
    DAY,
    EVERYWHERE,
    World,
    policy_text,
    signal_rule,
)

DRIFTS = {"a": "0.5", "b": "0.7", "c": "0.9", "low": "0.9"}
BY_DRIFT = [signal_rule("drift")]


def policy(ranking: str | None = "priority", **planning: object) -> str:
    chosen = {"planner": "excess/2", "common": "0%", "min_models": 1, "candidates": "all"}
    ranked = {} if ranking is None else {"ranking": ranking}
    return governed(policy_text(signals=BY_DRIFT, planning=chosen | ranked | planning))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "ledger.db")
    yield made
    made.check_replay()
    made.close()
    report = audited(tmp_path / "ledger.db")
    assert report.passed, report.text()


def begin(world: World, text: str) -> World:
    """Begin a ledger whose models lost; four of the five also drifted, and were scored."""
    world.begin(*LOSSES, policy=text)
    for model, value in LOSSES.items():
        world.see(model, value, FIRST + DAY, size=100)
    for model, value in DRIFTS.items():
        world.see(model, value, FIRST + DAY, signal="drift")
    world.settle()
    return world


def planned(world: World, purse: int = 9 * NEED) -> PlanMadeV2:
    made = world.plan(purse)
    assert isinstance(made, PlanMadeV2)
    return made


def order(plan: PlanMadeV2) -> list[tuple[str, str]]:
    return [(row.model, row.outcome) for row in plan.backlog]


def test_by_priority_the_models_with_the_highest_scores_are_taken_in(world: World) -> None:
    begin(world, policy())
    plan = planned(world, 2 * NEED)
    assert plan.ranking == "priority"
    assert order(plan)[:3] == [("c", "admitted"), ("low", "admitted"), ("b", "over_purse")]
    priorities = [row.priority for row in plan.backlog]
    assert priorities[0] == priorities[1]
    assert priorities[1] is not None
    assert priorities[2] is not None
    assert priorities[1] > priorities[2]
    step, changed = next(iter(changes(plan).items()))
    assert step == "ranking"
    assert ("a", "admitted", "saving") in changed
    told = reasons(plan)
    assert told["c"].startswith("Admitted: its priority is ")
    assert told["c"].endswith(", and the purse could pay 1.10.")
    assert told["a"].startswith("Wanted (its priority is ")


def test_a_model_that_scores_nothing_is_not_wanted_by_priority_whatever_it_lost(
    world: World,
) -> None:
    begin(world, policy())
    world.register("new")
    world.deploy("new", "v1")
    plan = planned(world)
    rows = {row.model: row for row in plan.backlog}
    assert (rows["lower"].outcome, rows["lower"].reason) == (
        "below_price", "Not worth it yet: its priority is 0%.",
    )  # fmt: skip
    assert (rows["new"].outcome, rows["new"].reason) == ("no_evidence", "It has no score yet.")
    assert plan.backlog[-1].model == "new"


def test_the_planner_s_own_rank_is_what_a_policy_has_that_names_no_ranking(world: World) -> None:
    begin(world, policy(None))
    plan = planned(world)
    assert plan.ranking == "excess"
    assert [row.model for row in plan.backlog] == list(LOSSES)
    assert {row.priority for row in plan.backlog} == {None}
    assert {row.forecast_cost_micros for row in plan.backlog} == {None}
    assert plan.steps == []
    world.activate(policy("excess"))
    first, second = world.all_of(PolicyDraftedV3)
    assert first.digest == second.digest


def test_an_evaluation_of_an_earlier_time_is_no_priority(world: World) -> None:
    begin(world, policy())
    before = planned(world)
    world.evaluate("c", at=FIRST)
    assert order(planned(world)) == order(before)


def test_a_job_that_was_cancelled_halfway_teaches_forecasts_nothing(world: World) -> None:
    """Neither that jobs cost less than their recipe expects, nor that versions do not stay."""
    begin(world, policy("benefit_per_cost"))
    working = Working.of(world)
    first = planned(world)
    working.propose("job-a", "a", plan=first.plan)
    working.lease("job-a")
    world.ledger.jobs.cancel(ANA, "job-a", "no machine is free")
    [end] = world.all_of(JobClosed)
    assert (end.forecast_error_micros, end.is_within_forecast) == (None, None)
    rows, before = ({row.model: row for row in one.backlog} for one in (planned(world), first))
    assert rows["a"].forecast_cost_micros == before["a"].forecast_cost_micros
    assert rows["a"].forecast_benefit_micros == before["a"].forecast_benefit_micros


def test_by_benefit_per_cost_a_model_whose_jobs_cost_more_comes_later(world: World) -> None:
    begin(world, policy("benefit_per_cost"))
    working = Working.of(world)
    first = planned(world)
    assert [row.model for row in first.backlog[:3]] == ["a", "b", "c"]
    working.propose("job-a", "a", plan=first.plan)
    token = working.lease("job-a")
    working.report("data_integrity", token, "job-a", loss=1_000, cost=60_000_000)
    second = planned(world)
    rows = {row.model: row for row in second.backlog}
    assert [row.model for row in second.backlog[:3]] == ["b", "c", "a"]
    dear, cheap = rows["a"].forecast_cost_micros, rows["b"].forecast_cost_micros
    assert dear is not None
    assert cheap is not None
    assert int(dear) > int(cheap) > int(rows["b"].cost_micros)
    assert rows["b"].reason.startswith("Admitted: a forecast benefit of ")
    assert int(rows["a"].rank) > int(rows["b"].rank)


def test_a_job_whose_forecast_benefit_is_below_its_cost_and_the_margin_is_not_wanted(
    world: World,
) -> None:
    begin(world, policy("benefit_per_cost"))
    shares = {row.model: share_of(row) for row in planned(world).backlog}
    assert min(shares.values()) > 1
    margin = shares["low"] - 1
    text = json.loads(policy("benefit_per_cost"))
    world.activate(json.dumps(text | {"jobs": {"margin": f"{float(margin * 100):.4f}%"}}))
    plan = planned(world)
    assert dict(order(plan))["low"] == "admitted"
    admitted = {row.model for row in plan.backlog if row.outcome == "admitted"}
    assert admitted == {name for name, share in shares.items() if share >= margin + 1}
    left = {row.model: row.reason for row in plan.backlog if row.outcome == "below_price"}
    assert left.keys() == {"lower"}
    assert left["lower"].startswith("Not worth it yet: a forecast benefit of ")
    assert f", against a price of {share(int(margin * PPM) + PPM)}." in left["lower"]


def share_of(row: SteppedRowPart) -> Fraction:
    """Return the forecast benefit of a row for its cost."""
    assert row.forecast_benefit_micros is not None
    assert row.forecast_cost_micros is not None
    return Fraction(int(row.forecast_benefit_micros), int(row.forecast_cost_micros))


def test_a_shadow_ranks_by_its_own_scores(world: World) -> None:
    begin(world, policy(None))
    shadow = policy().replace('"impact_gain": 0', '"impact_gain": 0.5')
    drafted = world.draft(shadow, "other")
    begin_shadow = world.ledger.shadowing.begin
    begin_shadow(ANA, "other", drafted.version, drafted.digest, EVERYWHERE, 3_600, "try")
    for model, value in DRIFTS.items():
        world.see(model, value, FIRST + 2 * DAY, signal="drift")
    world.settle()
    planned(world, NEED)
    made = world.all_of(ShadowPlanned)[-1]
    assert made.ranking == "priority"
    assert [row.model for row in made.backlog[:2]] == ["c", "low"]


def test_the_planner_before_has_no_other_ranking(world: World) -> None:
    begin(world, policy())
    with pytest.raises(LedgerError, match="the planner excess/1 has no ranking"):
        world.draft(policy(planner="excess/1"))
