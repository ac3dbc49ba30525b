"""No client can hold a witness up, and nothing that is sent to it makes it fail.

Method: real sockets on loopback: silent ones, dripping ones, too many, too big; each wait
is for an answer or for the end of a connection.
"""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ledger.chain.cosignature import CosigningKey
from ledger.witness.server import CONNECTIONS_MAX, REQUEST_BYTES_MAX, WitnessServer
from ledger.witness.store import WitnessStore, origin_hash
from ledger.witness.witness import Witness
from tests.support.clocks import ManualClock
from tests.support.hooks import limit_places
from tests.support.witnessed_log import LOG_KEY, ORIGIN, REQUEST_SECONDS, ask, history

LOG = history(9)
SHORT_SECONDS = 2.0  # in which a busy machine, too, gets a whole request across
DROPS_MAX = 500
HEAD = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\n"


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
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        (HEAD + b"Content-Length: -1\r\n\r\n", 411),
        (HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 411),
        (HEAD + b"Content-Length: %d\r\n\r\n" % (REQUEST_BYTES_MAX + 1), 413),
        (HEAD + b"Content-Length: 99\r\n\r\nold 0\n", 400),
        (HEAD + b"Content-Length: 0\r\n\r\n", 400),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_anything_else_over_the_wire_is_refused(port: int, sent: bytes, status: int) -> None:
    assert exchange(port, sent).split(b" ")[1] == str(status).encode()
    assert ask(port, "POST", "/add-checkpoint", LOG.request(0, 3))[0] == 200


def test_the_biggest_request_is_read_to_its_end(port: int) -> None:
    body = b"\xff" * REQUEST_BYTES_MAX
    assert ask(port, "POST", "/add-checkpoint", body)[0] == 400


def test_a_connection_is_for_one_request(port: int) -> None:
    request = b"GET / HTTP/1.1\r\n\r\n"
    assert exchange(port, request * 2).count(b"HTTP/1.1 404") == 1


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


def hung_up(client: socket.socket) -> bool:
    """Return whether the server ended the connection, with or without reading everything."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("begun", [b"", b"POST", HEAD, HEAD + b"Content-Length: 99\r\n\r\nold"])
def test_a_client_has_one_deadline_however_it_drips(
    witness: Witness, clock: ManualClock, begun: bytes
) -> None:
    with (
        WitnessServer(witness, clock, seconds=SHORT_SECONDS) as server,
        connect(server.port) as silent,
        connect(server.port) as dripping,
    ):
        for client in (silent, dripping):
            client.sendall(begun)
        for _ in range(DROPS_MAX):
            if select.select([dripping], [], [], SHORT_SECONDS / 10)[0]:
                break
            dripping.send(b"x")
        else:
            pytest.fail("it may drip for ever")
        assert hung_up(dripping)
        assert hung_up(silent)
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
