"""A receiver that is slow, down or lying is not believed, and costs no more than its time.

Method: one attempt of a sender against a receiver on loopback that misbehaves, with a short time;
what is said of it is compared, since operators read it.
"""

import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ledger.clock import SystemClock
from ledger.notification_settings import NotificationSettings
from ledger.notifications.allow_list import AllowList, DeliveryError
from ledger.notifications.attempt import Attempt
from ledger.notifications.notification import of_test
from ledger.notifications.webhook import Webhook
from ledger.tls_socket import Place, plainly_connected_to
from tests.support.receivers import (
    SECRET,
    Receiver,
    aborted_once,
    receiver,
    secret_file,
    silent,
    speaking,
    status,
    webhook,
)
from tests.support.served import ORIGIN
from tests.support.server_process import until
from tests.support.trial import trial

SHORT = 0.3
LONG = 60.0
HOSTS = ("localhost", "127.0.0.0/8", "::1")


def sent(stated: dict[str, Any], hosts: tuple[str, ...] = HOSTS, seconds: float = LONG) -> str:
    """Try to deliver once; return why it failed, "" if it did not."""
    settings = NotificationSettings.model_validate({"hosts": hosts, "subscribers": [stated]})
    (subscriber,) = settings.subscribers
    clock = SystemClock()
    made = of_test(ORIGIN, "pager", "one", clock.now_micros())
    try:
        with Attempt(seconds, clock) as attempt:
            Webhook(subscriber, AllowList(hosts), clock).send(made, attempt)
    except DeliveryError as error:
        return str(error)
    return ""


def dripping(link: socket.socket) -> None:
    """Answer a byte at a time, without an end, until the sender hangs up."""
    pause = threading.Event()
    link.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        link.sendall(b"z")
        pause.wait(0.02)


def endless(link: socket.socket) -> None:
    """Answer a header without an end as fast as it can be sent."""
    link.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        link.sendall(b"X-Long: " + b"z" * 4_096 + b"\r\n")


def body_without_end(link: socket.socket) -> None:
    """Say that all is well and send a body without an end."""
    link.recv(65_536)
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        link.sendall(b"z" * 65_536)


def garbage(link: socket.socket) -> None:
    """Answer what is not HTTP."""
    link.recv(65_536)
    link.sendall(b"\x00\xff garbage\r\n\r\n")


def cut_short(link: socket.socket) -> None:
    """Hang up within the headers."""
    link.recv(65_536)
    link.sendall(b"HTTP/1.1 2")


@pytest.mark.parametrize("talk", [silent, dripping], ids=lambda talk: talk.__name__)
def test_a_receiver_that_is_slow_gets_no_more_than_its_time(
    talk: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with speaking(talk) as place:
        url = f"http://{place}/"
        clock = SystemClock()
        began = clock.monotonic_seconds()
        assert sent(webhook(tmp_path, url), seconds=SHORT) == "it had not answered after 0.3 s"
        assert clock.monotonic_seconds() - began < LONG / 2


@pytest.mark.parametrize("talk", [endless, garbage, cut_short], ids=lambda talk: talk.__name__)
def test_an_answer_that_is_not_one_is_no_success(
    talk: Callable[[socket.socket], None], tmp_path: Path
) -> None:
    with speaking(talk) as place:
        url = f"http://{place}/"
        said = sent(webhook(tmp_path, url))
    assert said == "its answer is not HTTP, or was cut short" or "reset" in said


def test_of_an_answer_the_status_counts_and_a_body_without_an_end_is_not_read(
    tmp_path: Path,
) -> None:
    with speaking(body_without_end) as place:
        assert sent(webhook(tmp_path, f"http://{place}/")) == ""


def lying(handler: BaseHTTPRequestHandler) -> None:
    """Say that all is well, and send garbage of another length."""
    handler.send_response(200)
    handler.send_header("Content-Length", "10")
    handler.end_headers()
    handler.wfile.write(b"\xff" * 1_000)


def test_a_success_with_garbage_in_its_body_is_a_success(tmp_path: Path) -> None:
    with receiver(lying) as hook:
        assert sent(webhook(tmp_path, hook.url)) == ""
        assert len(hook.received) == 1


def test_a_redirect_to_another_host_is_not_followed(tmp_path: Path) -> None:
    with receiver() as other, receiver(status(307, location=other.url)) as hook:
        said = sent(webhook(tmp_path, hook.url))
    assert said == "it redirects (HTTP status 307), which is not followed"
    assert (len(hook.received), other.received) == (1, [])


@pytest.mark.parametrize("code", [199, 400, 401, 404, 410, 429, 500, 503, 999])
def test_every_status_that_is_no_success_is_named(code: int, tmp_path: Path) -> None:
    with receiver(status(code)) as hook:
        assert sent(webhook(tmp_path, hook.url)) == f"it answered with HTTP status {code}"


def test_an_attempt_ends_at_once_when_the_server_stops(tmp_path: Path) -> None:
    stated = webhook(tmp_path, "http://127.0.0.1/")
    asked = threading.Event()

    def asks(link: socket.socket) -> None:
        asked.set()
        silent(link)

    with speaking(asks) as place:
        settings = NotificationSettings.model_validate(
            {"hosts": HOSTS, "subscribers": [stated | {"url": f"http://{place}/"}]}
        )
        attempt = Attempt(LONG, SystemClock())
        sender = Webhook(settings.subscribers[0], AllowList(HOSTS), SystemClock())
        refused = pytest.raises(DeliveryError, match="the server stops")
        with aborted_once(attempt, asked.is_set), refused, attempt:
            sender.send(of_test(ORIGIN, "pager", "one", 0), attempt)


def test_a_receiver_that_is_down_is_said_to_be(tmp_path: Path) -> None:
    with receiver() as hook:
        url = hook.url
    assert sent(webhook(tmp_path, url)) == "it cannot be reached: Connection refused"


# ---- TLS -----------------------------------------------------------------------------------------


@contextmanager
def secure() -> Iterator[Receiver]:
    """A receiver with a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made = trial()
    context.load_cert_chain(made.certificate, made.key)
    with receiver(tls=context) as hook:
        yield hook


def test_over_tls_the_receivers_certificate_must_hold_for_its_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with secure() as hook:
        assert sent(webhook(tmp_path, hook.url, ca=str(trial().ca))) == ""
        assert hook.received[0].verified(SECRET)["type"] == "notification.test"
        wrong_ca = sent(webhook(tmp_path, hook.url, ca=str(trial("other").ca)))
        assert wrong_ca.startswith("its certificate is not accepted: "), wrong_ca
        led_to(monkeypatch, "127.0.0.1")
        stated = webhook(tmp_path, hook.url.replace("localhost", "hooks.example"))
        said = sent(stated | {"ca": str(trial().ca)}, hosts=("hooks.example", "127.0.0.1"))
        assert said.startswith("its certificate is not accepted: Hostname mismatch"), said
        assert len(hook.received) == 1


def test_a_receiver_without_tls_is_not_told_over_https(tmp_path: Path) -> None:
    with receiver() as hook:
        url = hook.url.replace("http://", "https://")
        assert sent(webhook(tmp_path, url)).startswith("it does not speak TLS as it should")
        assert hook.received == []


# ---- where it goes -------------------------------------------------------------------------------


def led_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let every name lead to these addresses."""

    def found(_host: str, port: int, *_: object) -> list[Any]:
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port))
            for one in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.1.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fd00::1",
    "::ffff:10.1.2.3",
    "64:ff9b::a01:203",
    "2002:a01:203::1",
    "ff0e::1",
    "fec0::a01:203",
    "64:ff9b:1::a01:203",
    "::10.1.2.3",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_listed_name_that_leads_to_a_private_address_is_not_told(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    led_to(monkeypatch, address)
    said = sent(webhook(tmp_path, "https://hooks.example/x"), hosts=("hooks.example",))
    assert said == (
        f"its host hooks.example leads to {address}, which is not public and not among "
        "`notifications.hosts`"
    )


def test_of_a_names_addresses_only_those_that_may_be_are_gone_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    led_to(monkeypatch, "10.1.2.3", "93.184.216.34", "10.2.0.1", "2606:2800:220:1::1")
    listed = AllowList(("hooks.example", "10.2.0.0/16"))
    gone_to = [place[0] for _, place in listed.places("hooks.example", 443)]
    assert gone_to == ["93.184.216.34", "10.2.0.1", "2606:2800:220:1::1"]
    with pytest.raises(DeliveryError):
        AllowList(("other.example",)).places("hooks.example", 443)


def test_http_is_for_this_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as hook:
        monkeypatch.setattr("ledger.notifications.webhook.is_loopback", lambda _: False)
        said = sent(webhook(tmp_path, hook.url))
        assert said == "http:// is for this machine only; its URL must be https://"
        assert hook.received == []


def test_a_name_without_an_address_is_said_to_have_none(tmp_path: Path) -> None:
    said = sent(webhook(tmp_path, "https://hooks.invalid/"), hosts=("hooks.invalid",))
    assert said == "its host hooks.invalid has no address"


def test_names_that_are_resolved_slowly_get_no_more_than_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: over.wait(LONG))
    try:
        said = sent(webhook(tmp_path, "https://localhost/"), seconds=SHORT)
    finally:
        over.set()
    assert said == "it had not answered after 0.3 s"


def test_a_connection_that_is_made_too_late_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over, closed = threading.Event(), threading.Event()

    def slowly(places: Iterable[Place], _seconds: float) -> socket.socket:
        over.wait(LONG)
        return plainly_connected_to(places, LONG)

    def hears(link: socket.socket) -> None:
        if link.recv(1) == b"":
            closed.set()

    monkeypatch.setattr("ledger.notifications.webhook.plainly_connected_to", slowly)
    with speaking(hears) as place:
        said = sent(webhook(tmp_path, f"http://{place}/"), seconds=SHORT)
        assert said == "it had not answered after 0.3 s"
        over.set()
        until(closed.is_set, "it is closed")


# ---- secrets -------------------------------------------------------------------------------------


def test_while_a_secret_is_changed_a_receiver_verifies_by_either(tmp_path: Path) -> None:
    new = SECRET.replace("AAEC", "AAAA")
    stated = {
        "secret_file": secret_file(tmp_path, new, "new.secret"),
        "previous_secret_file": secret_file(tmp_path, SECRET, "old.secret"),
    }
    with receiver() as hook:
        assert sent(webhook(tmp_path, hook.url, **stated)) == ""
        for secret in (new, SECRET):
            assert hook.received[0].verified(secret)["type"] == "notification.test"
        with pytest.raises(Exception, match="No matching signature"):
            hook.received[0].verified(SECRET.replace("AAEC", "BBBB"))


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", "no-secret", "whsec_" + "A" * 200])
def test_a_file_without_a_secret_sends_nothing_and_is_not_repeated(
    text: str, tmp_path: Path
) -> None:
    with receiver() as hook:
        stated = {"secret_file": secret_file(tmp_path, text, "bad.secret")}
        said = sent(webhook(tmp_path, hook.url, **stated))
        assert said == (
            f"{tmp_path}/bad.secret holds no secret of a webhook: whsec_ and 24 to 64 bytes in "
            "base64"
        )
        assert hook.received == []


def test_a_secret_that_others_may_read_is_not_used(tmp_path: Path) -> None:
    with receiver() as hook:
        stated = webhook(tmp_path, hook.url)
        Path(stated["secret_file"]).chmod(0o644)
        assert "others may read or change it" in sent(stated)
        assert hook.received == []
