"""Procedure `rules/1` by known answers that were written from its page, one test a case.

Method: expressions, outcomes and selections of the file go through the product's own steps; what a
ledger makes of them as a whole, the replay of the golden ledger shows.
"""

from typing import Any, cast

import pytest

from ledger.application.fleet.history import History
from ledger.application.fleet.service_period import DeployedVersion
from ledger.events.decisions import RecordedEnvironment
from ledger.events.models import ModelDescribed
from ledger.events.policy_document import RulePart
from ledger.kernel.bucketed import SignalOutput
from ledger.rules.expressions import ExpressionError, activation_of, compile_expression
from ledger.rules.procedure import (
    Override,
    bounded_priority,
    decide,
    override_in_effect,
    rule_problems,
    slo_hours_left,
    whole_hours,
)
from tests.rules.parts import rules_of
from tests.support.vectors import load_vectors

DOCUMENT: dict[str, Any] = load_vectors("decision_v1.json")
ENVIRONMENT: dict[str, Any] = DOCUMENT["environment"]
DESCRIBED = cast("ModelDescribed", None)  # which version serves depends on no description


def by_id(part: str) -> dict[str, dict[str, Any]]:
    return {case["id"]: case for case in DOCUMENT[part]}


def found_of(text: str) -> str:
    try:
        compiled = compile_expression(text, ENVIRONMENT["signals"])
    except ExpressionError:
        return "refused"
    is_true = compiled.evaluate(activation_of(ENVIRONMENT)).is_true
    return "error" if is_true is None else str(is_true).lower()


@pytest.mark.parametrize("name", by_id("expressions"))
def test_an_expression_has_its_known_value(name: str) -> None:
    case = by_id("expressions")[name]
    assert found_of(case["text"]) == case["expect"]


def outcome_of(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the steps make of a case, in the form of its known answer."""
    rules = rules_of(
        [RulePart(**{"hold": None, "rationale": ""} | rule) for rule in case["rules"]],
        case["otherwise_action"],
        case["otherwise_tier"],
        case["error_tier"],
        cool_down_hours=case["cool_down_hours"],
    )
    assert rule_problems(rules, ENVIRONMENT["signals"]) == []
    overrides = [Override(**each) for each in case["overrides"]]
    outcome = decide(
        rules,
        RecordedEnvironment.model_validate(ENVIRONMENT | case["changes"]),
        override_in_effect(overrides, DOCUMENT["evaluated_at"]),
    )
    names = ("action", "tier", "rule", "reason", "held_back")
    replaced = outcome.overridden
    return {name: getattr(outcome, name) for name in names} | {
        "overridden": replaced
        and {name: getattr(replaced, name) for name in ("position", "action", "tier", "held_back")}
    }


@pytest.mark.parametrize("name", by_id("outcomes"))
def test_rules_cool_down_and_override_give_the_known_outcome(name: str) -> None:
    case = by_id("outcomes")[name]
    assert outcome_of(case) == case["expect"]


def test_a_priority_changes_by_the_known_step() -> None:
    for case in DOCUMENT["bounded"]:
        assert bounded_priority(case["raw"], case["last"], case["step"]) == case["expect"], case


def test_the_hours_left_are_the_known_ones() -> None:
    for case in DOCUMENT["slo"]:
        output = SignalOutput(
            "error_rate",
            1,
            buckets=int(case["present"]),
            trend=case["trend"],
            magnitude=case["magnitude"],
        )
        assert slo_hours_left(output, case["window_seconds"]) == case["expect"], case
    assert slo_hours_left(None, 86_400) == -1


@pytest.mark.parametrize("name", by_id("service"))
def test_the_version_recorded_last_serves_and_its_observations_count(name: str) -> None:
    case = by_id("service")[name]
    now = case["evaluated_at"]
    deployments = [
        DeployedVersion(
            one["version"],
            one["kind"] == "trained",
            one["in_service_at"],
            one["trained_through"],
            1,
            at,
        )
        for at, one in enumerate(case["deployments"], 1)
    ]
    service = History("m1", 9, DESCRIBED, deployments).service("rules/1", now)
    ages = [whole_hours(one.in_service_at, now) for one in deployments if one.is_trained]
    assert case["expect"] == {
        "model_version": service.version if service else None,
        "selected": [
            at
            for at, seen in enumerate(case["observations"])
            if service and service.selects(seen["version"], seen["observed_at"])
        ],
        "hours_since_deployed": whole_hours(service.since, now) if service else -1,
        "retrainings_30d": len([age for age in ages if 0 <= age < 720]),
    }
