"""The refusals of steps in the life of a policy, each with what to do next."""

from collections.abc import Sequence

from ledger.application.documents.problems import Problem
from ledger.errors import LedgerError, Reason
from ledger.governance.lifecycle import ActivationFact, ScopeKey
from ledger.governance.requirements import Requirement


def unknown(policy: str, version: int) -> LedgerError:
    """Return the refusal of a version that was never drafted; 0 means any version."""
    which = f"version {version} of policy {policy}" if version else f"policy {policy}"
    return LedgerError(
        Reason.POLICY_UNKNOWN,
        f"No {which} was drafted.",
        remedy="List the policies and their versions: `decision-ledger policy list`.",
        metadata={"policy": policy, "version": str(version) if version else ""},
    )


def refused(fault: str) -> LedgerError:
    """Return the refusal of a step in the life of a policy."""
    return LedgerError(
        Reason.GOVERNANCE_REFUSED,
        f"The step was refused: {fault}.",
        remedy="Nothing was recorded. `policy status POLICY` says what may be done with it next.",
        metadata={"why": fault},
    )


def no_time_yet(consequence: str) -> LedgerError:
    """Return the refusal of what is for a time, before the first observation sets the clock."""
    fault = f"the ledger's clock is that of its data, and no observation has set it: {consequence}"
    return LedgerError(
        Reason.GOVERNANCE_REFUSED,
        f"The step was refused: {fault}.",
        remedy="Nothing was recorded. Report an observation once first (`signal submit`), then "
        "take the step again.",
        metadata={"why": fault},
    )


def not_activated(named: tuple[str, int], fault: str) -> LedgerError:
    """Return the refusal of an activation that lacks approvals."""
    policy, version = named
    return LedgerError(
        Reason.APPROVAL_MISSING,
        f"Version {version} of {policy} cannot come into force: {fault}.",
        remedy=f"`policy status {policy}` says which approvals are missing and who could give "
        "them: `policy submit`, then `policy approve`.",
        metadata={"policy": policy, "version": str(version), "why": fault},
    )


def could_not_be_followed(own: Requirement, why: str) -> LedgerError:
    """Return the refusal of a version that asks for approvals that no person could give."""
    return LedgerError(
        Reason.APPROVAL_MISSING,
        f"Nothing could follow {own.policy} version {own.version}, for the approvals that "
        f"it asks for could not be given: {why}.",
        remedy="Have an administrator named (`authority begin`) and the roles granted "
        "(`authority grant`), or draft a version that asks for less.",
        metadata={"policy": own.policy, "version": str(own.version)},
    )


def does_not_fit(named: tuple[str, int], faults: Sequence[Problem]) -> LedgerError:
    """Return the refusal of a drafted version by what the ledger does not have now."""
    policy, version = named
    first = faults[0]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return LedgerError(
        Reason.POLICY_INVALID,
        f"Version {version} of {policy} does not fit the ledger as it is now: {first.path}: "
        f"{first.message}{more}.",
        remedy=f"{first.remedy} Or draft a version that fits: `policy lint` says what does.",
        metadata={"policy": policy, "version": str(version), "path": first.path},
    )


def overlaps(
    named: tuple[str, int], scope: ScopeKey, other: ActivationFact, model: str
) -> LedgerError:
    """Return the refusal of a scope that holds a model of another one, and is not within it."""
    policy, version = named
    return LedgerError(
        Reason.GOVERNANCE_REFUSED,
        f"Version {version} of {policy} cannot come into force for {scope}: {model} is one of them "
        f"and of the {other.scope}, for which {other} is in force since position "
        f"{other.position}. Neither scope is within the other.",
        remedy="Nothing was recorded. Activate it for models with the labels of both, or for "
        "single models: `policy activate --label … --label …` or `--model …`.",
        metadata={"policy": policy, "version": str(version), "model": model},
    )


def beyond_head(position: int, head: int) -> LedgerError:
    """Return the refusal of a question about a position that is not there yet."""
    return LedgerError(
        Reason.POSITION_BEYOND_HEAD,
        f"as_of: position {position} lies beyond the head, {head}.",
        remedy="Ask for an earlier position.",
        metadata={"field": "as_of", "position": str(position), "head": str(head)},
    )
