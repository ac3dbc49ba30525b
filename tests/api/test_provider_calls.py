"""Calls with a provider's tokens: of one that others wrote, and of one whose keys are on their way.

Method: a real server whose provider is a process or a web server of its own on loopback.
"""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ledger.api.authentication import provider_keys
from ledger.client import AsyncLedgerClient, IdentityError
from ledger.v1 import authority_pb2, ledger_service_pb2
from tests.support.attacked import attacked, bearing
from tests.support.foreign_provider import foreign_provider
from tests.support.identities import (
    AUDIENCE,
    ISSUER,
    Answer,
    answering,
    key_server,
    key_set,
    public_jwk,
    token,
)
from tests.support.served import ORIGIN, TIMEOUT, serving

PERSON = "ana@example.com"


def test_a_person_calls_with_the_token_of_a_provider_that_others_wrote(tmp_path: Path) -> None:
    with foreign_provider() as provider:
        known = {"issuer": provider.issuer, "audience": AUDIENCE, "keys": provider.keys}
        with serving(tmp_path, authentication__providers=(known,)) as served:
            identity = authority_pb2.Identity(method="jwt", issuer=provider.issuer, subject=PERSON)
            ana = authority_pb2.Administrator(
                actor="users/ana", person="staff-1", identities=[identity]
            )
            request = ledger_service_pb2.CreateLedgerRequest(origin=ORIGIN, administrator=ana)
            served.ledgers.CreateLedger(request, timeout=TIMEOUT)

            with served.client(token=provider.token(PERSON, AUDIENCE)) as client:
                assert list(client.list_models()) == []

            async def looked() -> int:
                target, secret = served.server.address, provider.token(PERSON, AUDIENCE)
                async with AsyncLedgerClient(target, token=secret) as client:
                    return len([model async for model in client.list_models()])

            assert asyncio.run(looked()) == 0
            for subject, audience, reason in (
                (PERSON, "payroll", "TOKEN_AUDIENCE_WRONG"),
                ("eve@example.com", AUDIENCE, "IDENTITY_UNBOUND"),
            ):
                stranger = provider.token(subject, audience)
                with (
                    served.client(token=stranger) as client,
                    pytest.raises(IdentityError) as caught,
                ):
                    list(client.list_models())
                assert caught.value.reason == reason


def test_a_call_waits_for_keys_that_are_on_their_way_and_costs_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_keys, "KEYS_FETCH_SECONDS", TIMEOUT)  # for a busy machine
    asked, release = threading.Event(), threading.Event()

    def held(answer: Answer) -> Answer:
        def later(handler: BaseHTTPRequestHandler) -> None:
            asked.set()
            release.wait(TIMEOUT)
            answer(handler)

        return later

    with key_server(answering(key_set(public_jwk("one")))) as server:
        known = {"issuer": ISSUER, "audience": AUDIENCE, "keys": server.url}
        with attacked(tmp_path, authentication__providers=(known,)) as target:
            server.answer = held(answering(key_set(public_jwk("two"))))
            target.clock.advance(10_000_000)
            with ThreadPoolExecutor(40) as callers:
                waiting = [
                    callers.submit(target.look, bearing(token(key="two"))) for _ in range(40)
                ]
                assert asked.wait(TIMEOUT)
                target.look(bearing(token()))  # the key that is known lets its callers in
                assert not any(call.done() for call in waiting)
                release.set()
                for call in waiting:
                    call.result(TIMEOUT)
            assert server.asked == 2
