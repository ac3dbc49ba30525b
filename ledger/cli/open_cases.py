"""The parts that commands of escalations and tasks share: a moment, words, what is open."""

from typing import TYPE_CHECKING, Final

from ledger.cli import output
from ledger.cli.session import session

if TYPE_CHECKING:
    from ledger.client.cases import Escalation, ModelTask

OUTCOMES: Final = "cause-found, signal-fixed, false-alarm or retrain-after-all"


def answer_of(one: "Escalation") -> str:
    """Return for a person how an escalation was answered, or until when an answer is awaited."""
    if one.is_acknowledged:
        return f"acknowledged by {one.acknowledged_by or 'a person'}"
    late = "overdue, " if one.is_overdue else ""
    if one.acknowledge_until is None:
        return f"{late}none awaited"
    return f"{late}awaited until {output.when(one.acknowledge_until)}"


def due_of(one: "ModelTask") -> str:
    """Return for a person when a task is due, and whether that is over."""
    return f"{output.when(one.due_at)}{', overdue' if one.is_overdue else ''}"


def work_of(one: "ModelTask") -> str:
    """Return for a person what a task asks for."""
    return one.action.lower().replace("_", " ")


def open_facts(model: str, decision: int = 0) -> list[tuple[str, object]]:
    """Return what is open for a model, as rows of a table: all of it, or of one decision."""
    client = session().client
    facts: list[tuple[str, object]] = [
        ("escalation", f"open at {one.tier}; {answer_of(one)}")
        for one in client.list_escalations(model).escalations
        if decision in (0, one.decision_position)
    ]
    facts += [
        ("task", f"{work_of(one)}, due {due_of(one)}; taken by {one.taken_by or 'no person yet'}")
        for one in client.list_tasks(model).tasks
        if decision in (0, one.decision_position)
    ]
    return facts
