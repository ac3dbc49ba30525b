"""Over TLS a certificate is the caller's own, and a proxy's never the user's.

Method: a server with certificates as `certificate dev` makes them, which takes a provider's tokens
too. Who called is read from the actor of what was recorded.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.client import IdentityError, LedgerClient, Model, NotAuthorisedError
from ledger.clock import SystemClock
from ledger.operations.trial_certificates import TRUST_DOMAIN
from ledger.v1 import authority_pb2, ledger_service_pb2
from ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from tests.support.identities import AUDIENCE, ISSUER, claims, key_set, public_jwk, token
from tests.support.served import ORIGIN, TIMEOUT, Served, serving
from tests.support.server_process import ONCE
from tests.support.trial import ANA, BO, known_by, served_by, trial

MADE = trial()


def fresh(**changes: object) -> str:
    """Return a token of this moment."""
    now = SystemClock().now_micros() // 1_000_000
    return token(claims(**{"iat": now - 5, "exp": now + 3_600, **changes}))


def look(client: LedgerClient) -> list[Model]:
    """Read what takes a right to read."""
    return list(client.list_models())


def calling(served: Served, holder: str = "", **stated: Any) -> LedgerClient:  # noqa: ANN401
    """Return a client with the certificate of one, or at the address that asks for none."""
    address = served.server.address if holder else served.server.bearer_address
    known: Any = {**known_by(MADE, holder), **stated}
    return LedgerClient(address, deadline_seconds=TIMEOUT, retry=ONCE, **known)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose administrator is ana, known by her certificate and by the provider."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "jwks.json").write_bytes(key_set(public_jwk("one")))
    provider = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(folder / "jwks.json")}
    tls = served_by(MADE, client_ca=MADE.ca, bearer_address="127.0.0.1:0")
    named: Any = {**tls, "authentication__providers": (provider,)}
    with serving(folder, security=known_by(MADE, ANA), **named) as served:
        identities = [
            authority_pb2.Identity(method="certificate", subject=f"spiffe://{TRUST_DOMAIN}/{ANA}"),
            authority_pb2.Identity(method="jwt", issuer=ISSUER, subject="ana"),
        ]
        ana = authority_pb2.Administrator(actor=ANA, person="staff-1", identities=identities)
        request = ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana)
        with calling(served) as unknown:  # on loopback, and before there is a ledger
            LedgerServiceStub(unknown.channel).CreateLedger(request, timeout=TIMEOUT)
        yield served


def test_a_caller_is_known_by_the_certificate_that_is_bound_to_it(served: Served) -> None:
    with calling(served, ANA) as client:
        assert look(client) == []


def test_a_certificate_of_the_same_ca_without_a_binding_is_no_actors(served: Served) -> None:
    for claimed in ("", ANA):
        with calling(served, BO, actor=claimed) as client, pytest.raises(IdentityError) as caught:
            look(client)
        assert caught.value.reason == "IDENTITY_UNBOUND"


def test_a_name_beside_a_certificate_makes_no_other_caller_of_it(served: Served) -> None:
    with calling(served, ANA, actor=BO) as client, pytest.raises(NotAuthorisedError) as caught:
        look(client)
    assert caught.value.reason == "ACTOR_NOT_AUTHORISED"


def test_a_proxy_that_forwards_a_token_acts_for_its_user_and_not_for_itself(served: Served) -> None:
    with calling(served, BO, token=fresh()) as proxy:
        assert look(proxy) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sub": "eve"}, "IDENTITY_UNBOUND"),
        ({"aud": "payroll"}, "TOKEN_AUDIENCE_WRONG"),
        ({"cnf": {"x5t#S256": "A" * 43}}, "CREDENTIAL_INVALID"),
    ],
)
def test_a_proxys_certificate_makes_up_for_no_token_that_is_refused(
    served: Served, changes: dict[str, Any], reason: str
) -> None:
    with calling(served, ANA, token=fresh(**changes)) as proxy:
        with pytest.raises(IdentityError) as caught:
            look(proxy)
        assert caught.value.reason == reason


def test_a_token_alone_is_enough_at_the_address_that_asks_for_no_certificate(
    served: Served,
) -> None:
    with calling(served, token=fresh()) as client:
        assert look(client) == []
    with calling(served) as client, pytest.raises(IdentityError) as caught:
        look(client)
    assert caught.value.reason == "UNAUTHENTICATED"


def test_a_token_in_a_file_is_read_again_when_it_was_renewed(
    served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(fresh(exp=1))
    with calling(served, token=file) as client:
        with pytest.raises(IdentityError) as caught:
            look(client)
        assert caught.value.reason == "CREDENTIAL_EXPIRED"
        file.write_text(fresh())
        assert look(client) == []


@pytest.mark.parametrize("kibibytes", [9, 100, 300])
def test_a_token_that_is_too_large_is_named_so_by_server_or_client(
    served: Served, kibibytes: int
) -> None:
    with calling(served, token="a" * kibibytes * 1024) as client:
        with pytest.raises(IdentityError) as caught:
            look(client)
        assert caught.value.reason == "TOKEN_TOO_LARGE"
