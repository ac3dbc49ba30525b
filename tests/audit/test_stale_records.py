"""What was derived once, appended again as the newest: every member is true, and it is refused.

Method: as somebody with write access would, copy what the service derived behind the newest event,
or bring between a horizon and its record what the append would have been refused for.
"""

from pathlib import Path

import pytest

from ledger.events.values import format_time
from tests.audit.paper import Paper
from tests.audit.test_forgeries import DECISION, EVALUATOR, SCORE, audit_of
from tests.support.world import DAY, HOUR, START

RULE = "horizons.unbroken"


def findings(paper: Paper, folder: Path) -> list[tuple[str, int]]:
    return [(one.rule, one.position) for one in audit_of(paper, folder).findings]


def decided_again(paper: Paper, at: int) -> int:
    """Append a decision of alpha and its score once more; return where the score is."""
    decision, scored = paper.at(at), paper.at(at - 1)
    run = decision.body["run_id"] if isinstance(decision.body, dict) else None
    place = paper.append("models/alpha", SCORE, scored.data, actor=EVALUATOR, run_id=run)
    data = decision.data | {"score_position": place}
    cause = {"causation_position": place, "run_id": run}
    paper.append("models/alpha", DECISION, data, actor=EVALUATOR, **cause)
    return place


def test_an_old_score_and_its_decision_cannot_take_the_place_of_the_one_in_force(
    paper: Paper, tmp_path: Path
) -> None:
    old = next(
        at for at in paper.find(DECISION, model="alpha") if paper.at(at).data["trigger"] == "ingest"
    )
    place = decided_again(paper, old)
    assert {(RULE, place), (RULE, place + 1)} <= set(findings(paper, tmp_path))


def test_a_decision_is_judged_by_what_came_before_its_own_score(
    paper: Paper, tmp_path: Path
) -> None:
    last = paper.find(DECISION, model="alpha")[-1]
    tier = paper.at(paper.find("model.registered.v1", model="alpha")[0]).data
    moved = paper.append("models/alpha", "model.updated.v1", tier)
    place = decided_again(paper, last)
    assert moved == place - 1
    assert {(RULE, place), (RULE, place + 1)} <= set(findings(paper, tmp_path))


def test_a_stale_plan_under_a_new_name_is_refused(paper: Paper, tmp_path: Path) -> None:
    old = paper.at(paper.find("plan.made.v1")[0])
    position = paper.append("plans/again", "plan.made.v1", old.data | {"plan": "again"})
    assert findings(paper, tmp_path) == [(RULE, position)]


@pytest.mark.parametrize("kind", [SCORE, "plan.made.v1"])
def test_nothing_is_derived_under_a_policy_that_was_replaced_before_its_record(
    paper: Paper, tmp_path: Path, kind: str
) -> None:
    activated = paper.at(paper.find("policy.activated.v1", policy="main")[0]).data
    newest = paper.at([at for at in paper.find(kind) if "beta" not in paper.at(at).stream][-1])
    before = len(paper.events)
    if kind == SCORE:
        data = newest.data | {"as_of": before, "trigger": "schedule"}
    else:
        data = newest.data | {"plan": "again"}
    paper.append("policies/main", "policy.activated.v1", activated)
    stream = newest.stream if kind == SCORE else "plans/again"
    position = paper.append(stream, kind, data, actor=EVALUATOR)
    assert (RULE, position) in findings(paper, tmp_path)


@pytest.mark.parametrize("trigger", ["request", "ingest", "schedule"])
def test_a_decision_about_the_present_is_not_taken_out_of_force_by_calling_it_historical(
    paper: Paper, tmp_path: Path, trigger: str
) -> None:
    real = paper.find(SCORE, trigger=trigger, historical=False)[-1]
    is_decided = paper.at(real + 1).type == DECISION
    for position in (real, real + 1) if is_decided else (real,):
        event = paper.at(position)
        event.data.update(historical=True, trigger="request")
        assert isinstance(event.body, dict)
        event.body["actor"] = "users/ana"
        if position == real:
            event.body["causation_position"] = None
    assert ("horizons.present", real) in findings(paper, tmp_path)


def test_between_the_newest_observation_that_counts_and_the_ledgers_time_nothing_is_historical(
    paper: Paper, tmp_path: Path
) -> None:
    old = paper.find(SCORE, historical=True)[0]
    assert ("horizons.present", old) not in findings(paper, tmp_path)
    paper.at(old).data["evaluated_at"] = format_time(START + 5 * DAY + HOUR)
    assert ("horizons.present", old) in findings(paper, tmp_path)
