"""Activations of policies that the service records when their time has come.

An emergency that was not ratified in time ends, and what was before is in force again. A version
whose time was set comes into force, or its schedule is withdrawn with the reason why it may not: an
emergency there that waits for ratification is one, for nothing else may end it unseen.
"""

from typing import Final

import structlog

from ledger.application.commands import Caller
from ledger.application.fleet.commands import FleetCommands
from ledger.application.periodic_task import OVERTAKEN, RECORDED, GovernorTurn
from ledger.application.policies.activation_spec import ActivationSpec
from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.steps import ChosenVersion, PolicySteps
from ledger.errors import LedgerError, Reason
from ledger.events.base import EventData
from ledger.events.cases import GOVERNOR
from ledger.governance.followers import restored
from ledger.governance.lifecycle import ActivationFact, Schedule
from ledger.governance.steps import scope_part
from ledger.limits import TEXT_CHARS_MAX
from ledger.storage.records import Guard

_CALLER: Final = Caller(GOVERNOR)
_REVERTED: Final = "It was not ratified in time, so what was in force before is in force again."
_INSTEAD: Final = "It was not ratified in time, and what it replaced cannot be in force again."
_SOONER: Final = frozenset({Reason.VERSION_CONFLICT})
_REFUSING: Final = frozenset(
    {
        Reason.APPROVAL_MISSING,
        Reason.BODY_ERASED,
        Reason.GOVERNANCE_REFUSED,
        Reason.MEANING_PINNED,
        Reason.MODEL_RETIRED,
        Reason.POLICY_INVALID,
    }
)
"""Reasons by which an activation may not be: not now, and not later of itself."""

_log: Final = structlog.get_logger("ledger.policies")


class DuePolicies:
    """Records the activations of one ledger's policies that are due."""

    def __init__(
        self, commands: FleetCommands, steps: PolicySteps, governance: PolicyGovernance
    ) -> None:
        self._commands = commands
        self._steps = steps
        self._governance = governance

    def run(self) -> GovernorTurn:
        """Record what is due by now. Raises what an append does.

        Emergencies that are over come first, so that they hold up no time that was set.
        """
        judged = self._governance.judged()
        now, turn = judged.moment.at, GovernorTurn()
        for waiting in judged.state.waiting():
            if waiting.ratify_until > now:
                continue
            # The one before it in this loop may have been in force around it.
            after = restored(self._governance.judged().state, waiting)
            if after is None:
                _not_ended(waiting, "no version is known that could be in force there again")
            else:
                turn += self._revert(waiting, after)
        for schedule in judged.state.schedules.values():
            if schedule.effective_at <= now:
                turn += self._come_into_force(schedule)
        return turn

    def _come_into_force(self, schedule: Schedule) -> GovernorTurn:
        wanted = ActivationSpec(
            schedule.policy,
            schedule.version,
            schedule.digest,
            scope_part(schedule.scope),
            schedule.rationale,
        )

        def make(_: str, wanted: ActivationSpec) -> tuple[EventData, list[Guard]]:
            return self._governance.come_due(wanted, schedule)

        try:
            self._commands.activate_due(_CALLER, wanted, make)
        except LedgerError as error:
            if error.reason in _SOONER:
                return OVERTAKEN
            if error.reason not in _REFUSING:
                raise
            _log.error(
                "policy.schedule_dropped",
                policy=schedule.policy,
                version=schedule.version,
                position=schedule.position,
                why=error.message,
            )
            version, why = ChosenVersion(*schedule.named), error.message[:TEXT_CHARS_MAX]
            self._steps.withdraw_schedule(_CALLER, version, why, schedule.position)
        return RECORDED

    def _revert(self, waiting: ActivationFact, after: ActivationFact) -> GovernorTurn:
        scope = scope_part(waiting.scope)
        why = _REVERTED if waiting.replaces in {None, after.position} else _INSTEAD
        wanted = ActivationSpec(*after.named, after.digest, scope, why)
        try:
            written = self._commands.revert_policy(_CALLER, wanted, self._governance.reverted)
        except LedgerError as error:
            if error.reason in _SOONER:
                return OVERTAKEN
            if error.reason not in _REFUSING:
                raise
            _not_ended(waiting, error.message)
            if error.reason is Reason.GOVERNANCE_REFUSED:
                return OVERTAKEN  # it may just have been ratified, or something around it ended
            return GovernorTurn()  # nothing can be done; the auditor says so
        _log.warning(
            "policy.emergency_ended",
            policy=waiting.policy,
            version=waiting.version,
            emergency=waiting.position,
            position=written.last_position,
            follows=str(after),
            is_what_was_before=why == _REVERTED,
        )
        return RECORDED


def _not_ended(waiting: ActivationFact, why: str) -> None:
    _log.error(
        "policy.emergency_not_ended",
        policy=waiting.policy,
        version=waiting.version,
        emergency=waiting.position,
        why=why,
    )
