"""Values as options state them, from amounts to hashes; a refusal names the option.

A relative time counts back from the ledger's own now: for a `wall` ledger the machine's time, for
a `data` ledger the time of its last event.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ledger.events import notation, values
from ledger.operations.failures import MisuseError


def share(text: str, option: str) -> int:
    """Return the parts per million that a share from 0% to 100% has."""
    ppm = _read(notation.parse_share, text, option, "Write a share as 80%, 2.5% or 0.8.")
    if not 0 <= ppm <= values.PPM:
        meant = notation.share(ppm)
        told = "is out of range:" if text == meant else f"is {meant}, and"
        raise MisuseError(
            f"{option}: {text[:40]} {told} a share is from 0% to 100%.",
            f"If you meant per cent, write {text[:40]}%." if "%" not in text else "",
        )
    return ppm


def money(text: str, option: str) -> int:
    """Return the millionths of the ledger's unit of cost that an amount has."""
    remedy = "Write the number alone, such as 250, 99.50 or 0.25; the ledger names the unit."
    return _read(notation.parse_money, text, option, remedy)


def price(text: str, option: str) -> int:
    """Return the same of what something costs."""
    micros = money(text, option)
    if not micros:
        raise MisuseError(f"{option}: must be above 0, since nothing is retrained for free.")
    return micros


def seconds(text: str, option: str, most: int | None = None) -> int:
    """Return the seconds that a span of time has, at most `most`."""
    found = _read(notation.parse_duration, text, option, "Write it as 90s, 30m, 1h30m or 7d.")
    if most is not None and found > most:
        said = notation.duration(most)
        raise MisuseError(f"{option}: {text[:40]} is more than {said}, the most there is.")
    return found


def _read(parse: Callable[[str], int], text: str, option: str, remedy: str) -> int:
    try:
        return parse(text)
    except ValueError as error:
        raise MisuseError(f"{option}: {error}.", remedy) from error


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
            raise MisuseError(
                f"{option}: {text[:40]}… is not a position: it has {len(text)} digits."
            )
        if not (position := int(text)):
            raise MisuseError(f"{option}: 0 is not a position.", "Positions count from 1.")
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
            f"{option}: {text[:40]!r} is not a moment.",
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
            f"{option}: {text[:40]!r} is not a time.",
            "Write it as 2026-03-01T10:00:00Z or 2026-03-01 (UTC).",
        )
    return time


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def time_of(micros: int) -> datetime:
    """Return the time of so many microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=micros)


def end(text: str | None, option: str, now_micros: int) -> datetime | None:
    """Return until when something holds: a span from now on, or a time to come; None for no end."""
    if text is None:
        return None
    now = time_of(now_micros)
    if not _AGO.fullmatch(text):
        found = parse_time(text, option)
    else:
        try:
            found = now + timedelta(seconds=seconds(text, option))
        except OverflowError as error:
            raise MisuseError(f"{option}: {text[:40]} is beyond the year 9999.") from error
    if found <= now:
        raise MisuseError(f"{option}: {text[:40]} is over already.", "Write it as 90d.")
    return found


def now_of(clock: str, head_recorded_at: datetime | None, now_micros: int) -> datetime:
    """Return a ledger's own now."""
    if clock == "DATA" and head_recorded_at is not None:
        return head_recorded_at
    return time_of(now_micros)


def hash_of(text: str | None, flag: str) -> bytes | None:
    """Return the hash that a flag states in hex; None without it."""
    if text is None:
        return None
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if len(found) != 32:
        raise MisuseError(f"{flag}: {text[:80]!r} is not a SHA-256 in hex.", "Give 64 hex digits.")
    return found


def labels(pairs: list[str] | None) -> dict[str, str]:
    """Return the labels that each --label states as KEY=VALUE."""
    found: dict[str, str] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or key in found:
            why = "is there twice" if equals else "has no `=`"
            raise MisuseError(f"--label: {pair[:80]!r} {why}.", "Write KEY=VALUE, each key once.")
        found[key] = value
    return found
