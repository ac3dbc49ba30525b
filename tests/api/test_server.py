"""The server itself: health, reflection, loopback only, one per port, and faults that leak nothing.

Method: gRPC's own clients for health and reflection; addresses that must not be bound.
"""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st

from ledger.api.listening import DEFAULT_ADDRESS, bound
from ledger.api.paging import page_of
from ledger.api.server import SERVICES, SIGNING, ApiServer
from ledger.application.log import LedgerLog
from ledger.errors import LedgerError, Reason
from ledger.v1 import ledger_service_pb2
from tests.support.served import TIMEOUT, Served, observation, refused, serving


def test_health_is_told_for_each_service_and_first_of_all_when_draining(served: Served) -> None:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)  # its stubs know no methods
    for name in ("", *SERVICES):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    served.server.drain()
    for name in ("", *SERVICES):
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
        assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert served.submit(observation()).appended.position


def test_health_tells_when_a_ledger_is_not_signed_any_more_and_all_else_goes_on(
    served: Served,
) -> None:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)

    def status(name: str) -> int:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
        return int(answer.status)

    assert status(SIGNING) == health_pb2.HealthCheckResponse.SERVING
    served.service.ledger().attestation.checkpoints.stop("a test says so")
    assert status(SIGNING) == health_pb2.HealthCheckResponse.NOT_SERVING
    assert status("") == health_pb2.HealthCheckResponse.SERVING
    assert served.submit(observation()).appended.position
    request = ledger_service_pb2.GetCheckpointRequest()
    why = refused(lambda: served.ledgers.GetCheckpoint(request, timeout=TIMEOUT))
    assert why.reason == "SIGNING_STOPPED"


def test_reflection_lists_every_service(served: Served) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)  # as above
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    answer = next(iter(stub.ServerReflectionInfo(iter([request]), timeout=TIMEOUT)))
    names = {service.name for service in answer.list_services_response.service}
    assert {*SERVICES, "grpc.health.v1.Health"} <= names


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0:7431",
        "[::]:7431",
        "192.168.1.7:7431",
        "ledger.example:7431",
        "127.0.0.1",
        "127.0.0.1:70000",
        "127.0.0.1:http",
        ":7431",
        "unix:/run/ledger.sock",
        "",
    ],
)
def test_only_loopback_addresses_are_served(address: str) -> None:
    with pytest.raises(LedgerError) as caught:
        bound(address, has_tls=False)
    assert caught.value.reason is Reason.FIELD_INVALID
    assert caught.value.violations[0].field == "listen"
    assert DEFAULT_ADDRESS in caught.value.remedy


@pytest.mark.parametrize(
    ("address", "as_bound"),
    [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.8.9.1:5", "127.8.9.1:5"),
        ("localhost:80", "127.0.0.1:80"),
        ("[::1]:9", "[::1]:9"),
        ("ledger://localhost:80", "127.0.0.1:80"),
    ],
)
def test_loopback_addresses_are_bound_as_meant(address: str, as_bound: str) -> None:
    assert bound(address, has_tls=False) == as_bound


def test_a_second_server_on_the_port_is_refused_and_splits_no_traffic(served: Served) -> None:
    second = ApiServer(served.service, served.server.address)
    with pytest.raises(LedgerError, match="cannot be bound"):
        second.start()


def test_a_fault_of_ours_reaches_the_client_as_an_id_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    with serving(tmp_path) as served:
        served.prepare()
        monkeypatch.setattr(LedgerLog, "head", fault)
        error = refused(
            lambda: served.ledgers.GetLedger(ledger_service_pb2.GetLedgerRequest(), timeout=TIMEOUT)
        )
        monkeypatch.undo()
    assert (error.code, error.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert error.metadata["error_id"] in error.message
    assert "swordfish" not in str(error)


# ---- page tokens ---------------------------------------------------------------------------------

_CURSORS = st.text(max_size=200)


@given(_CURSORS, st.integers(0, 2**53 - 1), st.integers(1, 1_000))
def test_a_page_token_carries_its_place_and_fits_its_query_only(
    cursor: str, upper: int, size: int
) -> None:
    def listing(**fields: Any) -> ledger_service_pb2.ListEventsRequest:  # noqa: ANN401
        return ledger_service_pb2.ListEventsRequest(**fields)

    token = page_of(listing(after_position=7)).token(cursor, upper)
    page = page_of(listing(after_position=7, page_token=token, page_size=size, min_position=3))
    assert (page.cursor, page.upper, page.size) == (cursor, upper, size)
    with pytest.raises(LedgerError) as caught:
        page_of(listing(after_position=8, page_token=token))
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID


@given(st.data())
def test_no_changed_page_token_is_taken(data: st.DataObject) -> None:
    token = page_of(ledger_service_pb2.ListEventsRequest()).token("42", 99)
    index = data.draw(st.integers(0, len(token) - 2))
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghij-_0123456789=. é"))
    changed = token[:index] + other + token[index + 1 :]
    if changed == token:
        return
    with pytest.raises(LedgerError) as caught:
        page_of(ledger_service_pb2.ListEventsRequest(page_token=changed))
    assert caught.value.reason is Reason.PAGE_TOKEN_INVALID
