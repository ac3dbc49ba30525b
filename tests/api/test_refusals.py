"""Every refused call is counted: writes, reads, batches of streams, and impossible callers.

Method: a server that counts, calls that are refused in each way, and the event it records when it
stops; nothing of a request's content may be in it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.client import LedgerClient, LedgerRefusedError
from ledger.events.proving import RequestsRefusedV2
from ledger.events.registry import typed
from ledger.service import Service
from ledger.v1 import (
    decision_service_pb2,
    ledger_service_pb2,
    model_service_pb2,
    priority_service_pb2,
    signal_service_pb2,
)
from tests.support.authorities import bearing, team, told
from tests.support.served import (
    ORIGIN,
    TIMEOUT,
    Served,
    model_named,
    observation,
    refused,
    serving,
)
from tests.support.server_process import until
from tools.quiet import quiet

PAYLOAD = "zebra-7731"


def refused_calls(served: Served) -> list[tuple[str, str, str, Callable[[], object]]]:
    """Return actor, method, reason and call, for each way in which calls are refused."""
    by: dict[str, dict[str, Any]] = {
        name: {"timeout": TIMEOUT, "metadata": (("ledger-actor", name),)}
        for name in ("users/ann", "No Name At All")
    }
    taken = model_service_pb2.RegisterModelRequest(model=model_named("fares"), ledger=ORIGIN)
    gone = model_service_pb2.RetireModelRequest(name="models/fares", reason=PAYLOAD)
    unknown = model_service_pb2.GetModelRequest(name=f"models/{PAYLOAD}")
    plan = priority_service_pb2.GetPlanRequest(name="plans/p")
    beyond = decision_service_pb2.ReplayRangeRequest(last_position=10**6)
    large = [observation(model="m" * 2_000)] * 2_500
    anonymous = "users/anonymous"
    return [
        (
            "users/ann",
            "RegisterModel",
            "ALREADY_EXISTS",
            lambda: served.models.RegisterModel(taken, **by["users/ann"]),
        ),
        (
            anonymous,
            "RetireModel",
            "DEADLINE_MISSING",
            lambda: served.models.RetireModel(gone),
        ),
        (
            "users/ann",
            "GetModel",
            "MODEL_UNKNOWN",
            lambda: served.models.GetModel(unknown, **by["users/ann"]),
        ),
        (
            "No Name At All",
            "GetPlan",
            "FIELD_INVALID",
            lambda: served.priorities.GetPlan(plan, **by["No Name At All"]),
        ),
        (
            anonymous,
            "ReplayRange",
            "POSITION_BEYOND_HEAD",
            lambda: served.decisions.ReplayRange(beyond, timeout=TIMEOUT),
        ),
        (anonymous, "SubmitSignals", "MESSAGE_TOO_LARGE", lambda: served.submit(*large)),
        (anonymous, "CreateLedger", "ALREADY_EXISTS", served.create),
    ]


def refuse_everything(served: Served) -> list[tuple[str, str, str]]:
    """Make calls that are refused; return actor, method and reason of each."""
    calls = refused_calls(served)
    for _, method, reason, call in calls:
        assert (method, refused(call).reason) == (method, reason)
    return [(actor, method, reason) for actor, method, reason, _ in calls]


def stream_bad_batches(served: Served) -> None:
    """Send three batches on one stream, of which the outer two are refused."""
    batches = [
        signal_service_pb2.StreamSignalsRequest(observations=[observation(model=model)])
        for model in (PAYLOAD, "fares", PAYLOAD)
    ]
    answers = list(served.signals.StreamSignals(iter(batches), timeout=TIMEOUT))
    assert [answer.HasField("error") for answer in answers] == [True, False, True]


def counts_of(folder: Path, origin: str = ORIGIN) -> list[RequestsRefusedV2]:
    """Return what a stopped server has recorded."""
    with Service(quiet(str(folder / "ledger.sqlite"), service__evaluate=False)) as service:
        events = service.ledger(origin).log.events(types=(RequestsRefusedV2.TYPE,))
        assert all(PAYLOAD.encode() not in (event.body_bytes or b"") for event in events)
        return [typed(event, RequestsRefusedV2) for event in events]


def test_every_refused_call_is_in_the_event_and_nothing_of_its_content(tmp_path: Path) -> None:
    with serving(tmp_path, refusals__seconds=600.0) as served:
        served.prepare()
        expected = refuse_everything(served)
        stream_bad_batches(served)
    (data,) = counts_of(tmp_path)
    found = {(row.actor, row.method, row.reason): row.count for row in data.refusals}
    streamed = ("users/anonymous", "StreamSignals", "MODEL_UNKNOWN")
    assert found == dict.fromkeys(expected, 1) | {streamed: 2}
    assert data.total == len(expected) + 2
    assert {row.address for row in data.refusals} == {"127.0.0.1"}


def test_known_and_unknown_callers_are_on_record_with_the_host_that_they_called_from(
    tmp_path: Path,
) -> None:
    looks = ledger_service_pb2.GetLedgerRequest()
    with team(tmp_path, refusals__seconds=600.0) as found:
        found.register("users/eve", "staff-2")
        for metadata, reason in (
            (bearing(found.jwt("users/eve")), "ACTOR_NOT_AUTHORISED"),
            (bearing("dlt_0123456789abcdef_nothing"), "CREDENTIAL_INVALID"),
            ((), "UNAUTHENTICATED"),
        ):
            assert told(found.bearers, "GetLedger", looks, metadata) == reason
    (data,) = counts_of(tmp_path)
    assert [(row.actor, row.address, row.reason) for row in data.refusals] == [
        ("unknown", "127.0.0.1", "CREDENTIAL_INVALID"),
        ("unknown", "127.0.0.1", "UNAUTHENTICATED"),
        ("users/eve", "127.0.0.1", "ACTOR_NOT_AUTHORISED"),
    ]


def test_a_refusal_on_the_operators_socket_is_on_record_as_of_the_socket(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sock"
    with serving(tmp_path, refusals__seconds=600.0, server__socket=str(place)) as served:
        served.create()
        with LedgerClient(f"unix:{place}") as client, pytest.raises(LedgerRefusedError):
            client.get_model("nowhere")
    (data,) = counts_of(tmp_path)
    assert [(row.address, row.reason) for row in data.refusals] == [("unix", "MODEL_UNKNOWN")]


def test_a_call_about_an_unknown_ledger_is_on_no_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(tmp_path, refusals__seconds=600.0) as served:
        served.prepare()
        request = ledger_service_pb2.GetLedgerRequest(ledger="nowhere")
        assert refused(lambda: served.ledgers.GetLedger(request)).reason == "LEDGER_UNKNOWN"
        stream = iter(
            [
                signal_service_pb2.StreamSignalsRequest(
                    ledger="nowhere", observations=[observation()]
                )
            ]
        )
        found = refused(lambda: served.signals.StreamSignals(stream, timeout=TIMEOUT))
        assert found.reason == "LEDGER_UNKNOWN"
    assert counts_of(tmp_path) == []
    assert "count=2" in capsys.readouterr().out


def test_each_refusal_is_on_the_ledger_that_the_request_named(tmp_path: Path) -> None:
    other = "ledger.example/other"
    with serving(tmp_path, refusals__seconds=600.0) as served:
        served.prepare()
        served.create(other)
        for origin, times in ((ORIGIN, 1), (other, 2)):
            request = model_service_pb2.RetireModelRequest(
                name="models/nobody", reason="gone", ledger=origin, request_id="r-1"
            )
            for _ in range(times):
                found = refused(lambda: served.models.RetireModel(request, timeout=TIMEOUT))  # noqa: B023
                assert found.reason == "MODEL_UNKNOWN"
    assert [data.total for data in counts_of(tmp_path)] == [1]
    assert [data.total for data in counts_of(tmp_path, other)] == [2]


def test_refusals_are_recorded_while_the_server_runs(tmp_path: Path) -> None:
    with serving(tmp_path, refusals__seconds=0.05) as served:
        served.prepare()
        head = served.head()
        request = model_service_pb2.GetModelRequest(name="models/nobody")
        for number in range(1, 4):
            refused(lambda: served.models.GetModel(request, timeout=TIMEOUT))
            until(lambda: served.head() >= head + number, "it is recorded")  # noqa: B023
    assert [data.total for data in counts_of(tmp_path)] == [1, 1, 1]


def test_nothing_is_counted_unless_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.prepare()
        refuse_everything(served)
    assert counts_of(tmp_path) == []
