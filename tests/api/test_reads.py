"""Reads over the wire are on record: who, what, from where, how much; never at a read's expense.

Method: a server that records reads, calls of each kind, and what it records at once or when it
stops; the methods that read are held against a list by hand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest
from google.protobuf import descriptor_pool

from ledger.api.authentication.credential import Credential
from ledger.api.calls import ServedMethod
from ledger.api.reads import is_read, noted
from ledger.api.server import SERVICES
from ledger.application.reads import Reading
from ledger.client import LedgerClient
from ledger.errors import LedgerError, Reason
from ledger.events.access import ACCESS_KINDS, AccessRecorded, ReadsCounted
from ledger.events.base import EventData
from ledger.events.registry import typed
from ledger.limits import MASS_EVENTS, PURPOSE_CHARS_MAX
from ledger.operations.served_ledger import ServedLedger
from ledger.storage.records import AppendRequest, AppendResult
from ledger.v1 import (
    decision_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    replay_pb2,
)
from tests.support.audits import audited
from tests.support.hooks import accesses_in, join_export
from tests.support.served import TIMEOUT, Served, observation, refused, serving

T = TypeVar("T", bound=EventData)

CHANGES = {
    "AuthorityService": {
        "ApproveChange", "BindIdentity", "DefineRole", "GrantRole", "IssueToken",
        "NameAdministrator", "RegisterActor", "RevokeToken", "SetLimits", "UnbindIdentity",
        "WithdrawGrant",
    },
    "BudgetService": {"ApproveOverspending", "SetBudget"},
    "CaseService": {"AcknowledgeEscalation", "CloseTask", "ResolveEscalation", "TakeTask"},
    "DecisionService": {"Evaluate", "OverrideDecision"},
    "ExportService": {"CreateExport", "DeleteExport"},
    "JobService": {
        "ApproveJob", "CancelJob", "DenyJob", "DeployJobVersion", "GiveUpJob", "HeartbeatJob",
        "LeaseJob", "ProposeJob", "PutBackVersion", "RecordEnvironment", "ReportGate",
        "RollBackJob",
    },
    "LedgerService": {
        "AddCosignature", "ConfirmClock", "CreateLedger", "EraseBodies", "RecordAudit",
        "RecordDrill", "RevokeKey", "RotateKey", "SealStreams",
    },
    "ModelService": {
        "RecordDeployment", "RegisterModel", "RetireModel", "RollBackModel", "UpdateModel",
    },
    "NotificationService": {"ReplayDeadLetters", "TestSubscriber"},
    "PolicyService": {
        "ActivateInEmergency", "ActivatePolicy", "ApprovePolicy", "DraftPolicy", "EndShadow",
        "RatifyPolicy", "RejectPolicy", "RetirePolicy", "RollBackPolicy", "ShadowPolicy",
        "SignOffPolicy", "SubmitPolicy", "WithdrawApproval", "WithdrawSchedule",
    },
    "RecipeService": {
        "ApproveRecipe", "DraftRecipe", "RegisterBenchmark", "RejectRecipe", "RetireBenchmark",
        "RetireRecipe",
    },
    "RunService": set[str](),
    "PriorityService": {
        "BeginPlan", "MakePlan", "ProposeReuse", "RebuildProjection", "SchedulePlans",
    },
    "SignalService": {"DefineSignal", "StreamSignals", "SubmitSignals"},
}  # fmt: skip
"""The methods that change something; every other one reads."""


@contextmanager
def recording(folder: Path, **named: object) -> Iterator[Served]:
    """Serve a furnished ledger whose reads are recorded; what its set-up read is not looked at."""
    usual: dict[str, Any] = {"access__seconds": 3_600.0, "access__recorded": ACCESS_KINDS}
    with serving(folder, **usual | named) as served:
        served.prepare()
        now(served)
        yield served


def now(served: Served) -> None:
    """Have all that was read recorded."""
    accesses_in(served.service).record(is_last=True)


def found(served: Served, kind: type[T], after: int = 0) -> list[T]:
    """Return what is on record of a kind, read past the API."""
    events = served.service.ledger().log.events(types=(kind.TYPE,), after=after, limit=1_000)
    assert {event.stream for event in events} <= {"ledger"}
    return [typed(event, kind) for event in events]


def as_ann(served: Served, purpose: str = "") -> LedgerClient:
    """Return a client of Ann's."""
    return LedgerClient(
        served.server.address, actor="users/ann", deadline_seconds=TIMEOUT, purpose=purpose
    )


@pytest.mark.parametrize("service", SERVICES)
def test_every_method_that_changes_nothing_counts_as_a_read(service: str) -> None:
    methods = descriptor_pool.Default().FindServiceByName(service).methods
    changes = {
        one.name
        for one in methods
        if not is_read(f"/{service}/{one.name}", takes_many=one.client_streaming)
    }
    assert changes == CHANGES[service.rpartition(".")[2]]


def test_answered_reads_are_counted_by_actor_and_method_and_writes_and_refusals_are_not(
    tmp_path: Path,
) -> None:
    with recording(tmp_path) as served:
        head = served.head()
        with as_ann(served) as ann:
            for _ in range(3):
                ann.get_model("fares")
            ann.list_ledgers()
            list(ann.list_ledgers())
            list(ann.replay_range())
            list(ann.list_events(until_position=2))
            ann.seal_streams()
        unknown = model_service_pb2.GetModelRequest(name="models/nobody")
        assert refused(lambda: served.models.GetModel(unknown)).reason == "MODEL_UNKNOWN"
        served.models.GetModel(model_service_pb2.GetModelRequest(name="models/fares"))
        now(served)
        (data,) = found(served, ReadsCounted, head)
    assert {(row.actor, row.method): row.count for row in data.reads} == {
        ("users/anonymous", "GetModel"): 1,
        ("users/ann", "GetModel"): 3,
        ("users/ann", "ListEvents"): 1,
        ("users/ann", "ListLedgers"): 1,
        ("users/ann", "ReplayRange"): 1,
    }
    assert data.total == 7


@pytest.mark.parametrize("more", [0, 1])
def test_a_listing_or_watch_of_more_than_a_thousand_events_is_an_access(
    tmp_path: Path, more: int
) -> None:
    with recording(tmp_path) as served:
        begin = served.head()
        wanted = MASS_EVENTS + more
        served.submit(*(observation(seconds=3_600 + n) for n in range(wanted)))
        last = served.head()
        assert last == begin + wanted
        with as_ann(served) as ann:
            assert len(list(ann.list_events(after_position=begin, until_position=last))) == wanted
            watched = ann.watch_events(after_position=begin)
            assert [next(watched).position for _ in range(wanted)][-1] == last
        now(served)
        accesses = {one.method: one for one in found(served, AccessRecorded)}
    assert set(accesses) == ({"ListEvents", "WatchEvents"} if more else set())
    for one in accesses.values():
        assert (one.actor, one.address, one.purpose) == ("users/ann", "127.0.0.1", "")
        assert (one.first_position, one.last_position) == (begin + 1, last)
        assert one.events == wanted


def test_an_export_and_a_replay_are_accesses_with_what_was_handed_out(tmp_path: Path) -> None:
    with recording(tmp_path) as served:
        served.submit(*(observation(seconds=3_600 * n) for n in range(1, 4)))
        with as_ann(served) as ann:
            ann.evaluate(["fares"])
            head = served.head()
            results = [one for part in ann.replay_range(verbose=True) for one in part.results]
            export = ann.create_export()
            join_export(served.service.exports(), export.name.removeprefix("exports/"))
            archive = b"".join(part.content for part in ann.read_export(export.name))
        now(served)
        by_method = {one.method: one for one in found(served, AccessRecorded)}
    replay, bundle = by_method["ReplayRange"], by_method["ReadExport"]
    assert (replay.first_position, replay.last_position) == (1, head)
    assert replay.events == len(results) == 2
    assert f"exports/{bundle.export}" == export.name
    assert (bundle.archive_bytes, bundle.events) == (len(archive), 0)
    assert set(by_method) == {"ReplayRange", "ReadExport"}


def test_a_replay_that_is_broken_off_is_counted_as_far_as_it_came() -> None:
    """Its messages say how many were replayed up to each."""
    readings: list[Reading] = []

    def replay(_: object, __: object) -> Iterator[Any]:
        for count in (2, 5, 9):
            progress = replay_pb2.ReplayProgress(position=10 * count, identical=count)
            yield decision_service_pb2.ReplayRangeResponse(progress=progress)

    request = decision_service_pb2.ReplayRangeRequest
    name = "/ledger.v1.DecisionService/ReplayRange"
    method = ServedMethod(
        name, replay, request.FromString, request.SerializeToString, takes_many=False,
        answers_many=True,
    )  # fmt: skip
    credential = Credential("development", "", "users/ann", "", "192.0.2.7", None)
    call: Any = SimpleNamespace(
        actor="users/ann", method_name="ReplayRange", ledger="", credential=credential,
        stated_purpose="",
    )  # fmt: skip
    steps = noted(method, lambda _, reading: readings.append(reading)).behaviour(request(), call)
    assert [next(steps).progress.identical for _ in range(2)] == [2, 5]
    steps.close()
    assert [(one.is_new, one.events) for one in readings] == [(True, 2), (False, 3)]
    assert [(one.first_position, one.last_position) for one in readings] == [(1, 20), (1, 50)]


def test_an_audit_of_a_live_server_is_on_record_behind_what_it_read(tmp_path: Path) -> None:
    with recording(tmp_path) as served:
        for number in (1, 2):
            head = served.head()
            with as_ann(served, "audit") as ann:
                report = audited(ServedLedger(ann))
            assert report.passed, report.text()
            now(served)
            *_, access = found(served, AccessRecorded)
            assert len(found(served, AccessRecorded)) == number
            assert (access.actor, access.purpose) == ("users/ann", "audit")
            assert (report.size, access.last_position) == (head, head)


def test_what_reads_leave_behind_is_no_mass_read_and_causes_no_other(tmp_path: Path) -> None:
    with recording(tmp_path) as served, as_ann(served, "watching") as ann:
        begin = served.head()
        watched = ann.watch_events(after_position=begin)
        served.add_model("delays")
        assert [next(watched).type for _ in range(2)] == [
            "model.registered.v1",
            "model.deployed.v1",
        ]
        now(served)
        assert next(watched).type == "access.recorded.v1"
        assert next(watched).type == "reads.counted.v1"
        head = served.head()
        now(served)
        assert served.head() == head
        (access,) = found(served, AccessRecorded, begin)
        assert (access.events, access.first_position, access.last_position) == (
            2,
            begin + 1,
            begin + 2,
        )


def test_a_purpose_is_recorded_as_claimed_within_its_bound(tmp_path: Path) -> None:
    with recording(tmp_path) as served:
        request = ledger_service_pb2.ListEventsRequest(until_position=1)
        claimed = "p" * 5 * PURPOSE_CHARS_MAX
        served.ledgers.ListEvents(request, timeout=TIMEOUT, metadata=(("ledger-purpose", claimed),))
        now(served)
        (access,) = found(served, AccessRecorded)
    assert (access.actor, access.purpose) == ("users/anonymous", claimed[:PURPOSE_CHARS_MAX])


def test_no_read_fails_because_none_can_be_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: AppendRequest) -> AppendResult:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    with recording(tmp_path) as served, as_ann(served, "audit") as ann:
        head = served.head()
        with monkeypatch.context() as patched:
            patched.setattr(served.service.store.requests, "append", broken)
            for _ in range(2):
                assert len(list(ann.list_events(until_position=2))) == 2
                with pytest.raises(LedgerError):
                    now(served)
        now(served)
        assert [one.events for one in found(served, AccessRecorded, head)] == [2, 2]
        assert sum(one.total for one in found(served, ReadsCounted, head)) == 2


def test_what_is_left_is_recorded_when_the_server_stops(tmp_path: Path) -> None:
    with recording(tmp_path) as served, as_ann(served, "audit") as ann:
        head = served.head()
        list(ann.list_events(until_position=2))
    with serving(tmp_path) as served:
        assert [one.events for one in found(served, AccessRecorded, head)] == [2]
        assert [one.total for one in found(served, ReadsCounted, head)] == [1]


def test_reads_leave_nothing_where_that_is_switched_off(tmp_path: Path) -> None:
    off: dict[str, Any] = {"access__seconds": 0.0, "access__recorded": ()}
    with recording(tmp_path, **off) as served, as_ann(served, "audit") as ann:
        list(ann.list_events())
        now(served)
        assert (found(served, ReadsCounted), found(served, AccessRecorded)) == ([], [])
