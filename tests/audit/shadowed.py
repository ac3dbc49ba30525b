"""Forgeries of policies in shadow: which run, and what they give."""

from collections.abc import Callable
from typing import Final

from tests.audit.paper import Paper

BEGUN: Final = "shadow.begun.v1"
ENDED: Final = "shadow.ended.v1"
SCORED: Final = "shadow.scored.v1"
DECIDED: Final = "shadow.decided.v2"
PLANNED: Final = "shadow.planned.v1"


def begin_a_version_that_was_never_drafted(paper: Paper) -> int:
    data = paper.at(paper.find(BEGUN)[-1]).data
    return paper.append(f"policies/{data['policy']}", BEGUN, data | {"version": 900})


def end_before_its_time(paper: Paper) -> int:
    position = paper.find(ENDED)[-1]
    body = paper.at(position).body
    assert isinstance(body, dict)
    body["data"]["ground"], body["actor"] = "time", "system/governor"
    return position


def score_in_shadow_unasked(paper: Paper) -> int:
    data = paper.at(paper.find(SCORED)[-1]).data
    return paper.append(
        "shadows/omega", SCORED, data,
        actor="system/evaluator", causation_position=data["as_of"] + 1,
    )  # fmt: skip


def leave_a_shadow_out(paper: Paper) -> int:
    position = paper.find(SCORED)[-1]
    score = paper.at(position).body
    assert isinstance(score, dict)
    paper.remove(position, *(at for at in paper.find(DECIDED) if at == position + 1))
    return int(score["causation_position"])


def improve_what_a_shadow_gave(paper: Paper) -> int:
    position = paper.find(SCORED)[-1]
    paper.at(position).data["degradation"] = 1
    return position


def plan_in_shadow_unasked(paper: Paper) -> int:
    planned = paper.at(paper.find(PLANNED)[-1])
    return paper.append(planned.stream, PLANNED, planned.data)


def leave_the_plan_of_a_shadow_out(paper: Paper) -> int:
    position = paper.find(PLANNED)[-1]
    paper.remove(position)
    return position - 1


def spend_more_in_shadow(paper: Paper) -> int:
    position = paper.find(PLANNED)[-1]
    paper.at(position).data["demand_micros"] = "1"
    return position


def promote_from_the_shadow_of_another(paper: Paper) -> int:
    position = paper.find("policy.activated.v1")[-1]
    body = paper.at(position).body
    assert isinstance(body, dict)
    body["causation_position"] = paper.find(BEGUN)[-1]
    return position


SHADOWED: Final[dict[str, Callable[[Paper], int]]] = {
    "shadows.begun": begin_a_version_that_was_never_drafted,
    "shadows.ended": end_before_its_time,
    "shadows.recorded": score_in_shadow_unasked,
    "shadows.due": leave_a_shadow_out,
    "shadows.promoted": promote_from_the_shadow_of_another,
    "shadows.replay": improve_what_a_shadow_gave,
    "shadows.planned": plan_in_shadow_unasked,
    "shadows.plans_due": leave_the_plan_of_a_shadow_out,
    "shadows.plans_replay": spend_more_in_shadow,
}
