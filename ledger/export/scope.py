"""The scope of a bundle: `scope.json`, and the plan that it is written by."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypeAlias, get_args

from ledger.events.canonical import CanonicalError, decode, encode
from ledger.events.registry import keeps_body
from ledger.events.values import ACTOR, INTEGER_MAX, STREAM, TYPE, parse_time
from ledger.export.position_set import PositionSet

Kind: TypeAlias = Literal["full", "range", "stream"]

FORMAT: Final = "decision-ledger/1"
ERASED: Final = "erased"
"""The reason of what a partial bundle states to be erased: its proof lies outside the bundle."""
ERASED_LATER: Final = "erased after this checkpoint"
"""The reason in a full bundle, where a body was erased while the bundle was written."""
REASON_CHARS_MAX: Final = 2_000


class ScopeError(ValueError):
    """A scope that cannot be one; the text says why."""


@dataclass(frozen=True, slots=True)
class Withholding:
    """Which bodies are left out, and why: those of these types, and those of these streams."""

    types: frozenset[str] = frozenset()
    streams: frozenset[str] = frozenset()
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse bodies that can never be withheld, and silence about the reason."""
        for type_ in sorted(self.types):
            if keeps_body(type_):
                raise ScopeError(f"the body of {type_} can be neither erased nor withheld")
        if bool(self.types or self.streams) != bool(self.reason.strip()):
            raise ScopeError("a reason belongs to withheld bodies, and only to them")
        if self.reason in {ERASED, ERASED_LATER}:
            raise ScopeError(f"{self.reason!r} is what the ledger says of erased bodies")

    def applies(self, type_: str, stream: str) -> bool:
        """Return whether the body of an event is withheld."""
        return (type_ in self.types or stream in self.streams) and not keeps_body(type_)


@dataclass(frozen=True, slots=True)
class BundlePlan:
    """A bundle to write. The same plan over the same ledger gives the same bytes.

    `last_position` of a stream bundle is the position of the event that the seal fixes.
    """

    name: str
    """Of the folder at the top of the archive."""
    kind: Kind
    first_position: int
    last_position: int
    stream: str | None
    requested_at: str
    requested_by: str
    withholding: Withholding = field(default_factory=Withholding)
    purpose: str = ""


@dataclass(frozen=True, slots=True)
class BundleScope:
    """What `scope.json` says."""

    kind: Kind
    first_position: int
    last_position: int
    stream: str | None
    requested_at: str
    requested_by: str
    counts: Mapping[str, int]
    withheld: tuple[tuple[str, PositionSet], ...] = ()
    """(reason, positions), in order of reason."""

    @property
    def is_from_start(self) -> bool:
        """Whether it is every event from the ledger's first one on, up to its last position."""
        return self.kind != "stream" and self.first_position == 1

    def encode(self) -> bytes:
        """Return the bytes of `scope.json`."""
        return encode(
            {
                "counts": dict(self.counts),
                "first_position": self.first_position,
                "format": FORMAT,
                "kind": self.kind,
                "last_position": self.last_position,
                "requested_at": self.requested_at,
                "requested_by": self.requested_by,
                "stream": self.stream,
                "withheld": [
                    {"positions": [list(pair) for pair in positions], "reason": reason}
                    for reason, positions in self.withheld
                ],
            }
        )

    @classmethod
    def parse(cls, data: bytes) -> "BundleScope":
        """Return what the bytes of a `scope.json` say; ScopeError for anything else."""
        try:
            value = decode(data)
        except CanonicalError as error:
            raise ScopeError(str(error)) from error
        if type(value) is not dict or value.keys() != _KEYS:
            raise ScopeError(f"it does not have exactly the keys {', '.join(sorted(_KEYS))}")
        _check(value["format"] == FORMAT, f"its format is not {FORMAT}")
        _check(value["kind"] in get_args(Kind), "its kind is not full, range or stream")
        first, last = value["first_position"], value["last_position"]
        _check(_is_position(first) and _is_position(last) and first <= last, "no such positions")
        stream = value["stream"]
        _check((stream is None) == (value["kind"] != "stream"), "stream and kind do not agree")
        _check(
            stream is None or (type(stream) is str and STREAM.fullmatch(stream) is not None),
            "its stream is not a stream name",
        )
        actor = value["requested_by"]
        _check(type(actor) is str and ACTOR.fullmatch(actor) is not None, "requested_by: no actor")
        try:
            parse_time(value["requested_at"])
        except (TypeError, ValueError) as error:
            raise ScopeError(f"requested_at: {error}") from error
        return cls(
            value["kind"],
            first,
            last,
            stream,
            value["requested_at"],
            actor,
            _counts(value["counts"]),
            _withheld(value["withheld"]),
        )


_KEYS: Final = frozenset({"format", *(each.name for each in fields(BundleScope))})


def _counts(value: Any) -> dict[str, int]:  # noqa: ANN401 - JSON
    _check(type(value) is dict, "its counts are not an object")
    for type_, count in value.items():
        _check(TYPE.fullmatch(type_) is not None, f"{type_[:160]!r} is not an event type")
        _check(_is_position(count), f"the count of {type_} is not a number from 1 on")
    counts: dict[str, int] = value
    return counts


def _withheld(value: Any) -> tuple[tuple[str, PositionSet], ...]:  # noqa: ANN401 - JSON
    _check(type(value) is list, "its withheld is not an array")
    found = []
    for item in value:
        _check(
            type(item) is dict and item.keys() == {"positions", "reason"},
            "an entry of withheld does not have exactly the keys positions, reason",
        )
        reason, positions = item["reason"], item["positions"]
        _check(type(reason) is str and bool(reason.strip()), "something is withheld without reason")
        _check(type(positions) is list and bool(positions), "an entry of withheld has no positions")
        ranges = PositionSet()
        for pair in positions:
            is_pair = type(pair) is list and len(pair) == 2 and all(map(_is_position, pair))
            _check(is_pair, "withheld positions are no pairs")
            before = len(ranges)
            try:
                ranges.add(*pair)
            except ValueError as error:
                raise ScopeError(f"withheld: {error}") from error
            _check(len(ranges) > before, "neighbouring withheld positions are not one range")
        found.append((reason, ranges))
    reasons = [reason for reason, _ in found]
    _check(reasons == sorted(set(reasons)), "the reasons of withheld do not ascend")
    return tuple(found)


def _is_position(value: object) -> bool:
    return type(value) is int and 1 <= value <= INTEGER_MAX


def _check(holds: object, why: str) -> None:
    if not holds:
        raise ScopeError(why)
