"""How a signal is defined: alone, or together with the policies that its new meaning touches.

A change of meaning under policies in force is one append: the definition, a draft for each version
that it touches, and an activation for each scope in which such a version is in force. The cause of
each is the definition. So nothing lies between them, and at no position is a policy in force that
was drafted against another meaning.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.application.appender import Addition, Proposal
from ledger.application.commands import (
    Caller,
    fields_named,
    model_stream,
    no_definition_after,
    no_erasure_after,
    none_after,
    policy_stream,
)
from ledger.application.fleet.aggregates import POLICY_TYPES
from ledger.application.fleet.fleet import Fleet
from ledger.application.fleet.overlaps import overlap_refused
from ledger.application.fleet.repository import Aggregates, unchanged
from ledger.application.fleet.sources import seen_sources
from ledger.application.policies.authoring import POLICY_1
from ledger.application.policies.definition_usage import (
    DefinitionUsage,
    Named,
    PolicyInForce,
    awaited,
    backwards,
    contradicts,
    difference,
    outdated,
    pinned,
    signals_of,
)
from ledger.application.policies.fleet_lint import LintFleet, SeenSources, WantedSources
from ledger.application.policies.governance import PolicyGovernance
from ledger.application.policies.history import PolicyHistory
from ledger.application.policies.lint import LintResult, fleet_faults, lint
from ledger.application.policies.lint_steps import PlannedModels
from ledger.application.policies.refusals import does_not_fit
from ledger.errors import invalid_field
from ledger.events.models import DESCRIBING
from ledger.events.policies import (
    ACTIVATED_TYPES,
    PolicyActivated,
    PolicyActivatedV1,
    PolicyDrafted,
    ScopePart,
)
from ledger.events.policy_document import PolicyDocument
from ledger.events.signals import SignalDefined, SignalDefinedV2, StandardPart
from ledger.governance.followers import restored
from ledger.governance.lifecycle import scope_key
from ledger.jobs.budget_scopes import counted_on
from ledger.jobs.budgets import Budget
from ledger.storage.records import AppendResult, Guard, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class Replacement:
    """A document that replaces a policy version; 0 means the only one that is touched."""

    policy: str
    version: int
    document: str
    rationale: str


class Definitions:
    """Defines the signals of one ledger."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: Fleet,
        aggregates: Aggregates,
        policies: PolicyHistory,
        governance: PolicyGovernance,
        budgets: Callable[[], list[Budget]],
    ) -> None:
        self._store = store
        self._origin = info.origin
        self._unit = info.unit_of_cost
        self._budgets = budgets
        self._fleet = fleet
        self._aggregates = aggregates
        self._policies = policies
        self._governance = governance
        self.usage = DefinitionUsage(store.events, info.origin, policies)

    def define(
        self,
        caller: Caller,
        signal: SignalDefined,
        replacements: Sequence[Replacement] = (),
        *,
        owner: str = "",
        standard: StandardPart | None = None,
    ) -> AppendResult:
        """Record a signal's definition, replacing the one before as a whole.

        An owner stays until another is stated; a definition that adopts a standard and states none
        is owned by its caller. `standard`: the entry of the catalogue that it adopts.

        A version in force is touched if it reads the signal and kind, unit or direction become
        others, or if its limits run against a first definition. MEANING_PINNED where one is touched
        and nothing replaces it, FIELD_INVALID where a replacement is for one that is not,
        APPROVAL_MISSING where approvals are asked for in a scope of one, POLICY_INVALID where a
        document does not fit the definitions as they will be.
        """
        # A caller that replaces policies has not seen what came between, so must decide itself.
        tries = 1 if replacements else _TRIES
        written = self._aggregates.appender.append(
            caller,
            signal.METHOD,
            lambda: self._decide(self._owned(caller, signal, owner, standard), replacements),
            tries=tries,
        )
        self._fleet.refresh(written.last_position)
        return written

    def lint(self, text: str, changed: SignalDefined | None = None) -> LintResult:
        """Return everything that is wrong or doubtful about a policy's text; writes nothing.

        `changed` is a definition that is to be recorded together with the policy.
        """
        self._fleet.refresh()
        defined = self._defined()
        if changed is not None:
            defined[changed.signal] = changed
        touched = [
            (change.signal, f"its {change.said} changed at position {change.position} under {use}")
            for use, change in self.usage.changes_in_force(self._fleet.position)
        ]
        governance = self._governance
        fleet = LintFleet(
            defined,
            touched,
            self._sources,
            governance.approvers,
            governance.authors,
            self._planned,
        )
        return lint(text, fleet)

    def linted(self, text: str) -> tuple[LintResult, list[Guard]]:
        """Return the same, and the guards that signals and persons are still as it was judged by.

        Sources only grow in number, and a document of format policy/1 is not refused by any.
        """
        guards = [self._governance.unchanged_authority()]
        self._fleet.refresh()
        head = self._fleet.position
        result = self.lint(text)
        if result.document is None or result.document.format == POLICY_1:
            return result, []
        return result, [*guards, *no_definition_after(head, signals_of(result.document))]

    def check_fit(
        self, policy: str, version: int, document: PolicyDocument, scope: ScopePart
    ) -> list[Guard]:
        """Refuse a drafted version whose signals, sources or scope the ledger as it is excludes.

        Returns the guards that its scope comes to hold no model of another one. Whether its
        approvals could be given is judged with the step itself. Under format policy/1 nothing is
        refused.
        """
        self._fleet.refresh()
        guards: list[Guard] = []
        if document.format != POLICY_1:
            if scope.kind == "labels":
                bearing = (*DESCRIBING, *ACTIVATED_TYPES)
                guards.append(none_after(self._fleet.position, None, *bearing))
            key, state = scope_key(scope.model_dump()), self._governance.as_of(None)
            fault = overlap_refused(state, self._fleet.models(), (policy, version), key)
            if fault is not None:
                raise fault
        fleet = LintFleet(self._defined(), sources=self._sources)
        if faults := fleet_faults(document, fleet):
            raise does_not_fit((policy, version), faults)
        return guards

    def _defined(self) -> dict[str, SignalDefined]:
        return {view.name: view.defined for view in self._fleet.signals() if view.defined}

    def _planned(self) -> PlannedModels:
        """Return the models that are not retired, as steps of planning bound them."""
        known = (one.model for one in self._fleet.models())
        models = [one.described for one in known if one.described and not one.retired]
        budgets = self._budgets()
        paying = [
            budget
            for one in models
            if (budget := counted_on(budgets, one.owner, one.labels, self._unit)) is not None
        ]
        return PlannedModels(
            frozenset(one.owner for one in models),
            is_paid=bool(paying),
            are_tests_paid=any(one.envelopes["tests"].cap_micros for one in paying),
        )

    def _sources(self, wanted: Sequence[WantedSources]) -> SeenSources:
        streams = (model_stream(view.name) for view in self._fleet.models())
        return seen_sources(self._store.events, self._origin, streams, wanted, self._fleet.position)

    # ---- deciding ----------------------------------------------------------------------------

    def _owned(
        self, caller: Caller, signal: SignalDefined, owner: str, standard: StandardPart | None
    ) -> SignalDefined:
        """Return the definition with its owner; as it is where it has none."""
        aggregate = self._aggregates.signal(signal.signal)
        known = aggregate.defined if aggregate is not None else None
        if not owner and isinstance(known, SignalDefinedV2):
            owner = known.owner
        if not owner and standard is not None:
            owner = caller.actor
        if not owner:
            return signal
        with fields_named():
            return SignalDefinedV2(**dict(signal), owner=owner, standard=standard)

    def _decide(self, signal: SignalDefined, replacements: Sequence[Replacement]) -> Proposal:
        """Return what is to be appended; raises where the request is refused as things are."""
        self._fleet.refresh()
        head = self._fleet.position
        aggregate = self._aggregates.signal(signal.signal)
        known = aggregate.defined if aggregate is not None else None
        said = "" if known is None else difference(known, signal)
        touched = self.usage.uses(signal.signal, head) if said or known is None else []
        if known is None:  # a policy may name signals that are not defined yet
            touched = [use for use in touched if contradicts(use.document, signal)]
        replaced = _matched(replacements, touched)
        if missing := [use for use in touched if use.named not in replaced]:
            if known is None:
                raise backwards([signal], ", ".join(str(use) for use in missing))
            raise pinned(signal.signal, said, missing)
        if said:
            self._check_followers(signal.signal, said)
        version = aggregate.version if aggregate is not None else 0
        guards = [unchanged(signal.stream_name, version)]
        if said or known is None:
            # In all streams: a policy that is not known yet may come into force meanwhile.
            guards += [none_after(head, None, type_) for type_ in ACTIVATED_TYPES]
        additions = [Addition.of(signal)]
        if replaced:
            with fields_named():
                following, more = self._replace(signal, replaced, head)
            additions += [Addition.of(one, follows=0) for one in following]
            guards += more
        return Proposal(additions, guards)

    def _check_followers(self, signal: str, said: str) -> None:
        """Refuse a change under a version that follows an emergency; MEANING_PINNED."""
        state = self._governance.judged().state
        for emergency in state.waiting():
            after = restored(state, emergency)
            use = None if after is None else self.usage.use(after)
            if use is not None and signal in signals_of(use.document):
                raise awaited(signal, said, use, emergency.position)

    def _replace(
        self, signal: SignalDefined, replaced: dict[Named, tuple[int, Replacement]], head: int
    ) -> tuple[list[PolicyDrafted | PolicyActivated], list[Guard]]:
        """Return drafts and activations, and guards of all that they were made of."""
        is_same = self._governance.unchanged_authority()
        drafts: dict[Named, PolicyDrafted] = {}
        numbers = Counter[str]()
        for named, (index, replacement) in replaced.items():
            policy = replacement.policy
            known = self._aggregates.policy(policy)
            assert known is not None, "a policy in force was drafted"
            numbers[policy] += 1
            drafts[named] = self.lint(replacement.document, signal).draft(
                policy,
                len(known.drafts) + numbers[policy],
                replacement.rationale,
                within=f"replacements[{index}].document",
            )
        self._governance.check_drafted(drafts)
        activations = self._activations(drafts, head)
        read = set().union(*(signals_of(draft.document) for draft in drafts.values()))
        guards = no_definition_after(head, read)
        guards += [
            Guard(policy_stream(policy), POLICY_TYPES, after_position=head) for policy in numbers
        ]
        guards += [no_erasure_after(head), is_same]
        guards += self._governance.check_free(one.scope for one in activations)
        return [*drafts.values(), *activations], guards

    def _activations(
        self, drafts: dict[Named, PolicyDrafted], head: int
    ) -> list[PolicyActivatedV1]:
        """Return an activation for each scope of a replaced version, in the order of those.

        Of versions in force for one model the latest activated counts. So that it stays the same
        one, what was activated after a replaced version and ranks with it is activated again.
        """
        again: list[PolicyActivatedV1] = []
        for one in self._policies.activations_in_force(head):
            draft: PolicyDrafted | PolicyActivated | None = drafts.get((one.policy, one.version))
            if draft is None:
                if not any(_ranks_with(one, other) for other in again):
                    continue
                self._check_current(one, head)
                draft = one
            again.append(
                PolicyActivatedV1(
                    policy=one.policy,
                    version=draft.version,
                    digest=draft.digest,
                    scope=one.scope,
                    rationale=draft.rationale,
                )
            )
        return again

    def _check_current(self, activated: PolicyActivated, head: int) -> None:
        """Refuse to activate again what was drafted against other definitions."""
        use = self.usage.use(activated)
        if use is not None and (changes := self.usage.changes(use.document, use.drafted_at, head)):
            raise outdated(use.policy, use.version, changes)


def _matched(
    replacements: Sequence[Replacement], touched: Sequence[PolicyInForce]
) -> dict[Named, tuple[int, Replacement]]:
    """Return index and replacement of each version that is replaced; each must be touched."""
    found: dict[Named, tuple[int, Replacement]] = {}
    for index, one in enumerate(replacements):
        versions = [
            use.version
            for use in touched
            if use.policy == one.policy and one.version in {0, use.version}
        ]
        if len(versions) == 1 and (one.policy, versions[0]) not in found:
            found[one.policy, versions[0]] = index, one
            continue
        which = f"{one.policy} version {one.version}" if one.version else one.policy
        named = ", ".join(str(use) for use in touched) or "none"
        what = f"this definition touches no version in force of {which}"
        if len(versions) > 1:
            what = f"{len(versions)} versions in force of {which} are touched: name one of them"
        elif versions:
            what = f"{which} is replaced twice"
        raise invalid_field(
            f"replacements[{index}].name",
            f"{what}; touched: {named}",
            remedy="Send one document for each version that is touched, and no other.",
        )
    return found


def _ranks_with(one: PolicyActivated, other: PolicyActivated) -> bool:
    """Whether of two activations in force the later one can be the one that counts."""
    is_by_labels = one.scope.kind == other.scope.kind == "labels"
    return is_by_labels or one.policy == other.policy
