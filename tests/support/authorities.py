"""A server as a team runs it: TLS, certificates, an OpenID provider, tokens; and its callers.

Its ledger begins with an administrator, ana, who has a certificate and a subject of the provider.
`told` makes any call raw and says how it was answered, so that one way fits every method.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.message import Message

from ledger.api.server import SERVICES
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.events.envelope import RecordedEvent
from ledger.operations.trial_certificates import (
    TRUST_DOMAIN,
    TrialCertificates,
    make_trial_certificates,
)
from ledger.v1 import authority_pb2, errors_pb2, ledger_service_pb2, signal_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.clocks import ManualClock
from tests.support.identities import AUDIENCE, ISSUER, claims, key_set, public_jwk, token
from tests.support.served import ORIGIN, TIMEOUT, Served, refusal, serving

ANA: Final = "users/ana"
ALLOWED: Final = "allowed"

Metadata = Sequence[tuple[str, str | bytes]]

PATHS: Final = {
    method.name: f"/{service}/{method.name}"
    for service in SERVICES
    for method in descriptor_pool.Default().FindServiceByName(service).methods
}
"""Every method of the contract, with its path."""


def naming(actor: str) -> Metadata:
    """Return the metadata of a caller who is believed to be an actor."""
    return (("ledger-actor", actor),)


def bearing(secret: str, *more: tuple[str, str | bytes]) -> Metadata:
    """Return the metadata of a caller with a bearer token."""
    return (("authorization", f"Bearer {secret}"), *more)


def spiffe(actor: str) -> authority_pb2.Identity:
    """Return the identity of an actor's trial certificate."""
    return authority_pb2.Identity(method="certificate", subject=f"spiffe://{TRUST_DOMAIN}/{actor}")


def of_provider(subject: str) -> authority_pb2.Identity:
    """Return the identity of a subject of the provider."""
    return authority_pb2.Identity(method="jwt", issuer=ISSUER, subject=subject)


@dataclass
class Team:
    """The server, its ledger's administrator, and whom she lets in."""

    served: Served
    clock: ManualClock
    made: TrialCertificates
    bearers: grpc.Channel
    """Calls without a certificate."""
    _channels: dict[str, grpc.Channel] = field(default_factory=dict)

    def holding(self, actor: str) -> grpc.Channel:
        """Return the channel of a caller with the trial certificate of an actor."""
        if actor not in self._channels:
            certificate, key = self.made.clients[actor]
            stated: Any = {"tls_ca": self.made.ca, "tls_certificate": certificate, "tls_key": key}
            self._channels[actor] = LedgerClient(self.served.server.address, **stated).channel
        return self._channels[actor]

    def close(self) -> None:
        """Close every channel."""
        for channel in (self.bearers, *self._channels.values()):
            channel.close()

    def jwt(self, subject: str, seconds: int = 600, **changes: object) -> str:
        """Return a token of the provider, which holds so many seconds from now."""
        now = self.clock.now_micros() // 1_000_000
        return token(claims(sub=subject, iat=now - 5, exp=now + seconds, **changes))

    # ---- what the administrator does -------------------------------------------------------------

    def change(self, method: str, request: Message, actor: str = ANA) -> Any:  # noqa: ANN401
        """Have an administrator, by certificate or else by the provider, change authority."""
        is_held = actor in self.made.clients
        channel = self.holding(actor) if is_held else self.bearers
        metadata = () if is_held else bearing(self.jwt(actor))
        answer = getattr(pb, f"{method}Response").FromString
        call: Any = channel.unary_unary(
            PATHS[method], request_serializer=_serialized, response_deserializer=answer
        )
        return call(request, timeout=TIMEOUT, metadata=metadata)

    def register(self, actor: str, person: str) -> None:
        """Register an actor, and bind the provider's subject of the same name to it."""
        self.change("RegisterActor", pb.RegisterActorRequest(actor=actor, person=person))
        self.bind(actor, of_provider(actor))

    def bind(self, actor: str, identity: authority_pb2.Identity) -> Any:  # noqa: ANN401
        """Bind an identity."""
        request = pb.BindIdentityRequest(actor=actor, identity=identity, reason="Theirs.")
        return self.change("BindIdentity", request)

    def grant(self, actor: str, role: str, by: str = ANA, expires_in: int = 0, **scope: Any) -> Any:  # noqa: ANN401
        """Grant a role, for so many seconds if any are named."""
        request = pb.GrantRoleRequest(
            actor=actor, role=role, reason="Work.", scope=authority_pb2.AuthorityScope(**scope)
        )
        if expires_in:
            until = self.clock.now_micros() + expires_in * 1_000_000
            request.expires_at.FromMicroseconds(until)
        return self.change("GrantRole", request, by)

    def define_role(self, role: str, *actions: str, by: str = ANA) -> Any:  # noqa: ANN401
        """Define a role."""
        request = pb.DefineRoleRequest(role=role, actions=actions, meaning="Theirs.")
        return self.change("DefineRole", request, by)

    def issue(self, actor: str, expires_in: int = 0) -> Any:  # noqa: ANN401
        """Issue a token, for so many seconds if any are named."""
        request = pb.IssueTokenRequest(actor=actor, reason="It runs.")
        if expires_in:
            until = self.clock.now_micros() + expires_in * 1_000_000
            request.expires_at.FromMicroseconds(until)
        return self.change("IssueToken", request)

    def revoke(self, token_name: str) -> None:
        """Revoke a token."""
        self.change("RevokeToken", pb.RevokeTokenRequest(token=token_name, reason="Lost."))

    def withdraw(self, position: int, by: str = ANA) -> Any:  # noqa: ANN401
        """Withdraw a grant."""
        request = pb.WithdrawGrantRequest(grant=position, reason="Gone.")
        return self.change("WithdrawGrant", request, by)

    def approve(self, position: int, by: str) -> Any:  # noqa: ANN401
        """Approve a proposal."""
        return self.change("ApproveChange", pb.ApproveChangeRequest(proposal=position), by)

    def events(self, after: int = 0) -> list[RecordedEvent]:
        """Return the events behind a position, read past the API."""
        ledger = self.served.service.ledger()
        return ledger.log.events(after=after, until=self.served.head(), limit=100_000)


@contextmanager
def team(
    folder: Path,
    clients: Sequence[str] = (),
    *,
    is_trying: bool = False,
    clock: ManualClock | None = None,
    **named: Any,  # noqa: ANN401 - as `serving`
) -> Iterator[Team]:
    """Serve such a ledger; `clients` beside ana have trial certificates.

    `is_trying`: whether callers without any credential are believed (`authentication.development`).
    """
    clock = clock or ManualClock(SystemClock().now_micros())
    made = make_trial_certificates(folder / "tls", SystemClock(), clients=[ANA, *clients])
    keys = folder / "jwks.json"
    keys.write_bytes(key_set(public_jwk("one")))
    provider = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(keys)}
    settings: dict[str, Any] = {
        "server__tls": {
            "certificate": str(made.certificate),
            "key": str(made.key),
            "client_ca": str(made.ca),
            "bearer_address": "127.0.0.1:0",
        },
        "authentication__providers": [provider],
        "authentication__development": is_trying,
        "operators__actors": (ANA, "users/anonymous"),
        **named,
    }
    certificate, key = made.clients[ANA]
    security = {"tls_ca": made.ca, "tls_certificate": certificate, "tls_key": key}
    with serving(folder, clock, security=security, **settings) as served:
        identities = [spiffe(ANA), of_provider(ANA)]
        ana = authority_pb2.Administrator(actor=ANA, person="staff-1", identities=identities)
        bearers = LedgerClient(served.server.bearer_address, tls_ca=made.ca).channel
        request = ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana)
        _create(bearers, request)
        found = Team(served, clock, made, bearers)
        try:
            yield found
        finally:
            found.close()


def _create(channel: grpc.Channel, request: Message) -> None:
    call: Any = channel.unary_unary(PATHS["CreateLedger"], request_serializer=_serialized)
    call(request, timeout=TIMEOUT, metadata=naming(ANA))


def told(
    channel: grpc.Channel,
    method: str,
    request: Message,
    metadata: Metadata = (),
    timeout: float | None = TIMEOUT,
) -> str:
    """Make a call and return why it was refused, or ALLOWED; of a stream the first answer counts.

    The refusal of a batch counts as that of the call.
    """
    begin: Any = channel.stream_stream(PATHS[method])
    call = begin(iter([request.SerializeToString()]), timeout=timeout, metadata=metadata)
    try:
        data = next(call, b"")
    except grpc.RpcError as error:
        return refusal(error).reason
    finally:
        call.cancel()
    if method != "StreamSignals":
        return ALLOWED
    answer = signal_service_pb2.StreamSignalsResponse.FromString(data)
    if not answer.HasField("error"):
        return ALLOWED
    return errors_pb2.ErrorReason.Name(answer.error.reason).removeprefix("ERROR_REASON_")


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


def told_of(call: Callable[[], Any]) -> str:
    """Make a change of authority and return the reason that it was refused for, or ALLOWED."""
    try:
        call()
    except grpc.RpcError as error:
        return refusal(error).reason
    return ALLOWED
