"""What is recorded is told: signed, in order, once it is on record, and again until it is taken.

Method: a real server of a ledger, and receivers on loopback that others' libraries stand behind.
"""

from pathlib import Path
from typing import Any

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from ledger.api.server import DELIVERY
from ledger.client import LedgerRefusedError
from tests.support.receivers import (
    SECRET,
    TAKEN,
    receiver,
    silent,
    speaking,
    status,
    told,
    webhook,
)
from tests.support.served import ORIGIN, TIMEOUT, Served, serving
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


def test_the_health_service_of_deliveries_says_while_a_subscriber_does_not_take_what_it_is_sent(
    tmp_path: Path,
) -> None:
    serves, serves_not = HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING
    with (
        receiver(status(503)) as hook,
        serving(tmp_path, **told(webhook(tmp_path, hook.url))) as served,
    ):
        check: Any = HealthStub(served.channel)
        asked = HealthCheckRequest(service=DELIVERY)
        assert check.Check(asked, timeout=TIMEOUT).status == serves
        served.prepare(["fares"])
        until(lambda: check.Check(asked, timeout=TIMEOUT).status == serves_not, "it is behind")
        hook.answer = TAKEN
        until(lambda: check.Check(asked, timeout=TIMEOUT).status == serves, "it is not any more")


def test_a_receiver_that_never_answers_holds_up_neither_another_one_nor_the_ledger(
    tmp_path: Path,
) -> None:
    with (
        speaking(silent) as place,
        receiver() as hook,
        serving(
            tmp_path,
            **told(webhook(tmp_path, hook.url), webhook(tmp_path, f"http://{place}/", "slow")),
        ) as served,
    ):
        served.prepare(["fares", "hotels"])
        until(lambda: moved(served), "the other one is told of all")
        assert len(hook.received) == 4
        assert not moved(served, "slow")


def test_a_subscriber_is_listed_tried_out_and_sent_what_it_missed_over_the_api(
    tmp_path: Path,
) -> None:
    with (
        receiver(status(500)) as hook,
        serving(tmp_path, **told(webhook(tmp_path, hook.url, attempts_max=1))) as served,
    ):
        served.prepare(["fares"])
        until(lambda: moved(served), "all is set aside")
        with served.client() as client:
            (found,) = client.list_subscribers()
            assert (found.name, found.kind, found.types) == ("pager", "WEBHOOK", ("model.*",))
            assert found.address == hook.url.split("/")[2]
            dead = list(client.list_dead_letters("pager"))
            assert [letter.position for letter in dead] == hook.positions()
            assert found.dead_letters == len(dead) == 2
            refused = client.test_subscriber("pager")
            assert (refused.is_delivered, refused.problem) == (
                False,
                "it answered with HTTP status 500",
            )
            hook.answer = TAKEN
            assert client.test_subscriber("pager").is_delivered
            assert hook.received[-1].verified()["type"] == "notification.test"
            assert client.replay_dead_letters("pager", [dead[1].position]) == 1
            assert client.replay_dead_letters("pager") >= 1
            until(lambda: not list(client.list_dead_letters("pager")), "they are delivered")
            with pytest.raises(LedgerRefusedError, match="no subscriber 'nobody'"):
                client.test_subscriber("nobody")
        assert set(hook.positions()[2:]) >= {letter.position for letter in dead}


def test_nothing_of_a_secret_is_in_the_log_the_list_or_a_dead_letter(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = "/hook/T0P-S3CRET-PATH"
    with receiver(status(500)) as hook:
        subscriber = webhook(tmp_path, hook.url.replace("/hook", path), attempts_max=2)
        with serving(tmp_path, **told(subscriber)) as served:
            served.prepare(["fares"])
            until(lambda: moved(served), "all is set aside")
            with served.client() as client:
                shown = (
                    f"{list(client.list_subscribers())} {list(client.list_dead_letters('pager'))}"
                )
                shown += str(client.test_subscriber("pager"))
    out, err = capfd.readouterr()
    assert "notification.failed" in out + err
    kept = (tmp_path / "ledger.notifications.sqlite").read_bytes()
    for secret in (SECRET, SECRET.removeprefix("whsec_"), "T0P-S3CRET-PATH"):
        assert secret not in shown + out + err
        assert secret.encode() not in kept
