"""How sentences of plans write money and shares: the audit's own writing of it."""

from ledger.events.values import PPM


def money(micros: int) -> str:
    """Return an amount of micros as a decimal with at least two places."""
    sign, size = ("-", -micros) if micros < 0 else ("", micros)
    places = f"{size % PPM:06d}"
    while len(places) > 2 and places.endswith("0"):
        places = places[:-1]
    return f"{sign}{size // PPM}.{places}"


def per_cent(ppm: int) -> str:
    """Return parts per million as per cent, with as many places as it takes."""
    sign, size = ("-", -ppm) if ppm < 0 else ("", ppm)
    places = f"{size % 10_000:04d}".rstrip("0")
    return f"{sign}{size // 10_000}{places and '.' + places}%"
