"""The operator's Unix socket: for its user only from its first moment, and nothing of others lost.

Method: real servers with sockets in a folder of the test; files and sockets that are in the way.
"""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.api.operator_socket import OperatorSocket
from ledger.client import LedgerClient
from ledger.clock import SystemClock
from ledger.errors import LedgerError
from tests.support.served import Served, serving
from tests.support.trial import known_by, served_by, trial


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sock"


@pytest.fixture
def beside(tmp_path: Path, place: Path) -> Iterator[Served]:
    """A server with TLS that asks for certificates, and a socket beside it."""
    made = trial()
    settings = served_by(made, client_ca=made.ca) | {"server__socket": str(place)}
    with serving(tmp_path, security=known_by(made, "users/ana"), **settings) as served:
        yield served


def refused(place: Path) -> str:
    with pytest.raises(LedgerError) as caught:
        OperatorSocket(str(place), SystemClock()).refuse_taken()
    assert caught.value.violations[0].field == "server.socket"
    return caught.value.message


def test_the_operator_calls_over_the_socket_without_tls_and_only_its_user_may(
    beside: Served, place: Path
) -> None:
    beside.create()
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with LedgerClient(f"unix:{place}") as client:
        assert client.get_ledger().head_position > 0
    assert [one.name for one in place.parent.glob(".*")] == []


def test_the_socket_is_bound_where_no_other_user_can_come_and_has_its_rights_before_its_name(
    place: Path,
) -> None:
    made = OperatorSocket(str(place), SystemClock())
    bound = Path(made.prepare().removeprefix("unix:"))
    assert stat.S_IMODE(bound.parent.stat().st_mode) == 0o700
    usual = os.umask(0)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(bound))
            assert not place.exists()
            made.publish()
    finally:
        os.umask(usual)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not bound.parent.exists()
    made.remove()
    assert not place.exists()


def test_the_socket_is_gone_with_its_server(tmp_path: Path, place: Path) -> None:
    with serving(tmp_path, server__socket=str(place)):
        assert place.is_socket()
    assert not place.exists()


def test_a_socket_that_a_killed_server_left_is_replaced(tmp_path: Path, place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(place))
    with serving(tmp_path, server__socket=str(place)) as served:
        served.create()
        with LedgerClient(f"unix:{place}") as client:
            assert client.get_ledger().head_position > 0


def test_a_socket_that_is_served_is_refused_and_goes_on(
    tmp_path: Path, beside: Served, place: Path
) -> None:
    beside.create()
    assert "is served by another process" in refused(place)
    with LedgerClient(f"unix:{place}") as client:
        assert client.get_ledger().head_position > 0


def test_what_comes_to_the_place_of_the_socket_meanwhile_is_not_replaced(place: Path) -> None:
    made = OperatorSocket(str(place), SystemClock())
    bound = made.prepare().removeprefix("unix:")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(bound)
        place.write_text("mine", "ascii")
        with pytest.raises(LedgerError, match="is there already, and no socket"):
            made.publish()
    made.remove()
    assert place.read_text("ascii") == "mine"


def test_a_place_that_is_a_file_or_open_to_others_or_too_long_is_refused(
    tmp_path: Path, place: Path
) -> None:
    place.write_text("x", "ascii")
    assert "is there already, and no socket" in refused(place)
    place.unlink()
    assert "cannot be made: No such file" in refused(tmp_path / "none" / "s")
    tmp_path.chmod(0o777)
    assert "lies in a folder that others may change" in refused(place)
    tmp_path.chmod(0o700)
    with pytest.raises(LedgerError, match="is longer than a socket's path may be"):
        OperatorSocket(str(tmp_path / ("x" * 100)), SystemClock())
