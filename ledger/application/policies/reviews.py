"""Reviews of the policies in force of one ledger: the service records when one is due."""

from typing import Final

import structlog

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller
from ledger.application.periodic_task import GovernorTurn, record_each
from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.refusals import refused
from ledger.errors import Reason
from ledger.events.cases import GOVERNOR
from ledger.events.reviews import PolicyReviewDue
from ledger.governance.lifecycle import ScopeKey
from ledger.governance.reviews import due_fault, next_due
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store

_CALLER: Final = Caller(GOVERNOR)
_TRIES: Final = 5
_SOONER: Final = frozenset({Reason.GOVERNANCE_REFUSED, Reason.VERSION_CONFLICT})
"""Another server has recorded it, or another version came into force."""
_log: Final = structlog.get_logger("ledger.policies")


class PolicyReviews:
    """Records the reviews of one ledger's policies. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, governance: PolicyGovernance) -> None:
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
