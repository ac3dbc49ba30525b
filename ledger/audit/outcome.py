"""An outcome of a policy's rules at one horizon, and whether that is a new decision."""

from dataclasses import dataclass
from typing import Any, Final

from ledger.audit.audited_model import AuditedDecision, AuditedModel
from ledger.audit.parameters import Parameters
from ledger.events.decisions import RecordedEnvironment
from ledger.rules.procedure import Outcome

_COMPARED: Final = ("action", "tier", "rule", "reason", "held_back")


@dataclass(frozen=True, slots=True)
class DerivedOutcome:
    """An outcome, what the rules saw, and the decision that was in force."""

    facts: AuditedModel
    parameters: Parameters
    environment: RecordedEnvironment
    outcome: Outcome
    prior: AuditedDecision | None

    @property
    def members(self) -> dict[str, Any]:
        """The members of a decision that record it."""
        outcome = self.outcome
        replaced = outcome.overridden
        return {
            **{name: getattr(outcome, name) for name in _COMPARED},
            "overridden": None if replaced is None else replaced.model_dump(),
        }

    @property
    def is_change(self) -> bool:
        """Whether it differs from the decision in force: then it is recorded as a decision."""
        if self.prior is None:
            outcome = self.outcome
            is_plain = outcome.action == "NO_ACTION" and outcome.rule == ""
            return not is_plain or outcome.overridden is not None
        held, members = self.prior.data, self.members
        if _override_of(held) != _override_of(members):
            return True
        return any(held[name] != members[name] for name in _COMPARED)


def _override_of(members: dict[str, Any]) -> int | None:
    """Return where the override is that an outcome is under; None without one."""
    overridden = members["overridden"]
    return None if overridden is None else int(overridden["position"])
