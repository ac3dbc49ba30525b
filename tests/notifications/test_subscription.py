"""Each subscriber goes on by itself, from where it stopped: in order, and without a gap.

Method: a whole service whose threads are replaced by turns that the test gives, on a clock that the
test turns; receivers are real, on loopback.
"""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.values import SECOND
from ledger.notifications.lease import LEASE, LEASE_SECONDS
from ledger.notifications.outbox import LedgerNotifications, SubscriberStatus
from tests.support.receivers import TAKEN, Receiver, receiver, status, told, webhook
from tests.support.stepped import SteppedWorld

HOUR = 3_600.0
PATIENT: dict[str, Any] = {"pause_seconds": 1.0, "pause_seconds_max": 300.0}


class Told(SteppedWorld):
    """A stepped world whose subscribers get a turn whenever one is due."""

    @property
    def notifications(self) -> LedgerNotifications:
        """The subscribers of its ledger."""
        return self.service.notifications()

    def of(self, name: str = "pager") -> SubscriberStatus:
        """Return a subscriber."""
        (found,) = [one for one in self.notifications.status() if one.settings.name == name]
        return found

    def let_pass(self, seconds: float) -> int:
        """Let time pass for subscribers; return how many turns they had."""
        end, turns = self.clock.elapsed_seconds() + seconds, 0
        while True:
            tasks = [one for one in self.turns.tasks if one.name.startswith("subscriber")]
            due = min(self.turns.wanted(task) for task in tasks)
            if due > end:
                break
            self.clock.advance(max(0, round((due - self.clock.elapsed_seconds()) * SECOND) + 1))
            for task in tasks:
                if self.turns.wanted(task) <= self.clock.elapsed_seconds():
                    task.is_woken = False
                    pause, now = task.do(), self.clock.elapsed_seconds()
                    task.earliest, task.due = now + pause.least, now + pause.most
                    turns += 1
        self.clock.advance(max(0, round((end - self.clock.elapsed_seconds()) * SECOND)))
        return turns

    def add(self, *models: str, **labels: str) -> list[int]:
        """Register models; return the positions of the events."""
        return [self.register(model, labels=labels).last_position for model in models]


@pytest.fixture
def hook() -> Iterator[Receiver]:
    """A receiver that takes everything."""
    with receiver() as served:
        yield served


def world(tmp_path: Path, *subscribers: dict[str, Any]) -> Told:
    """Return a world with these subscribers."""
    return Told(tmp_path / "ledger.sqlite", 1, clock="wall", **told(*subscribers))


def named(count: int) -> list[str]:
    """Return names of models."""
    return [f"model-{number}" for number in range(count)]


# ---- order, and nothing skipped ------------------------------------------------------------------


def test_a_new_subscriber_begins_at_the_end_of_the_ledger(hook: Receiver, tmp_path: Path) -> None:
    before = Told(tmp_path / "ledger.sqlite", 1, clock="wall")
    before.add(*named(3))
    before.close()
    one = world(tmp_path, webhook(tmp_path, hook.url))
    later = one.add("later")
    one.let_pass(10)
    assert hook.positions() == later
    one.close()


def test_a_new_subscriber_begins_after_the_position_that_is_stated(
    hook: Receiver, tmp_path: Path
) -> None:
    before = Told(tmp_path / "ledger.sqlite", 1, clock="wall")
    known = before.add(*named(3))
    before.close()
    one = world(tmp_path, webhook(tmp_path, hook.url, after_position=known[0]))
    one.let_pass(10)
    assert hook.positions() == known[1:]
    one.close()


def test_what_was_recorded_while_the_server_was_down_is_told_when_it_is_back(
    hook: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.notifications.subscription.NOTIFICATION_PAGE_EVENTS", 10)
    one = world(tmp_path, webhook(tmp_path, hook.url))
    first = one.add("first")
    one.let_pass(10)
    one.close()
    without = Told(tmp_path / "ledger.sqlite", 2, clock="wall")
    meanwhile = without.add(*named(25))  # more than two pages
    without.close()
    one.start()
    one.let_pass(30)
    assert hook.positions() == first + meanwhile
    assert one.of().cursor.position == one.head
    one.close()


def test_a_receiver_that_is_gone_for_an_hour_misses_nothing_and_is_not_besieged(
    tmp_path: Path,
) -> None:
    with receiver() as there:
        url, port = there.url, int(there.url.split(":")[2].split("/")[0])
    one = world(tmp_path, webhook(tmp_path, url, **PATIENT))
    positions = one.add(*named(30))
    turns = one.let_pass(HOUR)
    found = one.of()
    assert found.cursor.problem == "it cannot be reached: Connection refused"
    assert 15 < found.cursor.attempts <= turns < 30
    assert found.dead_letters == 0
    with receiver(port=port) as back:
        one.let_pass(300)
        assert back.positions() == positions
    assert one.of().cursor.attempts == 0
    one.close()


def test_the_pauses_double_up_to_their_bound_and_news_do_not_shorten_them(tmp_path: Path) -> None:
    with receiver(status(500)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, pause_seconds=2, pause_seconds_max=10))
        one.add("fares")
        tried: list[float] = []

        def note(handler: object) -> None:
            tried.append(one.clock.elapsed_seconds())
            status(500)(handler)  # type: ignore[arg-type]

        hook.answer = note
        for model in named(20):
            one.let_pass(2)
            one.add(model)
        pauses = [round(b - a) for a, b in pairwise(tried)]
        assert pauses[:4] == [2, 4, 8, 10]
        assert len(set(hook.positions())) == 1
        one.close()


def test_a_turn_for_a_replay_does_not_bring_the_next_attempt_forward(tmp_path: Path) -> None:
    with receiver(status(500)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, **PATIENT))
        one.add("fares")
        one.let_pass(0.5)
        assert len(hook.received) == 1
        (task,) = [each for each in one.turns.tasks if each.name.startswith("subscriber")]
        assert 0 < task.do().least < 0.6
        assert len(hook.received) == 1
        one.close()


def test_a_subscriber_that_is_down_holds_up_no_other_one(hook: Receiver, tmp_path: Path) -> None:
    with receiver(status(503)) as down:
        subscribers = [webhook(tmp_path, down.url, "down"), webhook(tmp_path, hook.url)]
        one = world(tmp_path, *subscribers)
        positions = one.add(*named(5))
        one.let_pass(10)
        assert hook.positions() == positions
        assert set(down.positions()) == {positions[0]}
        assert one.of().cursor.position == one.head > one.of("down").cursor.position
        one.close()


def test_a_server_without_the_lease_delivers_nothing_until_that_has_run_out(
    hook: Receiver, tmp_path: Path
) -> None:
    one = world(tmp_path, webhook(tmp_path, hook.url))
    assert one.store.leases.take(one.ledger.info.origin, LEASE, "another server", LEASE_SECONDS)
    positions = one.add(*named(2))
    one.let_pass(LEASE_SECONDS - 2)
    assert hook.received == []
    one.let_pass(10)
    assert hook.positions() == positions
    one.close()


# ---- dead letters --------------------------------------------------------------------------------


def test_an_event_that_is_refused_to_the_end_is_set_aside_and_the_next_one_is_told(
    tmp_path: Path,
) -> None:
    with receiver(status(422)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, attempts_max=3))
        poison, *others = one.add(*named(3))

        def answer(handler: object) -> None:
            poisoned = hook.positions()[-1] == poison
            (status(422) if poisoned else TAKEN)(handler)  # type: ignore[arg-type]

        hook.answer = answer
        one.let_pass(60)
        assert hook.positions() == [poison] * 3 + others
        (letter,) = one.notifications.dead_letters("pager", after=0, limit=10)
        assert (letter.position, letter.attempts) == (poison, 3)
        assert letter.problem == "it answered with HTTP status 422"
        assert one.of().dead_letters == 1
        one.close()


def test_an_event_is_set_aside_once_it_was_tried_for_long_enough(tmp_path: Path) -> None:
    with receiver(status(500)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, **PATIENT, give_up_seconds=HOUR))
        (position,) = one.add("fares")
        one.let_pass(HOUR - 400)
        assert one.of().dead_letters == 0
        one.let_pass(800)
        (letter,) = one.notifications.dead_letters("pager", after=0, limit=10)
        assert (letter.position, letter.type) == (position, "model.registered.v1")
        one.close()


def test_dead_letters_are_sent_again_by_position_or_all_and_forgotten_once_taken(
    tmp_path: Path,
) -> None:
    with receiver(status(500)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, attempts_max=1))
        positions = one.add(*named(4))
        one.let_pass(60)
        assert one.of().dead_letters == 4
        ids = {each.id: each.body for each in hook.received}

        one.notifications.replay("pager", positions[:1])
        one.let_pass(10)  # and the receiver still refuses
        kept = one.notifications.dead_letters("pager", after=0, limit=10)
        assert [letter.attempts for letter in kept] == [2, 1, 1, 1]
        assert not any(letter.is_replayed for letter in kept)

        hook.answer = TAKEN
        hook.received.clear()
        one.notifications.replay("pager", positions[1:2])
        one.let_pass(10)
        assert hook.positions() == positions[1:2]
        assert one.notifications.replay("pager", ()) == [positions[0], *positions[2:]]
        one.let_pass(10)
        assert hook.positions() == [positions[1], positions[0], *positions[2:]]
        assert {each.id: each.body for each in hook.received} == ids
        assert one.of().dead_letters == 0
        one.close()


def test_what_is_no_dead_letter_is_not_sent_again_and_nothing_with_it(tmp_path: Path) -> None:
    with receiver(status(500)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, attempts_max=1))
        (position,) = one.add("fares")
        one.let_pass(10)
        with pytest.raises(LedgerError) as refused:
            one.notifications.replay("pager", [position, 1])
        assert refused.value.reason is Reason.FIELD_INVALID
        assert refused.value.metadata["position"] == "1"
        (letter,) = one.notifications.dead_letters("pager", after=0, limit=10)
        assert not letter.is_replayed
        with pytest.raises(LedgerError) as unknown:
            one.notifications.replay("nobody", ())
        assert unknown.value.reason is Reason.SUBSCRIBER_UNKNOWN
        one.close()


# ---- what is told --------------------------------------------------------------------------------


def test_by_a_label_a_subscriber_is_told_of_models_that_carried_it_at_that_position(
    hook: Receiver, tmp_path: Path
) -> None:
    one = world(tmp_path, webhook(tmp_path, hook.url, labels={"team": "risk"}))
    (risk,) = one.add("fares", team="risk")
    one.add("rooms", team="stays")
    one.add("plain")
    deployed = one.deploy("fares", "v1").last_position
    one.update("fares", labels={"team": "stays"})
    one.deploy("fares", "v2")
    one.let_pass(10)
    assert hook.positions() == [risk, deployed]
    one.close()


def test_an_erased_body_is_not_sent(tmp_path: Path) -> None:
    with receiver(status(503)) as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url, **PATIENT))
        (position,) = one.add("fares")
        one.let_pass(1)
        assert hook.received[0].data["body"]["data"]["model"] == "fares"
        one.erase(position)
        hook.answer = TAKEN
        one.let_pass(600)
        again = hook.received[-1]
        assert again.position == position
        data = again.data
        assert (data["body"], data["salt"]) == (None, None)
        recorded = one.ledger.log.event(position)
        assert recorded is not None
        assert data["event_hash"] == recorded.event_hash.hex()
        one.close()


def test_a_body_that_is_erased_while_events_before_it_are_sent_is_not_sent(tmp_path: Path) -> None:
    with receiver() as hook:
        one = world(tmp_path, webhook(tmp_path, hook.url))
        first, second = one.add(*named(2))

        def erase(handler: BaseHTTPRequestHandler) -> None:
            hook.answer = TAKEN
            one.erase(second)
            TAKEN(handler)

        hook.answer = erase
        one.let_pass(10)
        assert hook.positions()[:2] == [first, second]
        assert [hook.received[at].data["body"] is None for at in (0, 1)] == [False, True]
        one.close()


def test_a_pattern_without_any_event_type_keeps_the_server_from_starting(tmp_path: Path) -> None:
    with pytest.raises(LedgerError) as refused:
        world(tmp_path, webhook(tmp_path, "http://127.0.0.1/", types=["decision.made.v9"]))
    assert str(refused.value) == (
        "notifications.subscribers: pager: decision.made.v9 names no event type. Correct it: did "
        "you mean decision.made.v2? ledger/events/CATALOG.md lists them. [FIELD_INVALID]"
    )


def test_a_ledger_that_was_restored_from_an_older_copy_is_not_told_of_as_if_nothing_had_happened(
    hook: Receiver, tmp_path: Path
) -> None:
    one = world(tmp_path, webhook(tmp_path, hook.url))
    one.close()
    image = (tmp_path / "ledger.sqlite").read_bytes()
    one.start()
    one.add(*named(2))
    one.let_pass(10)
    one.close()
    (tmp_path / "ledger.sqlite").write_bytes(image)
    one.start()
    one.add("another")
    one.let_pass(10)
    assert len(hook.received) == 2
    assert "restored from an older copy" in one.of().cursor.problem
    one.close()


def test_a_restored_ledger_that_is_longer_than_before_is_told_of_under_another_name_alone(
    hook: Receiver, tmp_path: Path
) -> None:
    one = world(tmp_path, webhook(tmp_path, hook.url))
    one.close()
    image = (tmp_path / "ledger.sqlite").read_bytes()
    one.start()
    one.add(*named(2))
    one.let_pass(10)
    one.close()
    (tmp_path / "ledger.sqlite").write_bytes(image)
    without = Told(tmp_path / "ledger.sqlite", 2, clock="wall")
    without.add(*(f"other-{number}" for number in range(5)))
    without.close()
    one.start()
    one.add("another")
    one.let_pass(100)
    one.close()
    one.start()
    one.let_pass(10)
    assert len(hook.received) == 2
    assert "Give the subscriber another name" in one.of().cursor.problem
    one.close()
    renamed = world(tmp_path, webhook(tmp_path, hook.url, name="pager-2"))
    later = renamed.add("later")
    renamed.let_pass(10)
    assert hook.positions()[2:] == later
    renamed.close()
