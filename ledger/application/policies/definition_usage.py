"""Meaning is pinned: what a signal measures does not change under a policy that is in force.

A version of a policy is drafted against the kind, unit and direction by which its signals are
defined then; its limits mean nothing by others. The words of a definition may change at any time.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger.application.commands import signal_stream
from ledger.application.policies.history import PolicyHistory
from ledger.errors import LedgerError, Reason
from ledger.events.policies import PolicyActivated
from ledger.events.policy_document import PolicyDocument
from ledger.events.registry import typed
from ledger.events.signals import DEFINED_TYPES, PINNED, SignalDefined
from ledger.governance.lifecycle import ActivationFact
from ledger.rules.policy_grounds import runs_against
from ledger.storage.events import Events

Named = tuple[str, int]
"""A policy and the number of one of its versions."""


@dataclass(frozen=True, slots=True)
class PolicyInForce:
    """A policy version in force that reads a signal, and where it was drafted."""

    policy: str
    version: int
    drafted_at: int
    document: PolicyDocument

    @property
    def named(self) -> Named:
        """The version as one looks it up."""
        return self.policy, self.version

    def __str__(self) -> str:
        """Return it as sentences name it."""
        return f"{self.policy} version {self.version}"


@dataclass(frozen=True, slots=True)
class Change:
    """A definition that changed after a version was drafted against it."""

    signal: str
    position: int
    said: str


class DefinitionUsage:
    """Definitions and the policies that were drafted against them, in one ledger."""

    def __init__(self, events: Events, ledger: str, policies: PolicyHistory) -> None:
        self._events = events
        self._ledger = ledger
        self._policies = policies

    def uses(self, signal: str, as_of: int) -> list[PolicyInForce]:
        """Return the versions in force at a position that read a signal, each once."""
        return [use for use in self.in_force(as_of) if signal in signals_of(use.document)]

    def in_force(self, as_of: int) -> list[PolicyInForce]:
        """Return every version in force at a position; those whose document was erased are out."""
        found: dict[Named, PolicyInForce] = {}
        for activated in self._policies.activations_in_force(as_of):
            if (use := self.use(activated)) is not None:
                found[use.named] = use
        return list(found.values())

    def use(self, activated: PolicyActivated | ActivationFact) -> PolicyInForce | None:
        """Return the version that was activated; None where its document was erased."""
        try:
            drafted_at, document = self._policies.draft(
                activated.policy, activated.version, activated.digest
            )
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED:
                raise
            return None
        return PolicyInForce(activated.policy, activated.version, drafted_at, document)

    def replaced_between(self, first: int, last: int) -> list[PolicyInForce]:
        """Return the versions that were in force before a stretch of events, and are not after it.

        A definition alone replaces none.
        """
        if first == last:
            return []
        left = {use.named for use in self.in_force(last)}
        return [use for use in self.in_force(first - 1) if use.named not in left]

    def changes_in_force(self, as_of: int) -> list[tuple[PolicyInForce, Change]]:
        """Return how definitions changed under the versions in force; only earlier releases did."""
        return [
            (use, change)
            for use in self.in_force(as_of)
            for change in self.changes(use.document, use.drafted_at, as_of)
        ]

    def changes(self, document: PolicyDocument, drafted_at: int, as_of: int) -> list[Change]:
        """Return how definitions changed since a version was drafted against them."""
        return [
            change
            for signal in sorted(signals_of(document))
            for change in self._changes(signal, drafted_at, as_of)
        ]

    def _changes(self, signal: str, after: int, as_of: int) -> Iterator[Change]:
        """Yield how a signal's definition at a position differs from that at an earlier one."""
        events = [
            event
            for event in self._events.of_types(
                self._ledger,
                DEFINED_TYPES,
                stream=signal_stream(signal),
                at_or_before=as_of,
            )
            if event.body_bytes is not None
        ]
        before = [event for event in events if event.position < after]
        if not before or before[-1] is events[-1]:
            return  # it was not defined then, so nothing was there to be drafted against
        was, now = typed(before[-1], SignalDefined), typed(events[-1], SignalDefined)
        if said := difference(was, now):
            yield Change(signal, events[-1].position, said)


def signals_of(document: PolicyDocument) -> frozenset[str]:
    """Return the signals that a policy scores or plans by."""
    planned = () if document.planning is None else (document.planning.loss_signal,)
    return frozenset({*(rule.signal for rule in document.scoring.signals), *planned})


def difference(was: SignalDefined, now: SignalDefined) -> str:
    """Return what of a definition that policies rest on is another one; empty if nothing is."""
    return ", ".join(
        f"{name} from {getattr(was, name)} to {getattr(now, name)}"
        for name in PINNED
        if getattr(was, name) != getattr(now, name)
    )


def contradicts(document: PolicyDocument, defined: SignalDefined) -> bool:
    """Return whether a policy's limits for a signal run against the signal's direction."""
    return any(
        runs_against(rule, defined.direction)
        for rule in document.scoring.signals
        if rule.signal == defined.signal
    )


def backwards(signals: Sequence[SignalDefined], named: str) -> LedgerError:
    """Return the refusal of definitions and a policy of which one has the healthy side wrong."""
    said = ", ".join(f"{one.signal} ({one.direction.replace('_', ' ')})" for one in signals)
    return LedgerError(
        Reason.MEANING_PINNED,
        f"The limits of {named} run against the definition of {said}: its critical would lie on "
        "the healthy side of its baseline.",
        remedy="Draft and activate a version whose limits fit, or state the other direction.",
        metadata={"signal": signals[0].signal, "policies": named, "change": "direction"},
    )


def pinned(signal: str, said: str, uses: list[PolicyInForce]) -> LedgerError:
    """Return the refusal of a definition that policies in force were drafted against."""
    named = ", ".join(str(use) for use in uses)
    several = {one for one, count in Counter(use.policy for use in uses).items() if count > 1}
    names = [
        f"{use.policy}/versions/{use.version}" if use.policy in several else use.policy
        for use in uses
    ]
    return LedgerError(
        Reason.MEANING_PINNED,
        f"{signal} would change its {said}, and a policy in force was drafted against it: {named}.",
        remedy=(
            "Replace each of them in the same request, by a document that fits the new definition: "
            f"add `{' '.join(f'--policy {name}=FILE' for name in names)} --rationale WHY` "
            "(`replacements` in the API). Or define the new meaning under a name of its own. The "
            "words of `meaning` and `collection` may change at any time."
        ),
        metadata={"signal": signal, "policies": named, "change": said},
    )


def awaited(signal: str, said: str, use: PolicyInForce, emergency: int) -> LedgerError:
    """Return the refusal of a definition under a version that may be in force again soon."""
    return LedgerError(
        Reason.MEANING_PINNED,
        f"{signal} would change its {said}, and {use} follows if the emergency at position "
        f"{emergency} is not ratified; it was drafted against the definition as it is.",
        remedy="Wait until the emergency is ratified or over, or define the new meaning under a "
        "name of its own.",
        metadata={"signal": signal, "policies": str(use), "change": said},
    )


def outdated(policy: str, version: int, changes: list[Change]) -> LedgerError:
    """Return the refusal to activate a version whose signals mean something else by now."""
    said = "; ".join(f"{one.signal} changed its {one.said}" for one in changes)
    return LedgerError(
        Reason.MEANING_PINNED,
        f"Version {version} of {policy} was drafted against other definitions: since then {said} "
        f"(position {changes[-1].position}).",
        remedy="Draft a new version whose limits fit the definitions as they are now.",
        metadata={"policy": policy, "version": str(version), "signal": changes[-1].signal},
    )
