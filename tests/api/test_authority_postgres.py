"""Two servers of one ledger: a right that one withdraws, the other does not use any more.

Method: while one server withdraws a grant, calls by it come to the other, which may not have
heard of it. Whatever comes of each race, the auditor must find no event behind the withdrawal.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from ledger.audit.database import DatabaseSource
from ledger.v1 import authority_pb2, ledger_service_pb2, signal_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.audits import audited
from tests.support.authorities import ALLOWED, ANA, naming, told
from tests.support.served import ORIGIN, TIMEOUT, Served, serving, signal_named

pytestmark = pytest.mark.postgres

EVE = "users/eve"
ROUNDS, CALLS = 12, 4


def by_ana(call: Any, request: Any) -> Any:  # noqa: ANN401 - a stub's method and its messages
    return call(request, timeout=TIMEOUT, metadata=naming(ANA))


def define(served: Served, number: int) -> str:
    """Have eve define a signal, and return how that was answered."""
    request = signal_service_pb2.DefineSignalRequest(signal=signal_named(f"s{number}"))
    return told(served.channel, "DefineSignal", request, naming(EVE))


def options_of(postgres_url: str, tmp_path: Path) -> dict[str, Any]:
    """Return how both servers are set up."""
    return {
        "storage__database": postgres_url,
        "storage__accept_silent_loss": True,
        "keys__secret": "00" * 32,
        "exports__folder": str(tmp_path),
        "authentication__development": True,
        "operators__actors": (ANA,),
    }


def test_no_event_comes_behind_the_withdrawal_of_its_right_at_another_server(
    postgres_url: str, tmp_path: Path
) -> None:
    options = options_of(postgres_url, tmp_path)
    ana = authority_pb2.Administrator(actor=ANA, person="staff-1")
    create = ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana)
    grant = pb.GrantRoleRequest(actor=EVE, role="operator", reason="Work.")
    said: set[str] = set()
    with serving(tmp_path, **options) as one:
        by_ana(one.ledgers.CreateLedger, create)
        by_ana(one.authority.RegisterActor, pb.RegisterActorRequest(actor=EVE, person="staff-2"))
        with serving(tmp_path, **options) as other, ThreadPoolExecutor(CALLS) as threads:
            for turn in range(ROUNDS):
                position = by_ana(one.authority.GrantRole, grant).appended.position
                calls = [threads.submit(define, other, turn * CALLS + n) for n in range(CALLS)]
                withdraw = pb.WithdrawGrantRequest(grant=position, reason="Gone.")
                by_ana(one.authority.WithdrawGrant, withdraw)
                said |= {call.result(TIMEOUT) for call in calls}
    assert said <= {ALLOWED, "ACTOR_NOT_AUTHORISED", "STORE_UNAVAILABLE"}
    report = audited(DatabaseSource(postgres_url, ORIGIN))
    assert report.passed, report.text()


def test_no_ledger_is_created_by_a_right_that_another_server_has_withdrawn_on_the_first_ledger(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = options_of(postgres_url, tmp_path)
    ana = authority_pb2.Administrator(actor=ANA, person="staff-1")
    role = pb.DefineRoleRequest(role="creator", actions=["ledgers.create"], meaning="Begins them.")
    grant = pb.GrantRoleRequest(actor=EVE, role="creator", reason="Work.")
    first = ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana)
    second = ledger_service_pb2.CreateLedgerRequest(origin="ledger.example/second")
    with serving(tmp_path, **options) as one:
        by_ana(one.ledgers.CreateLedger, first)
        by_ana(one.authority.RegisterActor, pb.RegisterActorRequest(actor=EVE, person="staff-2"))
        by_ana(one.authority.DefineRole, role)
        position = by_ana(one.authority.GrantRole, grant).appended.position
        with serving(tmp_path, **options) as other:
            create = other.service.create_ledger

            def late(*args: Any, **fields: Any) -> Any:  # noqa: ANN401
                monkeypatch.undo()
                withdraw = pb.WithdrawGrantRequest(grant=position, reason="Gone.")
                by_ana(one.authority.WithdrawGrant, withdraw)
                return create(*args, **fields)

            monkeypatch.setattr(other.service, "create_ledger", late)
            said = told(other.channel, "CreateLedger", second, naming(EVE))
            assert said == "STORE_UNAVAILABLE"
            assert [info.origin for info in one.service.ledgers()] == [ORIGIN]
