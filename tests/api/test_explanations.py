"""Explanations over the API: of a decision, and of a score with or without one of its own."""

import pytest

from ledger.v1 import decision_service_pb2
from tests.support.served import DAY, TIMEOUT, Served, observation, refused


@pytest.fixture
def fleet(empty: Served) -> Served:
    """One model that degrades, observed for four weeks."""
    empty.prepare(("tolls",))
    empty.submit(*(observation("tolls", number=0.55, seconds=day * DAY + 1) for day in range(28)))
    return empty


def test_a_score_is_explained_as_the_decision_that_was_drawn_from_it(fleet: Served) -> None:
    evaluated = fleet.decisions.Evaluate(
        decision_service_pb2.EvaluateRequest(models=["tolls"]), timeout=TIMEOUT
    ).evaluated[0]
    score = f"models/tolls/scores/{evaluated.decision.score_position}"
    by_decision, by_score = (
        fleet.decisions.ExplainDecision(
            decision_service_pb2.ExplainDecisionRequest(name=name), timeout=TIMEOUT
        )
        for name in (evaluated.decision.name, score)
    )
    assert by_score.explanation == by_decision.explanation
    assert by_score.decision.environment == by_decision.decision.environment
    assert (by_score.decision.name, by_score.decision.position) == ("", 0)


def test_what_is_no_score_of_the_model_is_not_explained(fleet: Served) -> None:
    error = refused(
        lambda: fleet.decisions.ExplainDecision(
            decision_service_pb2.ExplainDecisionRequest(name="models/tolls/scores/1"),
            timeout=TIMEOUT,
        )
    )
    assert error.reason == "DECISION_UNKNOWN"
    assert error.metadata["position"] == "1"
