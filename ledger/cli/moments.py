"""Moments as people write them: a position, a time, `yesterday`, `7d`.

What is relative counts back from the ledger's own now: for a `wall` ledger the machine's time, for
a `data` ledger the time of its last event.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ledger.cli.amounts import seconds
from ledger.operations.failures import MisuseError

AllowLeap = Annotated[
    bool,
    typer.Option(
        "--allow-leap", help="A time far ahead of the newest is meant; the data are the clock."
    ),
]
"""The flag of commands that state a time."""

POSITION_DIGITS_MAX = 18
_AGO = re.compile(r"(?:[0-9]+[smhdw])+", re.ASCII)
_COUNTED = re.compile(r"[0-9]{1,20}(?:s|ms|us|ns)?", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEAR_2000 = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PositionOrTime:
    """Either a position or a time."""

    position: int | None = None
    time: datetime | None = None


def parse_moment(text: str, option: str, now: Callable[[], datetime]) -> PositionOrTime:
    """Return the moment that a text names; MisuseError names the option.

    `now` is asked only where the text is relative.
    """
    if text.isascii() and text.isdigit():
        if len(text) > POSITION_DIGITS_MAX:
            raise MisuseError(f"{option}: {text[:40]}… is no position: it has {len(text)} digits.")
        if not (position := int(text)):
            raise MisuseError(f"{option}: 0 is no position.", "Positions count from 1.")
        return PositionOrTime(position=position)
    if text == "now":
        return PositionOrTime(time=now())
    if text == "yesterday":
        return PositionOrTime(time=_before(now(), "1d", option))
    if _COUNTED.fullmatch(text):
        time = _counted(text, option)
        if time >= _YEAR_2000 or not _AGO.fullmatch(text):  # so many seconds ago is before then
            return PositionOrTime(time=time)
    if _AGO.fullmatch(text):
        return PositionOrTime(time=_before(now(), text, option))
    if (stated := _time(text)) is None:
        raise MisuseError(
            f"{option}: {text[:40]!r} is no moment.",
            "Write a position, a time as 2026-03-01T10:00:00Z or 2026-03-01 (UTC), `yesterday`, "
            "or how long ago as 30m, 12h, 7d or 2w.",
        )
    return PositionOrTime(time=stated)


def _before(now: datetime, ago: str, option: str) -> datetime:
    if now == _EPOCH:  # a ledger whose data tell the time, before any data
        raise MisuseError(f"{option}: no data was recorded yet, so no earlier time is known.")
    try:
        return now - timedelta(seconds=seconds(ago, option))
    except OverflowError as error:
        raise MisuseError(f"{option}: {ago[:40]} ago is before the year 1.") from error


def _counted(text: str, option: str) -> datetime:
    """Return the time of an integer as in files: microseconds since 1970, or its unit behind it."""
    from ledger.client.inputs import NoTimeError, micros_of_text

    try:
        return _EPOCH + timedelta(microseconds=micros_of_text(text))
    except NoTimeError as error:
        raise MisuseError(f"{option}: {error.fault}.", error.remedy) from error
    except OverflowError as error:
        raise MisuseError(f"{option}: {text} is beyond the year 9999.") from error


def parse_time(text: str, option: str) -> datetime:
    """Return the aware time that a text names: ISO 8601, in UTC without a zone, or an integer."""
    time = _time(text)
    if time is None and _COUNTED.fullmatch(text):
        return _counted(text, option)
    if time is None:
        raise MisuseError(
            f"{option}: {text[:40]!r} is no time.",
            "Write it as 2026-03-01T10:00:00Z or 2026-03-01 (UTC).",
        )
    return time


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def now_of(clock: str, head_recorded_at: datetime | None, now_micros: int) -> datetime:
    """Return a ledger's own now."""
    if clock == "DATA" and head_recorded_at is not None:
        return head_recorded_at
    return _EPOCH + timedelta(microseconds=now_micros)
