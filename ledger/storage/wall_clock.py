"""The time of the machine's clock, and whether that can be right.

A time on record is never taken back: a clock that was ahead for three seconds would date everything
after them. So before an event of a `wall` ledger is given its time, the machine's clock is compared
with the seconds that have passed since it was last believed, and, where this process has dated
nothing yet, with the ledger's newest event. Beyond the ledger's skew nothing is appended until the
clock is right again, or an operator confirms it. Within the skew it is believed, and from then on
compared with that: once an hour, so that small steps of weeks do not add up.

A clock behind the newest event at the start is used: some clock was ahead once, or this one was not
set yet, and what follows is dated like that event. It is believed once it has come so far, or was
set, or confirmed.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events import notation
from ledger.events.values import DAY, SECOND, TIME_LIMIT, format_time
from ledger.limits import CLOCK_STEP_SECONDS_MIN, DATA_AHEAD_SECONDS, IDLE_SECONDS_MAX
from ledger.storage.checks import RequestKey
from ledger.storage.records import AppendRequest, ClockStep, LedgerInfo

_PAUSE_SECONDS: Final = 1.0
_READINGS_MAX: Final = 5
_KEPT_SECONDS: Final = 3_600.0  # steps that were taken within the skew do not add up for longer
_QUICK_SECONDS: Final = 0.05  # both clocks are read at one moment, unless the process was held up
_OR_CONFIRMED: Final = ", or has confirmed it with `decision-ledger ledger confirm-clock`."
_log: Final = structlog.get_logger("ledger.storage")


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The machine's clock, and the seconds that had passed by its steady one."""

    at: int
    elapsed: float


class WallClock:
    """The machine's clock as each `wall` ledger of a store may use it. Safe between threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._believed: dict[int, ClockReading] = {}
        self._behind: set[int] = set()  # ledgers whose newest event is ahead of the clock
        self._fine_at: dict[int, int] = {}  # when a `data` ledger was last found in order
        self._unsure: dict[
            int, tuple[RequestKey, ClockReading]
        ] = {}  # confirmed, perhaps on record

    def now(self, info: LedgerInfo, head: Callable[[], int]) -> int:
        """Return the time; CLOCK_AHEAD where that cannot be. `head`: the newest event's time."""
        reading = self._read()
        step = self._step(info, reading, head)
        if step is not None:
            raise clock_refused(info, step)
        return reading.at

    def behind(self, info: LedgerInfo, head: Callable[[], int]) -> LedgerError | None:
        """Return what to answer whom this clock contradicts, where it is behind the newest event.

        None where it is not, or is believed all the same. A client that states a time ahead of
        this clock may well be right then.
        """
        reading = self._read()
        is_wall = info.clock == "wall"
        with self._lock:
            if is_wall and info.ledger_id in self._believed:
                return None
            if reading.at >= self._fine_at.get(info.ledger_id, TIME_LIMIT):
                return None
        ahead = max(info.skew_seconds, CLOCK_STEP_SECONDS_MIN) if is_wall else DATA_AHEAD_SECONDS
        newest = head()
        if newest - reading.at > ahead * SECOND:
            return clock_refused(info, ClockStep(reading.at, None, newest))
        if not is_wall:
            with self._lock:
                self._fine_at[info.ledger_id] = reading.at
        return None

    def now_of_new(self) -> int:
        """Return the time at which a ledger may begin; CLOCK_AHEAD where no ledger's can be."""
        reading = self._read()
        with self._lock:
            known = list(self._believed.values())
        expected = next((_expected(one, reading) for one in known), reading.at)
        is_sound = 0 <= reading.at < TIME_LIMIT
        if not is_sound or abs(reading.at - expected) > CLOCK_STEP_SECONDS_MIN * SECOND:
            raise clock_refused(None, ClockStep(reading.at, expected if known else None, 0))
        return reading.at

    def confirm(self, info: LedgerInfo, head: int) -> ClockStep:
        """Believe the clock from now on; return what it was compared with.

        CLOCK_AHEAD where no event could say the time, FIELD_INVALID where the clock is as expected.
        """
        reading = self._read()
        with self._lock:
            before = self._believed.get(info.ledger_id)
        step = ClockStep(reading.at, None if before is None else _expected(before, reading), head)
        if not 0 <= reading.at < TIME_LIMIT:
            raise clock_refused(info, step)
        if not is_step(info, step):
            raise invalid_field(
                "ledger",
                "the server's clock is as expected, so there is nothing to confirm",
                remedy="Go on: events are recorded.",
            )
        with self._lock:
            self._believed[info.ledger_id] = reading
            self._unsure.pop(info.ledger_id, None)
        return step

    def restore(
        self, info: LedgerInfo, before: ClockReading | None, key: RequestKey | None = None
    ) -> None:
        """Take a confirmation back that may not be on record; `key`: under which it would be."""
        with self._lock:
            taken = self._believed.get(info.ledger_id)
            if key is not None and taken is not None and taken is not before:
                self._unsure[info.ledger_id] = (key, taken)
            if before is None:
                self._believed.pop(info.ledger_id, None)
            else:
                self._believed[info.ledger_id] = before

    def found(self, info: LedgerInfo, key: RequestKey) -> None:
        """Believe what was taken back and is on record after all, if the clock still agrees."""
        reading = self._read()
        with self._lock:
            unsure, taken = self._unsure.get(info.ledger_id, (None, reading))
            if unsure != key:
                return
            del self._unsure[info.ledger_id]
            bound = max(info.skew_seconds, CLOCK_STEP_SECONDS_MIN) * SECOND
            if abs(reading.at - _expected(taken, reading)) <= bound:
                self._believed[info.ledger_id] = taken

    def believed(self, info: LedgerInfo) -> ClockReading | None:
        """Return when the clock was last believed for a ledger, None where it was not yet."""
        with self._lock:
            return self._believed.get(info.ledger_id)

    def _read(self) -> ClockReading:
        """Read both clocks at one moment."""
        clock = self._clock
        for _ in range(_READINGS_MAX):
            before = clock.elapsed_seconds()
            at = clock.now_micros()
            elapsed = clock.elapsed_seconds()
            if elapsed - before < _QUICK_SECONDS:
                break
        return ClockReading(at, elapsed)

    def _step(
        self, info: LedgerInfo, reading: ClockReading, head: Callable[[], int]
    ) -> ClockStep | None:
        believed = self._believed.get(info.ledger_id)  # one lookup: the hot path takes no lock
        if believed is not None:
            expected = _expected(believed, reading)
            bound = max(info.skew_seconds, CLOCK_STEP_SECONDS_MIN) * SECOND
            if -bound <= reading.at - expected <= bound and 0 <= reading.at < TIME_LIMIT:
                if reading.elapsed - believed.elapsed >= _KEPT_SECONDS:
                    self._take(info, believed, reading)
                return None
            return ClockStep(reading.at, expected, head())
        newest = head()
        is_leap = newest > 0 and reading.at - newest > IDLE_SECONDS_MAX * SECOND
        if is_leap or not 0 <= reading.at < TIME_LIMIT:
            return ClockStep(reading.at, None, newest)
        is_behind = newest - reading.at > max(info.skew_seconds, CLOCK_STEP_SECONDS_MIN) * SECOND
        with self._lock:
            is_news = is_behind and info.ledger_id not in self._behind
            if is_behind:  # used, but not believed: it may not have been set yet
                self._behind.add(info.ledger_id)
            else:
                self._behind.discard(info.ledger_id)
                self._believed.setdefault(info.ledger_id, reading)
        if is_news:
            _log.warning(
                "clock.behind_head",
                ledger=info.origin,
                clock=format_time(reading.at),
                head=format_time(newest),
            )
        return None

    def _take(self, info: LedgerInfo, before: ClockReading, reading: ClockReading) -> None:
        """Believe a reading that is near enough to what was expected, in the place of `before`."""
        with self._lock:
            if self._believed.get(info.ledger_id) is before:
                self._believed[info.ledger_id] = reading


def check_leap(info: LedgerInfo, newest: int | None, request: AppendRequest) -> None:
    """Refuse a stated time that leaps ahead of a `data` ledger's newest one by more than its bound.

    Times of one request may lead from one to the next. The first observation of all is free, and
    so is a caller that says that the leap is meant. CLOCK_AHEAD says what to do.
    """
    stated, bound = request.stated_time, info.leap_seconds * SECOND
    if stated is None or newest is None or not bound or request.may_leap:
        return
    if stated <= newest + bound:
        return
    times = {event.observed_at for event in request.events if event.observed_at is not None}
    before = newest
    for time in sorted(times | {stated}):
        if time > before + bound:
            raise _leaps(before, time, bound)
        before = max(before, time)


def _leaps(before: int, time: int, bound: int) -> LedgerError:
    said = notation.time(time)
    return LedgerError(
        Reason.CLOCK_AHEAD,
        f"{said} is stated, {span(time - before)} ahead of the newest time before it, "
        f"{notation.time(before)}; "
        f"this ledger takes leaps of {span(bound)} at most. Nothing was written.",
        remedy="Correct the time. If it is meant, say so: `--allow-leap` on the command line, "
        "`allow_leap` in a request.",
        metadata={
            "stated_at": format_time(time),
            "newest_at": format_time(before),
            "leap_seconds": str(bound // SECOND),
        },
    )


def is_step(info: LedgerInfo, step: ClockStep) -> bool:
    """Whether a clock differs from what was expected by more than a ledger allows."""
    bound = max(info.skew_seconds, CLOCK_STEP_SECONDS_MIN) * SECOND
    if step.head - step.at > bound:
        return True
    if step.expected is None:
        return step.at - step.head > IDLE_SECONDS_MAX * SECOND
    return abs(step.at - step.expected) > bound


def clock_refused(info: LedgerInfo | None, step: ClockStep) -> LedgerError:
    """Return the refusal of an append by a server whose clock cannot be right."""
    said = _said(step.at)
    if step.expected is not None:
        way = "ahead of" if step.at > step.expected else "behind"
        off = span(abs(step.at - step.expected))
        why = f"{off} {way} the time that has passed since it was right"
    elif step.head:
        why = f"while the newest event was recorded at {_said(step.head)}"
    else:
        why = "which no event can state"
    return LedgerError(
        Reason.CLOCK_AHEAD,
        f"The server's clock says {said}, {why}. Nothing was written.",
        remedy="Send the same request again once the operator has set the server's clock"
        + (_OR_CONFIRMED if info is None or info.clock == "wall" else "."),
        retry_after_seconds=_PAUSE_SECONDS,
        metadata={
            "ledger": info.origin if info is not None else "",
            "clock_at": said,
            "expected_at": "" if step.expected is None else _said(step.expected),
            "head_at": _said(step.head) if step.head else "",
        },
    )


def span(micros: int) -> str:
    """Return a span of time as people say it, in its largest unit."""
    for unit, name in ((DAY, "days"), (3_600 * SECOND, "hours"), (60 * SECOND, "minutes")):
        if micros >= 2 * unit:
            return f"{micros // unit} {name}"
    return f"{micros // SECOND} seconds"


def _expected(believed: ClockReading, reading: ClockReading) -> int:
    return believed.at + round((reading.elapsed - believed.elapsed) * SECOND)


def _said(micros: int) -> str:
    """Return a time as events spell it, also one that they cannot."""
    if 0 <= micros < TIME_LIMIT:
        return format_time(micros)
    return "a time before 1970" if micros < 0 else "a time after the year 9999"
