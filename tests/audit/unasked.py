"""Forgeries of what decisions ask of people, and of what came of it."""

from collections.abc import Callable
from typing import Any, Final

from ledger.events.cases import GOVERNOR
from ledger.events.values import format_time, parse_time
from tests.audit.paper import Paper
from tests.support.world import DAY, HOUR

DECISION: Final = "decision.made.v2"
RAISED: Final = "escalation.raised.v1"


def leave_an_escalation_out(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    paper.remove(found)
    return paper.find(DECISION, model="delta")[-1]


def raise_what_was_not_asked_for(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    decided, now = paper.find(DECISION, model="delta")[-1], paper.events[-1].recorded_at
    data = paper.at(found).data | {"raised_at": format_time(now)}
    return paper.append(
        "escalations/delta", RAISED, data, actor="system/evaluator", causation_position=decided
    )


def answer_by_machine(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    data = {"model": "delta", "escalation": paper.at(found).data["escalation"], "note": "ok"}
    return paper.append(
        "escalations/delta", "escalation.acknowledged.v1", data,
        actor="services/robot", causation_position=found,
    )  # fmt: skip


def escalate_too_early(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    raised = paper.at(found).data
    now = paper.events[-1].recorded_at
    data = {
        "model": "delta", "escalation": raised["escalation"], "tier": "on-call", "route": "phone",
        "reached_at": format_time(now), "acknowledge_until": format_time(now + 4 * HOUR),
    }  # fmt: skip
    return paper.append(
        "escalations/delta", "escalation.escalated.v1", data,
        actor=GOVERNOR, causation_position=found,
    )  # fmt: skip


def give_them_another_day(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    put_off(paper.at(found).data, DAY, "raised_at", "acknowledge_until")
    return found


def put_off(data: dict[str, Any], by: int, *members: str) -> None:
    """Have an event say that it, and what is counted from then on, was so much later."""
    for member in members:
        data[member] = format_time(parse_time(data[member]) + by)


UNASKED: Final[dict[str, Callable[[Paper], int]]] = {
    "cases.due": leave_an_escalation_out,
    "cases.begun": raise_what_was_not_asked_for,
    "cases.begun_at": give_them_another_day,
    "cases.answered": answer_by_machine,
    "cases.time": escalate_too_early,
}
