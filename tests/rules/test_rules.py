"""Procedure `rules/1`, a test for each of its sentences."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.events.decisions import ModelFactsPart, OverriddenPart, RecordedEnvironment
from ledger.events.values import HOUR, PPM
from ledger.kernel.bucketed import SignalOutput
from ledger.rules.procedure import (
    Outcome,
    Override,
    bounded_priority,
    decide,
    environment_of,
    hours_in_force,
    override_in_effect,
    rule_problems,
    slo_hours_left,
    whole_hours,
)
from ledger.rules.vocabulary import RULES_1, RULES_2, SIGNAL_FIELDS, VARIABLES
from tests.rules.parts import changed, rule, rules_of

DRIFT = SignalOutput(
    "drift",
    weight=PPM,
    source="services/a",
    observations=9,
    buckets=4,
    peak=PPM,
    magnitude=700_000,
    breaches=3,
    streak=2,
    persistence=750_000,
    freshness=900_000,
    trend=50_000,
    sustained=True,
    effective=600_000,
    share=PPM,
)
ENVIRONMENT = environment_of(
    (DRIFT, SignalOutput("nulls", weight=PPM)),
    None,
    priority=600_000,
    raw_priority=650_000,
    degradation=610_000,
    coverage=500_000,
    impact=1,
    risk=2,
    model=ModelFactsPart(owner="ann", tier="gold", labels={"team": "risk"}),
    hours_since_deployed=100,
    retrainings_30d=1,
    in_force="NO_ACTION",
    in_force_rule="",
    hours_in_force=0,
    slo_hours_left=-1,
)
RETRAIN = rule("retrain", "priority >= 500000", "SCHEDULE_RETRAINING", "team")
WATCH = rule("watch", "priority >= 200000", "INVESTIGATE", "watchers")
RULES = rules_of((RETRAIN, WATCH), "NO_ACTION", "quiet", "errors", cool_down_hours=24)


def _with(**changes: object) -> RecordedEnvironment:
    return changed(ENVIRONMENT, **changes)


# ---- step 4 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "last", "step", "expected"),
    [
        (900, 100, 50, 150),
        (100, 900, 50, 850),
        (120, 100, 50, 120),
        (900, None, 50, 900),
        (900, 100, None, 900),
        (900, 100, 0, 100),
    ],
)
def test_a_priority_moves_by_at_most_the_policys_step(
    raw: int, last: int | None, step: int | None, expected: int
) -> None:
    assert bounded_priority(raw, last, step) == expected


@given(st.integers(0, PPM), st.integers(0, PPM), st.integers(0, PPM))
def test_a_bounded_priority_lies_between_the_last_and_the_raw_one(
    raw: int, last: int, step: int
) -> None:
    bounded = bounded_priority(raw, last, step)
    assert abs(bounded - last) <= step
    assert min(raw, last) <= bounded <= max(raw, last)


# ---- step 5 --------------------------------------------------------------------------------------


def test_the_environment_holds_exactly_the_variables_of_the_procedure() -> None:
    data = ENVIRONMENT.model_dump()
    assert set(data) == set(VARIABLES)
    assert set(data["signals"]["drift"]) == set(SIGNAL_FIELDS)
    assert set(SIGNAL_FIELDS) == {item.name for item in fields(SignalOutput)} | {"present"}
    assert data["signals"]["drift"]["present"] is True
    assert data["signals"]["nulls"]["present"] is False


def test_a_recorded_environment_reads_back_and_decides_again() -> None:
    recorded = json.loads(json.dumps(ENVIRONMENT.model_dump()))
    again = RecordedEnvironment.model_validate(recorded)
    assert again == ENVIRONMENT
    assert decide(RULES, again) == decide(RULES, ENVIRONMENT)


def test_every_output_of_the_kernel_can_be_read_by_a_rule() -> None:
    for name, kind in SIGNAL_FIELDS.items():
        value = getattr(DRIFT, name)
        literal = json.dumps(value)
        assert type(value).__name__ == {"string": "str"}.get(kind, kind)
        read = changed(RETRAIN, when=f'signals["drift"].{name} == {literal}')
        assert decide(changed(RULES, rules=(read,)), ENVIRONMENT).rule == "retrain", name


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (None, -1),
        (SignalOutput("drift", PPM), -1),
        (replace(DRIFT, trend=0), -1),
        (replace(DRIFT, trend=-1), -1),
        # 300,000 ppm are left, and half a window of 86,400 s brings 50,000 more.
        (DRIFT, 300_000 * 86_400 // (2 * 50_000 * 3_600)),
        (replace(DRIFT, magnitude=PPM), 0),
    ],
)
def test_the_hours_to_the_slo_follow_the_trend(output: SignalOutput | None, expected: int) -> None:
    assert slo_hours_left(output, 86_400) == expected


def test_hours_are_whole_and_rounded_down() -> None:
    assert whole_hours(0, HOUR - 1) == 0
    assert whole_hours(0, HOUR) == 1
    assert whole_hours(1, 0) == -1


def test_a_decision_that_began_later_has_been_in_force_for_no_time_but_by_rules_1() -> None:
    then, now = 50 * HOUR, 3 * HOUR
    assert hours_in_force(then, now, RULES_2) == 0
    assert hours_in_force(then, now, RULES_1) == -47
    assert hours_in_force(now, then, RULES_1) == hours_in_force(now, then, RULES_2) == 47


# ---- step 6 --------------------------------------------------------------------------------------


def test_the_first_rule_that_matches_gives_action_and_tier() -> None:
    expected = Outcome("SCHEDULE_RETRAINING", "team", "retrain", "RULE")
    assert decide(RULES, ENVIRONMENT) == expected
    assert decide(RULES, _with(priority=499_999)).rule == "watch"


def test_without_a_match_the_policys_otherwise_decides() -> None:
    assert decide(RULES, _with(priority=0)) == Outcome("NO_ACTION", "quiet", "", "OTHERWISE")


def test_rules_see_the_bounded_priority_and_can_ask_for_the_raw_one() -> None:
    raw = changed(RULES, rules=(changed(RETRAIN, when="raw_priority > priority"),))
    assert decide(raw, ENVIRONMENT).rule == "retrain"
    assert decide(raw, _with(raw_priority=600_000)).rule == ""


def test_the_rule_in_force_matches_by_its_hold_and_no_other_does() -> None:
    held = changed(RETRAIN, hold="priority >= 300000")
    rules = changed(RULES, rules=(held, WATCH))
    low = _with(priority=400_000)
    assert decide(rules, low).rule == "watch"
    assert decide(rules, low.model_copy(update={"in_force_rule": "retrain"})).rule == "retrain"
    assert decide(rules, low.model_copy(update={"in_force_rule": "watch"})).rule == "watch"


def test_a_hold_replaces_the_when_also_where_it_is_stricter() -> None:
    held = changed(RETRAIN, hold="priority >= 900000")
    rules = changed(RULES, rules=(held,))
    assert decide(rules, _with(in_force_rule="retrain")).reason == "OTHERWISE"


def test_the_rule_in_force_without_a_hold_matches_by_its_when() -> None:
    assert decide(RULES, _with(in_force_rule="retrain")).rule == "retrain"


@pytest.mark.parametrize(
    "when",
    ['model.labels["none"] == "x"', "9223372036854775807 + priority > 1", "1 / (impact - 1) > 1"],
)
def test_an_error_decides_to_investigate_at_the_error_tier(when: str) -> None:
    rules = changed(RULES, rules=(changed(RETRAIN, when=when), WATCH))
    assert decide(rules, ENVIRONMENT) == Outcome("INVESTIGATE", "errors", "retrain", "RULE_ERROR")


def test_an_error_behind_the_rule_that_matches_is_never_reached() -> None:
    broken = changed(WATCH, when="1 / (impact - 1) > 1")
    assert decide(changed(RULES, rules=(RETRAIN, broken)), ENVIRONMENT).rule == "retrain"


# ---- step 7 --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "is_held"), [(-1, False), (0, True), (23, True), (24, False), (100, False)]
)
def test_retraining_waits_for_the_end_of_the_cool_down(hours: int, is_held: bool) -> None:  # noqa: FBT001
    outcome = decide(RULES, _with(hours_since_deployed=hours))
    held = Outcome("INVESTIGATE", "team", "retrain", "RULE", "COOL_DOWN")
    assert outcome == (held if is_held else decide(RULES, ENVIRONMENT))


def test_the_cool_down_holds_back_nothing_but_retraining() -> None:
    outcome = decide(RULES, _with(priority=300_000, hours_since_deployed=0))
    assert outcome == Outcome("INVESTIGATE", "watchers", "watch", "RULE")


def test_the_cool_down_also_holds_back_an_otherwise_that_retrains() -> None:
    rules = changed(RULES, rules=(), otherwise_action="SCHEDULE_RETRAINING")
    assert decide(rules, _with(hours_since_deployed=0)).held_back == "COOL_DOWN"


# ---- step 8 --------------------------------------------------------------------------------------


def test_an_override_gives_action_and_tier_and_keeps_what_it_replaced() -> None:
    override = Override(7, "NO_ACTION", "boss", 0, 10)
    assert decide(RULES, _with(hours_since_deployed=0), override) == Outcome(
        "NO_ACTION",
        "boss",
        "retrain",
        "RULE",
        overridden=OverriddenPart(
            position=7, action="INVESTIGATE", tier="team", held_back="COOL_DOWN"
        ),
    )


def test_an_override_to_retrain_is_not_held_back() -> None:
    override = Override(7, "SCHEDULE_RETRAINING", "boss", 0, 10)
    outcome = decide(RULES, _with(priority=0, hours_since_deployed=0), override)
    assert (outcome.action, outcome.held_back) == ("SCHEDULE_RETRAINING", None)


def test_the_latest_recorded_override_in_effect_wins() -> None:
    early = Override(3, "NO_ACTION", "", 0, 100)
    late = Override(5, "INVESTIGATE", "", 50, 60)
    for at, expected in ((49, early), (50, late), (59, late), (60, early), (100, None)):
        assert override_in_effect([late, early], at) == expected


# ---- what a policy may hold ----------------------------------------------------------------------


def test_a_rule_set_names_every_fault_with_its_place() -> None:
    faulty = rules_of(
        (changed(RETRAIN, when="pryority > 1", hold="1.5 > 1.0"), RETRAIN), "NO_ACTION", "", ""
    )
    problems = rule_problems(faulty, ENVIRONMENT.signals)
    fields = ["rules[0].when", "rules[0].hold", "rules[1].id"]
    assert [field for field, _ in problems] == fields
    assert problems[0][1].endswith("(line 1, column 1)")
    assert rule_problems(RULES, ENVIRONMENT.signals) == []
