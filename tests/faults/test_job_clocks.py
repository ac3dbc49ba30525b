"""Clocks that are set while a job is leased: goal: no lease ends sooner than really waited.

Method: a whole service in one process whose time a test lets pass, and whose clock it sets by ten
minutes to forty hours, ahead or back, while the server runs or across its restart. An executor that
beats in time keeps its lease; one that does not loses it no sooner than its lease has passed.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import pytest

from ledger.errors import LedgerError, Reason
from ledger.events.jobs import JobLeaseExpired
from ledger.events.values import SECOND
from tests.support.audits import audited
from tests.support.job_worlds import LEASE_SECONDS, ONE, Working
from tests.support.stepped import SteppedWorld
from tests.support.world import ANA

MINUTE: Final = 60 * SECOND
BEAT: Final = 10 * MINUTE
LEASE: Final = LEASE_SECONDS * SECOND
LEAPS: Final = (4, 10, 40, 58, 61, 180, 2_400)
"""In minutes: within the skew, about the lease and beyond it."""
OFTEN: Final = {(58, "restarted"), (61, "set right late"), (2_400, "confirmed")}
"""These are tried in every run of the tests, all others in the slow ones."""


class Leased:
    """A job that an executor has leased, on a server whose clock is about to be set."""

    def __init__(self, path: Path, *, beats: bool) -> None:
        self.world = SteppedWorld(path, 1, clock="wall", operators__actors=(ANA.actor,))
        self.working = Working.of(self.world.begin("alpha"))
        self._beats = beats
        self.working.propose()
        self.working.approve()
        self.token = self.working.lease()
        self.began = self.world.true_time
        """When the executor was last promised a whole lease, by a right clock."""
        self._due = self.began + BEAT
        """When the executor beats next, by a right clock: it has just leased the job."""

    def leap(self, micros: int, how: str) -> None:
        """Set the clock, and do with the server what is to be done about it."""
        world = self.world
        if how == "restarted":
            world.close()
            world.clock.step(micros)
            world.start()
            return
        world.clock.step(micros)
        if how == "confirmed":
            with suppress(LedgerError):  # within the skew there is nothing to confirm
                world.ledger.clocks.confirm(ANA, "It is right now.")
        elif how == "set right late":
            self.live(LEASE + 15 * MINUTE)
            world.clock.step(-micros)

    def live(self, span: int) -> None:
        """Let time pass, minute by minute; the executor beats each ten minutes, until it is heard.

        A ledger that refuses for its clock's sake is asked again, as the client does.
        """
        for _ in range(0, span, MINUTE):
            self.world.pass_time(MINUTE)  # whatever is due is done before the executor calls
            if self._beats and self.world.true_time >= self._due and self.beat():
                self._due = self.world.true_time + BEAT

    def beat(self) -> bool:
        try:
            self.world.ledger.jobs.heartbeat(ONE, "j1", self.token)
        except LedgerError as error:
            if error.reason is not Reason.CLOCK_AHEAD:
                raise
            return False
        return True

    @property
    def is_lost(self) -> bool:
        return bool(self.world.events(JobLeaseExpired.TYPE))

    def end(self) -> None:
        self.world.close()
        report = audited(Path(self.world.path))
        assert report.passed, report.text()


def leaps() -> Iterator[Any]:
    for minutes in LEAPS:
        for signed in (minutes, -minutes):
            for how in ("confirmed", "set right late", "restarted"):
                marks = [] if (signed, how) in OFTEN else [pytest.mark.slow]
                yield pytest.param(signed * MINUTE, how, marks=marks, id=f"{signed} {how}")


@pytest.mark.parametrize(("leap", "how"), [*leaps()])
def test_an_executor_that_beats_in_time_keeps_its_lease_when_the_clock_is_set(
    leap: int, how: str, tmp_path: Path
) -> None:
    leased = Leased(tmp_path / "ledger.sqlite", beats=True)
    leased.live(MINUTE)
    leased.leap(leap, how)
    leased.live(2 * LEASE + BEAT)
    assert not leased.is_lost
    assert leased.beat()
    leased.working.report("data_integrity", leased.token)
    leased.end()


@pytest.mark.parametrize(("leap", "how"), [*leaps()])
def test_a_lease_without_heartbeats_ends_no_sooner_than_it_has_really_passed(
    leap: int, how: str, tmp_path: Path
) -> None:
    leased = Leased(tmp_path / "ledger.sqlite", beats=False)
    leased.leap(leap, how)
    ended = 0
    while not ended and leased.world.true_time < leased.began + 4 * LEASE:
        leased.live(MINUTE)
        ended = leased.world.true_time if leased.is_lost else 0
    assert not ended or ended >= leased.began + LEASE
    assert ended or leap < 0, "a clock that was ahead ends it in the end"
    leased.end()
