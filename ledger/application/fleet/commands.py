"""Commands that describe the fleet: models, deployments, policies.

Each checks the state that it is about and decides the next event of an aggregate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import structlog

from ledger.application.appender import Proposal
from ledger.application.commands import Caller, no_definition_after
from ledger.application.fleet.aggregates import ModelAggregate, PolicyAggregate
from ledger.application.fleet.definitions import Definitions
from ledger.application.fleet.deployments import DeploymentSpec, check_deployment, deployed
from ledger.application.fleet.fleet import Fleet, model_retired
from ledger.application.fleet.history import HistoryReader, PriorDecision
from ledger.application.fleet.intake import name_fault
from ledger.application.fleet.repository import Aggregates, next_event, stale
from ledger.application.names import did_you_mean
from ledger.application.policies.activation_spec import ActivationSpec
from ledger.application.policies.definition_usage import (
    backwards,
    contradicts,
    outdated,
    signals_of,
)
from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.lint import LintResult
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.base import EventData
from ledger.events.models import ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.policies import PolicyActivated, PolicyDrafted, ScopePart
from ledger.events.registry import typed
from ledger.jobs.money import is_top_tier
from ledger.limits import MONEY_MICROS_MAX
from ledger.storage.records import AppendResult, Guard, LedgerInfo
from ledger.storage.store import Store

_log: Final = structlog.get_logger("ledger.policies")

MakeActivation: TypeAlias = Callable[[str, ActivationSpec], tuple[EventData, list[Guard]]]
"""Makes the activation that an actor wants, and the guards of what it rests on."""


@dataclass(frozen=True, slots=True)
class DraftResult:
    """A policy version that was written down."""

    written: AppendResult
    version: int
    digest: str
    lint: LintResult


class FleetCommands:
    """The commands of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: Fleet,
        aggregates: Aggregates,
        histories: HistoryReader,
        definitions: Definitions,
        governance: PolicyGovernance,
    ) -> None:
        self._store = store
        self._info = info
        self._fleet = fleet
        self._aggregates = aggregates
        self._histories = histories
        self._definitions = definitions
        self._governance = governance

    def register_model(self, caller: Caller, described: ModelRegistered) -> AppendResult:
        """Record a new model; ALREADY_EXISTS where the name is taken, also by a retired one."""

        def decide() -> Proposal:
            self._check_described(described)
            if self._aggregates.model(described.model) is not None:
                raise LedgerError(
                    Reason.ALREADY_EXISTS,
                    f"A model is already registered under {described.model!r}.",
                    remedy="Update that model, or choose another name.",
                    metadata={"model": described.model},
                )
            return next_event(0, described)

        return self.save(caller, described.METHOD, decide)

    def update_model(
        self, caller: Caller, described: ModelUpdated, expected_version: int | None
    ) -> AppendResult:
        """Replace a model's description; VERSION_CONFLICT where `expected_version` is stale."""

        def decide() -> Proposal:
            self._check_described(described)
            model = self.live_model(described.model)
            if expected_version is not None and expected_version != model.version:
                raise stale(model.id, expected_version, model.version)
            return next_event(model.version, described)

        return self.save(caller, described.METHOD, decide)

    def retire_model(self, caller: Caller, model: str, reason: str) -> AppendResult:
        """Record that a model left the fleet."""

        def decide() -> Proposal:
            known = self.live_model(model)
            return next_event(known.version, ModelRetired(model=model, reason=reason))

        return self.save(caller, ModelRetired.METHOD, decide)

    def deployment(self, spec: DeploymentSpec) -> Proposal:
        """Propose that a version goes into service: trained if it is new, reinstated if not.

        One that is stated to have gone there before the one in service does not replace it: it is
        recorded as what was. ALREADY_EXISTS where the version serves at that time anyhow.
        While an action is in force for the model, the deployment follows from it: its event cites
        that decision and carries its run.
        """
        check_deployment(spec, self._info, self._store)
        model = self.live_model(spec.model)
        data, stated = deployed(spec, model), spec.in_service_at
        run_id, cause = self.run_in_force(spec.model)
        return next_event(model.version, data, run_id=run_id, cause=cause, stated_time=stated)

    def draft_policy(
        self, caller: Caller, policy: str, text: str, rationale: str, *, strict: bool = False
    ) -> DraftResult:
        """Record the next version of a policy; POLICY_INVALID names every error of the text.

        `strict`: whether a warning is one.
        """
        results: list[LintResult] = []

        def decide() -> Proposal:
            if fault := name_fault(policy):
                raise invalid_field("policy", fault)
            found, guards = self._definitions.linted(text)
            result = found.strict() if strict else found
            results.append(result)
            known = self._aggregates.policy(policy)
            version, drafts = (known.version, len(known.drafts)) if known else (0, 0)
            drafted = result.draft(policy, drafts + 1, rationale)
            return next_event(version, drafted, guards=guards)

        written = self.save(caller, PolicyDrafted.METHOD, decide)
        drafted = typed(self._aggregates.appender.event(written.last_position), PolicyDrafted)
        linted = results[-1] if results else self._definitions.lint(text)  # of a repeat
        return DraftResult(written, drafted.version, drafted.digest, linted)

    def activate_policy(
        self,
        caller: Caller,
        policy: str,
        version: int,
        digest: str,
        scope: ScopePart,
        rationale: str,
        shadow: int | None = None,
    ) -> AppendResult:
        """Record that a version came into force; `digest`, where given, must be that version's.

        Its event cites the shadow that it starts from. APPROVAL_MISSING where the policies in force
        ask for approvals that it has not.
        """
        wanted = ActivationSpec(policy, version, digest, scope, rationale, shadow)
        return self._activate(caller, wanted, self._governance.activated)

    def roll_back_policy(
        self,
        caller: Caller,
        policy: str,
        version: int,
        digest: str,
        scope: ScopePart,
        reason: str,
    ) -> AppendResult:
        """Record that a version is in force again that was before, in that very scope.

        GOVERNANCE_REFUSED where it was not, or is now.
        """
        wanted = ActivationSpec(policy, version, digest, scope, reason)
        return self._activate(caller, wanted, self._governance.rolled_back, is_back=True)

    def activate_in_emergency(
        self,
        caller: Caller,
        policy: str,
        version: int,
        digest: str,
        scope: ScopePart,
        reason: str,
    ) -> AppendResult:
        """Record that a version is in force without its approvals, until it must be ratified.

        GOVERNANCE_REFUSED where no approvals are asked for, or nothing could follow it.
        """
        wanted = ActivationSpec(policy, version, digest, scope, reason)
        written = self._activate(caller, wanted, self._governance.in_emergency)
        _log.warning(
            "policy.emergency",
            policy=policy,
            version=version,
            actor=caller.actor,
            position=written.last_position,
            why=reason,
        )
        return written

    def schedule_policy(  # noqa: PLR0913 - a version as it is activated, and when
        self,
        caller: Caller,
        policy: str,
        version: int,
        digest: str,
        scope: ScopePart,
        rationale: str,
        effective_time: int,
        *,
        shadow: int | None = None,
    ) -> AppendResult:
        """Record that a version is to come into force at a time; the rest as `activate_policy`.

        APPROVAL_MISSING where it lacks approvals that hold until then.
        """

        def make(actor: str, wanted: ActivationSpec) -> tuple[EventData, list[Guard]]:
            return self._governance.scheduled(actor, wanted, effective_time)

        wanted = ActivationSpec(policy, version, digest, scope, rationale, shadow)
        return self._activate(caller, wanted, make)

    def activate_due(
        self, caller: Caller, wanted: ActivationSpec, make: MakeActivation
    ) -> AppendResult:
        """Record an activation whose time has come; raises why it may not be."""
        return self._activate(caller, wanted, make)

    def revert_policy(
        self, caller: Caller, wanted: ActivationSpec, make: MakeActivation
    ) -> AppendResult:
        """Record what follows an emergency that was not ratified; raises why it may not be.

        Neither a retired model nor a document that is gone holds it up: nothing is decided then.
        """

        def decide() -> Proposal:
            known = self._aggregates.policy(wanted.policy)
            if known is None:
                raise self._fleet.policy_unknown(wanted.policy, wanted.version)
            guards: list[Guard] = []
            if known.drafts[wanted.version - 1] is not None:
                guards = self._check_meaning(wanted.policy, wanted.version, wanted.digest)
            data, judged = make(caller.actor, wanted)
            return next_event(known.version, data, guards=[*guards, *judged])

        return self.save(caller, PolicyActivated.METHOD, decide)

    def _activate(
        self, caller: Caller, asked: ActivationSpec, make: MakeActivation, *, is_back: bool = False
    ) -> AppendResult:
        """Record an activation; what is put back was looked at when it first came into force."""

        def decide() -> Proposal:
            self._check_scope(asked.scope)
            known, draft = self._draft(asked.policy, asked.version, asked.digest)
            guards = self._check_meaning(asked.policy, asked.version, draft.digest)
            if not is_back:
                guards += self._definitions.check_fit(*asked.named, draft.document, asked.scope)
            data, judged = make(caller.actor, replace(asked, digest=draft.digest))
            return next_event(known.version, data, cause=asked.shadow, guards=[*guards, *judged])

        return self.save(caller, PolicyActivated.METHOD, decide)

    def check_fit(self, policy: str, version: int, scope: ScopePart) -> list[Guard]:
        """Refuse a drafted version that does not fit the ledger as it is now; return guards of it.

        MEANING_PINNED where its signals mean something else by now, POLICY_INVALID where the ledger
        does not have them or their sources, GOVERNANCE_REFUSED where the scope overlaps another.
        """
        _, draft = self._draft(policy, version, "")
        guards = self._check_meaning(policy, version, draft.digest)
        return guards + self._definitions.check_fit(policy, version, draft.document, scope)

    def checked_draft(
        self, policy: str, version: int, digest: str, scope: ScopePart
    ) -> tuple[PolicyDrafted, list[Guard]]:
        """Return a version that may run on a scope, and the guards of that."""
        self._check_scope(scope)
        _, draft = self._draft(policy, version, digest)
        return draft, list(self._check_meaning(policy, version, draft.digest))

    def _draft(
        self, policy: str, version: int, digest: str
    ) -> tuple[PolicyAggregate, PolicyDrafted]:
        """Return a policy and the draft of a version of it that can be activated."""
        known = self._aggregates.policy(policy)
        if known is None or not 1 <= version <= len(known.drafts):
            raise self._fleet.policy_unknown(policy, version)
        draft = known.drafts[version - 1]
        if draft is None:
            self._fleet.refresh()
            view = self._fleet.policy(policy)
            assert view is not None, "a policy with a draft is known"
            raise self._histories.erasures.refusal(view.drafted[version - 1].position)
        if digest and digest != draft.digest:
            raise invalid_field(
                "digest",
                f"version {version} of {policy} has digest {draft.digest}",
                remedy="Read the version again and make sure that it is the one you mean.",
            )
        return known, draft

    def _check_meaning(self, policy: str, version: int, digest: str) -> list[Guard]:
        """Refuse a version that does not fit its signals; return what holds while they stay so."""
        head = self._store.events.head(self._info.origin).position
        drafted_at, document = self._histories.draft(policy, version, digest)
        if changes := self._definitions.usage.changes(document, drafted_at, head):
            raise outdated(policy, version, changes)
        self._fleet.refresh(head)
        defined = [view.defined for view in self._fleet.signals() if view.defined]
        if wrong := [one for one in defined if contradicts(document, one)]:
            raise backwards(wrong, f"version {version} of {policy}")
        return no_definition_after(head, signals_of(document))

    # ---- shared ----------------------------------------------------------------------------------

    def save(self, caller: Caller, method: str, decide: Callable[[], Proposal]) -> AppendResult:
        """Append what is decided, and have the fleet know it."""
        written = self._aggregates.save(caller, method, decide)
        self._fleet.refresh(written.last_position)
        return written

    def run_in_force(self, model: str) -> tuple[str | None, int | None]:
        """Return run and position of the action that is in force for a model, if any."""
        found = self._action_in_force(model)
        return (None, None) if found is None else (found.run_id, found.position)

    def is_at_top_tier(self, model: str) -> bool:
        """Whether the action in force is at its policy's top tier; False where that was erased."""
        found = self._action_in_force(model)
        policy = None if found is None else self._aggregates.policy(found.data.policy)
        if found is None or policy is None:
            return False
        drafted = policy.drafts[found.data.policy_version - 1]
        return drafted is not None and is_top_tier(drafted.document.model_dump(), found.data.tier)

    def _action_in_force(self, model: str) -> PriorDecision | None:
        head = self._store.events.head(self._info.origin).position
        found = self._histories.decision_in_force(model, head)
        return None if found is None or found.data.action == "NO_ACTION" else found

    def live_model(self, name: str) -> ModelAggregate:
        """Return a model; MODEL_UNKNOWN or MODEL_RETIRED where it is not in the fleet."""
        model = self._aggregates.model(name)
        if model is None:
            raise self._fleet.model_unknown(name)
        if model.retired:
            raise model_retired(name)
        return model

    def _check_scope(self, scope: ScopePart) -> None:
        """Refuse a scope that names nothing, or a model that is not there."""
        if (scope.kind == "model") != (scope.model is not None):
            raise invalid_field("scope.model", "belongs to a scope of one model, and to no other")
        if (scope.kind == "labels") != bool(scope.labels):
            raise invalid_field("scope.labels", "belong to a scope of labels, and to no other")
        if scope.model is not None:
            self.live_model(scope.model)

    def _check_described(self, described: ModelRegistered | ModelUpdated) -> None:
        if not 0 < int(described.cost_micros) <= MONEY_MICROS_MAX:
            raise invalid_field(
                "cost_micros",
                f"must be above 0, since nothing is retrained for free, to {MONEY_MICROS_MAX}",
            )
        if not 0 <= int(described.unit_value_micros) <= MONEY_MICROS_MAX:
            raise invalid_field("unit_value_micros", f"must be from 0 to {MONEY_MICROS_MAX}")
        slo = described.slo_signal
        if slo is not None and self._fleet.signal(slo) is None:
            self._fleet.refresh()
            if self._fleet.signal(slo) is None:
                raise LedgerError(
                    Reason.SIGNAL_UNKNOWN,
                    f"slo_signal: no signal is defined under {slo!r}.",
                    remedy=(
                        did_you_mean(slo, [view.name for view in self._fleet.signals()])
                        + "Define the signal first, or leave the field empty."
                    ),
                    metadata={"signal": slo, "field": "slo_signal"},
                )
