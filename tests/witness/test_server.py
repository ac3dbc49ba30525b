"""No client can hold a witness up, and nothing that is sent to it makes it fail.

Method: real sockets on loopback: silent ones, dripping ones, too many, too big; each wait
is for an answer or for the end of a connection.
"""

import http.client
import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from ledger.chain.cosignature import CosigningKey
from ledger.witness.body import BODY_BYTES_MAX, CHUNKS_MAX, TRAILERS_MAX
from ledger.witness.server import CONNECTIONS_MAX, KEPT_MAX, REQUESTS_MAX, WitnessServer
from ledger.witness.store import WitnessStore, origin_hash
from ledger.witness.witness import Witness
from tests.support.clocks import ManualClock
from tests.support.hooks import limit_places
from tests.support.witnessed_log import LOG_KEY, ORIGIN, REQUEST_SECONDS, ask, history

LOG = history(9)
SHORT_SECONDS = 2.0  # in which a busy machine, too, gets a whole request across
DROPS_MAX = 500
HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def witness(store: WitnessStore, key: CosigningKey, clock: ManualClock) -> Witness:
    return Witness(store, key, {ORIGIN: [LOG_KEY.verifier_key]}, clock)


@pytest.fixture
def port(witness: Witness, clock: ManualClock) -> Iterator[int]:
    with WitnessServer(witness, clock) as server:
        yield server.port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=REQUEST_SECONDS)


def exchange(port: int, sent: bytes) -> bytes:
    """Return everything that is answered to these bytes, until the server hangs up."""
    with connect(port) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65_536), b""))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),  # somebody tries TLS
        (b"GET / HTTP/9.9\r\n\r\n", 505),
        (b"DELETE /add-checkpoint HTTP/1.1\r\n\r\n", 501),
        (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n\r\n", 404),
        (b"GET /add-checkpoint HTTP/1.1\r\n\r\n", 404),
        (b"GET /%s/checkpoint HTTP/1.1\r\n\r\n" % (b"0" * 64), 404),
        (b"GET /%s/checkpoint HTTP/1.1\r\n\r\n" % (b"0" * 63), 404),
        (b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404),
        (HEAD + b"\r\n", 411),
        (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
        (CHUNKED + b"0\r\n\r\n", 400),
        (CHUNKED + b"0\r\nA: b\r\n\r\n", 400),
        (CHUNKED + b"3\r\nold", 400),
        (CHUNKED + b"4\r\nold", 400),
        (CHUNKED + b"3\r\nold\n0\r\n\r\n", 400),
        (CHUNKED + b"-1\r\n", 400),
        (CHUNKED + b"0x3\r\nold\r\n", 400),
        (CHUNKED + b"3 3\r\nold\r\n", 400),
        (CHUNKED + b"3\nold\n", 400),
        (CHUNKED + b"\r\n", 400),
        (CHUNKED + b"000000003\r\nold\r\n", 400),
        (CHUNKED + b"1;" + b"x" * 9_000 + b"\r\no", 400),
        (CHUNKED + b"0\r\n" + b"A: b\r\n" * TRAILERS_MAX + b"\r\n", 400),
        (CHUNKED + b"%x\r\n" % (BODY_BYTES_MAX + 1), 413),
        (CHUNKED + b"ffffffff\r\n", 413),
        (CHUNKED + b"20000\r\n%s\r\n" % (b"x" * 0x20000) * 2 + b"1\r\nx\r\n", 413),
        (CHUNKED + b"1\r\nx\r\n" * CHUNKS_MAX + b"0\r\n\r\n", 413),
        (HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n", 501),
        (HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: -1\r\n\r\n", 411),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 411),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1), 413),
        (HEAD + b"Content-Length: 99\r\n\r\nold 0\n", 400),
        (HEAD + b"Content-Length: 0\r\n\r\n", 400),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_anything_else_over_the_wire_is_refused(port: int, sent: bytes, status: int) -> None:
    assert exchange(port, sent).split(b" ")[1] == str(status).encode()
    assert ask(port, "POST", "/add-checkpoint", LOG.request(0, 3))[0] == 200


def test_the_biggest_request_is_read_to_its_end(port: int) -> None:
    body = b"\xff" * BODY_BYTES_MAX
    assert ask(port, "POST", "/add-checkpoint", body)[0] == 400


def test_a_connection_serves_one_request_after_the_other(port: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=REQUEST_SECONDS)
    client.connect()
    socket_ = client.sock
    for known, size in [(0, 3), (3, 5), (5, 9)]:
        client.request("POST", "/add-checkpoint", LOG.request(known, size))
        response = client.getresponse()
        assert (response.status, response.headers["Connection"]) == (200, "keep-alive")
        assert b"witness.example.com" in response.read()
        client.request("GET", f"/{origin_hash(ORIGIN)}/checkpoint")
        assert client.getresponse().read().startswith(LOG.note(size))
        assert client.sock is socket_
    client.close()


def test_requests_that_arrive_at_once_are_answered_in_order(port: int) -> None:
    get = b"GET /%s/checkpoint HTTP/1.1\r\n\r\n" % origin_hash(ORIGIN).encode()
    answers = exchange(port, get + in_chunks(LOG.request(0, 3)) + get)
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"404", b"200", b"200"]
    assert LOG.note(3) in answers


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 18\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\n",
        HEAD + b"Content-Length: 18\r\nTransfer-Encoding: chunked\r\n\r\n",
        CHUNKED + b"x\r\n",
    ],
)
def test_after_a_request_that_was_not_read_whole_or_is_the_last_nothing_is_answered(
    port: int, first: bytes
) -> None:
    answers = exchange(port, first + b"GET / HTTP/1.1\r\n\r\n")
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answers


def in_chunks(body: bytes, size: int = 100) -> bytes:
    """Return a request whose body comes in chunks, with an extension and a trailer."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%X;a=b\r\n%s\r\n" % (len(part), part) for part in parts)
    return CHUNKED + chunks + b"0\r\nA: b\r\n\r\n"


@pytest.mark.parametrize("size", [1, 7, 10**6])
def test_a_body_in_chunks_is_taken_whole(port: int, size: int) -> None:
    answer = exchange(port, in_chunks(LOG.request(0, 3), size))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert ask(port, "POST", "/add-checkpoint", LOG.request(0, 3))[0] == 409


def test_a_client_that_asks_first_is_told_to_go_on(port: int) -> None:
    body = LOG.request(0, 3)
    with connect(port) as client:
        client.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert client.recv(65_536).startswith(b"HTTP/1.1 100 ")
        client.sendall(body)
        assert client.recv(65_536).startswith(b"HTTP/1.1 200 ")


def test_chunks_are_of_http_1_1_alone(port: int) -> None:
    sent = in_chunks(LOG.request(0, 3)).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    answer = exchange(port, sent)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"HTTP/1.0 has no transfer codings" in answer


def test_a_body_with_two_lengths_is_refused_though_one_of_them_is_right(port: int) -> None:
    """A proxy in front that believes the other one would take the rest for a further request."""
    body = LOG.request(0, 3)
    head = HEAD + b"Content-Length: %d\r\n" % len(body)
    sent = in_chunks(body).replace(HEAD, head)
    assert exchange(port, sent).startswith(b"HTTP/1.1 400 ")
    assert ask(port, "POST", "/add-checkpoint", body)[0] == 200


def test_the_biggest_body_in_chunks_is_read_to_its_end(port: int) -> None:
    answer = exchange(port, in_chunks(b"\xff" * BODY_BYTES_MAX, 4_096))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"shorter" not in answer


def test_connections_that_are_kept_take_half_of_the_places_at_most(port: int) -> None:
    request = b"GET / HTTP/1.1\r\n\r\n"
    with ExitStack() as kept:
        for number in range(KEPT_MAX + 1):
            client = kept.enter_context(connect(port))
            client.sendall(request)
            answer = client.recv(65_536)
            assert (b"Connection: keep-alive" in answer) == (number < KEPT_MAX)
        for _ in range(CONNECTIONS_MAX):  # one after the other, beside all that are kept
            assert ask(port, "GET", "/")[0] == 404
    # Those that left have given their places back.
    for _ in range(DROPS_MAX):
        if b"Connection: keep-alive" in exchange(port, request):
            break
    else:
        pytest.fail("no place is given back")


def test_a_connection_that_never_pauses_ends_after_its_requests(port: int) -> None:
    with connect(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n" * (REQUESTS_MAX + 1))
        answers = rest_of(client)
    assert answers.count(b"HTTP/1.1 404 ") == REQUESTS_MAX
    assert answers.count(b"Connection: close\r\n") == 1


def test_a_kept_connection_ends_when_no_request_follows(
    witness: Witness, clock: ManualClock
) -> None:
    with (
        WitnessServer(witness, clock, seconds=REQUEST_SECONDS, kept_seconds=0.1) as server,
        connect(server.port) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b"".join(iter(lambda: client.recv(65_536), b""))
        assert b"Connection: keep-alive" in answer
        assert ask(server.port, "GET", "/")[0] == 404


def test_silent_clients_hold_up_no_other(port: int) -> None:
    with ExitStack() as silent:
        for count in range(CONNECTIONS_MAX - 1):
            client = silent.enter_context(connect(port))
            client.sendall(HEAD[: count % len(HEAD)])
        assert ask(port, "POST", "/add-checkpoint", LOG.request(0, 3))[0] == 200


class ToldPlaces(threading.BoundedSemaphore):
    """Places for connections that tell when one is given back."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.given_back = threading.Event()

    def release(self, n: int = 1) -> None:
        super().release(n)
        self.given_back.set()


def test_too_many_clients_are_turned_away_until_one_leaves(
    witness: Witness, clock: ManualClock
) -> None:
    places = ToldPlaces(CONNECTIONS_MAX)
    server = WitnessServer(witness, clock, seconds=REQUEST_SECONDS)
    limit_places(server, places)
    with server, ExitStack() as crowd:
        clients = [crowd.enter_context(connect(server.port)) for _ in range(CONNECTIONS_MAX)]
        with connect(server.port) as late:
            assert late.recv(65_536).startswith(b"HTTP/1.1 503 ")
        assert not places.given_back.is_set()
        clients[0].close()
        assert places.given_back.wait(REQUEST_SECONDS)
        assert b" 404 " in exchange(server.port, b"GET / HTTP/1.1\r\n\r\n")


def test_a_connection_for_which_there_is_no_thread_gives_its_place_back(
    witness: Witness, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    places = ToldPlaces(1)
    server = WitnessServer(witness, clock, seconds=REQUEST_SECONDS)
    limit_places(server, places)
    with server:
        with monkeypatch.context() as short:
            short.setattr("socketserver.ThreadingMixIn.process_request", none)
            assert exchange(server.port, b"GET / HTTP/1.1\r\n\r\n") == b""
        assert places.given_back.wait(REQUEST_SECONDS)
        assert b" 404 " in exchange(server.port, b"GET / HTTP/1.1\r\n\r\n")


def rest_of(client: socket.socket) -> bytes:
    """Return what is answered until the server ends the connection, whether it read all or not."""
    answers = b""
    try:
        while part := client.recv(65_536):
            answers += part
    except ConnectionError:
        pass
    return answers


BEGUN = {  # what a request begins with, and whether its headers end there
    b"": False,
    b"POST": False,
    HEAD: False,
    HEAD + b"Content-Length: 99\r\n\r\nold": True,
    CHUNKED: True,
    CHUNKED + b"fff\r\n": True,
    CHUNKED + b"0\r\n": True,
}


def begin(port: int, begun: bytes, *, is_kept: bool) -> socket.socket:
    """Begin a request on a connection of its own, or on one that had an answer already."""
    client = connect(port)
    if is_kept:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b""
        while not answer.endswith(b"nothing is served here\n"):
            answer += client.recv(65_536)
    client.sendall(begun)
    return client


def drip(clients: list[socket.socket]) -> None:
    """Send a byte now and then over each, until the server has answered or ended every one."""
    for _ in range(DROPS_MAX):
        ended = select.select(clients, [], [], SHORT_SECONDS / 10)[0]
        clients = [client for client in clients if client not in ended]
        if not clients:
            return
        for client in clients:
            with suppress(ConnectionError):  # ended since
                client.send(b"x")
    pytest.fail("it may drip for ever")


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_client_has_one_deadline_for_a_request_however_it_drips(
    witness: Witness, clock: ManualClock, *, is_kept: bool
) -> None:
    with (
        WitnessServer(witness, clock, seconds=SHORT_SECONDS, kept_seconds=SHORT_SECONDS) as server,
        ExitStack() as open_,
    ):
        silent, dripping = (
            {
                begun: open_.enter_context(begin(server.port, begun, is_kept=is_kept))
                for begun in BEGUN
            }
            for _ in range(2)
        )
        drip([*dripping.values()])
        for begun, has_headers in BEGUN.items():
            for clients in (silent, dripping):
                answer = rest_of(clients[begun])
                assert answer.startswith(b"HTTP/1.1 408 ") if has_headers else not answer, begun
        assert ask(server.port, "POST", "/add-checkpoint", LOG.request(0, 3))[0] == 200


def test_the_latest_cosigned_checkpoint_is_served_below_the_prefix(
    witness: Witness, clock: ManualClock, key: CosigningKey
) -> None:
    path = f"/{origin_hash(ORIGIN)}/checkpoint"
    with WitnessServer(witness, clock, prefix="/w.1") as server:
        assert ask(server.port, "GET", f"/w.1{path}")[0] == 404
        status, _, line = ask(server.port, "POST", "/w.1/add-checkpoint", LOG.request(0, 3))
        assert status == 200
        status, kind, note = ask(server.port, "GET", f"/w.1{path}")
        assert (status, kind) == (200, "text/plain; charset=utf-8")
        assert note == LOG.note(3) + line
        for other in (path, f"/wx1{path}", f"/w.1{path}?x", f"/w.1{path.upper()}"):
            assert ask(server.port, "GET", other)[0] == 404
        assert ask(server.port, "POST", "/add-checkpoint", LOG.request(3, 5))[0] == 404


def test_a_failure_of_its_own_is_told_in_no_detail(
    witness: Witness, port: int, store: WitnessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.close()
    status, _, said = ask(port, "POST", "/add-checkpoint", LOG.request(0, 3))
    assert (status, said) == (503, b"the witness cannot answer now\n")
    monkeypatch.setattr(witness, "latest", lambda _: 1 // 0)
    status, _, said = ask(port, "GET", f"/{origin_hash(ORIGIN)}/checkpoint")
    assert (status, said) == (500, b"the witness failed\n")
