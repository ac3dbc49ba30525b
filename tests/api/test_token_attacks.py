"""Attacks by tokens: each is refused for its own reason, and nothing of a secret is said.

Method: a server as a team runs it, with tokens and a provider's key file; forgeries are made by
hand. Attacks by certificates and names are in `test_identity_attacks.py`, those on what an actor
may do in `test_authority_attacks.py`.

| attack | what refuses it |
| --- | --- |
| a stolen token after it was revoked, also where a watch is open with it | CREDENTIAL_REVOKED |
| a provider's token after its end, also amid a watch and a stream | CREDENTIAL_EXPIRED |
| `none`; HS256 by the public key as PEM or as JWK | TOKEN_ALGORITHM_REFUSED |
| another `kid`; a key that the header brings | TOKEN_KEY_UNKNOWN |
| one's own key under the provider's `kid`; a changed signature | CREDENTIAL_INVALID |
| another issuer; another audience | TOKEN_ISSUER_WRONG, TOKEN_AUDIENCE_WRONG |
| a subject that reads like a bound certificate's | IDENTITY_UNBOUND |
| a token of another ledger | TOKEN_OF_OTHER_LEDGER |
| a token of nine kibibytes | TOKEN_TOO_LARGE |
| a guessed secret under a known name, and under none | CREDENTIAL_INVALID, after the same work |
| two tokens; a token in binary metadata; a token as a password | CREDENTIAL_INVALID |
| which ledgers there are, asked by strangers | one answer for all |
"""

import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.v1 import authority_service_pb2 as pb
from ledger.v1 import ledger_service_pb2, signal_service_pb2
from tests.support.audits import audited
from tests.support.authorities import ANA, PATHS, Metadata, bearing, team
from tests.support.guarded import EVE, GATEWAY, OTHER, PROXY, SECOND, Guarded
from tests.support.identities import key_pair, public_jwk, segment
from tests.support.served import TIMEOUT, refused
from tests.support.server_process import until

# ---- tokens --------------------------------------------------------------------------------------


def test_a_stolen_token_is_worth_nothing_once_it_was_revoked_and_its_watch_ends(
    guarded: Guarded,
) -> None:
    guarded.team.register("services/tap", "staff-9")
    guarded.team.grant("services/tap", "auditor")
    stolen = guarded.team.issue("services/tap")
    watch: Any = guarded.team.bearers.unary_stream(PATHS["WatchEvents"])
    answers = watch(b"", timeout=TIMEOUT, metadata=bearing(stolen.secret))
    assert next(answers)
    guarded.team.revoke(stolen.token)
    assert refused(lambda: answers).reason == "CREDENTIAL_REVOKED"
    assert guarded.told(bearing(stolen.secret)) == "CREDENTIAL_REVOKED"
    assert guarded.told(bearing(stolen.secret), guarded.team.holding(ANA)) == "CREDENTIAL_REVOKED"
    assert stolen.secret not in guarded.message(bearing(stolen.secret))


def test_a_token_of_another_ledger_and_one_that_is_too_large_are_told_apart(
    guarded: Guarded,
) -> None:
    issue = pb.IssueTokenRequest(actor=GATEWAY, reason="It runs.", ledger=OTHER)
    other = guarded.team.change("IssueToken", issue).secret
    assert guarded.told(bearing(other)) == "TOKEN_OF_OTHER_LEDGER"
    there = ledger_service_pb2.GetLedgerRequest(ledger=OTHER)
    mine = bearing(guarded.token.secret)
    assert guarded.told(mine, request=there) == "TOKEN_OF_OTHER_LEDGER"
    assert guarded.told(bearing("dlt_" + "a" * 9 * 1024)) == "TOKEN_TOO_LARGE"


def test_a_stranger_learns_of_no_ledger_whether_it_is_there(guarded: Guarded) -> None:
    answers = set()
    for origin in (OTHER, "ledger.example/none"):
        request = ledger_service_pb2.GetLedgerRequest(ledger=origin)
        batch = signal_service_pb2.StreamSignalsRequest(ledger=origin)
        for how in (bearing(guarded.team.jwt("mallory")), bearing(f"dlt_{'0' * 16}_{'A' * 43}")):
            answers.add((how[0][1][:10], guarded.told(how, request=request)))
            answers.add((how[0][1][:10], guarded.told(how, request=batch, method="StreamSignals")))
        answers.add(("", guarded.told((), guarded.team.holding(PROXY), request)))
    assert {said for _, said in answers} == {"IDENTITY_UNBOUND", "CREDENTIAL_INVALID"}
    assert len(answers) == 3
    request = ledger_service_pb2.GetLedgerRequest(ledger="ledger.example/none")
    known = bearing(guarded.token.secret)
    assert guarded.told(known, request=request) == "LEDGER_UNKNOWN"


def test_a_guess_costs_the_same_comparison_under_a_known_name_and_under_none(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    as_ever = hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        compared.append(len(one) + len(other))
        return as_ever(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)
    work, sentences = [], set()
    for name in (guarded.token.token, "0" * 16):
        compared.clear()
        sentences.add(guarded.message(bearing(f"dlt_{name}_{'A' * 43}")))
        work.append(list(compared))
    assert work[0] == work[1] != []
    assert len(sentences) == 1


@pytest.mark.parametrize(
    "metadata",
    [
        lambda secret: (*bearing(secret), *bearing(secret)),
        lambda secret: (("authorization-bin", secret.encode()),),
        lambda secret: (("authorization", f"Basic {secret}"),),
    ],
)
def test_a_token_that_is_smuggled_is_none(
    guarded: Guarded, metadata: Callable[[str], Metadata]
) -> None:
    assert guarded.told(metadata(guarded.token.secret)) == "CREDENTIAL_INVALID"


# ---- tokens of the provider ----------------------------------------------------------------------


def test_a_provider_s_token_with_none_or_a_shared_secret_is_refused(guarded: Guarded) -> None:
    public = key_pair("one").public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    jwk = json.dumps(public_jwk("one")).encode()
    body = guarded.team.jwt(EVE).split(".")[1]
    texts = [f"{segment(json.dumps({'alg': 'none'}).encode())}.{body}.AA"]
    for secret in (jwk, pem.replace(b"-----", b"")):
        head = {"alg": "HS256", "kid": "one", "typ": "JWT"}
        texts.append(guarded.forged(head, secret, "HS256"))
    for text in texts:
        assert guarded.told(bearing(text)) == "TOKEN_ALGORITHM_REFUSED"
        assert text.split(".")[1] not in guarded.message(bearing(text))


def test_a_provider_s_token_by_another_key_is_refused(guarded: Guarded) -> None:
    own, head = key_pair("mallory"), {"alg": "RS256", "kid": "one"}
    forged = guarded.forged
    assert guarded.told(bearing(forged({**head, "kid": "mallory"}, own))) == "TOKEN_KEY_UNKNOWN"
    assert guarded.told(bearing(forged(head, own))) == "CREDENTIAL_INVALID"
    brought = {**head, "kid": "mallory", "jwk": public_jwk("mallory")}
    assert guarded.told(bearing(forged(brought, own))) == "TOKEN_KEY_UNKNOWN"


def test_a_provider_s_token_for_others_or_of_others_or_over_is_refused(guarded: Guarded) -> None:
    jwt = guarded.team.jwt
    for text, reason in (
        (jwt(EVE, iss="https://id.example.org/realms/fleet"), "TOKEN_ISSUER_WRONG"),
        (jwt(EVE, aud="payroll"), "TOKEN_AUDIENCE_WRONG"),
        (jwt(EVE, -3_600), "CREDENTIAL_EXPIRED"),
        (jwt("mallory"), "IDENTITY_UNBOUND"),
        (jwt(f"spiffe://decision-ledger.trial/{ANA}"), "IDENTITY_UNBOUND"),
        (jwt(EVE)[:-8] + "AAAAAAAA", "CREDENTIAL_INVALID"),
    ):
        assert guarded.told(bearing(text)) == reason


def test_streams_end_when_the_token_that_began_them_does(tmp_path: Path) -> None:
    with team(tmp_path) as found:
        found.register("services/both", "staff-2")
        found.define_role("both", "events.read", "signals.submit")
        found.grant("services/both", "both")
        how = bearing(found.jwt("services/both", 60))
        watch: Any = found.bearers.unary_stream(PATHS["WatchEvents"])
        answers = watch(b"", timeout=TIMEOUT, metadata=how)
        assert next(answers)
        stream: Any = found.bearers.stream_stream(PATHS["StreamSignals"])
        batch = signal_service_pb2.StreamSignalsRequest(request_id="one").SerializeToString()

        def batches() -> Iterator[bytes]:
            yield batch
            until(lambda: heard, "the first batch is answered")
            found.clock.advance((60 + 31) * SECOND)
            yield batch
            yield batch

        heard: list[bytes] = []
        answered = stream(batches(), timeout=TIMEOUT, metadata=how)
        heard.append(next(answered))
        assert refused(lambda: answered).reason == "CREDENTIAL_EXPIRED"
        found.register("users/new", "staff-3")  # so that the watch looks up
        assert refused(lambda: answers).reason == "CREDENTIAL_EXPIRED"
    report = audited(tmp_path / "ledger.sqlite")
    assert report.passed, report.text()
