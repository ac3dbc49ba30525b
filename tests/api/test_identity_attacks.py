"""Attacks on who calls, by certificates, names and load: each is refused, or has no effect.

Method: a server as a team runs it, with TLS and certificates of callers. Attacks by tokens are in
`test_token_attacks.py`, those on what an actor may do in `test_authority_attacks.py`, and 500
handshakes that do not end in `tests/faults/test_slow_handshakes.py`.

| attack | what refuses it |
| --- | --- |
| a certificate of another CA | the handshake |
| a certificate of ours that is bound to no one, with and without a name | IDENTITY_UNBOUND |
| a proxy's certificate in the place of its user's token | IDENTITY_UNBOUND |
| a revoked token beside a good certificate | CREDENTIAL_REVOKED |
| TLS 1.2; no TLS | the handshake |
| the administrator's name in `ledger-actor` beside a token | ACTOR_NOT_AUTHORISED |
| such a name twice, or one of the service's own parts | FIELD_INVALID |
| such a name in binary metadata, or under a key in capitals | it has no effect |
| a name and no credential | UNAUTHENTICATED |
| an administrator named over the network | ACTOR_NOT_AUTHORISED |
| a limit made anew by another connection, token or credential | LIMIT_REACHED |
| a client that leaves as soon as it is answered, again and again | the server goes on |
"""

import socket
import ssl
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.api.calls import ServedCall
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.v1 import authority_pb2, ledger_service_pb2
from ledger.v1 import authority_service_pb2 as pb
from tests.support.authorities import (
    ALLOWED,
    ANA,
    PATHS,
    bearing,
    naming,
    of_provider,
    team,
    told,
)
from tests.support.clocks import TurnedClock
from tests.support.guarded import EVE, GATEWAY, LOOK, PROXY, SECOND, Guarded
from tests.support.raw_http2 import raw_call
from tests.support.served import TIMEOUT
from tests.support.trial import trial

# ---- certificates --------------------------------------------------------------------------------


def test_a_certificate_of_another_ca_does_not_come_as_far_as_a_call(guarded: Guarded) -> None:
    other = trial("of another CA")
    certificate, key = other.clients["users/ana"]
    stated = {"tls_ca": guarded.team.made.ca, "tls_certificate": certificate, "tls_key": key}
    with guarded.team.served.client(**stated) as client:
        call: Any = client.channel.unary_unary(PATHS["GetLedger"])
        with pytest.raises(grpc.RpcError) as caught:
            call(b"", timeout=TIMEOUT)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_proxy_is_never_taken_for_the_user_whose_calls_it_forwards(guarded: Guarded) -> None:
    proxy, ana = guarded.team.holding(PROXY), guarded.team.holding(ANA)
    lost = guarded.team.issue(GATEWAY)
    guarded.team.revoke(lost.token)
    events = ledger_service_pb2.ListEventsRequest(page_size=1)
    assert guarded.told((), proxy) == "IDENTITY_UNBOUND"
    assert guarded.told(naming(EVE), proxy) == "IDENTITY_UNBOUND"
    assert guarded.told(bearing(guarded.team.jwt(EVE)), proxy, events, "ListEvents") == ALLOWED
    mine = bearing(guarded.token.secret)
    assert guarded.told(mine, ana, events, "ListEvents") == "ACTOR_NOT_AUTHORISED"
    assert guarded.told(bearing(lost.secret), ana) == "CREDENTIAL_REVOKED"
    assert guarded.told(bearing("nonsense"), ana) == "CREDENTIAL_INVALID"


def test_tls_1_2_and_no_tls_at_all_are_refused(guarded: Guarded) -> None:
    port = int(guarded.team.served.server.bearer_address.rpartition(":")[2])
    context = ssl.create_default_context(cafile=str(guarded.team.made.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain, server_hostname="localhost")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as open_channel:
        call: Any = open_channel.unary_unary(PATHS["GetLedger"])
        with pytest.raises(grpc.RpcError):
            call(b"", timeout=TIMEOUT, metadata=bearing(guarded.token.secret))


# ---- names ---------------------------------------------------------------------------------------


def test_a_name_beside_a_credential_is_a_claim_and_gives_nothing(guarded: Guarded) -> None:
    secret, grant = guarded.token.secret, pb.GrantRoleRequest(actor=EVE, role="operator")
    beside = bearing(secret, *naming(ANA))
    assert guarded.told(beside) == "ACTOR_NOT_AUTHORISED"
    assert guarded.told(beside, request=grant, method="GrantRole") == "ACTOR_NOT_AUTHORISED"
    twice = bearing(secret, *naming(GATEWAY), *naming(ANA))
    assert guarded.told(twice) == "FIELD_INVALID"
    for name in ("system/operator", "system/credentials", "users/ANA", "ana", "users/ana "):
        assert guarded.told(bearing(secret, *naming(name))) == "FIELD_INVALID"
    binary = bearing(secret, ("ledger-actor-bin", ANA.encode()))
    assert guarded.told(binary) == ALLOWED
    assert guarded.told(binary, request=grant, method="GrantRole") == "ACTOR_NOT_AUTHORISED"


def test_a_name_under_a_key_in_capitals_or_in_binary_names_no_one(tmp_path: Path) -> None:
    request = pb.RegisterActorRequest(actor=EVE, person="staff-2").SerializeToString()
    with team(tmp_path, is_trying=True) as found:
        server = found.served.server
        port, ca = int(server.bearer_address.rpartition(":")[2]), str(found.made.ca)
        for key in ("Ledger-Actor", "LEDGER-ACTOR", "ledger-Actor", "ledger-actor-bin"):
            raw_call(port, ca, PATHS["RegisterActor"], request, (key, ANA))
            assert EVE not in found.served.service.ledger().authority.state.persons, key
        raw_call(port, ca, PATHS["RegisterActor"], request, ("ledger-actor", ANA))
        assert EVE in found.served.service.ledger().authority.state.persons


def test_a_name_without_a_credential_is_no_one_once_an_administrator_is_named(
    guarded: Guarded,
) -> None:
    for how in ((), naming(ANA), naming(GATEWAY)):
        assert guarded.told(how) == "UNAUTHENTICATED"
        assert guarded.told(how, request=pb.GetAuthorityRequest(), method="GetAuthority") == (
            "UNAUTHENTICATED"
        )


def test_no_one_names_an_administrator_over_the_network(guarded: Guarded) -> None:
    eve = authority_pb2.Administrator(actor=EVE, person="staff-2", identities=[of_provider("x")])
    request = pb.NameAdministratorRequest(administrator=eve, reason="It is me.")
    head = guarded.team.served.head()
    for how, channel in (
        ((), guarded.team.holding(ANA)),
        (bearing(guarded.team.jwt(EVE)), None),
        (bearing(guarded.token.secret), None),
        (naming("users/anonymous"), None),
    ):
        assert guarded.told(how, channel, request, "NameAdministrator") == "ACTOR_NOT_AUTHORISED"
    assert guarded.team.served.head() == head


# ---- what a caller might wear out ----------------------------------------------------------------


def test_a_limit_is_the_actor_s_whatever_connection_token_or_credential_it_comes_by(
    tmp_path: Path,
) -> None:
    clock = TurnedClock(SystemClock().now_micros())
    with team(tmp_path, clock=clock, limits__calls_per_second=5) as found:
        found.register(GATEWAY, "staff-2")
        found.grant(GATEWAY, "viewer")
        secrets = [found.issue(GATEWAY).secret for _ in range(2)]
        clock.advance(60 * SECOND)
        ways = [*map(bearing, secrets), bearing(found.jwt(GATEWAY))]
        said = [told(found.bearers, "GetLedger", LOOK, ways[0])]
        while said[-1] == ALLOWED:
            said.append(told(found.bearers, "GetLedger", LOOK, ways[0]))
        assert len(said) > 5
        address = found.served.server.bearer_address
        with LedgerClient(address, tls_ca=found.made.ca) as fresh:
            for how in (*ways, bearing(secrets[1], *naming(GATEWAY))):
                assert told(fresh.channel, "GetLedger", LOOK, how) == "LIMIT_REACHED"


def test_a_client_that_leaves_as_soon_as_it_is_answered_does_not_end_the_server(
    guarded: Guarded,
) -> None:
    """It once did: the thread that looked again asked gRPC about a call that was gone."""
    how = bearing(guarded.team.jwt(EVE))
    request = ledger_service_pb2.WatchEventsRequest()
    for _ in range(100):
        assert guarded.told(how, request=request, method="WatchEvents") in {
            ALLOWED,
            "LIMIT_REACHED",  # those that left are not all noticed yet
        }
    assert guarded.told(how) == ALLOWED


def test_what_is_known_of_a_call_is_known_when_its_client_is_gone() -> None:
    class Context:
        is_gone = False

        def peer(self) -> str:
            assert not self.is_gone
            return "ipv4:10.1.2.3:5"

        def auth_context(self) -> dict[str, list[bytes]]:
            assert not self.is_gone
            return {}

        def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
            assert not self.is_gone
            return (("ledger-actor", ANA), ("ledger-purpose", "a look"))

    context: Any = Context()
    call = ServedCall(PATHS["GetLedger"], context)
    context.is_gone = True
    assert (call.claimed_actor, call.shown_actor, call.stated_purpose) == (ANA, ANA, "a look")
    assert call.facts().peer == call.peer
