"""What a runner tells about its projection: rows of a moment, and how it is doing."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from projections.projection import Row

State = Literal["live", "rebuilding", "stopped"]


class Snapshot(NamedTuple):
    """Rows of one moment, which share a position and a digest. Do not change them."""

    position: int
    digest: bytes
    rows: dict[str, Row]


@dataclass(frozen=True, slots=True)
class ProjectionStatus:
    """How a projection of a ledger is doing.

    `stopped`: it is halted before an event it cannot fold, and `why` says which; `rebuilding`: it
    serves while `rebuilt_position` approaches `position`. `lag` counts events up to the head.
    `why` may also say why rows are not being stored.
    """

    name: str
    version: int
    generation: int
    state: State
    why: str
    position: int
    stored_position: int
    lag: int
    digest: bytes
    rows: int
    applied: int
    skipped: int
    quarantined: int
    rebuilt_position: int | None
