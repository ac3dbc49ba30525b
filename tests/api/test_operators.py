"""What ends or replaces something for every client is for actors whom the operator names.

Method: every such call is made by an actor whom the operator has not named, with a request that
would otherwise succeed; it is refused by name, changes nothing, and succeeds for a named one.
"""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.errors import Reason
from ledger.v1 import export_service_pb2 as export_pb
from ledger.v1 import ledger_service_pb2 as pb
from ledger.v1 import model_service_pb2, priority_service_pb2
from ledger.v1 import notification_service_pb2 as notification_pb
from ledger.v1.export_service_pb2_grpc import ExportServiceStub
from ledger.v1.notification_service_pb2_grpc import NotificationServiceStub
from tests.support.served import ORIGIN, TIMEOUT, Served, deployment, observation, refused, serving

STRANGER = (("ledger-actor", "services/monitor-7"),)
NAMED = (("ledger-actor", "users/ops"),)

Call = Callable[[Served, tuple[tuple[str, str], ...]], object]


def rotate(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    return served.ledgers.RotateKey(pb.RotateKeyRequest(), timeout=TIMEOUT, metadata=metadata)


def revoke(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    key = served.ledgers.ListKeys(pb.ListKeysRequest(), timeout=TIMEOUT).keys[0].verifier_key
    request = pb.RevokeKeyRequest(verifier_key=key, from_position=1, reason="because")
    return served.ledgers.RevokeKey(request, timeout=TIMEOUT, metadata=metadata)


def create(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    request = pb.CreateLedgerRequest(origin="ledger.example/other")
    return served.ledgers.CreateLedger(request, timeout=TIMEOUT, metadata=metadata)


def retire(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    served.add_model("fares")
    request = model_service_pb2.RetireModelRequest(name="models/fares", reason="because")
    try:
        return served.models.RetireModel(request, timeout=TIMEOUT, metadata=metadata)
    except grpc.RpcError:
        served.models.RecordDeployment(deployment("fares", "v2"), timeout=TIMEOUT)  # it may still
        raise


def rebuild(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    request = priority_service_pb2.RebuildProjectionRequest(name="projections/signals")
    return served.priorities.RebuildProjection(request, timeout=TIMEOUT, metadata=metadata)


def delete(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    stub = ExportServiceStub(served.channel)
    made = stub.CreateExport(export_pb.CreateExportRequest(), timeout=TIMEOUT)
    request = export_pb.DeleteExportRequest(name=made.export.name)
    return stub.DeleteExport(request, timeout=TIMEOUT, metadata=metadata)


def replay(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    request = notification_pb.ReplayDeadLettersRequest(subscriber="pager")
    stub = NotificationServiceStub(served.channel)
    return stub.ReplayDeadLetters(request, timeout=TIMEOUT, metadata=metadata)


def try_out(served: Served, metadata: tuple[tuple[str, str], ...]) -> object:
    request = notification_pb.TestSubscriberRequest(subscriber="pager")
    stub = NotificationServiceStub(served.channel)
    return stub.TestSubscriber(request, timeout=TIMEOUT, metadata=metadata)


PAGER = {"name": "pager", "kind": "command", "types": ["model.*"], "command": ["/bin/true"]}
CALLS: dict[str, Call] = {
    "rotate a signing key": rotate,
    "revoke a signing key": revoke,
    "create a ledger": create,
    "retire a model": retire,
    "rebuild a projection": rebuild,
    "delete an export": delete,
    "have notifications sent again": replay,
    "try a subscriber out": try_out,
}


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Served]:
    told: dict[str, Any] = {"notifications__subscribers": (PAGER,)}
    with serving(tmp_path, operators__actors=("users/ops",), **told) as served:
        served.service.create_ledger("ledger.example/only", clock="wall", actor="system/serve")
        yield served


@pytest.mark.parametrize("what", CALLS)
def test_an_actor_whom_the_operator_did_not_name_is_refused_and_changes_nothing(
    guarded: Served, what: str
) -> None:
    before = guarded.service.ledger().attestation.keys.keys()
    refusal = refused(lambda: CALLS[what](guarded, STRANGER))
    assert refusal.reason == Reason.ACTOR_NOT_AUTHORISED.value
    assert f"services/monitor-7 is not authorised to {what}." in refusal.message
    assert "operators.actors" in refusal.message
    assert guarded.service.ledger().attestation.keys.keys() == before
    assert guarded.service.projections().status()[1].generation == 1
    assert len(guarded.service.ledgers()) == 1


@pytest.mark.parametrize("what", CALLS)
def test_a_named_actor_may(guarded: Served, what: str) -> None:
    CALLS[what](guarded, NAMED)


def test_where_the_operator_names_no_actor_no_client_may(tmp_path: Path) -> None:
    with serving(tmp_path, operators__actors=()) as served:
        served.service.create_ledger("ledger.example/only", clock="wall", actor="system/serve")
        for call in CALLS.values():
            refusal = refused(partial(call, served, NAMED))
            assert refusal.reason == Reason.ACTOR_NOT_AUTHORISED.value


def test_a_second_ledger_changes_nothing_for_clients_that_name_none(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.prepare()
        served.create("ledger.example/another")
        served.submit(observation())
        meant = served.ledgers.GetLedger(pb.GetLedgerRequest(), timeout=TIMEOUT).ledger
        assert (meant.origin, meant.head_position) == (ORIGIN, served.head())
    with serving(tmp_path) as again:
        unnamed = again.ledgers.GetLedger(pb.GetLedgerRequest(), timeout=TIMEOUT).ledger
        assert unnamed.origin == ORIGIN


def test_there_is_an_end_to_how_many_ledgers_a_server_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.application.creation.LEDGERS_MAX", 2)
    with serving(tmp_path) as served:
        request = pb.CreateLedgerRequest(origin="ledger.example/b", request_id="second")
        served.create("ledger.example/a")
        served.ledgers.CreateLedger(request, timeout=TIMEOUT)
        refusal = refused(partial(served.create, "ledger.example/c"))
        assert refusal.reason == Reason.LIMIT_REACHED.value
        assert "This server holds 2 ledgers" in refusal.message
        again = served.ledgers.CreateLedger(request, timeout=TIMEOUT)
        assert again.ledger.origin == "ledger.example/b"
        assert len(served.service.ledgers()) == 2


def test_a_deleted_export_leaves_no_file_and_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.application.exports.exports.EXPORTS_KEPT_MAX", 1)
    with serving(tmp_path) as served:
        served.create()
        stub = ExportServiceStub(served.channel)
        ask = partial(stub.CreateExport, export_pb.CreateExportRequest(), timeout=TIMEOUT)
        name = ask().export.name
        found = refused(ask)
        assert found.reason == Reason.LIMIT_REACHED.value
        assert "export delete" in found.message
        stub.DeleteExport(export_pb.DeleteExportRequest(name=name), timeout=TIMEOUT)
        assert list(tmp_path.rglob(f"*{name.removeprefix('exports/')}*")) == []
        again = export_pb.DeleteExportRequest(name=name)
        unknown = refused(partial(stub.DeleteExport, again, timeout=TIMEOUT))
        assert unknown.reason == Reason.EXPORT_UNKNOWN.value
        ask()
