"""The times of a ledger, held to those at which witnesses had seen it.

A cosignature over a checkpoint of N events at time T says that events 1 to N were there at T. So
none of them can have been recorded later: a `wall` ledger whose Nth event states a later time,
beyond what clocks may differ by, is dated ahead. That is proven, as far as witnesses are trusted.

From below nothing is proven. An event that carried a cosigned time would have to be younger than
it, and no type of event does. That a witness had seen no more than N events at T does not say that
there were no more: the log may have held them back, or no checkpoint of them was signed yet. So an
event after N that states an earlier time than T is said, and judged only by a bound that the reader
sets: how long an event of this ledger may have lain there unseen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.audit.event import AuditedEvent
from ledger.audit.source import Finding
from ledger.chain.cosignature import utc
from ledger.chain.note import OpenedNote
from ledger.chain.policy import WitnessPolicy
from ledger.chain.witness_times import Cosigned
from ledger.events.notation import duration, time
from ledger.events.system import ClockStepped
from ledger.events.values import SECOND, parse_time
from ledger.limits import CLOCK_STEP_SECONDS_MIN

RULE: Final = "times.witnessed"


@dataclass(frozen=True, slots=True)
class WitnessedSize:
    """A checkpoint that the quorum had cosigned by a time: its events existed then."""

    size: int
    seconds: int
    cosigned: tuple[Cosigned, ...]
    """The witnesses that make up the quorum, in order of their times."""

    @property
    def said(self) -> str:
        """The time, and the witnesses that it rests on, as a part of a sentence."""
        return f"{utc(self.seconds)} (cosigned by {', '.join(map(str, self.cosigned))})"


def witnessed_size(policy: WitnessPolicy, size: int, note: OpenedNote) -> WitnessedSize | None:
    """Return by when the policy's quorum had cosigned a checkpoint; None if it has not.

    One witness whose clock is behind cannot date a ledger alone where the quorum takes two. Raises
    ValueError for a line in a witness's name that is not genuine.
    """
    keys = {(one.key.name, one.key.key_id): one.key for one in policy.witnesses}
    lines = [line for line in note.unverified if (line.name, line.key_id) in keys]
    for line in lines:
        if not keys[line.name, line.key_id].verifies(note.text, line.signature):
            raise ValueError(f"the cosignature of {line.name} is not genuine")
    cosigned = sorted(policy.counted(lines)[0], key=lambda one: one.seconds)
    for count in range(1, len(cosigned) + 1):
        if policy.quorum_met([one.witness for one in cosigned[:count]]):
            return WitnessedSize(size, cosigned[count - 1].seconds, tuple(cosigned[:count]))
    return None


@dataclass(frozen=True, slots=True)
class TimesReport:
    """The checkpoints that were compared, what does not hold, and the bounds as sentences."""

    checked: int = 0
    findings: tuple[Finding, ...] = ()
    bounds: tuple[str, ...] = ()


class WitnessedTimes:
    """Collects when the events beside each witnessed size were recorded, then compares.

    `max_unseen`: for how many seconds an event may have been there without a witness's knowledge;
    None for any time.
    """

    def __init__(self, sizes: Iterable[WitnessedSize] = (), max_unseen: int | None = None) -> None:
        self._max_unseen = max_unseen
        self._sizes = sorted(sizes, key=lambda one: one.size)
        self._wanted = {place for one in self._sizes for place in (one.size, one.size + 1)}
        self._recorded: dict[int, int] = {}
        self._steps_back: list[tuple[int, int]] = []
        self._last = 0

    def see(self, event: AuditedEvent) -> None:
        """Take in an event, in order."""
        self._last = event.position
        if event.position in self._wanted:
            self._recorded[event.position] = event.recorded_at
        if self._sizes and event.type == ClockStepped.TYPE and event.data is not None:
            at, head = parse_time(event.data["clock_at"]), parse_time(event.data["head_at"])
            self._steps_back.append((at, head))

    def judge(self, clock: str, skew_micros: int) -> TimesReport:
        """Compare, once every event was seen, by the clock and the skew that the ledger states."""
        sizes = [one for one in self._sizes if one.size in self._recorded]
        if not sizes:
            return TimesReport()
        newest = sizes[-1]
        said = [f"Events up to {newest.size:,} existed at {newest.said}."]
        if newest.size < self._last:
            said.append(f"No witness bounds the time of events after {newest.size:,} from above.")
        if clock != "wall":
            said.append("When they say that they were recorded is the time of their data.")
            return TimesReport(bounds=tuple(said))
        tolerated = max(skew_micros, CLOCK_STEP_SECONDS_MIN * SECOND)
        later = [self._later(one, tolerated) for one in sizes]
        findings = [found for found in (*later, *map(self._unseen, sizes)) if found is not None]
        said.append(
            f"Event {newest.size:,} says that it was recorded at "
            f"{time(self._recorded[newest.size])}; tolerated is up to "
            f"{duration(tolerated // SECOND)} after a witness's time."
        )
        return TimesReport(len(sizes), tuple(findings), (*said, *self._below(sizes, tolerated)))

    def _later(self, one: WitnessedSize, tolerated: int) -> Finding | None:
        """Return the finding that an event says it was recorded after it had been witnessed.

        None where an operator has put it on record that the clock was ahead then.
        """
        recorded = self._recorded[one.size]
        is_admitted = any(at < recorded <= head for at, head in self._steps_back)
        if recorded <= one.seconds * SECOND + tolerated or is_admitted:
            return None
        what = (
            f"it says that it was recorded {duration(recorded // SECOND - one.seconds)} after "
            f"witnesses had seen it: it existed at {one.said}"
        )
        return Finding(RULE, one.size, what, f"up to {utc(one.seconds)}", time(recorded))

    def _early(self, one: WitnessedSize) -> int:
        """Return how long before the first witness's time the next event says it was recorded."""
        recorded = self._recorded.get(one.size + 1)
        return 0 if recorded is None else one.cosigned[0].seconds - recorded // SECOND

    def _unseen(self, one: WitnessedSize) -> Finding | None:
        """Return the finding that an event says it was there longer than it may be unseen."""
        early = self._early(one)
        if self._max_unseen is None or early <= self._max_unseen:
            return None
        what = (
            f"it says that it was recorded {duration(early)} before {one.cosigned[0]} had seen no "
            f"more than {one.size:,} events, and at most {duration(self._max_unseen)} was allowed"
        )
        return Finding(RULE, one.size + 1, what)

    def _below(self, sizes: Sequence[WitnessedSize], tolerated: int) -> Iterable[str]:
        """Say what is known from below: how many events witnesses had seen, and when."""
        yield "From below no time is proven: no event carries a time of a witness."
        one = max(sizes, key=self._early)
        early = self._early(one)
        if early * SECOND > tolerated:
            yield (
                f"Event {one.size + 1:,} says that it was recorded {duration(early)} before "
                f"{one.cosigned[0]} had seen no more than {one.size:,} events: that it was "
                "recorded then is the ledger's word alone (--max-unseen bounds it)."
            )
