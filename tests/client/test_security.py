"""What a client says where it and its server do not come to terms, and where its token may go.

Method: real servers with certificates that are wrong in one way each; both clients.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.api.listening import Listening
from ledger.api.server import ApiServer
from ledger.client import AsyncLedgerClient, LedgerClient, TransportError
from ledger.client.options import ClientOptions
from ledger.client.retry import RetryOptions
from ledger.client.security import BearerToken, Security
from ledger.clock import SystemClock
from ledger.connection_settings import ServerSettings
from tests.support.clocks import ManualClock
from tests.support.served import serving
from tests.support.server_process import ONCE
from tests.support.trial import expired, known_by, of_tomorrow, served_by, trial

TOKEN = "dlt_7_swordfish"
OBSERVATION = ("fares", "log-loss", 0.5, "2026-01-02T00:00:00Z")


def options(target: str, token: str | Path) -> ClientOptions:
    stated = Security(token=BearerToken(token))
    return ClientOptions(target, "", "", 10.0, RetryOptions(), SystemClock(), security=stated)


def sent(made: ClientOptions) -> str:
    return dict(made.metadata)["authorization"]


def secret_file(path: Path, text: str) -> Path:
    path.write_text(text, "ascii")
    path.chmod(0o600)
    return path


def said_by_both(target: str, **stated: Path) -> str:
    """Make a call with both clients, which must fail alike; return what they say."""

    async def ask() -> str:
        made = AsyncLedgerClient(target, retry=ONCE, **stated)  # type: ignore[arg-type]
        async with made as client:
            with pytest.raises(TransportError) as caught:
                await client.get_ledger()
            return str(caught.value)

    client = LedgerClient(target, retry=ONCE, **stated)  # type: ignore[arg-type]
    with client, pytest.raises(TransportError) as caught:
        client.get_ledger()
    assert asyncio.run(ask()) == str(caught.value)
    return str(caught.value)


def one_sentence_and_what_to_do(said: str) -> None:
    assert said.count(". ") == 1
    assert said.endswith(".")
    for word in ("UNAVAILABLE", "SSL", "handshake", "OPENSSL"):
        assert word not in said


def test_an_unknown_ca_is_one_sentence(tmp_path: Path) -> None:
    made, other = trial(), trial("other")
    with serving(tmp_path, security=known_by(made), **served_by(made)) as served:
        said = said_by_both(served.server.address, tls_ca=other.ca)
        assert "is issued by CN=decision-ledger trial CA" in said
        assert f"which is no CA that {other.ca} holds. Make sure that this is the right" in said
        one_sentence_and_what_to_do(said)
        unknown = said_by_both(served.server.address)
        assert "which is no CA that this system knows" in unknown


def test_a_wrong_host_name_is_one_sentence_with_the_right_ones(tmp_path: Path) -> None:
    made = trial()
    with serving(tmp_path, address="127.0.0.2:0", security={}, **served_by(made)) as served:
        said = said_by_both(served.server.address, **known_by(made))
    assert "is for localhost, 127.0.0.1, ::1, and not for 127.0.0.2." in said
    one_sentence_and_what_to_do(said)


@pytest.mark.parametrize(
    ("made", "shift", "words"),
    [(expired, -100, "has expired, on 20"), (of_tomorrow, 1, "is valid from 20")],
)
def test_a_certificate_out_of_its_time_is_one_sentence(
    made: Callable[[], Any], shift: int, words: str, tmp_path: Path
) -> None:
    shown = made()
    clock = ManualClock(SystemClock().now_micros() + shift * 86_400_000_000)
    with serving(tmp_path) as served:
        settings = ServerSettings.model_validate({"tls": served_by(shown)["server__tls"]})
        with ApiServer(served.service, Listening("127.0.0.1:0", settings, clock)) as server:
            said = said_by_both(server.address, **known_by(shown))
    assert words in said
    one_sentence_and_what_to_do(said)


def test_a_client_with_tls_at_a_server_without_and_the_reverse_are_one_sentence_each(
    tmp_path: Path,
) -> None:
    made = trial()
    with serving(tmp_path) as served:
        said = said_by_both(f"ledgers://{served.server.address}", **known_by(made))
        assert "answers without TLS. Have it served with a certificate" in said
        one_sentence_and_what_to_do(said)
    with serving(tmp_path, security=known_by(made), **served_by(made)) as served:
        plain = served.server.address.removeprefix("ledgers://")
        said = said_by_both(plain)
        assert f"is served over TLS, and this client came without. Write ledgers://{plain}" in said
        one_sentence_and_what_to_do(said)


async def long_calls(target: str, ca: Path) -> list[str]:
    """Return what a stream, a watch and an export of the client for asyncio end with."""
    quick = RetryOptions(attempts_max=1, patience_seconds=0.0)
    said = []
    async with AsyncLedgerClient(target, retry=quick, tls_ca=ca) as client:
        with pytest.raises(TransportError) as caught:
            async with client.stream_signals() as stream:
                await stream.send([OBSERVATION])
        said.append(str(caught.value))
        for answers in (client.watch_events(), client.read_export("one")):
            with pytest.raises(TransportError) as caught:
                await anext(answers)
            said.append(str(caught.value))
    return said


def test_streams_watches_and_exports_say_the_same(tmp_path: Path) -> None:
    made, other = trial(), trial("other")
    quick = RetryOptions(attempts_max=1, patience_seconds=0.0)
    with serving(tmp_path, security=known_by(made), **served_by(made)) as served:
        address = served.server.address
        said = asyncio.run(long_calls(address, other.ca))
        with LedgerClient(address, retry=quick, tls_ca=other.ca) as client:
            with pytest.raises(TransportError) as caught, client.stream_signals() as stream:
                stream.send([OBSERVATION])
            said.append(str(caught.value))
            for answers in (client.watch_events(), client.read_export("one")):
                with pytest.raises(TransportError) as caught:
                    next(answers)
                said.append(str(caught.value))
    assert len(set(said)) == 1
    assert "which is no CA that" in said[0]


def test_a_socket_of_another_user_is_shown_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(place))
        if os.geteuid() == 0:
            os.chown(place, 12_345, -1)
        monkeypatch.setattr(os, "geteuid", lambda: 54_321)
        with pytest.raises(ValueError, match=r"the socket .*/s belongs to .*; call as that user"):
            LedgerClient(f"unix:{place}", token=TOKEN)


# ---- tokens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "ledgers://ledger.example:443",
        "127.0.0.1:50051",
        "localhost",
        "[::1]:7",
        "ledger://127.9.9.9",
        "unix:/run/ledger.sock",
    ],
)
def test_a_token_goes_over_tls_loopback_and_a_socket(target: str) -> None:
    assert sent(options(target, TOKEN)) == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "target",
    [
        "ledger.example:443",
        "ledger://192.0.2.1",
        "0.0.0.0:1",
        "dns:///ledger.example",
        "ipv4:1.2.3.4",
    ],
)
def test_a_token_is_sent_nowhere_else(target: str) -> None:
    with pytest.raises(ValueError, match="is not TLS, so that others could read it") as caught:
        options(target, TOKEN)
    assert "swordfish" not in str(caught.value)


def test_a_token_shows_in_no_repr_and_no_error(tmp_path: Path) -> None:
    made = options("localhost", TOKEN)
    assert "swordfish" not in repr(made)
    assert "swordfish" not in repr(made.security)
    for wrong in (
        f"{TOKEN} two",
        f"{TOKEN}\n",
        f"{TOKEN}é",
        secret_file(tmp_path / "t", "a swordfish"),
    ):
        with pytest.raises(ValueError, match="a bearer token is one word") as caught:
            options("localhost", wrong)
        assert "swordfish" not in str(caught.value)


def test_a_token_file_is_read_again_when_it_changes_and_the_old_one_stays_till_then(
    tmp_path: Path,
) -> None:
    file = secret_file(tmp_path / "token", "first\n")
    made = options("localhost", file)
    assert sent(made) == "Bearer first"
    file.unlink()
    assert sent(made) == "Bearer first"
    secret_file(file, "second")
    assert sent(made) == "Bearer second"


def test_a_token_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    file = secret_file(tmp_path / "token", TOKEN)
    file.chmod(0o604)
    with pytest.raises(ValueError, match=r"others may .* \(mode 0604\)\. Run `chmod"):
        options("localhost", file)


@pytest.mark.parametrize("lacking", ["tls_certificate", "tls_key"])
def test_a_certificate_without_its_key_is_refused(lacking: str) -> None:
    stated = known_by(trial(), "users/ana")
    del stated[lacking]
    with pytest.raises(ValueError, match=f"{lacking}: a certificate and its key are stated togeth"):
        LedgerClient("localhost", **stated)


def test_a_target_that_says_no_tls_and_a_ca_contradict_each_other() -> None:
    with pytest.raises(
        ValueError, match="means no TLS, and a CA or certificate is stated; write led"
    ):
        LedgerClient("ledger://localhost", **known_by(trial()))
