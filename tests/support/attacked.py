"""A served ledger whose administrator is known by a provider's tokens, for attacks on it.

Its provider has one key in a file, its clock is the test's. A monitor is registered and may look.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from ledger.v1 import authority_pb2, ledger_service_pb2, model_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.clocks import ManualClock
from tests.support.identities import AUDIENCE, ISSUER, NOW, key_set, public_jwk, token
from tests.support.served import ORIGIN, TIMEOUT, Served, refused, serving

ANA: Final = "users/ana"
MONITOR: Final = "services/monitor-7"
SECOND: Final = 1_000_000

Metadatum = tuple[str, str | bytes]


class Attacked:
    """The server, its clock, and the file of its provider's keys."""

    def __init__(self, served: Served, clock: ManualClock, keys: Path) -> None:
        self.served = served
        self.clock = clock
        self.keys = keys

    def look(self, *metadata: Metadatum, ledger: str = "") -> Any:  # noqa: ANN401 - a message
        """Read as a caller with this metadata."""
        request = model_service_pb2.ListModelsRequest(ledger=ledger)
        return self.served.models.ListModels(request, timeout=TIMEOUT, metadata=metadata)

    def reason(self, *metadata: Metadatum, ledger: str = "") -> str:
        """Return why a caller is not known; nothing of what it presents comes back or is kept."""
        head = self.served.head()
        found = refused(lambda: self.look(*metadata, ledger=ledger))
        assert found.code is grpc.StatusCode.UNAUTHENTICATED
        assert self.served.head() == head
        told = f"{found.message} {found.metadata}"
        for _, value in metadata:
            shown = value if isinstance(value, str) else value.decode("latin-1")
            parts = shown.removeprefix("Bearer ").replace("_", ".").split(".")
            assert [part for part in parts if len(part) > 15 and part in told] == []
        return found.reason

    def issued(self, ledger: str = "") -> Any:  # noqa: ANN401 - a message
        """Issue a token to the monitor, as the administrator."""
        request = pb.IssueTokenRequest(actor=MONITOR, reason="It runs.", ledger=ledger)
        return self.served.authority.IssueToken(request, **by_ana(self.clock))

    def bind_monitor(self, subject: str = MONITOR) -> None:
        """Have the provider vouch for the monitor by a subject, as the administrator."""
        identity = authority_pb2.Identity(method="jwt", issuer=ISSUER, subject=subject)
        request = pb.BindIdentityRequest(actor=MONITOR, identity=identity, reason="It runs.")
        self.served.authority.BindIdentity(request, **by_ana(self.clock))

    def watch(self, *metadata: Metadatum) -> Any:  # noqa: ANN401 - an iterator of messages
        """Watch all events as a caller with this metadata."""
        request = ledger_service_pb2.WatchEventsRequest()
        return self.served.ledgers.WatchEvents(request, timeout=TIMEOUT, metadata=metadata)

    def employ(self, ledger: str = "") -> None:
        """Register the monitor and let it look, as the administrator."""
        ana = by_ana(self.clock)
        register = pb.RegisterActorRequest(actor=MONITOR, person="staff-1", ledger=ledger)
        self.served.authority.RegisterActor(register, **ana)
        role = pb.GrantRoleRequest(actor=MONITOR, role="auditor", reason="It looks.", ledger=ledger)
        self.served.authority.GrantRole(role, **ana)

    def create(self, origin: str, *metadata: Metadatum) -> None:
        """Create a ledger with the administrator, as a caller with this metadata."""
        identity = authority_pb2.Identity(method="jwt", issuer=ISSUER, subject="ana")
        ana = authority_pb2.Administrator(actor=ANA, person="staff-1", identities=[identity])
        request = ledger_service_pb2.CreateLedgerRequest(origin=origin, administrator=ana)
        self.served.ledgers.CreateLedger(request, timeout=TIMEOUT, metadata=metadata)


@contextmanager
def attacked(folder: Path, **named: Any) -> Iterator[Attacked]:  # noqa: ANN401 - as `serving`
    """Serve such a ledger."""
    keys = folder / "jwks.json"
    keys.write_bytes(key_set(public_jwk("one")))
    clock = ManualClock(NOW * SECOND)
    provider = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(keys)}
    stated = {"authentication__providers": (provider,), **named}
    with serving(folder, clock, **stated) as served:
        target = Attacked(served, clock, keys)
        target.create(ORIGIN)
        target.employ()
        yield target


def bearing(text: str) -> tuple[str, str]:
    """Return the metadata that presents a bearer token."""
    return ("authorization", f"Bearer {text}")


def by_ana(clock: ManualClock) -> dict[str, Any]:
    """Return how the administrator calls, with a token of this moment."""
    now = clock.now_micros() // SECOND
    fresh = token({"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "iat": now, "exp": now + 600})
    return {"timeout": TIMEOUT, "metadata": (bearing(fresh),)}
