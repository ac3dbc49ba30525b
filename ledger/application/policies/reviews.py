"""Reviews of the policies in force of one ledger: recorded when they are due, signed by people."""

from dataclasses import dataclass
from typing import Final

import structlog

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, decided_before, fields_named
from ledger.application.periodic_task import GovernorTurn, record_each
from ledger.application.policies.governance import Judged, PolicyGovernance
from ledger.application.policies.refusals import refused, unknown
from ledger.application.policies.review_packs import PackPeriod, ReviewPacks
from ledger.errors import Reason
from ledger.events.cases import GOVERNOR
from ledger.events.reviews import PolicyReviewDue, PolicyReviewed, SuccessorPart
from ledger.governance.lifecycle import ReviewTurn, ScopeKey
from ledger.governance.requirements import extent_of, holds
from ledger.governance.reviews import (
    PACK_MICROS,
    due_fault,
    next_due,
    pack_fault,
    reviewed_fault,
    roles_asked,
)
from ledger.governance.steps import scope_part
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_CALLER: Final = Caller(GOVERNOR)
_TRIES: Final = 5
_SOONER: Final = frozenset({Reason.GOVERNANCE_REFUSED, Reason.VERSION_CONFLICT})
"""Another server has recorded it, or another version came into force."""
_log: Final = structlog.get_logger("ledger.policies")


@dataclass(frozen=True, slots=True)
class SignOff:
    """The statement of a person about a version in force: by which pack, why, and what follows."""

    policy: str
    version: int
    scope: ScopeKey
    as_of: int
    pack: str
    """The digest of the pack as of that position."""
    reason: str
    follow_up: tuple[str, int] | None = None
    """The draft that follows the version up; None where it is kept."""

    @property
    def named(self) -> tuple[str, int]:
        """The version as one looks it up."""
        return self.policy, self.version


class PolicyReviews:
    """Records the reviews of one ledger's policies. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, governance: PolicyGovernance) -> None:
        self.packs = ReviewPacks(store, info, governance)
        self._origin = info.origin
        self._appender = Appender(store, info.origin)
        self._governance = governance

    def run_due(self) -> GovernorTurn:
        """Record each review that is due, and remind of it."""
        judged = self._governance.judged()

        def remind(scope: ScopeKey) -> None:
            self._appender.append(_CALLER, "Governor", lambda: self._due(scope), tries=_TRIES)

        due = [
            scope
            for scope, turn in judged.state.turns.items()
            if next_due(judged.state, turn, judged.moment.at) is not None
        ]
        return record_each(due, remind, _SOONER)

    def sign_off(self, caller: Caller, wanted: SignOff) -> AppendResult:
        """Record that a person reviewed a version in force by a pack, and what follows of it.

        GOVERNANCE_REFUSED says why it may not be, also where the pack is another one by now.
        """

        def decide() -> Proposal:
            judged = self._governance.judged()
            turn = judged.state.turns.get(wanted.scope)
            if turn is None or turn.activation.named != wanted.named:
                raise refused(f"{wanted.policy} version {wanted.version} is not in force there")
            with fields_named():
                made = self._signed(judged, caller.actor, wanted, turn)
            state, authority, moment = judged.state, judged.authority, judged.moment
            if fault := reviewed_fault(state, authority, caller.actor, made.to_data(), moment):
                raise refused(fault)
            too_old = decided_before(self._check_pack(wanted, moment.at))
            guards = [*judged.guards(wanted.scope), too_old]
            return Proposal([Addition.of(made, cause=turn.due or None)], guards)

        return self._appender.append(caller, PolicyReviewed.METHOD, decide, tries=_TRIES)

    def _signed(
        self, judged: Judged, actor: str, wanted: SignOff, turn: ReviewTurn
    ) -> PolicyReviewed:
        state, follow_up = judged.state, None
        if wanted.follow_up is not None:
            policy, version = wanted.follow_up
            draft = state.drafts.get(wanted.follow_up)
            if draft is None or not draft.digest:
                raise unknown(policy, version)
            follow_up = SuccessorPart(policy=policy, version=version, digest=draft.digest)
        roles = roles_asked(state, wanted.named, wanted.scope)
        at = judged.moment.grants_at
        extent = extent_of(state, wanted.scope)
        held = [role for role in roles if holds(judged.authority, actor, role, at, extent)]
        return PolicyReviewed(
            policy=wanted.policy,
            version=wanted.version,
            digest=state.drafts[wanted.named].digest,
            scope=scope_part(wanted.scope),
            activation=turn.activation.position,
            review=turn.review or None,
            as_of=wanted.as_of,
            pack=wanted.pack,
            role=next(iter(held or roles), None),
            meaning="reviewed",
            outcome="kept" if follow_up is None else "follow_up",
            follow_up=follow_up,
            reason=wanted.reason,
        )

    def _check_pack(self, wanted: SignOff, now: int) -> int:
        """Return from which time on a pack is too old to be signed.

        GOVERNANCE_REFUSED where it is, or is not what the ledger gives as of its position.
        """
        period = PackPeriod(as_of=wanted.as_of)
        until = self.packs.subject(wanted.named, wanted.scope, period).until
        if fault := pack_fault(until, now):
            raise refused(fault)
        found = self.packs.pack(wanted.named, wanted.scope, period).digest
        if found != wanted.pack:
            raise refused(
                f"the pack as of position {wanted.as_of} has the digest {found}: read it again"
            )
        return until + PACK_MICROS + 1

    def _due(self, scope: ScopeKey) -> Proposal:
        """Return the event that is due for a scope; GOVERNANCE_REFUSED where none is."""
        judged = self._governance.judged()
        state, moment = judged.state, judged.moment
        turn = state.turns.get(scope)
        made = None if turn is None else next_due(state, turn, moment.at)
        if turn is None or made is None:
            raise refused("no review is due there")
        data = made.to_data()
        if fault := due_fault(state, judged.authority, GOVERNOR, data, moment):
            raise refused(fault)
        self._tell(made)
        return Proposal(
            [Addition.of(made, cause=turn.review or turn.activation.position)], judged.guards()
        )

    def _tell(self, made: PolicyReviewDue) -> None:
        _log.warning(
            "policy.review_due", ledger=self._origin, policy=made.policy, version=made.version,
            scope=made.scope.kind, due_at=made.due_at, reminder=made.reminder,
        )  # fmt: skip
