"""An operator lists subscribers, tries one out, and has sent again what it missed.

Method: each command in this process against a server whose receiver refuses and then takes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run, against
from tests.support.receivers import TAKEN, Receiver, receiver, status, told, webhook
from tests.support.served import Served, serving
from tests.support.server_process import until
from tools.shapes import SHAPES, fields_of


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver that refuses everything."""
    with receiver(status(503)) as refusing:
        yield refusing


@pytest.fixture
def missed(hook: Receiver, tmp_path: Path) -> Iterator[Served]:
    """A server with two events that a subscriber refused, which were set aside."""
    with serving(tmp_path, **told(webhook(tmp_path, hook.url, attempts_max=1))) as served:
        served.prepare(["fares"])
        notifications = served.service.notifications()
        until(lambda: notifications.status()[0].dead_letters == 2, "both are set aside")
        yield served


def test_what_was_set_aside_is_listed_and_sent_again(missed: Served, hook: Receiver) -> None:
    run: Run = against(missed)
    address = hook.url.split("/")[2]
    listed = run("notification", "list").out.splitlines()
    assert listed[0].split()[:3] == ["SUBSCRIBER", "KIND", "TO"]
    assert listed[1].split()[:3] == ["pager", "webhook", address]
    dead = run("notification", "dead", "--json").json["dead_letters"]
    assert [letter["position"] for letter in dead] == hook.positions()
    assert {(one["subscriber"], one["problem"]) for one in dead} == {
        ("pager", "it answered with HTTP status 503")
    }
    assert run("notification", "dead", "pager").out.count("HTTP status 503") == 2

    hook.answer = TAKEN
    replayed = run("notification", "replay", "pager", str(dead[1]["position"]))
    assert replayed.out == "1 dead letter will be sent again.\n"
    until(lambda: len(hook.received) == 3, "it comes")
    assert hook.positions()[2] == dead[1]["position"]
    all_of_them = run("notification", "replay", "pager", "--json")
    assert tuple(all_of_them.json) == fields_of(SHAPES["notification replay"])
    until(lambda: not run("notification", "dead", "--json").json["dead_letters"], "all are taken")


def test_a_test_says_whether_the_subscriber_took_it(missed: Served, hook: Receiver) -> None:
    run: Run = against(missed)
    refused = run("notification", "test", "pager")
    assert (refused.code, refused.out) == (
        1,
        "pager did not take it: it answered with HTTP status 503.\n",
    )
    hook.answer = TAKEN
    taken = run("notification", "test", "pager", "--json")
    assert (taken.code, tuple(taken.json)) == (0, fields_of(SHAPES["notification test"]))
    assert taken.json["notification_id"] == hook.received[-1].id
    assert run("notification", "test", "pager").out == "pager took it.\n"


def test_what_is_not_there_is_refused_with_what_to_do(missed: Served) -> None:
    run: Run = against(missed)
    unknown = run("notification", "test", "nobody")
    assert unknown.code != 0
    assert "has no subscriber 'nobody'" in unknown.err
    assert "notification list" in unknown.err
    none = run("notification", "replay", "pager", "1")
    assert "the event at position 1 is no dead letter of pager" in none.err


def test_doctor_names_a_subscriber_that_is_behind(missed: Served, tmp_path: Path) -> None:
    run: Run = against(missed)
    checks = run("doctor", "--db", str(tmp_path / "ledger.sqlite"), "--json").json["checks"]
    (found,) = [one for one in checks if one["name"].startswith("notifications of")]
    assert (found["state"], "2 events set aside" in found["found"]) == ("warn", True)
    assert "notification replay" in found["remedy"]
