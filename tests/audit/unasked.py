"""Forgeries of what decisions ask of people, and of what came of it."""

from collections.abc import Callable
from typing import Final

from ledger.events.cases import GOVERNOR
from ledger.events.values import format_time, parse_time
from tests.audit.paper import Paper
from tests.support.world import HOUR

DECISION: Final = "decision.made.v2"
RAISED: Final = "escalation.raised.v1"


def leave_an_escalation_out(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    paper.remove(found)
    return paper.find(DECISION, model="delta")[-1]


def raise_what_was_not_asked_for(paper: Paper) -> int:
    found = paper.find(RAISED, model="delta")[-1]
    data, decided = paper.at(found).data, paper.find(DECISION, model="delta")[-1]
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
    until = parse_time(raised["acknowledge_until"]) + 4 * HOUR
    data = {
        "model": "delta", "escalation": raised["escalation"], "tier": "on-call", "route": "phone",
        "acknowledge_until": format_time(until),
    }  # fmt: skip
    return paper.append(
        "escalations/delta", "escalation.escalated.v1", data,
        actor=GOVERNOR, causation_position=found,
    )  # fmt: skip


UNASKED: Final[dict[str, Callable[[Paper], int]]] = {
    "cases.due": leave_an_escalation_out,
    "cases.begun": raise_what_was_not_asked_for,
    "cases.answered": answer_by_machine,
    "cases.time": escalate_too_early,
}
