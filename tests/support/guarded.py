"""A server under attack: what an attacker may have got hold of, and how a call was answered."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from ledger.audit.database import DatabaseSource
from ledger.v1 import authority_pb2, ledger_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.audits import audited
from tests.support.authorities import (
    ALLOWED,
    ANA,
    PATHS,
    Metadata,
    Team,
    bearing,
    spiffe,
    team,
    told,
)
from tests.support.identities import claims, signed
from tests.support.served import ORIGIN, TIMEOUT, refusal

EVE: Final = "users/eve"
GATEWAY: Final = "services/gateway"
PROXY: Final = "services/proxy"
OTHER: Final = "ledger.example/other"
SECOND: Final = 1_000_000
LOOK: Final = ledger_service_pb2.GetLedgerRequest()


class Guarded:
    """A server, and what an attacker may have got hold of."""

    def __init__(self, team: Team) -> None:
        self.team = team
        team.register(EVE, "staff-2")
        team.grant(EVE, "auditor")
        team.register(GATEWAY, "staff-3")
        team.grant(GATEWAY, "viewer")
        self.token = team.issue(GATEWAY)

    def told(
        self,
        metadata: Metadata = (),
        channel: grpc.Channel | None = None,
        request: Any = LOOK,  # noqa: ANN401 - a message
        method: str = "GetLedger",
    ) -> str:
        """Make a call, by default one that any viewer may make, and say how it was answered."""
        return told(channel or self.team.bearers, method, request, metadata)

    def message(self, metadata: Metadata) -> str:
        """Return the sentence that a call is refused with."""
        call: Any = self.team.bearers.unary_unary(PATHS["GetLedger"])
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=TIMEOUT, metadata=metadata)
        return refusal(caught.value).message

    def forged(self, head: dict[str, Any], private: Any, kind: str = "RS256") -> str:  # noqa: ANN401
        """Return a token of eve's that another key has signed."""
        now = self.team.clock.now_micros() // SECOND
        body = json.dumps(claims(sub=EVE, iat=now - 5, exp=now + 600)).encode()
        return signed(json.dumps(head).encode(), body, kind=kind, private=private)


def _begin_another(team: Team) -> None:
    """Create a second ledger on the server, with the same administrator."""
    ana = authority_pb2.Administrator(actor=ANA, person="staff-1", identities=[spiffe(ANA)])
    request = ledger_service_pb2.CreateLedgerRequest(origin=OTHER, administrator=ana)
    assert told(team.holding(ANA), "CreateLedger", request) == ALLOWED
    register = pb.RegisterActorRequest(actor=GATEWAY, person="staff-3", ledger=OTHER)
    team.change("RegisterActor", register)


@contextmanager
def guarding(folder: Path) -> Iterator[Guarded]:
    """Serve two ledgers of ana's; an auditor agrees in the end with what attacks have left."""
    with team(folder, [PROXY]) as found:
        guarded = Guarded(found)
        _begin_another(found)
        assert guarded.told(bearing(guarded.token.secret)) == ALLOWED
        assert guarded.told(bearing(found.jwt(EVE))) == ALLOWED
        yield guarded
    for origin in (ORIGIN, OTHER):
        report = audited(DatabaseSource(str(folder / "ledger.sqlite"), origin))
        assert report.passed, report.text()
