"""Review packs of one ledger: what came of a version in force, as of any position.

A pack is made of the events alone, in order. Of observations only those of the period and of the
one before are read, since no others count; of other types all are.
"""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.refusals import beyond_head
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.facts import Fact, fact_of
from ledger.events.signals import OBSERVED_TYPES
from ledger.governance.lifecycle import LifecycleState, ReviewTurn, ScopeKey
from ledger.governance.pack_parts import ReviewSubject
from ledger.governance.review_pack import PACK_TYPES, pack_digest, pack_of
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

_PAGE: Final = 2_000
_UNOBSERVED: Final = PACK_TYPES - frozenset(OBSERVED_TYPES)


class MadePack(NamedTuple):
    """A pack as canonical JSON, with its digest, and the position that it is of."""

    body: bytes
    digest: str
    as_of: int


class PackPeriod(NamedTuple):
    """The stated period of a pack: times in micros, and a position; 0 where none is stated.

    Both times belong to it: from the first event at or after `since` to the last at or before
    `until`.
    """

    since: int = 0
    until: int = 0
    as_of: int = 0


class ReviewPacks:
    """Makes the review packs of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, governance: PolicyGovernance) -> None:
        self._events = store.events
        self._origin = info.origin
        self._governance = governance

    def pack(
        self,
        named: tuple[str, int],
        scope: ScopeKey,
        period: PackPeriod,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> MadePack:
        """Return the pack of a version in force for a scope; version 0 is the one in force.

        Without a stated beginning, since its last review or its activation. POLICY_NOT_IN_FORCE
        where it is not in force there, BODY_ERASED where its document is gone, FIELD_INVALID where
        the period holds no event.
        """
        subject = self.subject(named, scope, period)
        body = pack_of(self._facts(subject, is_wanted), subject, self._origin)
        return MadePack(body, pack_digest(body), subject.as_of)

    def subject(self, named: tuple[str, int], scope: ScopeKey, period: PackPeriod) -> ReviewSubject:
        """Return what a pack is of, and of which time; refusals as of `pack`."""
        as_of = self._last(period)
        state = self._governance.as_of(as_of)
        turn = state.turns.get(scope)
        if turn is None or turn.activation.policy != named[0]:
            raise _not_in_force(named, scope)
        if named[1] not in {0, turn.activation.version}:
            raise _not_in_force(named, scope)
        _check_readable(state, turn)
        after, begins = (turn.review or turn.activation.position,) * 2
        if period.since:
            after = self._events.position_at(self._origin, period.since - 1)
            begins = after + 1  # the first that was recorded then or later
        if begins > as_of:
            raise invalid_field(
                "since",
                f"no event up to position {as_of} was recorded at that time or later",
                remedy="Ask for a period that holds an event.",
            )
        at = self._recorded_at
        return ReviewSubject(*turn.activation.named, scope, after, as_of, at(begins), at(as_of))

    def _last(self, period: PackPeriod) -> int:
        """Return the last position of a period; POSITION_BEYOND_HEAD."""
        head = self._events.head(self._origin).position
        if period.as_of > head:
            raise beyond_head(period.as_of, head)
        last = period.as_of or head
        if period.until:
            last = min(last, self._events.position_at(self._origin, period.until))
        return last

    def _recorded_at(self, position: int) -> int:
        event = self._events.event(self._origin, position) if position else None
        return 0 if event is None else event.recorded_at

    def _facts(self, subject: ReviewSubject, is_wanted: Callable[[], bool]) -> Iterator[Fact]:
        start = min(self._events.position_at(self._origin, subject.before), subject.after)
        until = self._events.of_types(self._origin, _UNOBSERVED, at_or_before=start)
        yield from map(_fact, until)
        while start < subject.as_of and is_wanted():
            page = self._events.read(self._origin, after=start, until=subject.as_of, limit=_PAGE)
            yield from (_fact(event) for event in page if event.type in PACK_TYPES)
            start = page[-1].position
        if start < subject.as_of:
            raise LedgerError(
                Reason.DEADLINE_EXCEEDED,
                "The pack was not ready in time.",
                remedy="Ask with a later deadline, or for a shorter period.",
            )


def _fact(event: RecordedEvent) -> Fact:
    return fact_of(event.position, event.stream, event.type, event.recorded_at, event.body_bytes)


def _check_readable(state: LifecycleState, turn: ReviewTurn) -> None:
    one = turn.activation
    draft = state.drafts.get(one.named)
    if draft is None or not draft.digest:
        raise LedgerError(
            Reason.BODY_ERASED,
            f"The document of {one} was erased, so nothing can be said of its rules.",
            remedy="Bring a version into force whose document is there.",
            metadata={"policy": one.policy, "version": str(one.version)},
        )


def _not_in_force(named: tuple[str, int], scope: ScopeKey) -> LedgerError:
    policy, version = named
    which = f"Version {version} of {policy}" if version else f"No version of {policy}"
    return LedgerError(
        Reason.POLICY_NOT_IN_FORCE,
        f"{which} {'was not' if version else 'was'} in force for {scope} as of the end of the "
        "period.",
        remedy=f"`decision-ledger policy show {policy}` says which versions are in force for whom.",
        metadata={"policy": policy, "version": str(version) if version else ""},
    )
