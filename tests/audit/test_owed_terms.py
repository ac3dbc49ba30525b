"""A term of governance without its event is missed where a service governed, and else a gap.

Method: a ledger in which people were asked and a shadow ran is cut off before the governor's event,
or the event's time is moved; then a service's account follows, or none.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from ledger.audit.report import Report
from ledger.events.values import SECOND, format_time
from tests.audit.left_out import say_that_all_was_governed
from tests.audit.paper import Paper
from tests.audit.shadowed import BEGUN, ENDED
from tests.audit.test_forgeries import audit_of, observed
from tests.support.world import HOUR


def cut(paper: Paper, position: int) -> None:
    """Have the ledger end before an event."""
    del paper.events[position - 1 :]
    paper.checkpoint_sizes = [len(paper.events)]


def never_ask_the_next_tier(paper: Paper) -> int:
    cut(paper, paper.find("escalation.escalated.v1", model="delta")[0])
    return paper.find("escalation.raised.v1", model="delta")[-1]


def never_call_a_task_overdue(paper: Paper) -> int:
    cut(paper, paper.find("task.overdue.v1", model="delta")[0])
    return paper.find("task.opened.v1", model="delta")[-1]


def never_end_a_shadow(paper: Paper) -> int:
    cut(paper, paper.find(ENDED)[-1])
    begun, now = paper.find(BEGUN)[-1], paper.events[-1].recorded_at
    paper.at(begun).data["until"] = format_time(now - 60 * SECOND)
    return begun


def never_end_a_shadow_that_is_in_force(paper: Paper) -> int:
    cut(paper, paper.find(ENDED)[-1])
    begun = paper.find(BEGUN)[-1]
    named = ("policy", "version", "digest", "scope")
    data = {name: paper.at(begun).data[name] for name in named} | {"rationale": "it is better"}
    paper.append(f"policies/{data['policy']}", "policy.activated.v1", data)
    return begun


LEFT: Final[dict[str, tuple[str, Callable[[Paper], int]]]] = {
    "an escalation": ("cases.time", never_ask_the_next_tier),
    "a task": ("cases.time", never_call_a_task_overdue),
    "a shadow whose time is over": ("shadows.ended", never_end_a_shadow),
    "a shadow in force": ("shadows.ended", never_end_a_shadow_that_is_in_force),
}


def gaps(report: Report, position: int) -> list[str]:
    return [one for one in report.remarks if one.startswith(f"Gap: positions {position} to")]


@pytest.mark.parametrize("what", LEFT)
def test_a_time_that_passed_without_its_event_is_missed_where_a_service_governed(
    long_paper: Paper, tmp_path: Path, what: str
) -> None:
    rule, leave = LEFT[what]
    position = leave(long_paper)
    say_that_all_was_governed(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [(rule, position)]
    assert gaps(report, position) == []


@pytest.mark.parametrize("what", LEFT)
@pytest.mark.parametrize("said", ["nothing", "an earlier time", "an earlier position"])
def test_it_is_a_gap_with_its_span_where_no_service_says_that_it_governed_then(
    long_paper: Paper, tmp_path: Path, what: str, said: str
) -> None:
    _, leave = LEFT[what]
    position = leave(long_paper)
    if said == "an earlier time":
        begun = long_paper.at(position).recorded_at - HOUR
        say_that_all_was_governed(long_paper, governed_at=format_time(begun))
    elif said == "an earlier position":
        say_that_all_was_governed(long_paper, governed_through=position - 1)
    report = audit_of(long_paper, tmp_path)
    if (what, said) == ("a shadow in force", "an earlier time"):
        return  # no time makes that due
    assert report.passed, report.text()
    [gap] = gaps(report, position)
    assert gap.endswith("and no service that governs accounts for it.")
    assert f"to {len(long_paper.events)}: " in gap


ENDS: Final = {
    "an escalation": ("escalation.escalated.v1", "escalation.acknowledged.v1"),
    "a task": ("task.overdue.v1", "task.closed.v1"),
}


@pytest.mark.parametrize("what", ENDS)
def test_what_a_person_ended_long_after_its_time_is_a_gap_up_to_there(
    long_paper: Paper, tmp_path: Path, what: str
) -> None:
    by_time, by_person = (long_paper.find(type_, model="delta")[0] for type_ in ENDS[what])
    ended = long_paper.at(by_person)
    body = ended.body
    assert isinstance(body, dict)
    cut(long_paper, by_time)
    for hours in (0, 1):
        later = long_paper.events[-1].recorded_at + hours * HOUR
        observed(long_paper, observed_at=format_time(later))
        long_paper.events[-1].recorded_at = later
    opened = body["causation_position"]
    position = long_paper.append(
        ended.stream, ended.type, ended.data, actor=body["actor"], causation_position=opened
    )
    report = audit_of(long_paper, tmp_path)
    assert report.passed, report.text()
    [gap] = gaps(report, opened)
    assert f"to {position}: " in gap
    assert "was not recorded before the last" in gap


def retire_with_cases(paper: Paper) -> list[int]:
    """Retire a model with an escalation and a task; return where they were opened."""
    cut(paper, paper.find("escalation.acknowledged.v1", model="delta")[0])
    paper.append("models/delta", "model.retired.v1", {"model": "delta", "reason": "replaced"})
    types = ("escalation.raised.v1", "task.opened.v1")
    return [paper.find(type_, model="delta")[-1] for type_ in types]


def lapse(paper: Paper, raised: int, retirement: int) -> int:
    data = {
        "model": "delta", "escalation": paper.at(raised).data["escalation"],
        "retirement": retirement,
    }  # fmt: skip
    return paper.append(
        "escalations/delta", "escalation.lapsed.v1", data,
        actor="system/governor", causation_position=raised,
    )  # fmt: skip


def test_a_case_that_did_not_end_with_its_model_is_missed_where_a_service_governed_and_else_a_gap(
    long_paper: Paper, tmp_path: Path
) -> None:
    opened = retire_with_cases(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert report.passed, report.text()
    assert [len(gaps(report, position)) for position in opened] == [1, 1]
    say_that_all_was_governed(long_paper)
    report = audit_of(long_paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [
        ("cases.time", position) for position in opened
    ]


def test_an_escalation_lapses_by_the_retirement_of_its_own_model_alone(
    long_paper: Paper, tmp_path: Path
) -> None:
    raised, _ = retire_with_cases(long_paper)
    retirement = len(long_paper.events)
    lapse(long_paper, raised, retirement)
    assert audit_of(long_paper, tmp_path).passed
    long_paper.events.pop()
    position = lapse(long_paper, raised, retirement - 1)
    report = audit_of(long_paper, tmp_path)
    assert [(one.rule, one.position) for one in report.findings] == [("cases.time", position)]
