"""Explanations: true to the decision they explain, and the nearest boundary against brute force."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.events.decisions import ModelFactsPart, RecordedEnvironment
from ledger.events.policy_document import DecisionPart
from ledger.kernel.bucketed import KernelScore, SignalOutput
from ledger.rules.boundary import boundaries, value_of, with_value
from ledger.rules.explanation import DecisionExplanation, explain
from ledger.rules.procedure import (
    Outcome,
    Override,
    decide,
    environment_of,
)
from ledger.rules.shares import to_stored
from tests.rules.parts import changed, rule, rules_of

DRIFT = SignalOutput(
    "drift",
    weight=600_000,
    source="services/a",
    observations=40,
    buckets=12,
    magnitude=810_000,
    breaches=9,
    persistence=750_000,
    trend=50_000,
    sustained=True,
    effective=700_000,
    share=900_000,
)
NULLS = SignalOutput("nulls", weight=200_000, buckets=3, breaches=1, effective=1, share=100_000)
SILENT = SignalOutput("accuracy", weight=200_000)
ENVIRONMENT = environment_of(
    (SILENT, DRIFT, NULLS),
    None,
    priority=620_000,
    raw_priority=700_000,
    degradation=640_000,
    coverage=800_000,
    impact=0,
    risk=0,
    model=ModelFactsPart(owner="ann", tier="gold", labels={"team": "risk"}),
    hours_since_deployed=5,
    retrainings_30d=1,
    in_force="NO_ACTION",
    in_force_rule="",
    hours_in_force=0,
    slo_hours_left=-1,
)
RULES = rules_of(
    (
        rule("urgent", "priority >= 700000 || slo_hours_left == 3", "SCHEDULE_RETRAINING", "a"),
        rule(
            "retrain",
            'signals["drift"].sustained && priority * 2 > 1000000 && model.tier == "gold"',
            "SCHEDULE_RETRAINING",
            "team",
        ),
        rule("watch", "priority > 300000", "INVESTIGATE", "team", hold="priority > 200000"),
        rule("blind", "coverage < 500000", "ADJUST_DATA_COLLECTION", ""),
    ),
    "NO_ACTION",
    "",
    "errors",
    cool_down_hours=10,
)
SCORE = KernelScore(640_000, 800_000, 700_000, (SILENT, DRIFT, NULLS))


def _explain(
    rules: DecisionPart = RULES,
    environment: RecordedEnvironment = ENVIRONMENT,
    override: Override | None = None,
) -> DecisionExplanation:
    return explain(SCORE, rules, environment, decide(rules, environment, override))


def test_contributions_come_by_share_and_name_the_silent() -> None:
    contributions = _explain().contributions
    assert [item.signal for item in contributions] == ["drift", "nulls", "accuracy"]
    assert contributions[0].sentence == (
        "drift makes up 90.0% of the degradation: severity 81.0%, 9 of 12 buckets in breach, "
        "sustained, as services/a reports."
    )
    assert contributions[2].sentence.startswith("accuracy is silent")


def test_every_rule_is_read_and_the_winner_named_with_its_values() -> None:
    explanation = _explain()
    statuses = [(item.rule, item.status, item.is_true) for item in explanation.readings]
    assert statuses == [
        ("urgent", "false", False),
        ("retrain", "matched", True),
        ("watch", "not_reached", True),
        ("blind", "not_reached", False),
    ]
    assert explanation.winner is explanation.readings[1]
    assert explanation.winner.values == (
        ('signals["drift"].sustained', True),
        ("priority", 620_000),
        ("model.tier", "gold"),
    )


def test_a_false_conjunction_names_only_what_was_false() -> None:
    environment = ENVIRONMENT.model_copy(update={"priority": 450_000})
    reading = _explain(environment=environment).readings[1]
    assert [comparison.text for comparison in reading.comparisons] == ["priority * 2 > 1000000"]
    assert reading.sentence == (
        "Rule retrain is false by its when: priority * 2 > 100% is false (priority is 45.0%)."
    )


def test_a_limit_of_a_share_is_told_as_per_cent_and_a_count_as_a_number() -> None:
    when = 'priority >= 200000 && signals["drift"].breaches >= 3 && hours_since_deployed > 2'
    (reading,) = _explain(changed(RULES, rules=(rule("r", when, "NO_ACTION", ""),))).readings
    assert reading.sentence == (
        "Rule r is true by its when: priority >= 20% (it is 62.0%); "
        'signals["drift"].breaches >= 3 (it is 9); hours_since_deployed > 2 (it is 5).'
    )
    assert reading.text == when
    assert reading.comparisons[0].text == "priority >= 200000"


@pytest.mark.parametrize(("limit", "shown"), [("61.9999%", "62%"), ("62%", "62.0%")])
def test_a_share_close_to_its_limit_is_told_exactly(limit: str, shown: str) -> None:
    near = rule("r", to_stored(f"priority >= {limit}").text, "NO_ACTION", "")
    (reading,) = _explain(changed(RULES, rules=(near,))).readings
    assert reading.sentence.endswith(f"(it is {shown}).")


def test_a_boundary_of_a_share_names_both_ends_exactly() -> None:
    sentence = next(one.sentence for one in boundaries(RULES, ENVIRONMENT) if one.rule == "urgent")
    assert sentence.startswith("If priority rose from 62% to 70%, all else equal, rule urgent")


def test_a_false_disjunction_names_each_side() -> None:
    comparisons = _explain().readings[0].comparisons
    assert [comparison.text for comparison in comparisons] == [
        "priority >= 700000",
        "slo_hours_left == 3",
    ]


def test_a_true_disjunction_names_the_side_that_is_true() -> None:
    rules = changed(RULES, rules=(changed(RULES.rules[0], when="impact > 1 || !(risk > 1)"),))
    winner = _explain(rules).winner
    assert winner is not None
    assert [(comparison.text, comparison.is_true) for comparison in winner.comparisons] == [
        ("risk > 1", False)
    ]


def test_a_conditional_names_its_condition_and_the_branch_it_took() -> None:
    text = 'in_force == "NO_ACTION" ? priority > 1 : priority > 2'
    winner = _explain(changed(RULES, rules=(rule("r", text, "INVESTIGATE", ""),))).winner
    assert winner is not None
    assert [comparison.text for comparison in winner.comparisons] == [
        'in_force == "NO_ACTION"',
        "priority > 1",
    ]


def test_the_rule_in_force_is_read_by_its_hold() -> None:
    environment = ENVIRONMENT.model_copy(update={"priority": 250_000, "in_force_rule": "watch"})
    winner = _explain(environment=environment).winner
    assert winner is not None
    assert (winner.rule, winner.matched_by) == ("watch", "hold")


def test_a_rule_that_fails_is_explained_by_its_error() -> None:
    broken = rule("broken", 'model.labels["none"] == "x"', "NO_ACTION", "")
    explanation = _explain(changed(RULES, rules=(broken, *RULES.rules)))
    assert explanation.winner is not None
    assert explanation.winner.status == "failed"
    assert "Rule broken has no value" in explanation.paragraph
    assert "INVESTIGATE at tier errors" in explanation.paragraph
    assert explanation.winner.values == (('model.labels["none"]', None),)


def test_the_paragraph_tells_bound_cool_down_override_and_what_would_change_it() -> None:
    paragraph = _explain(override=Override(7, "NO_ACTION", "boss", 0, 9)).paragraph
    for sentence in (
        "Priority is 62.0%, held to the policy's largest step from the 70.0% that the kernel",
        "accuracy is silent, so coverage is 80.0%.",
        "It gives SCHEDULE_RETRAINING at tier team.",
        "deployed 5 hours ago, within the cool-down of 10, so retraining waits",
        "The override recorded at position 7 sets NO_ACTION at tier boss instead.",
        "If hours_since_deployed rose by 5 to 10, all else equal, rule retrain would decide",
    ):
        assert sentence in paragraph, sentence


def test_without_rules_and_numbers_nothing_would_change_the_outcome() -> None:
    rules = changed(RULES, rules=(), cool_down_hours=0)
    paragraph = _explain(rules).paragraph
    assert "No rule matched, so the policy's otherwise gives NO_ACTION." in paragraph
    assert paragraph.endswith("No change of a single number would lead to another outcome.")


def test_boundaries_name_the_first_value_on_the_other_side() -> None:
    environment = ENVIRONMENT.model_copy(update={"hours_since_deployed": 50})
    found = {item.rule: (item.variable, item.needed) for item in boundaries(RULES, environment)}
    assert found == {
        "urgent": ("priority", 700_000),
        "retrain": ("hours_since_deployed", 9),
        "watch": ("priority", 500_000),
        "": ("priority", 300_000),
    }


def test_a_number_that_means_there_is_none_counts_as_far_away() -> None:
    rules = rules_of(
        (rule("r", "slo_hours_left >= 0 || priority > 900000", "INVESTIGATE", ""),),
        "NO_ACTION",
        "",
        "",
    )
    nearest = boundaries(rules, ENVIRONMENT)[0]
    assert (nearest.variable, nearest.needed, nearest.change) == ("priority", 900_001, 280_001)


def test_a_boundary_never_leaves_the_range_of_its_variable() -> None:
    rules = changed(RULES, rules=(rule("r", "priority > 1000000", "INVESTIGATE", ""),))
    assert [item for item in boundaries(rules, ENVIRONMENT) if item.variable == "priority"] == []


_terms = st.sampled_from(
    ["retrainings_30d", "2 * retrainings_30d - 3", "10 - retrainings_30d", "retrainings_30d + 1"]
)
_leaves = st.tuples(
    _terms, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.integers(0, 20)
).map(lambda t: f"{t[0]} {t[1]} {t[2]}")
_whens = st.one_of(
    _leaves,
    st.tuples(_leaves, st.sampled_from(["&&", "||"]), _leaves).map(" ".join),
    st.lists(st.integers(0, 20), min_size=1, max_size=3).map(lambda x: f"retrainings_30d in {x}"),
)


@settings(max_examples=60)
@given(st.lists(_whens, min_size=1, max_size=4), st.integers(0, 25))
def test_the_nearest_boundary_equals_a_search_of_every_value(whens: list[str], now: int) -> None:
    rules = rules_of(
        tuple(rule(f"r{at}", when, "INVESTIGATE", "") for at, when in enumerate(whens)),
        "NO_ACTION",
        "",
        "",
    )
    environment = ENVIRONMENT.model_copy(update={"retrainings_30d": now})
    present = decide(rules, environment)
    nearest: dict[Outcome, int] = {}
    for value in range(60):
        outcome = decide(rules, with_value(environment, "retrainings_30d", value))
        distance = abs(value - now)
        if outcome != present and distance < nearest.get(outcome, 1_000):
            nearest[outcome] = distance
    found = {item.rule: abs(item.change) for item in boundaries(rules, environment)}
    assert found == {outcome.rule: distance for outcome, distance in nearest.items()}


def test_a_variable_can_be_read_and_replaced_by_its_path() -> None:
    changed = with_value(ENVIRONMENT, 'signals["drift"].trend', -3)
    assert value_of(changed, 'signals["drift"].trend') == -3
    assert value_of(changed, 'signals["drift"].present') is True
    assert value_of(changed, "model.owner") == "ann"
    assert value_of(changed, 'model.labels["team"]') == "risk"
    assert value_of(ENVIRONMENT, 'signals["drift"].trend') == 50_000
