"""The golden instances of the events of authority; all but the proposal follow."""

import hashlib
from typing import Final

from ledger.events.authority import (
    OPERATOR,
    ActorRegistered,
    AdministratorNamed,
    AuthorityProposed,
    CallRepresented,
    CredentialUsed,
    GrantScopePart,
    GrantWithdrawn,
    IdentityBound,
    IdentityPart,
    IdentityUnbound,
    LimitsSet,
    RoleDefined,
    RoleGranted,
    TokenIssued,
    TokenRevoked,
)
from ledger.events.base import EventData
from tools.golden_proving import Appender

_ADA: Final = "users/ada"
_MONITOR: Final = "services/monitor-7"
_TOKEN: Final = "0123456789abcdef"
_SECRET_DIGEST: Final = hashlib.sha256(b"the secret of the golden token").hexdigest()
_CERTIFICATE: Final = IdentityPart(
    method="certificate", issuer="", subject="spiffe://example.org/monitor-7"
)
_SUBJECT: Final = IdentityPart(method="jwt", issuer="https://login.example.org", subject="248289")


def grant(ledger: Appender) -> None:
    """Name an administrator, who lets a monitor in, and takes all of it away again."""
    minutes = iter(range(60))

    def note(data: EventData, actor: str = _ADA) -> int:
        at = f"2026-07-02T12:{next(minutes):02d}:00.000000Z"
        return ledger.append(data, data.stream_name, at, actor=actor)

    note(
        AdministratorNamed(
            actor=_ADA, person="staff-17", identities=[_SUBJECT], reason="She runs the ledger."
        ),
        OPERATOR,
    )
    note(ActorRegistered(actor=_MONITOR, person="staff-17", meaning="Watches the fraud models."))
    note(
        IdentityBound(
            actor=_MONITOR, identity=_CERTIFICATE, reason="Its own certificate.", proposal=None
        )
    )
    note(_token())
    note(
        RoleDefined(
            role="reporter",
            actions=["proofs.read", "signals.submit"],
            meaning="Reports, and sees that it is recorded.",
            proposal=None,
        )
    )
    granted = note(_granted())
    note(_used(), "system/credentials")
    withdrawn = GrantWithdrawn(grant=granted, reason="The monitor was replaced.", proposal=None)
    note(
        AuthorityProposed(
            type=GrantWithdrawn.TYPE,
            change=withdrawn.to_data(),
            until="2026-07-09T12:07:00.000000Z",
        )
    )
    note(withdrawn)
    note(TokenRevoked(token=_TOKEN, reason="The monitor was replaced."))
    note(IdentityUnbound(identity=_CERTIFICATE, reason="The monitor was replaced."))


def represent(ledger: Appender) -> None:
    """Have the monitor call on behalf of the administrator."""
    claim = CallRepresented(
        actor=_MONITOR,
        on_behalf_of=_ADA,
        method="Evaluate",
        request_id="claim-1",
        called_at="2026-07-03T08:00:00.000000Z",
    )
    ledger.append(
        claim, claim.stream_name, "2026-07-03T08:00:00.000000Z", actor="system/credentials"
    )


def limit(ledger: Appender) -> None:
    """Set the limits of the monitor, who is registered still."""
    data = LimitsSet(
        actor=_MONITOR,
        calls_per_second=100,
        bytes_per_second=None,
        observations_per_second=20_000,
        streams=4,
        waits=None,
        reason="It reports every minute.",
    )
    ledger.append(data, data.stream_name, "2026-07-03T09:00:00.000000Z", actor=_ADA)


def _token() -> TokenIssued:
    return TokenIssued(
        token=_TOKEN,
        actor=_MONITOR,
        digest=_SECRET_DIGEST,
        expires_at="2026-09-30T00:00:00.000000Z",
        reason="It runs beside inference.",
    )


def _granted() -> RoleGranted:
    return RoleGranted(
        actor=_MONITOR,
        role="reporter",
        scope=GrantScopePart(labels={"team": "fraud"}, models=[], signals=["log-loss"]),
        expires_at="2027-07-02T00:00:00.000000Z",
        reason="It reports the fraud team's models.",
        proposal=None,
    )


def _used() -> CredentialUsed:
    return CredentialUsed(
        actor=_MONITOR,
        method="token",
        issuer="",
        subject=_TOKEN,
        fingerprint=_SECRET_DIGEST,
        address="192.0.2.7",
        used_at="2026-07-02T12:06:00.000000Z",
    )
