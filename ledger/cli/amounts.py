"""Shares, money and durations as options state them; a refusal names the option."""

from collections.abc import Callable

from ledger.events import notation, values
from ledger.operations.failures import MisuseError


def share(text: str, option: str) -> int:
    """Return the parts per million that a share from 0% to 100% has."""
    ppm = _read(notation.parse_share, text, option, "Write a share as 80%, 2.5% or 0.8.")
    if not 0 <= ppm <= values.PPM:
        meant = notation.share(ppm)
        told = "is none:" if text == meant else f"is {meant}, and"
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
