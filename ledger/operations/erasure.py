"""A preview of an erasure: the bodies that it would take away."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger.events.proving import ExportIssued
from ledger.operations import Move
from ledger.operations.failures import MisuseError

if TYPE_CHECKING:
    from ledger.client import LedgerClient

_DIGITS_MAX: Final = 16


@dataclass(slots=True)
class ErasurePreview:
    """The bodies in the ranges, and the bundles that hold copies of them."""

    types: Counter[str] = field(default_factory=Counter)
    streams: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    """How many bodies were erased before."""
    bundles: list[str] = field(default_factory=list)
    """The exports that were issued over any of the positions."""


def preview(
    client: "LedgerClient", ranges: Sequence[tuple[int, int]], move: Move | None = None
) -> ErasurePreview:
    """Return what is at the positions; the ledger refuses to erase positions beyond its head.

    Cost: one read of the ranges, and of the exports issued.
    """
    found = ErasurePreview()
    head = client.get_ledger().head_position
    total = sum(last - first + 1 for first, last in ranges)
    seen = 0
    for first, last in ranges:
        if first > head:
            break
        for event in client.list_events(after_position=first - 1, until_position=min(last, head)):
            seen += 1
            if event.body:
                found.types[event.type] += 1
                found.streams[event.stream] += 1
            else:
                found.gone += 1
            if move is not None:
                move(seen, total)
    for event in client.list_events(types=[ExportIssued.TYPE]):
        if event.body:
            low, high = event.data["first_position"], event.data["last_position"]
            if any(first <= high and last >= low for first, last in ranges):
                found.bundles.append(str(event.data["export"]))
    return found


def ranges_of(text: str) -> list[tuple[int, int]]:
    """Return the ranges that a text like `5-9,12` names; MisuseError where it names none."""
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        numbers = [first, last if dash else first]
        if not all(each.isascii() and each.isdigit() for each in numbers) or any(
            len(each) > _DIGITS_MAX for each in numbers
        ):
            raise MisuseError(
                f"--positions: {part.strip()[:40]!r} is not a position or range.", "Write 5-9,12."
            )
        low, high = int(numbers[0]), int(numbers[1])
        if low < 1 or high < low or (ranges and low <= ranges[-1][1]):
            raise MisuseError(
                f"--positions: {part.strip()!r} does not ascend from position 1 on, apart from "
                "what is before it.",
                "Write 5-9,12.",
            )
        ranges.append((low, high))
    return ranges
