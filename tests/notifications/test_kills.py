"""A server that is killed between a delivery and its commit tells the event again.

Two servers tell it once. Method: real server processes and a receiver that kills the server before
it answers; two services on one PostgreSQL database, of which one is stopped.
"""

from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ledger.client import ClientError, LedgerClient
from ledger.service import Service
from tests.support.live_fleet import ORIGIN, add_model
from tests.support.receivers import TAKEN, Receiver, receiver, told, webhook
from tests.support.server_process import ServerProcess, client, until
from tests.support.world import registered, request
from tools.quiet import quiet


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with receiver() as served:
        yield served


def test_an_event_whose_delivery_was_not_noted_comes_again_under_its_id(
    hook: Receiver, tmp_path: Path
) -> None:
    database, settings = str(tmp_path / "ledger.sqlite"), told(webhook(tmp_path, hook.url))
    settings["operators__actors"] = ["users/ada"]
    with ServerProcess(tmp_path / "log") as first, ServerProcess(tmp_path / "log") as second:
        first.serve(database, **settings)

        def killing(handler: BaseHTTPRequestHandler) -> None:
            first.process.kill()
            TAKEN(handler)

        with client(first.address()) as ledger:
            ledger.create_ledger(ORIGIN)
            hook.answer = killing
            with suppress(ClientError):  # the server may be gone before the second call
                add_model(ledger, "fares")
        hook.wait(1)
        first.kill()
        hook.answer = TAKEN
        second.serve(database, **settings)
        with client(second.address()) as ledger:
            until(lambda: told_all(ledger), "the rest is told")
            recorded = [event for event in ledger.list_events() if "model." in event.type]
    assert hook.positions()[:2] == [recorded[0].position] * 2
    assert hook.received[0].body == hook.received[1].body
    assert hook.positions()[1:] == [event.position for event in recorded]


def told_all(ledger: LedgerClient) -> bool:
    (found,) = ledger.list_subscribers()
    return found.cursor_position == found.head_position


@pytest.mark.postgres
def test_of_two_servers_on_one_database_one_delivers_and_the_other_goes_on_when_it_stops(
    hook: Receiver, tmp_path: Path, postgres_url: str
) -> None:
    settings = quiet(postgres_url, keys__secret="00" * 32, **told(webhook(tmp_path, hook.url)))
    with Service(settings) as one:
        one.create_ledger(ORIGIN, clock="wall", actor="users/ada")
        with Service(settings) as other:
            before = [register(each, f"of-{number}") for number, each in enumerate((one, other))]
            until(lambda: moved(one), "all is told")
            assert hook.positions() == before
            one.stop()
            after = [register(other, f"later-{number}") for number in range(3)]
            until(lambda: moved(other), "all is told")
            assert hook.positions() == before + after


def register(service: Service, model: str) -> int:
    """Register a model; return the position of the event."""
    return service.ledger().commands.register_model(request(model), registered(model)).last_position


def moved(service: Service) -> bool:
    (found,) = service.notifications().status()
    return found.cursor.position == found.head
