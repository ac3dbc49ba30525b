"""The rules of a budget, one by one; its scopes; its forecast.

Method: the pure fold alone, on events one after another.
"""

from typing import Any

import pytest

from ledger.events.budgets import BudgetSet, BudgetSpent
from ledger.events.values import DAY, HOUR, format_time
from ledger.jobs.budget_forecast import forecast
from ledger.jobs.budget_scopes import counted_on, covers, governing, scope_fault, ties
from ledger.jobs.budgets import BudgetError, applied, erased, set_event
from tests.support.budget_stories import EVERYWHERE, START, BudgetStory, terms

# ---- the rules, one by one -----------------------------------------------------------------------


def test_a_new_budget_begins_with_one_refill_or_with_the_opening_balance_that_is_stated() -> None:
    assert BudgetStory().budget.balances == {"jobs": "100", "tests": "10"}
    stated = BudgetStory(opening={"jobs": "7", "tests": "0"})
    assert stated.budget.balances == {"jobs": "7", "tests": "0"}


def test_it_is_refilled_once_a_period_and_banked_up_to_its_cap() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 0, START + DAY - 1)
    assert ledger.free() == 100
    ledger.reserve("b", 0, START + DAY)
    assert ledger.free() == 200
    ledger.reserve("c", 0, START + 9 * DAY)
    assert ledger.budget.balances == {"jobs": "400", "tests": "20"}


def test_a_clock_that_steps_back_refills_nothing_and_takes_nothing_away() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 30, START + 2 * DAY)
    ledger.reserve("b", 0, START - 5 * DAY)
    assert ledger.free() == 270
    assert ledger.events[-1].at == format_time(START + 2 * DAY)
    ledger.reserve("c", 0, START + 3 * DAY - 1)
    assert ledger.free() == 270
    ledger.reserve("d", 0, START + 3 * DAY)
    assert ledger.free() == 370


def test_the_reserve_is_for_jobs_of_the_top_tier() -> None:
    ledger = BudgetStory()
    with pytest.raises(BudgetError) as refused:
        ledger.reserve("a", 51)
    assert refused.value.short_micros == 1
    ledger.reserve("a", 50)
    ledger.reserve("b", 50, top=True)
    assert ledger.free() == 0


def test_tests_of_candidates_have_an_envelope_of_their_own() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 10, envelope="tests")
    assert ledger.budget.balances == {"jobs": "100", "tests": "0"}
    with pytest.raises(BudgetError, match="1 are missing"):
        ledger.reserve("b", 1, envelope="tests")
    ledger.reserve("a", 20)
    ledger.spend("a", 4, envelope="tests")
    assert ledger.budget.balances == {"jobs": "80", "tests": "6"}


def test_what_a_job_did_not_need_is_free_again_and_a_released_reservation_whole() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 40)
    ledger.spend("a", 15)
    assert ledger.free() == 85
    ledger.reserve("b", 30)
    ledger.release("b")
    assert ledger.free() == 85
    assert ledger.budget.envelopes["jobs"].spent_micros == 15


def test_a_job_is_reserved_for_once_and_spent_or_released_once() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 10)
    with pytest.raises(BudgetError, match="before"):
        ledger.reserve("a", 10)
    ledger.spend("a", 10)
    with pytest.raises(BudgetError, match="nothing is reserved"):
        ledger.spend("a", 10)
    with pytest.raises(BudgetError, match="nothing is reserved"):
        ledger.release("a")
    with pytest.raises(BudgetError, match="before"):
        ledger.reserve("a", 10)
    with pytest.raises(BudgetError, match="has ended"):
        ledger.approve("a", 10)


def test_a_cost_above_the_reservation_takes_what_is_free_and_is_refused_beyond_it() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 20)
    with pytest.raises(BudgetError) as refused:
        ledger.spend("a", 51)  # 20 reserved, 30 free beside the reserve
    assert refused.value.short_micros == 1
    ledger.spend("a", 50)
    assert ledger.free() == 50


def test_approved_overspending_covers_one_job_and_what_that_does_not_need_lapses() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 20)
    ledger.approve("a", 100)
    with pytest.raises(BudgetError):
        ledger.reserve("b", 31)  # the approval is for a alone
    ledger.spend("a", 90)
    one = ledger.budget.envelopes["jobs"]
    assert (one.free_micros, one.spent_micros, one.lapsed_micros) == (50, 90, 60)
    assert not ledger.budget.approved


def test_an_approval_before_admission_lets_a_job_reserve_more_than_there_is() -> None:
    ledger = BudgetStory()
    ledger.approve("a", 30)
    ledger.approve("a", 70)
    with pytest.raises(BudgetError) as refused:
        ledger.reserve("a", 151)
    assert refused.value.short_micros == 1
    ledger.reserve("a", 140)
    assert ledger.free() == 50
    ledger.spend("a", 60)  # its own 50 first, then 10 of the approved 100
    assert (ledger.free(), ledger.budget.envelopes["jobs"].lapsed_micros) == (50, 90)


def test_set_again_a_budget_keeps_its_balance_within_the_new_cap_and_its_reservations() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 20, START + 2 * DAY)
    ledger.set(START + 2 * DAY, jobs={"refill_micros": "1", "cap_micros": "60"})
    assert ledger.free() == 60
    assert ledger.budget.envelopes["jobs"].lapsed_micros == 220
    ledger.spend("a", 5, START + 2 * DAY)
    assert ledger.free() == 60
    with pytest.raises(BudgetError, match="goes on"):
        ledger.set(START + 2 * DAY, opening={"jobs": "9", "tests": "9"})
    with pytest.raises(BudgetError, match="EUR"):
        ledger.set(START + 2 * DAY, unit="gpu-hours")


def test_a_reservation_is_added_to_out_of_what_is_free_and_then_of_what_was_approved() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 30)
    ledger.approve("a", 25)
    ledger.add("a", 40)
    held = ledger.budget.reservations["a", "jobs"]
    assert (held.position, held.own_micros, held.approved_micros) == (2, 50, 20)
    with pytest.raises(BudgetError, match="1 are missing"):
        ledger.add("a", 6)
    ledger.spend("a", 60)
    assert (ledger.free(), ledger.budget.approved) == (50, {})
    for job in ("a", "b"):
        with pytest.raises(BudgetError, match=f"nothing is reserved for job {job}"):
            ledger.add(job, 1)


def test_a_budget_whose_first_terms_are_gone_is_known_by_its_name_alone() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 10)
    gone = applied(erased("main"), 1, "budget.set.v1", None)
    gone = applied(gone, 2, "budget.reserved.v1", ledger.events[1].to_data())
    assert (gone.is_gone, gone.events) == (True, 2)
    assert governing([gone], "ann", {}) is None
    ledger.budget = gone
    ledger.set(START + DAY, unit="GPU hours")
    assert (ledger.free(), ledger.budget.unit, ledger.budget.events) == (100, "GPU hours", 3)
    with pytest.raises(BudgetError, match="before"):
        ledger.reserve("a", 1, START + DAY)


def test_a_budget_of_which_a_body_is_gone_takes_nothing_until_it_is_set_again() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 10)
    ledger.reserve("b", 10)
    ledger.spend("a", 10)
    gone = applied(ledger.budget, 4, BudgetSpent.TYPE, None)
    assert gone is not None
    ledger.budget = gone
    with pytest.raises(BudgetError, match="erased"):
        ledger.reserve("c", 1)
    assert governing([ledger.budget], "ann", {}) is None
    ledger.set(START + DAY)
    assert ledger.free() == 100
    assert not ledger.budget.reservations
    with pytest.raises(BudgetError, match="before"):
        ledger.reserve("a", 1, START + DAY)


# ---- scopes and forecasts ------------------------------------------------------------------------


def of_labels(**labels: str) -> dict[str, Any]:
    return {"kind": "labels", "labels": labels, "team": ""}


TEAM = {"kind": "team", "labels": {}, "team": "ann"}


def test_labels_go_before_a_team_a_team_before_the_ledger_and_more_labels_before_fewer() -> None:
    scopes = [EVERYWHERE, TEAM, of_labels(region="east"), of_labels(region="east", tier="gold")]
    budgets = [BudgetStory(budget=f"b{i}", scope=one).budget for i, one in enumerate(scopes)]

    def chosen(owner: str, **labels: str) -> str:
        found = governing(reversed(budgets), owner, labels)
        assert found is not None
        return found.name

    assert chosen("bob") == "b0"
    assert chosen("ann") == "b1"
    assert chosen("ann", region="east") == "b2"
    assert chosen("ann", region="east", tier="gold") == "b3"
    assert chosen("bob", region="west") == "b0"
    assert governing(budgets[1:], "bob", {}) is None


def test_plans_count_on_a_budget_in_their_own_unit_alone_where_the_ledger_names_one() -> None:
    budgets = [BudgetStory(scope=of_labels(tier="gold")).budget]
    unit, gold = budgets[0].unit, {"tier": "gold"}
    assert counted_on(budgets, "bob", gold, unit) is budgets[0]
    assert counted_on(budgets, "bob", gold, "") is budgets[0]
    assert counted_on(budgets, "bob", gold, f"other than {unit}") is None
    assert counted_on(budgets, "bob", {}, unit) is None


def test_two_budgets_that_are_as_specific_and_can_pay_for_one_model_are_not_set() -> None:
    east, gold, west = of_labels(region="east"), of_labels(tier="gold"), of_labels(region="west")
    assert ties(east, gold)
    assert not ties(east, west)
    assert not ties(east, of_labels(region="east", tier="gold"))
    assert ties(EVERYWHERE, EVERYWHERE)
    assert ties(TEAM, TEAM)
    assert not ties(TEAM, TEAM | {"team": "bob"})
    there = BudgetStory(budget="east", scope=east).budget
    assert "budget east" in scope_fault([there], "gold", gold)
    assert not scope_fault([there], "east", gold)
    assert not scope_fault([there], "west", west)
    assert covers(east, "x", {"region": "east", "tier": "gold"})


def test_a_forecast_says_when_nothing_is_free_at_the_rate_of_the_latest_whole_periods() -> None:
    ledger = BudgetStory(opening={"jobs": "400", "tests": "0"})
    for day in range(4):
        ledger.reserve(f"d{day}", 150, START + day * DAY + HOUR, top=True)
        ledger.spend(f"d{day}", 140, START + day * DAY + 2 * HOUR)
    told = forecast(ledger.budget, "jobs", START + 4 * DAY)
    # 240 free by then; a day brings 100 and takes 140, so that the day with 120 ends too early.
    assert told == (140, START + 7 * DAY + 120 * DAY // 140)
    assert forecast(ledger.budget, "tests", START + 4 * DAY) == (0, None)


def test_a_budget_that_is_refilled_faster_than_it_is_taken_does_not_run_out() -> None:
    ledger = BudgetStory()
    for day in range(6):
        ledger.reserve(f"d{day}", 90, START + day * DAY, top=True)
    assert forecast(ledger.budget, "jobs", START + 6 * DAY) == (90, None)


def test_a_period_of_another_length_begins_the_rate_again() -> None:
    ledger = BudgetStory()
    ledger.reserve("a", 50)
    ledger.set(START + DAY, period_seconds=7 * 86_400)
    assert forecast(ledger.budget, "jobs", START + DAY) == (0, None)


def test_an_event_has_an_opening_within_its_caps_and_a_scope_of_one_kind() -> None:
    for changes in (
        {"opening": {"jobs": "401", "tests": "0"}},
        {"reserve_micros": "401"},
        {"scope": EVERYWHERE | {"labels": {"a": "b"}}},
        {"scope": EVERYWHERE | {"kind": "team"}},
        {"period_seconds": 59},
        {"jobs": {"refill_micros": "-1", "cap_micros": "1"}},
    ):
        with pytest.raises(ValueError, match=r"opening|reserve|labels|team|period|refill"):
            set_event(None, START, terms(**changes))
    assert isinstance(BudgetStory().events[0], BudgetSet)
