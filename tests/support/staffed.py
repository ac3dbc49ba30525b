"""A ledger under governance, in one process: people with roles, and policies that they approve."""

import json
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from ledger.application.commands import Caller
from ledger.application.fleet.definitions import Definitions
from ledger.application.policies.lint import LintResult, lint
from ledger.application.policies.steps import ChosenVersion
from ledger.events.authority import (
    ActorRegistered,
    AdministratorNamed,
    GrantScopePart,
    GrantWithdrawn,
    RoleGranted,
)
from ledger.events.policies import ScopePart
from ledger.storage.records import AppendResult
from tests.support.explained import explained
from tests.support.world import EVERYWHERE, World, policy_text

ROOT: Final = Caller("users/root")
OPERATOR: Final = Caller("system/operator")
AUTHOR: Final = Caller("users/author")
PAT: Final = Caller("users/pat")
PAT_TOO: Final = Caller("users/pat-too")
SAM: Final = Caller("users/sam")
KIM: Final = Caller("users/kim")
WHOLE: Final = GrantScopePart(labels={}, models=[], signals=[])
PERSONS: Final = {
    "users/author": "staff-author",
    "users/author-too": "staff-author",
    "users/ana": "staff-ana",
    "users/pat": "staff-pat",
    "users/pat-too": "staff-pat",
    "users/sam": "staff-sam",
    "users/kim": "staff-kim",
    "users/dpo": "staff-dpo",
}
APPROVER: Final = "policy-approver"


def governed_text(*approvals: tuple[str, int], title: str = "Test", **governance: object) -> str:
    """Return a policy of format policy/2 that asks for approvals of what follows it."""
    document = explained(json.loads(policy_text())) | {"title": title}
    asked = [{"role": role, "count": count} for role, count in approvals]
    document["governance"] = {"approvals": asked, **governance}
    return json.dumps(document)


class Governed(World):
    """A world of people: an administrator, an author, and three who approve."""

    def staff(self) -> "Governed":
        """Name an administrator, register everybody, and let three of them approve."""
        named = AdministratorNamed(
            actor=ROOT.actor, person="staff-root", identities=[], reason="It begins."
        )
        self.ledger.authority_changes.record(OPERATOR, "NameAdministrator", named)
        for actor, person in PERSONS.items():
            registered = ActorRegistered(actor=actor, person=person, meaning="")
            self.ledger.authority_changes.record(ROOT, "RegisterActor", registered)
        for one in (PAT, PAT_TOO, SAM, KIM):
            self.grant(one.actor, APPROVER)
        for actor in ("users/author", "users/author-too", "users/ana"):
            for role in (APPROVER, "policy-author", "operator"):
                self.grant(actor, role)
        self.grant("users/dpo", "data-protection-officer")
        return self

    def grant(self, actor: str, role: str, scope: GrantScopePart = WHOLE) -> int:
        """Grant a role for the whole ledger or a part; return where."""
        granted = RoleGranted(
            actor=actor, role=role, scope=scope, expires_at=None, reason="Work.", proposal=None
        )
        made = self.ledger.authority_changes.record(ROOT, "GrantRole", granted)
        return made.written.last_position

    def ungrant(self, position: int) -> None:
        """Withdraw a grant."""
        data = GrantWithdrawn(grant=position, reason="No more.", proposal=None)
        self.ledger.authority_changes.record(ROOT, "WithdrawGrant", data)

    # ---- steps -----------------------------------------------------------------------------------

    def drafted(self, text: str, policy: str = "main", by: Caller = AUTHOR) -> ChosenVersion:
        """Draft a version."""
        made = self.ledger.commands.draft_policy(by, policy, text, "because")
        return ChosenVersion(policy, made.version)

    def drafted_unseen(self, text: str) -> ChosenVersion:
        """Draft a version as by a service that did not look at the ledger."""

        def seen_alone(_: Definitions, text: str) -> LintResult:
            return lint(text)

        with patch.object(Definitions, "lint", seen_alone):
            return self.drafted(text)

    def submit(
        self, version: ChosenVersion, scope: ScopePart = EVERYWHERE, by: Caller = AUTHOR
    ) -> AppendResult:
        """Submit a version."""
        return self.ledger.policy_steps.submit(by, version, scope, "please")

    def approve(self, version: ChosenVersion, *by: Caller, role: str = "") -> int:
        """Have people approve a version; return where the last one did."""
        made = [self.ledger.policy_steps.approve(one, version, role, "fine") for one in by]
        return made[-1].last_position

    def enforce(
        self, version: ChosenVersion, scope: ScopePart = EVERYWHERE, by: Caller = PAT
    ) -> AppendResult:
        """Activate a version."""
        commands = self.ledger.commands
        return commands.activate_policy(by, version.policy, version.number, "", scope, "go")

    def roll_back(
        self, version: ChosenVersion, scope: ScopePart = EVERYWHERE, by: Caller = PAT
    ) -> AppendResult:
        """Put a version back in force."""
        commands = self.ledger.commands
        return commands.roll_back_policy(by, version.policy, version.number, "", scope, "worse")


def governed(path: Path, *approvals: tuple[str, int], clock: str = "wall", **more: Any) -> Governed:  # noqa: ANN401 - of the policy
    """Return a ledger with people, whose policy in force asks for approvals of the next one."""
    world = Governed(path, clock=clock)
    world.staff()
    world.ledger.definitions.define(AUTHOR, _loss())
    version = world.drafted(governed_text(*(approvals or ((APPROVER, 2),)), **more))
    world.enforce(version)
    return world


def _loss() -> Any:  # noqa: ANN401 - a definition
    from tests.support.world import defined

    return defined("loss")
