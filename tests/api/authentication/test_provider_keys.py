"""A provider's keys are read within bounds, read again when that is due, and kept meanwhile.

Method: a web server on loopback that behaves as badly as a provider can, and a clock that the test
moves. Each wait is for the fetch to end.
"""

import ssl
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ledger.api.authentication import provider_keys
from ledger.api.authentication.authenticator import Authenticator
from ledger.api.authentication.key_fetch import fetch
from ledger.api.steps import NotYetError
from ledger.errors import LedgerError, Reason
from ledger.settings import SettingsError
from tests.api.authentication.conftest import Build
from tests.support.clocks import ManualClock
from tests.support.identities import (
    NOW,
    Answer,
    KeyServer,
    answering,
    bearing,
    claims,
    key_server,
    key_set,
    public_jwk,
    token,
)
from tests.support.server_process import DEADLINE_SECONDS, until

SECOND = 1_000_000
RETRY = 10 * SECOND
FRESH = 300 * SECOND
ONE, TWO = answering(key_set(public_jwk("one"))), answering(key_set(public_jwk("two")))
DOWN = answering(b"", 503)


class _Waiting:
    """An authenticator with keys behind a URL, and how often a fetch of them has ended."""

    def __init__(self, build: Build, url: str) -> None:
        self.ended = 0
        self.authenticator: Authenticator = build(keys=url, on_keys=self._end)
        self.wait(1)

    def _end(self) -> None:
        self.ended += 1

    def wait(self, times: int) -> None:
        until(lambda: self.ended >= times, "the keys were fetched")

    def reason(self, text: str) -> Reason:
        with pytest.raises(LedgerError) as caught:
            self.authenticator.authenticate(bearing(text))
        return caught.value.reason

    def counts(self, text: str) -> bool:
        return self.authenticator.authenticate(bearing(text)).subject == "ana"


def _serving(server: KeyServer, build: Build) -> _Waiting:
    return _Waiting(build, server.url)


def _held(answer: Answer, release: threading.Event) -> Answer:
    """Return an answer that comes once it is let go."""

    def held(handler: BaseHTTPRequestHandler) -> None:
        release.wait(DEADLINE_SECONDS)
        answer(handler)

    return held


# ---- fetching again ------------------------------------------------------------------------------


def test_keys_are_fetched_before_the_first_token_comes(build: Build) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        assert all(waiting.counts(token()) for _ in range(3))
        assert server.asked == 1


def test_an_unknown_key_is_asked_for_once_in_ten_seconds(build: Build, clock: ManualClock) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        for _ in range(5):
            assert waiting.reason(token(kid="made-up")) is Reason.TOKEN_KEY_UNKNOWN
        assert server.asked == 1
        clock.advance(RETRY)
        assert waiting.reason(token(kid="made-up")) is Reason.TOKEN_KEY_UNKNOWN
        waiting.wait(2)
        assert waiting.reason(token(kid="made-up")) is Reason.TOKEN_KEY_UNKNOWN
        assert server.asked == 2


def test_a_patient_call_waits_for_a_key_that_is_new(build: Build, clock: ManualClock) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        release = threading.Event()
        server.answer = _held(answering(key_set(public_jwk("one"), public_jwk("two"))), release)
        clock.advance(RETRY)
        new = token(key="two")
        with pytest.raises(NotYetError) as caught:
            waiting.authenticator.authenticate(bearing(new, is_patient=True))
        assert not caught.value.pause.is_over()
        assert waiting.reason(new) is Reason.TOKEN_KEY_UNKNOWN, "this call is not patient"
        release.set()
        until(caught.value.pause.is_over, "the wait is over")
        assert waiting.counts(new)


def test_a_patient_call_does_not_wait_where_nothing_is_fetched(build: Build) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        with pytest.raises(LedgerError) as caught:
            waiting.authenticator.authenticate(bearing(token(kid="made-up"), is_patient=True))
        assert caught.value.reason is Reason.TOKEN_KEY_UNKNOWN
        assert caught.value.retry_after_seconds is None


def test_a_withdrawn_key_counts_no_longer_than_keys_are_fresh(
    build: Build, clock: ManualClock
) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        text = token()
        assert waiting.counts(text)
        release = threading.Event()
        server.answer = _held(TWO, release)
        clock.advance(FRESH - 1)
        assert waiting.counts(text)
        assert server.asked == 1
        clock.advance(1)
        assert waiting.counts(text), "while the keys are fetched, the old ones count"
        release.set()
        waiting.wait(2)
        assert waiting.reason(text) is Reason.TOKEN_KEY_UNKNOWN


def test_a_provider_that_lists_no_key_any_more_has_withdrawn_them_all(
    build: Build, clock: ManualClock
) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        assert waiting.counts(token())
        release = threading.Event()
        server.answer = _held(answering(key_set()), release)
        clock.advance(FRESH)
        assert waiting.counts(token())
        release.set()
        waiting.wait(2)
        assert waiting.reason(token()) is Reason.TOKEN_KEY_UNKNOWN


def test_the_same_keys_again_make_no_token_be_verified_again(clock: ManualClock) -> None:
    ended: list[bool] = []
    with key_server(ONE) as server:
        keys = provider_keys.UrlKeys(
            server.url,
            ("RS256",),
            clock,
            ca="",
            fresh_seconds=300.0,
            on_read=lambda: ended.append(True),
        )
        for times, answer, generation in ((1, ONE, 1), (2, ONE, 1), (3, TWO, 2)):
            server.answer = answer
            keys.look()
            until(lambda times=times: len(ended) == times, "the keys were fetched")  # type: ignore[misc]
            assert keys.generation == generation
            clock.advance(FRESH)


# ---- a provider that does not answer, or answers badly -------------------------------------------


def _drip(beginning: bytes, drop: bytes, release: threading.Event) -> Answer:
    """Return an answer that never ends."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(beginning)
        while not release.wait(0.02):
            handler.wfile.write(drop)

    return answer


def test_old_keys_count_while_the_provider_is_down(build: Build, clock: ManualClock) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        server.answer = DOWN
        text = token(claims(exp=NOW + 10 * 3_600))
        for turn in range(2, 5):
            clock.advance(FRESH)
            assert waiting.counts(text)
            waiting.wait(turn)
        assert waiting.authenticator.problems() != []
        server.answer = ONE
        clock.advance(RETRY)
        assert waiting.counts(text)
        waiting.wait(5)
        assert waiting.authenticator.problems() == []


def test_without_any_keys_a_token_is_refused_with_a_pause(build: Build, clock: ManualClock) -> None:
    with key_server(DOWN) as server:
        waiting = _serving(server, build)
        clock.advance(4 * SECOND)
        with pytest.raises(LedgerError) as caught:
            waiting.authenticator.authenticate(bearing(token()))
        assert caught.value.reason is Reason.TOKEN_KEY_UNKNOWN
        assert caught.value.retry_after_seconds == 6
        release = threading.Event()
        server.answer = _held(ONE, release)
        clock.advance(6 * SECOND)
        assert waiting.reason(token()) is Reason.TOKEN_KEY_UNKNOWN
        release.set()
        waiting.wait(2)
        assert waiting.counts(token())


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (DOWN, "HTTP status 503"),
        (answering(b"", 302, location="http://127.0.0.1:1/keys"), "HTTP status 302"),
        (answering(b"x" * (10 * 1024 * 1024)), "more than 524288 bytes"),
        (answering(b"not json"), "Expecting value"),
        (answering(b'{"keys": 5}'), "no JWKS"),
        (answering(b"[" * 100_000), "nested too deeply"),
        (answering(key_set(*[public_jwk("one")] * 101)), "lists 101 keys"),
        (lambda handler: handler.wfile.write(b"hello\r\n"), "not HTTP"),
        (answering(b"short", length=400), "not HTTP, or was cut short"),
    ],
)
def test_an_answer_that_holds_no_keys_changes_nothing_and_is_told(
    build: Build, clock: ManualClock, answer: Answer, why: str
) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        server.answer = answer
        clock.advance(FRESH)
        assert waiting.counts(token())
        waiting.wait(2)
        [problem] = waiting.authenticator.problems()
        assert why in problem
        assert waiting.reason(token(kid="made-up")) is Reason.TOKEN_KEY_UNKNOWN
        assert waiting.counts(token())


def test_a_list_without_a_usable_key_withdraws_those_before_it_and_is_told(
    build: Build, clock: ManualClock
) -> None:
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        server.answer = answering(key_set({"kty": "oct", "k": "AAAA"}))
        clock.advance(FRESH)
        assert waiting.reason(token(kid="made-up")) is Reason.TOKEN_KEY_UNKNOWN
        waiting.wait(2)
        [problem] = waiting.authenticator.problems()
        assert "none of its keys" in problem
        assert waiting.reason(token()) is Reason.TOKEN_KEY_UNKNOWN


@pytest.mark.parametrize(
    ("beginning", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n", b"X-A: b\r\n"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + key_set(), b" "),
    ],
)
def test_an_answer_that_comes_byte_by_byte_is_cut_off_and_withdraws_no_key(
    build: Build,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
    beginning: bytes,
    drop: bytes,
) -> None:
    release = threading.Event()
    with key_server(ONE) as server:
        waiting = _serving(server, build)
        monkeypatch.setattr(provider_keys, "KEYS_FETCH_SECONDS", 0.2)
        server.answer = _drip(beginning, drop, release)
        clock.advance(FRESH)
        waiting.counts(token())
        waiting.wait(2)
        release.set()
        [problem] = waiting.authenticator.problems()
        assert problem.endswith("cannot be read: it took more than 0.2 s.")
        assert waiting.counts(token())


def test_nothing_listens_is_told_as_any_other_problem(build: Build) -> None:
    with key_server(ONE) as server:
        gone = server.url
    waiting = _Waiting(build, gone)
    [problem] = waiting.authenticator.problems()
    assert "refused" in problem


# ---- the way there -------------------------------------------------------------------------------


def test_a_server_whose_certificate_others_made_is_not_asked(
    tmp_path: Path, build: Build, loopback_tls: tuple[ssl.SSLContext, Path]
) -> None:
    context, ca = loopback_tls
    with key_server(ONE, context) as server:
        assert b"keys" in fetch(server.url, str(ca), 30.0, 100_000)
        with pytest.raises(OSError, match="certificate verify failed"):
            fetch(server.url, "", 30.0, 100_000)
        elsewhere = server.url.replace("localhost", "127.0.0.1")
        with pytest.raises(OSError, match="certificate verify failed"):
            fetch(elsewhere, str(ca), 30.0, 100_000)
        assert server.asked == 1


# ---- files ---------------------------------------------------------------------------------------


def test_a_file_without_keys_is_refused_when_the_server_starts(build: Build, keys: Path) -> None:
    for data in (b"", b"{}", key_set(), b"x" * 600_000):
        keys.write_bytes(data)
        with pytest.raises(SettingsError, match=r"jwks\.json cannot be used: .*Put its JWKS there"):
            build()
    keys.unlink()
    with pytest.raises(SettingsError, match="No such file"):
        build()


def test_a_file_that_breaks_later_leaves_the_keys_as_they_were(
    authenticator: Authenticator, keys: Path
) -> None:
    for damage in (lambda: keys.write_bytes(b"{"), keys.unlink):
        damage()
        assert authenticator.authenticate(bearing(token())).subject == "ana"
        assert len(authenticator.problems()) == 1
    keys.write_bytes(key_set(public_jwk("one")))
    assert authenticator.authenticate(bearing(token())).subject == "ana"
    assert authenticator.problems() == []
