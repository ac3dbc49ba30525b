"""A server whose clock is wrong: goal: it says so, records nothing meanwhile, and then goes on.

Method: a served `wall` ledger whose clock is set by the test; then a life of random settings of the
clock, passing time, restarts and observations, of which every time on record is compared with the
true one.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.application.refusals import RefusedCall
from ledger.audit.audit import Audit
from ledger.audit.database import DatabaseSource
from ledger.errors import LedgerError, Reason
from ledger.events.registry import typed
from ledger.events.system import ClockStepped
from ledger.events.values import DAY, SECOND, format_time
from ledger.v1 import ledger_pb2, signal_service_pb2
from ledger.v1 import ledger_service_pb2 as pb
from tests.support import world as worlds
from tests.support.clocks import ManualClock
from tests.support.served import (
    ORIGIN,
    START,
    TIMEOUT,
    Served,
    at,
    deployment,
    observation,
    refused,
    serving,
    signal_named,
)
from tests.support.server_process import until
from tests.support.stepped import SteppedWorld
from tests.support.world import HOUR, World

NOW = START * SECOND
SKEW = 300 * SECOND
YEARS = 10 * 365 * DAY
NAMED = (("ledger-actor", "users/ops"),)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def served(tmp_path: Path, clock: ManualClock) -> Iterator[Served]:
    with serving(
        tmp_path, clock, service__evaluate=True, operators__actors=("users/ops",)
    ) as server:
        server.ledgers.CreateLedger(
            pb.CreateLedgerRequest(origin=ORIGIN, clock=ledger_pb2.LEDGER_CLOCK_WALL),
            timeout=TIMEOUT,
            metadata=NAMED,
        )
        yield server


def test_a_wrong_clock_is_told_of_once_however_long_it_is_wrong(tmp_path: Path) -> None:
    world = SteppedWorld(
        tmp_path / "l.db", 1, clock="wall", seals__seconds=60.0, refusals__seconds=60.0
    )
    world.begin("m1")
    world.see("m1", 0.5, worlds.START)
    world.clock.step(2 * HOUR)
    with structlog.testing.capture_logs() as logs:
        refused = RefusedCall("users/ana", "Evaluate", Reason.MODEL_UNKNOWN, "192.0.2.7")
        world.service.count_refusal("", refused)
        world.pass_time(5 * HOUR)
    world.clock.step(-2 * HOUR)
    world.close()
    told = [line["event"] for line in logs if line["log_level"] == "error"]
    assert told == ["clock.wrong"]


def define(served: Served, name: str = "log-loss") -> int:
    """Append an event and return when it was recorded."""
    request = signal_service_pb2.DefineSignalRequest(signal=signal_named(name))
    answer = served.signals.DefineSignal(request, timeout=TIMEOUT)
    return answer.appended.recorded_at.ToMicroseconds()


def confirm(served: Served, metadata: Any = NAMED, **fields: str) -> pb.ConfirmClockResponse:  # noqa: ANN401
    request = pb.ConfirmClockRequest(**({"reason": "The clock was behind."} | fields))
    return served.ledgers.ConfirmClock(request, timeout=TIMEOUT, metadata=metadata)


def is_serving(served: Served) -> bool:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)  # its stubs know no methods
    answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def test_a_clock_that_jumps_ten_years_for_three_seconds_dates_nothing(
    served: Served, clock: ManualClock
) -> None:
    assert define(served) == NOW
    assert is_serving(served)
    head = served.head()
    clock.step(YEARS)
    until(lambda: not is_serving(served))
    clock.advance(3 * SECOND)
    refusal = refused(lambda: define(served))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "CLOCK_AHEAD")
    assert refusal.retry_seconds == 1.0
    assert "3650 days ahead of the time that has passed since it was right" in refusal.message
    assert refusal.metadata["expected_at"] == format_time(NOW + 3 * SECOND)
    assert served.head() == head
    clock.step(-YEARS)
    until(lambda: is_serving(served))
    assert define(served) == NOW + 3 * SECOND


def test_an_operator_confirms_a_clock_that_is_right_after_all_and_an_audit_follows_it(
    served: Served, clock: ManualClock, tmp_path: Path
) -> None:
    define(served)
    clock.step(2 * DAY)
    until(lambda: not is_serving(served))
    stranger = (("ledger-actor", "services/monitor-7"),)
    assert refused(partial(confirm, served, stranger)).reason == "ACTOR_NOT_AUTHORISED"
    assert refused(partial(confirm, served, reason=" ")).reason == "FIELD_INVALID"
    assert refused(lambda: define(served)).reason == "CLOCK_AHEAD"
    confirmed = confirm(served, request_id="once").appended
    until(lambda: is_serving(served))
    event = served.service.ledger().log.event(confirmed.position)
    assert event is not None
    assert (event.stream, event.recorded_at) == ("ledger", NOW + 2 * DAY)
    assert typed(event, ClockStepped) == ClockStepped(
        clock_at=format_time(NOW + 2 * DAY),
        expected_at=format_time(NOW),
        head_at=format_time(NOW),
        reason="The clock was behind.",
    )
    assert define(served) == NOW + 2 * DAY
    assert confirm(served, request_id="once").appended.position == confirmed.position
    assert "nothing to confirm" in refused(partial(confirm, served)).message
    source = DatabaseSource(str(tmp_path / "ledger.sqlite"))
    report = Audit(source, "test").run()
    source.close()
    assert report.passed, report.text()
    assert next(one for one in report.rules if one.rule == "clocks").checked == 1


def test_a_confirmation_that_is_not_recorded_lets_nothing_be_dated(
    served: Served, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(served)
    clock.step(2 * DAY)

    def broken(*_: object) -> None:
        raise LedgerError(Reason.STORE_UNAVAILABLE, "The disk is full.")

    monkeypatch.setattr("ledger.storage.commit_group.CommitGroup.write", broken)
    assert refused(partial(confirm, served)).reason == "STORE_UNAVAILABLE"
    monkeypatch.undo()
    assert refused(lambda: define(served)).reason == "CLOCK_AHEAD"


def submit(served: Served, seconds: float, request_id: str = "", **fields: Any) -> bool:  # noqa: ANN401
    """Submit one observation so many seconds after START; return whether it is on record."""
    one = observation(seconds=seconds, **fields)
    return served.submit(one, request_id=request_id).appended.position == served.head()


def fleet(served: Served) -> None:
    define(served)
    served.add_model("fares")


def start(path: Path, clock: ManualClock) -> AbstractContextManager[Served]:
    return serving(path, clock, operators__actors=("users/ops",))


@pytest.mark.parametrize("behind", [2 * DAY, NOW])
def test_true_observations_may_be_sent_again_while_the_servers_clock_is_behind_the_newest_event(
    tmp_path: Path, clock: ManualClock, served: Served, behind: int
) -> None:
    fleet(served)
    served.service.stop()
    clock.step(-behind)
    with start(tmp_path, clock) as again:
        until(lambda: not is_serving(again))
        for call in (
            lambda: submit(again, 60, "true"),
            lambda: again.models.RecordDeployment(
                deployment("fares", "v2", in_service_at=at(60)), timeout=TIMEOUT
            ),
        ):
            refusal = refused(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "CLOCK_AHEAD")
            assert refusal.retry_seconds == 1.0
            assert refusal.metadata["head_at"] == format_time(NOW)
        bad = refused(lambda: submit(again, 60, sample_size=-1))
        assert list(bad.fields) == ["observations[0].sample_size"]
        assert define(again, "other") == NOW
        clock.step(behind)
        until(lambda: is_serving(again))
        assert submit(again, 60, "true")
        wrong = refused(lambda: submit(again, 301))
        assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CLOCK_AHEAD")
        assert is_serving(again)


def test_a_clock_behind_an_event_that_another_clock_dated_serves_once_it_is_confirmed(
    tmp_path: Path, clock: ManualClock, served: Served
) -> None:
    fleet(served)
    served.service.stop()
    clock.step(-2 * DAY)
    with start(tmp_path, clock) as again:
        until(lambda: not is_serving(again))
        confirm(again)
        until(lambda: is_serving(again))
        wrong = refused(lambda: submit(again, 60))
        assert (wrong.code, wrong.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CLOCK_AHEAD")


def test_a_data_ledger_blames_no_source_for_a_server_whose_clock_is_in_1970(
    tmp_path: Path, clock: ManualClock
) -> None:
    with start(tmp_path, clock) as served:
        served.service.create_ledger(ORIGIN, clock="data", actor="users/ops")
        fleet(served)
        submit(served, 60)
    clock.step(-NOW)
    with start(tmp_path, clock) as served:
        until(lambda: not is_serving(served))
        refusal = refused(lambda: submit(served, 120, "true"))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "CLOCK_AHEAD")
        assert "confirm" not in refusal.message
        clock.step(NOW)
        until(lambda: is_serving(served))
        assert submit(served, 120, "true")
        far = refused(lambda: submit(served, 11 * 365 * 86_400))
        assert (far.code, far.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "CLOCK_AHEAD")


def test_a_data_ledger_has_no_clock_to_confirm(tmp_path: Path, clock: ManualClock) -> None:
    with serving(tmp_path, clock) as served:
        served.create()
        clock.step(YEARS)
        assert "no clock to confirm" in refused(partial(confirm, served)).message
        assert is_serving(served)
        define(served)


# ---- a life of wrong clocks ----------------------------------------------------------------------

# A second is so far within what is believed that it does not matter from which reading it counts.
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 3 * HOUR)),
    st.tuples(st.just("ahead"), st.sampled_from([1, SECOND, 2 * SKEW, HOUR, DAY, YEARS])),
    st.tuples(st.just("behind"), st.sampled_from([1, SECOND, 2 * SKEW, HOUR, DAY, 9 * YEARS])),
    st.tuples(st.just("right"), st.just(0)),
    st.tuples(st.just("see"), st.just(0)),
    st.tuples(st.just("see"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
)


class Life:
    """A wall ledger, its clock and the true time."""

    def __init__(self, path: Path) -> None:
        self.world = World(path, clock="wall").begin("m1", interval="1h", silence="6h")
        self.true = worlds.START
        self.off = 0
        self.position = self.world.head

    def live(self, what: str, amount: int) -> None:
        """Take one step, and compare what it recorded with the true time."""
        clock = self.world.clock
        if what == "pass":
            clock.advance(amount)
            self.true += amount
        elif what in {"ahead", "behind"}:
            self.set(amount if what == "ahead" else -amount)
        elif what == "right":
            self.set(0)
        elif what == "see":
            self.see()
        elif not self.off:  # what a process has dated it forgets, so it starts with a right clock
            self.world.restart()
        while self.world.follower.step():
            pass
        for event in self.world.ledger.log.events(after=self.position, limit=10_000):
            assert event.recorded_at <= self.true + SKEW
            self.position = event.position

    def set(self, off: int) -> None:
        """Set the clock so far off the true time."""
        self.world.clock.step(off - self.off)
        self.off = off

    def see(self) -> None:
        """Observe the model now, by a clock that is right."""
        if abs(self.off) <= SKEW:
            self.world.see("m1", 0.5, self.true)
            return
        with pytest.raises(LedgerError) as caught:
            self.world.see("m1", 0.5, self.true)
        assert caught.value.reason is Reason.CLOCK_AHEAD

    def end(self) -> None:
        """Set the clock right: everything goes on as if nothing had been."""
        self.set(0)
        self.live("see", 0)
        self.live("pass", HOUR)
        self.live("pass", HOUR)
        scores = self.world.scores()
        assert scores[-1].evaluated_at == format_time(self.true - 2 * HOUR)
        self.live("pass", 6 * HOUR)
        assert self.world.scores()[-1].trigger == "schedule"
        recorded = [event.recorded_at for event in self.world.ledger.log.events(limit=10_000)]
        assert recorded == sorted(recorded)
        self.world.check_replay()
        self.world.close()


@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(steps=st.lists(STEPS, min_size=60, max_size=200))
def test_through_a_life_of_wrong_clocks_no_time_is_recorded_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    life = Life(tmp_path_factory.mktemp("life") / "ledger.sqlite")
    for what, amount in steps:
        life.live(what, amount)
    life.end()
