"""Begin and end shadows: policies that score and decide beside those in force."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import (
    Caller,
    fields_named,
    none_after,
    while_unobserved,
    work_time,
)
from ledger.application.fleet.commands import FleetCommands
from ledger.application.fleet.shadows import ShadowReader
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.envelope import RecordedEvent
from ledger.events.policies import ScopePart
from ledger.events.registry import typed
from ledger.events.shadows import SHADOW_TYPES, PolicyShadowed, ShadowEnd, ShadowEnded
from ledger.events.values import SECOND, format_time
from ledger.governance.shadows import Shadows, begin_fault, end_fault, promotion_fault
from ledger.limits import SHADOW_SECONDS_MAX, SHADOW_SECONDS_MIN
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class ListedShadow:
    """A shadow as its event began it, and whether it runs."""

    event: RecordedEvent
    begun: PolicyShadowed
    is_running: bool

    @property
    def position(self) -> int:
        """The position by which it is named."""
        return self.event.position


class Shadowing:
    """The shadows of one ledger. Safe between threads."""

    def __init__(
        self, store: Store, info: LedgerInfo, commands: FleetCommands, reader: ShadowReader
    ) -> None:
        self._store = store
        self._info = info
        self._commands = commands
        self._reader = reader
        self._appender = Appender(store, info.origin)

    def running(self, as_of: int | None = None) -> Shadows:
        """Return the shadows that run, now or at a position."""
        head = self._store.events.head(self._info.origin).position
        return self._reader.running(head if as_of is None else min(as_of, head))

    def every(self) -> list[ListedShadow]:
        """Return each shadow that ever began, in order of position; none that was erased."""
        running = self.running().running
        begun = self._store.events.of_types(self._info.origin, (PolicyShadowed.TYPE,))
        return [
            ListedShadow(event, typed(event, PolicyShadowed), event.position in running)
            for event in begun
            if event.body_bytes is not None
        ]

    def named(self, shadow: int) -> ListedShadow:
        """Return the shadow that began at a position; SHADOW_REFUSED where none did."""
        found = next((one for one in self.every() if one.position == shadow), None)
        if found is None:
            raise _refused("", f"has no shadow of position {shadow}")
        return found

    def promoted(self, shadow: int, policy: str, version: int, scope: ScopePart) -> int | None:
        """Return what a step of a version cites that starts from a shadow; 0: from none.

        SHADOW_REFUSED where that did not run this version on this scope.
        """
        if not shadow:
            return None
        shadows = self.running()
        found = shadows.begun.get(shadow)
        step = {
            "policy": policy,
            "version": version,
            "digest": "" if found is None else found.digest,  # a version has one
            "scope": scope.model_dump(),
        }
        if fault := promotion_fault(shadows, shadow, step):
            raise _refused(policy, f"is not promoted so: {fault}")
        return shadow

    def begin(
        self,
        caller: Caller,
        policy: str,
        version: int,
        digest: str,
        scope: ScopePart,
        seconds: int,
        rationale: str,
    ) -> AppendResult:
        """Have a drafted version run in shadow on a scope for a time; SHADOW_REFUSED with why."""
        if not SHADOW_SECONDS_MIN <= seconds <= SHADOW_SECONDS_MAX:
            raise invalid_field("seconds", "must be from an hour to a year and a day")

        def decide(running: Shadows, now: int) -> Proposal:
            draft, guards = self._commands.checked_draft(policy, version, digest, scope)
            with fields_named():
                data = PolicyShadowed(
                    policy=policy,
                    version=version,
                    digest=draft.digest,
                    scope=scope,
                    until=format_time(now + seconds * SECOND),
                    rationale=rationale,
                )
            if fault := begin_fault(running, data.to_data(), now):
                raise _refused(policy, f"cannot run in shadow: {fault}")
            return Proposal([Addition.of(data)], guards)

        return self._append(caller, PolicyShadowed.METHOD, decide)

    def end(
        self,
        caller: Caller,
        shadow: int,
        reason: str,
        *,
        ground: ShadowEnd = "asked",
        cause: int | None = None,
    ) -> AppendResult:
        """End a shadow; SHADOW_REFUSED where none of that position runs."""

        def decide(running: Shadows, now: int) -> Proposal:
            found = running.running.get(shadow)
            policy = "" if found is None else found.policy
            if found is None:
                raise _refused(policy, f"has no shadow of position {shadow} that runs")
            with fields_named():
                data = ShadowEnded(policy=policy, shadow=shadow, ground=ground, reason=reason)
            if fault := end_fault(running, data.to_data(), caller.actor, now):
                raise _refused(policy, f"keeps its shadow: {fault}")
            return Proposal([Addition.of(data, cause=cause or shadow)])

        return self._append(caller, ShadowEnded.METHOD, decide)

    def _append(
        self, caller: Caller, method: str, decide: Callable[[Shadows, int], Proposal]
    ) -> AppendResult:
        """Append what is decided of the shadows that run, guarded by them."""

        def proposed() -> Proposal:
            head = self._store.events.head(self._info.origin)
            made = decide(
                self._reader.running(head.position), work_time(self._info, self._store, head)
            )
            unchanged = none_after(head.position, None, *SHADOW_TYPES)
            guards = [unchanged, *while_unobserved(head), *made.guards]
            return Proposal(made.additions, guards)

        return self._appender.append(caller, method, proposed, tries=_TRIES)


def _refused(policy: str, why: str) -> LedgerError:
    return LedgerError(
        Reason.SHADOW_REFUSED,
        f"Policy {policy} {why}." if policy else f"The ledger {why}.",
        remedy="List the shadows that run: `decision-ledger policy shadows`.",
        metadata={"policy": policy, "why": why},
    )
