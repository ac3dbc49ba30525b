"""Attacks on credentials are refused by a real server, each with its reason, and leave no trace.

Method: a ledger whose administrator is known by a provider's tokens; forgeries of them, tokens of
the ledger that are stolen or made up, and metadata with more than it should have. After each attack
the ledger is as it was, and nothing that was presented is in the answer.
"""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from ledger.v1 import authority_service_pb2 as pb
from ledger.v1 import errors_pb2, signal_service_pb2
from tests.support.attacked import ANA, MONITOR, Attacked, Metadatum, attacked, bearing, by_ana
from tests.support.identities import (
    NOW,
    by_secret,
    claims,
    key_pair,
    key_set,
    names,
    public_jwk,
    public_pem,
    signed,
    token,
    unsigned,
)
from tests.support.served import TIMEOUT, observation, refused

SECOND = 1_000_000
UNKNOWN = grpc.StatusCode.UNAUTHENTICATED
EVIL = "https://evil.example"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    """One server for all attacks: none of them may change it."""
    with attacked(tmp_path_factory.mktemp("attacked")) as target:
        yield target


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Attacked]:
    """A server for one test, which may change it."""
    with attacked(tmp_path) as target:
        yield target


# ---- forged tokens -------------------------------------------------------------------------------


def _header_twice() -> str:
    head = names(("alg", "RS256"), ("kid", "two"), ("kid", "one"))
    return signed(head, json.dumps(claims()).encode(), kind="RS256", private=key_pair("one"))


ATTACKS: dict[str, tuple[Callable[[], str], str]] = {
    "algorithm none": (unsigned, "TOKEN_ALGORITHM_REFUSED"),
    "public key as secret": (
        lambda: by_secret("HS256", public_pem("one")),
        "TOKEN_ALGORITHM_REFUSED",
    ),
    "algorithm not set": (lambda: token(kind="PS256"), "TOKEN_ALGORITHM_REFUSED"),
    "wrong kid": (lambda: token(kid="two"), "TOKEN_KEY_UNKNOWN"),
    "own key under a known kid": (lambda: token(key="two", kid="one"), "CREDENTIAL_INVALID"),
    "own key in the header": (
        lambda: token(key="two", jwk=public_jwk("two")),
        "TOKEN_KEY_UNKNOWN",
    ),
    "own key behind jku": (lambda: token(key="two", jku=EVIL), "TOKEN_KEY_UNKNOWN"),
    "own key behind x5u": (lambda: token(key="two", x5u=EVIL), "TOKEN_KEY_UNKNOWN"),
    "wrong issuer": (lambda: token(claims(iss=EVIL)), "TOKEN_ISSUER_WRONG"),
    "wrong audience": (lambda: token(claims(aud="payroll")), "TOKEN_AUDIENCE_WRONG"),
    "expired": (lambda: token(claims(exp=NOW - 3_600)), "CREDENTIAL_EXPIRED"),
    "of tomorrow": (lambda: token(claims(nbf=NOW + 86_400)), "CREDENTIAL_EXPIRED"),
    "without expiry": (lambda: token(claims(exp=None)), "CREDENTIAL_INVALID"),
    "claim twice": (lambda: token(names(*claims().items(), ("sub", "ana"))), "CREDENTIAL_INVALID"),
    "header twice": (_header_twice, "CREDENTIAL_INVALID"),
    "critical extension": (lambda: token(crit=["exp"]), "CREDENTIAL_INVALID"),
    "encrypted": (lambda: "a.b.c.d.e", "CREDENTIAL_INVALID"),
    "logout token": (lambda: token(typ="logout+jwt"), "CREDENTIAL_INVALID"),
    "100 KiB": (lambda: "a" * 100 * 1024, "TOKEN_TOO_LARGE"),
    "subject without binding": (lambda: token(claims(sub="eve")), "IDENTITY_UNBOUND"),
    "actor's name as subject": (lambda: token(claims(sub=ANA)), "IDENTITY_UNBOUND"),
    "made-up token": (lambda: f"dlt_{'0' * 16}_{'A' * 43}", "CREDENTIAL_INVALID"),
    "half a token": (lambda: f"dlt_{'0' * 16}", "CREDENTIAL_INVALID"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_forged_bearer_is_refused_with_its_reason(target: Attacked, attack: str) -> None:
    forged, reason = ATTACKS[attack]
    assert target.reason(bearing(forged())) == reason
    target.look(bearing(token()))


# ---- metadata ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("smuggled", "reason"),
    [
        ([], "UNAUTHENTICATED"),
        ([("ledger-actor", ANA)], "UNAUTHENTICATED"),
        ([("ledger-actor-bin", ANA.encode())], "UNAUTHENTICATED"),
        ([("x-forwarded-user", ANA), ("x-forwarded-client-cert", ANA)], "UNAUTHENTICATED"),
        ([("authorization", "Basic dXNlcnMvYW5hOnNlY3JldA==")], "CREDENTIAL_INVALID"),
        ([bearing(token()), bearing(token())], "CREDENTIAL_INVALID"),
        ([bearing(token()), bearing(token(claims(sub="eve")))], "CREDENTIAL_INVALID"),
        ([("authorization-bin", f"Bearer {token()}".encode())], "CREDENTIAL_INVALID"),
        ([("authorization", f"Bearer {token()},Bearer {token()}")], "CREDENTIAL_INVALID"),
    ],
)
def test_no_other_metadata_makes_a_caller_known(
    target: Attacked, smuggled: list[Metadatum], reason: str
) -> None:
    assert target.reason(*smuggled) == reason


def test_the_scheme_is_in_any_case_and_spaces_do_not_matter(target: Attacked) -> None:
    for value in (f"bearer {token()}", f"BEARER   {token()} "):
        target.look(("authorization", value))


@pytest.mark.parametrize(
    ("claimed", "reason"),
    [
        (["users/eve"], "ACTOR_NOT_AUTHORISED"),
        ([MONITOR, "users/eve"], "FIELD_INVALID"),
        ([MONITOR, MONITOR], "FIELD_INVALID"),
        (["system/evaluator"], "FIELD_INVALID"),
    ],
)
def test_a_name_beside_a_token_makes_no_other_caller_of_it(
    target: Attacked, claimed: list[str], reason: str
) -> None:
    secret = target.issued().secret
    named = [("ledger-actor", name) for name in claimed]
    assert refused(lambda: target.look(bearing(secret), *named)).reason == reason


def test_health_and_reflection_need_no_credential(target: Attacked) -> None:
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    health: Any = health_pb2_grpc.HealthStub(target.served.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_a_subject_as_long_as_openid_allows_is_bound_and_known(own: Attacked) -> None:
    subject = f"system:serviceaccount:{'n' * 63}:".ljust(255, "s")
    own.bind_monitor(subject)
    own.look(bearing(token(claims(sub=subject))))


# ---- stolen tokens -------------------------------------------------------------------------------


def test_a_token_whose_key_is_withdrawn_is_refused_though_it_was_let_in(own: Attacked) -> None:
    text = token()
    own.look(bearing(text))
    own.keys.write_bytes(key_set(public_jwk("two")))
    assert own.reason(bearing(text)) == "TOKEN_KEY_UNKNOWN"
    own.look(bearing(token(key="two")))


def test_a_watch_ends_when_its_token_expires_and_shows_nothing_more(own: Attacked) -> None:
    own.bind_monitor()
    text = token(claims(sub=MONITOR, exp=NOW + 600))
    watch = own.watch(bearing(text))
    assert next(watch).events[0].position == 1
    own.clock.advance(700 * SECOND)
    own.issued()  # an event wakes the watch
    found = refused(lambda: watch)
    assert (found.code, found.reason) == (UNKNOWN, "CREDENTIAL_EXPIRED")


def test_a_watch_ends_when_its_token_is_revoked_and_the_token_is_refused(own: Attacked) -> None:
    issued = own.issued()
    watch = own.watch(bearing(issued.secret))
    assert next(watch).events[0].position == 1
    own.served.authority.RevokeToken(
        pb.RevokeTokenRequest(token=issued.token, reason="Stolen."), **by_ana(own.clock)
    )
    found = refused(lambda: watch)
    assert (found.code, found.reason) == (UNKNOWN, "CREDENTIAL_REVOKED")
    assert own.reason(bearing(issued.secret)) == "CREDENTIAL_REVOKED"


def test_a_stream_of_batches_ends_when_its_token_expires(own: Attacked) -> None:
    own.bind_monitor()
    text = token(claims(sub=MONITOR, exp=NOW + 600))
    more = threading.Event()

    def batches() -> Iterator[signal_service_pb2.StreamSignalsRequest]:
        for number in (1, 2):
            yield signal_service_pb2.StreamSignalsRequest(
                observations=[observation("fares")], request_id=f"r-{number}"
            )
            more.wait(TIMEOUT)

    answers = own.served.signals.StreamSignals(
        batches(), timeout=TIMEOUT, metadata=(bearing(text),)
    )
    first = next(answers).error
    assert errors_pb2.ErrorReason.Name(first.reason) == "ERROR_REASON_ACTOR_NOT_AUTHORISED"
    own.clock.advance(700 * SECOND)
    more.set()
    found = refused(lambda: answers)
    assert (found.code, found.reason) == (UNKNOWN, "CREDENTIAL_EXPIRED")
