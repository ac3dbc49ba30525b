"""The policy that a request means: a version, the one in force under a name, or a text."""

from dataclasses import dataclass

from ledger.application.fleet.definitions import Definitions
from ledger.application.fleet.fleet import Fleet
from ledger.application.policies.compiled import CompiledPolicy, compile_policy
from ledger.application.policies.history import PolicyHistory
from ledger.application.policies.text import refusal
from ledger.errors import LedgerError, Reason


@dataclass(frozen=True, slots=True)
class PolicyChoice:
    """A policy by name and version (0: the one in force), or by its text; `field` for refusals."""

    field: str
    policy: str = ""
    version: int = 0
    document: str = ""


class ChosenPolicies:
    """Reads the policies that requests mean."""

    def __init__(self, fleet: Fleet, policies: PolicyHistory, definitions: Definitions) -> None:
        self._fleet = fleet
        self._policies = policies
        self._definitions = definitions

    def chosen(self, choice: PolicyChoice) -> CompiledPolicy:
        """Return a policy ready for use.

        POLICY_INVALID for a text with errors, POLICY_UNKNOWN for what was never drafted,
        POLICY_NOT_IN_FORCE where a name without a version is in force nowhere, BODY_ERASED.
        """
        self._fleet.refresh()
        if choice.document:
            linted = self._definitions.lint(choice.document)
            if linted.document is None or linted.digest is None:
                raise refusal(linted.problems, choice.field)
            return compile_policy("draft", 1, linted.digest, linted.document)
        view = self._fleet.policy(choice.policy)
        if view is None:
            raise self._fleet.policy_unknown(choice.policy)
        if not choice.version:
            found = self._policies.fleet_policy(choice.policy, self._fleet.position)
            if found is None:
                raise _not_in_force(choice.policy)
            return found
        if choice.version > len(view.drafted):
            raise self._fleet.policy_unknown(choice.policy, choice.version)
        drafted = view.policy.drafts[choice.version - 1]
        if drafted is None:
            raise self._policies.erasures.refusal(view.drafted[choice.version - 1].position)
        return self._policies.compiled(drafted.policy, drafted.version, drafted.digest)


def _not_in_force(policy: str) -> LedgerError:
    return LedgerError(
        Reason.POLICY_NOT_IN_FORCE,
        f"No version of policy {policy} is in force.",
        remedy=f"Name a version, such as {policy}/1; `policy list` shows them.",
        metadata={"model": ""},
    )
