"""Procedure `rules/2` by known answers that code sharing nothing with the product has made.

Method: each case is lived through in a real ledger, deployments in the order in which they are
listed, which is not that of their times; what is recorded must be what the case says, replay must
agree, and so must the auditor.
"""

from pathlib import Path
from typing import Any

import pytest

from ledger.application.evaluation.assessments import AssessmentInputs
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.events.decisions import RecordedEnvironment, ScoreComputed
from ledger.events.fast import parse_observed
from ledger.events.values import format_time
from tests.support.vectors import load_cases
from tests.support.world import ORIGIN, World, policy_text, signal_rule

CASES = load_cases("decision_v2.json")


def lived(world: World, case: dict[str, Any]) -> None:
    """Bring a case about."""
    signal = signal_rule(window="16d", reports_every=f"{case['reports_every_seconds']}s")
    world.begin(policy=policy_text(signals=[signal], planning={"max_periods": 4}))
    world.register("m1")
    for one in case["deployments"]:
        world.deploy(
            "m1",
            one["version"],
            at=one["in_service_at"],
            through=one["trained_through"],
            baseline=one["baseline_loss"],
        )
    for seen in case["observations"]:
        world.see("m1", 0.9, seen["observed_at"], version=seen["version"])


def evaluated(world: World, at: int, present: int) -> tuple[ScoreComputed, RecordedEnvironment]:
    """Evaluate at a time: on record, unless it lies after the newest observation that counts."""
    if at <= present:
        (made,) = world.evaluate("m1", at=at)
        return made.score, made.decision.environment
    head = world.store.events.head(ORIGIN)
    history, policy = world.ledger.decisions.decidable("m1", head)
    inputs = AssessmentInputs(history, policy, at, "schedule", is_historical=False)
    assessment = world.ledger.replayer.assess_cold(inputs).assessment
    return assessment.score, assessment.environment


@pytest.mark.parametrize("name", CASES)
def test_stated_times_decide_as_the_known_answers_say(
    world: World, tmp_path: Path, name: str
) -> None:
    case = CASES[name]
    lived(world, case)
    recorded = [parse_observed(event) for event in world.events("signal.observed.v1")]
    assert [one.model_version for one in recorded] == [
        seen["recorded_version"] for seen in case["observations"]
    ]
    newest = max(seen["observed_at"] for seen in case["observations"])
    (now,) = world.evaluate("m1")
    expected = newest if case["present"] is None else case["present"]
    assert now.score.evaluated_at == format_time(expected)
    for evaluation in case["evaluations"]:
        score, environment = evaluated(world, evaluation["evaluated_at"], expected)
        seen = environment.model_dump()
        assert score.model_version == evaluation["model_version"]
        assert seen["hours_since_deployed"] == evaluation["hours_since_deployed"]
        assert seen["hours_in_force"] == evaluation["hours_in_force"]
        assert seen["retrainings_30d"] == evaluation["retrainings_30d"]
        assert seen["report_interval_hours"] == evaluation["interval_hours"]
        assert seen["signals"]["loss"]["interval_hours"] == evaluation["interval_hours"]
        assert seen["signals"]["loss"]["observations"] == evaluation["observations"]
    rows = world.plan(1_000_000).backlog
    assert [
        {
            "model_version": row.model_version,
            "baseline_loss": f"0.{int(row.baseline_nano) // 10**8}",
            "trained_period": row.trained_period,
            "seen": row.seen,
        }
        for row in rows
    ] == ([] if case["plan"] is None else [case["plan"]])
    world.check_replay()
    world.close()
    source = DatabaseSource(str(tmp_path / "ledger.sqlite"))
    report = Audit(source, "test").run()
    source.close()
    assert report.findings == (), report.text()
