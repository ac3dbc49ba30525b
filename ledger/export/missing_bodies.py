"""Every event without body accounted for: erased and proven, erased as stated, or withheld."""

from dataclasses import dataclass

from ledger.chain.link import Link
from ledger.events.proving import BodyErased
from ledger.events.registry import keeps_body
from ledger.export.data import Data
from ledger.export.files import EVENTS, SCOPE, BundleError
from ledger.export.position_set import PositionSet, united
from ledger.export.scope import ERASED, BundleScope


@dataclass(frozen=True, slots=True)
class MissingBodies:
    """How many bodies are not in a bundle, by what is known of why."""

    erased_proven: int
    erased_stated: int
    withheld: int


class MissingBodyTally:
    """Takes every event of a bundle, and says in the end what became of the missing bodies."""

    def __init__(self, scope: BundleScope) -> None:
        self._scope = scope
        self._stated = [ranges for _, ranges in scope.withheld]
        self._found = [0] * len(self._stated)
        self._pending: list[tuple[int, int]] = []
        self._erased: list[tuple[int, int]] = []

    def take(self, link: Link, data: Data | None, line: int) -> None:
        """Take the next event, with its data if that is read."""
        if link.type == BodyErased.TYPE and data is not None:
            for first, last in data["positions"]:
                if not first <= last < link.position:
                    raise BundleError(EVENTS, line, "it names positions that it cannot be about")
                self._erased.append((first, last))
        if link.body is not None:
            return
        if keeps_body(link.type):
            raise BundleError(EVENTS, line, f"the body of {link.type} must not be missing")
        for at, ranges in enumerate(self._stated):
            if link.position in ranges:
                self._found[at] += 1
                return
        self._pending.append((link.position, line))

    def done(self) -> MissingBodies:
        """Return the counts; BundleError where a body is missing without account, or is not."""
        proven = united(self._erased)
        for position, line in self._pending:
            if position not in proven:
                raise BundleError(EVENTS, line, "its body is missing, and nothing says why")
        for (reason, ranges), found in zip(self._scope.withheld, self._found, strict=True):
            if ranges.count() != found:
                why = f"of {ranges.count()} positions withheld ({reason}), {found} are without body"
                raise BundleError(SCOPE, 0, why)
            if reason == ERASED and self._scope.kind == "full" and len(ranges.without(proven)):
                raise BundleError(SCOPE, 0, "what is erased in a full bundle is proven by an event")
        self._check_gone(proven)
        counts = [0, 0]
        for reason, ranges in self._scope.withheld:
            counts[reason == ERASED] += ranges.without(proven).count()
        total = len(self._pending) + sum(self._found)
        return MissingBodies(total - sum(counts), counts[True], counts[False])

    def _check_gone(self, proven: PositionSet) -> None:
        """Refuse a body that is there although an event of the bundle says that it was erased."""
        scope = self._scope
        if scope.kind == "stream":  # its positions have gaps of their own
            return
        covered = PositionSet([(scope.first_position, scope.last_position)])
        here = covered.without(covered.without(proven))
        for ranges in (*self._stated, united((at, at) for at, _ in self._pending)):
            here = here.without(ranges)
        for first, _ in here:
            line = first - scope.first_position + 1
            raise BundleError(EVENTS, line, "its body was erased, says the ledger, but it is here")
