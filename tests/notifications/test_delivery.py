"""What is recorded is told: signed, in order, once it is on record, and again until it is taken.

Method: a real server of a ledger, and receivers on loopback that others' libraries stand behind.
"""

from pathlib import Path

from tests.support.receivers import TAKEN, receiver, status, told, webhook
from tests.support.served import ORIGIN, Served, serving
from tests.support.server_process import until


def moved(served: Served, name: str = "pager") -> bool:
    """Whether a subscriber was told of all there is."""
    with served.client() as client:
        found = {one.name: one for one in client.list_subscribers()}[name]
    return found.cursor_position == found.head_position == served.head()


def test_a_webhook_is_told_of_each_event_of_its_types_signed_and_as_a_cloud_event(
    tmp_path: Path,
) -> None:
    with receiver() as hook, serving(tmp_path, **told(webhook(tmp_path, hook.url))) as served:
        served.prepare(["fares", "hotels"])
        until(lambda: moved(served), "all is told")
        events = [one for one in served.service.ledger().log.events() if "model." in one.type]
        assert hook.positions() == [one.position for one in events]
        for came, event in zip(hook.received, events, strict=True):
            stated = came.verified()
            assert came.path == "/hook"
            assert came.event.get_type() == event.type
            assert came.event.get_source() == ORIGIN
            assert came.event.get_subject() == event.stream
            assert came.event.get_id() == came.id == f"ledger%2Eexample/test/{event.position}"
            assert stated["data"]["body"] == event.body._asdict()
            assert stated["data"]["event_hash"] == event.event_hash.hex()


def test_an_event_that_was_refused_comes_again_before_those_after_it(tmp_path: Path) -> None:
    with (
        receiver(status(503)) as hook,
        serving(tmp_path, **told(webhook(tmp_path, hook.url))) as served,
    ):
        served.prepare(["fares"])
        hook.wait(3)
        first = hook.positions()[0]
        hook.answer = TAKEN
        until(lambda: moved(served), "all is told")
        refused = hook.positions().index(first + 1)
        assert hook.positions()[:refused] == [first] * refused
        assert hook.positions()[refused:] == [first + 1]
        assert len({one.body for one in hook.received}) == 2
