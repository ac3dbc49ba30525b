"""What decisions ask of people: listed as it was at any moment, and answered by persons.

Method: a served ledger that has asked about two models; lists of earlier moments are compared with
what was seen then.
"""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from ledger.client import LedgerClient
from ledger.v1 import case_pb2
from ledger.v1 import case_service_pb2 as pb
from ledger.v1.case_service_pb2_grpc import CaseServiceStub as Stub
from tests.support.asking import asking, see
from tests.support.audits import audited
from tests.support.live_fleet import START
from tests.support.served import DAY, HOUR, TIMEOUT, Served, at, refused

ANA = (("ledger-actor", "users/ana"),)
ROBOT = (("ledger-actor", "services/robot"),)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with asking(tmp_path) as found:
        yield found
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()


@pytest.fixture
def cases(served: Served) -> Stub:
    return Stub(served.channel)


@pytest.fixture
def client(served: Served) -> Iterator[LedgerClient]:
    with served.client() as found:
        yield found


def escalations(cases: Stub, **request: Any) -> pb.ListEscalationsResponse:  # noqa: ANN401
    answer: pb.ListEscalationsResponse = cases.ListEscalations(
        pb.ListEscalationsRequest(**request), timeout=TIMEOUT
    )
    return answer


def tasks(cases: Stub, **request: Any) -> pb.ListTasksResponse:  # noqa: ANN401
    answer: pb.ListTasksResponse = cases.ListTasks(pb.ListTasksRequest(**request), timeout=TIMEOUT)
    return answer


def govern(served: Served) -> int:
    return served.service.ledger().governor.run_due()


def test_an_escalation_and_a_task_are_listed_with_all_that_is_known(
    served: Served, cases: Stub
) -> None:
    found = escalations(cases)
    first, second = found.escalations
    assert (first.model, second.model) == ("fares", "hotels")
    assert first.name == f"models/fares/escalations/{first.decision_position}"
    assert (first.tier, first.raised_to, first.route) == ("ds", "ds", "mail")
    assert first.acknowledge_until == at(HOUR + DAY)
    assert (first.is_acknowledged, first.is_overdue) == (False, False)
    assert found.position == served.head()
    [one] = tasks(cases, parent="models/fares").tasks
    assert one.name == f"models/fares/tasks/{first.decision_position}"
    assert (one.owner, one.taken_by, one.is_overdue) == ("team-fares", "", False)
    assert one.due_at == at(HOUR + 3 * DAY)
    assert one.opened_at == first.raised_at == first.reached_at == found.recorded_at


def test_answers_of_a_person_are_recorded_and_close_what_was_open(
    served: Served, cases: Stub
) -> None:
    [open_] = escalations(cases, parent="models/fares").escalations
    [task] = tasks(cases, parent="models/fares").tasks
    who: Any = {"timeout": TIMEOUT, "metadata": ANA}
    cases.AcknowledgeEscalation(pb.AcknowledgeEscalationRequest(name=open_.name), **who)
    cases.TakeTask(pb.TakeTaskRequest(name=task.name), **who)
    [seen] = escalations(cases, parent="models/fares").escalations
    assert (seen.is_acknowledged, seen.acknowledged_by) == (True, "users/ana")
    assert tasks(cases, parent="models/fares").tasks[0].taken_by == "users/ana"
    resolve = pb.ResolveEscalationRequest(name=open_.name, resolution="Late.", request_id="r-1")
    done = cases.ResolveEscalation(resolve, **who)
    again = cases.ResolveEscalation(resolve, **who)
    assert (again.appended.position, again.appended.repeated_request) == (
        done.appended.position,
        True,
    )
    outcome = case_pb2.TASK_OUTCOME_FALSE_ALARM
    cases.CloseTask(pb.CloseTaskRequest(name=task.name, outcome=outcome, note="Late."), **who)
    assert [one.model for one in escalations(cases).escalations] == ["hotels"]
    assert [one.model for one in tasks(cases).tasks] == ["hotels"]
    [event] = served.service.ledger().log.events(types=["task.closed.v1"])
    assert event.data["outcome"] == "false_alarm"
    assert event.body.actor == "users/ana"


def test_what_is_not_open_or_not_sent_by_a_person_is_refused_and_says_why(cases: Stub) -> None:
    [open_] = escalations(cases, parent="models/fares").escalations
    resolve = pb.ResolveEscalationRequest(name=open_.name, resolution="Done.")
    refusal = refused(lambda: cases.ResolveEscalation(resolve, timeout=TIMEOUT, metadata=ROBOT))
    assert refusal.reason == "ACTOR_NOT_AUTHORISED"
    assert "services/robot is not a person" in refusal.message
    cases.ResolveEscalation(resolve, timeout=TIMEOUT, metadata=ANA)
    refusal = refused(lambda: cases.ResolveEscalation(resolve, timeout=TIMEOUT, metadata=ANA))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "CASE_NOT_OPEN",
    )


@pytest.mark.parametrize(
    ("method", "request_", "field"),
    [
        ("AcknowledgeEscalation", pb.AcknowledgeEscalationRequest(name="models/fares"), "name"),
        ("AcknowledgeEscalation", pb.AcknowledgeEscalationRequest(note="x" * 2_001), "note"),
        ("ResolveEscalation", pb.ResolveEscalationRequest(resolution=" "), "resolution"),
        ("TakeTask", pb.TakeTaskRequest(name="models/fares/escalations/9"), "name"),
        ("CloseTask", pb.CloseTaskRequest(name="models/fares/tasks/9"), "outcome"),
        ("ListTasks", pb.ListTasksRequest(owner="x" * 129), "owner"),
        ("ListEscalations", pb.ListEscalationsRequest(tier="x" * 129), "tier"),
        ("ListTasks", pb.ListTasksRequest(as_of_position=-1), "as_of_position"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_bad_request_names_its_field(
    cases: Stub, method: str, request_: Message, field: str
) -> None:
    refusal = refused(lambda: getattr(cases, method)(request_, timeout=TIMEOUT))
    assert refusal.reason == "FIELD_INVALID"
    assert field in refusal.fields


def test_a_list_shows_what_was_open_at_a_position_or_time(
    served: Served, cases: Stub, client: LedgerClient
) -> None:
    before = escalations(cases)
    then = served.head()
    client.resolve_escalation(before.escalations[0].name, "Done.")
    see(client, 20 * 24, "hotels", loss=0.3)
    assert [one.model for one in escalations(cases).escalations] == []
    assert list(escalations(cases, as_of_position=then).escalations) == list(before.escalations)
    earlier = escalations(cases, as_of_time=at(1.5 * HOUR))
    assert [one.model for one in earlier.escalations] == ["hotels"]
    assert len(tasks(cases, as_of_position=then - 1).tasks) == 1
    assert escalations(cases, as_of_position=1).position == 1
    refusal = refused(lambda: escalations(cases, as_of_position=served.head() + 1))
    assert refusal.reason == "POSITION_BEYOND_HEAD"
    assert refused(lambda: tasks(cases, parent="models/none")).reason == "MODEL_UNKNOWN"


def test_filters_select_by_tier_owner_and_what_is_overdue(
    served: Served, cases: Stub, client: LedgerClient
) -> None:
    assert not escalations(cases, overdue=True).escalations
    client.acknowledge_escalation(escalations(cases).escalations[0].name)
    client.submit([("fares", "log-loss", 0.65, START + timedelta(days=4))])
    assert govern(served) == 3
    [late] = escalations(cases, overdue=True).escalations
    assert (late.model, late.tier, late.raised_to) == ("hotels", "on-call", "ds")
    assert [one.model for one in escalations(cases, tier="ds").escalations] == ["fares"]
    assert [one.model for one in tasks(cases, overdue=True).tasks] == ["fares", "hotels"]
    assert len(tasks(cases, owner="team-fares").tasks) == 2
    assert not tasks(cases, owner="other").tasks


def test_pages_show_the_moment_of_the_first_one(cases: Stub, client: LedgerClient) -> None:
    first = escalations(cases, page_size=1)
    assert [one.model for one in first.escalations] == ["fares"]
    for one in escalations(cases).escalations:
        client.resolve_escalation(one.name, "Done.")
    second = escalations(cases, page_size=1, page_token=first.next_page_token)
    assert [one.model for one in second.escalations] == ["hotels"]
    assert (second.position, second.next_page_token) == (first.position, "")


def test_an_erased_raising_shows_no_escalation_and_an_erased_answer_no_name(
    served: Served, cases: Stub, client: LedgerClient
) -> None:
    fares, hotels = escalations(cases).escalations
    done = client.acknowledge_escalation(fares.name, note="My name is Ana.")
    ledger = served.service.ledger()
    [raised] = [
        event.position
        for event in ledger.log.events(types=["escalation.raised.v1"])
        if event.data["model"] == "hotels"
    ]
    with served.client(actor="users/dpo") as officer:
        for position in (done.position, raised):
            officer.erase_bodies([(position, position)], ground="GDPR", authority="the board")
    [left] = escalations(cases).escalations
    assert left.model == "fares"
    assert (left.is_acknowledged, left.acknowledged_by) == (True, "")
    assert hotels.model == "hotels"
    then = escalations(cases, as_of_position=done.position).escalations
    assert [(one.model, one.acknowledged_by) for one in then] == [("fares", "")]
