"""Commands that describe the fleet: signals, models, deployments, policies.

Each answers a repeated request first, then checks the state it is about, then appends one event
guarded by that state. Whoever lost a race is told VERSION_CONFLICT and decides again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eventsourcing.persistence import IntegrityError

from ledger.application.aggregates import Aggregates, Fact, Model, Policy
from ledger.application.commands import (
    Caller,
    Written,
    model_stream,
    policy_stream,
    signal_stream,
)
from ledger.application.fleet import Fleet, PolicyView, model_unknown
from ledger.application.policy_lint import LintResult, lint
from ledger.application.policy_text import digest as policy_digest
from ledger.application.policy_text import refusal
from ledger.clock import Clock
from ledger.errors import LedgerError, Reason, invalid_field
from ledger.events.base import EventData
from ledger.events.envelope import encode_body
from ledger.events.fast import nano
from ledger.events.models import ModelDeployed, ModelRegistered, ModelRetired, ModelUpdated
from ledger.events.policies import PolicyActivated, PolicyDrafted, Scope
from ledger.events.signals import SignalDefined
from ledger.events.values import format_time
from ledger.storage.store import AppendRequest, LedgerInfo, NewEvent, Store

_MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """What a client states about a deployment; times in microseconds, the loss a decimal."""

    model: str
    model_version: str
    in_service_at: int
    trained_through: int
    baseline_loss: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Drafted:
    """A policy version that was written down."""

    written: Written
    version: int
    digest: str
    lint: LintResult


class FleetCommands:
    """The commands of one ledger."""

    def __init__(
        self, store: Store, info: LedgerInfo, fleet: Fleet, aggregates: Aggregates, clock: Clock
    ) -> None:
        self._store = store
        self._info = info
        self._fleet = fleet
        self._aggregates = aggregates
        self._clock = clock

    def define_signal(self, caller: Caller, signal: SignalDefined) -> Written:
        """Record a signal's definition, replacing the one before as a whole."""
        body = encode_body(actor=caller.actor, data=signal.to_data(), request_id=caller.request_id)
        result = self._store.append(
            AppendRequest(
                ledger=self._info.origin,
                actor=caller.actor,
                method="DefineSignal",
                events=[NewEvent(signal_stream(signal.signal), SignalDefined.TYPE, body)],
                request_id=caller.request_id,
                digest=caller.digest,
                deadline_monotonic=caller.deadline_monotonic,
            )
        )
        self._fleet.refresh(result.last_position)
        return Written.of(result)

    def register_model(self, caller: Caller, described: ModelRegistered) -> Written:
        """Record a new model; ALREADY_EXISTS where the name is taken, also by a retired one."""
        self._check_described(described)

        def decide() -> Fact:
            stream = model_stream(described.model)
            if self._aggregates.model(stream) is not None:
                raise LedgerError(
                    Reason.ALREADY_EXISTS,
                    f"A model is already registered under {described.model!r}.",
                    remedy="Update that model, or choose another name.",
                    metadata={"model": described.model},
                )
            return self._fact(caller, stream, 1, described)

        return self._save(caller, "RegisterModel", decide)

    def update_model(
        self, caller: Caller, described: ModelUpdated, expected_version: int | None
    ) -> Written:
        """Replace a model's description; VERSION_CONFLICT where `expected_version` is stale."""
        self._check_described(described)

        def decide() -> Fact:
            model = self._live_model(described.model)
            if expected_version is not None and expected_version != model.version:
                raise _stale(model.id, expected_version, model.version)
            return self._fact(caller, model.id, model.version + 1, described)

        return self._save(caller, "UpdateModel", decide)

    def retire_model(self, caller: Caller, model: str, reason: str) -> Written:
        """Record that a model left the fleet."""

        def decide() -> Fact:
            known = self._live_model(model)
            data = ModelRetired(model=model, reason=reason)
            return self._fact(caller, known.id, known.version + 1, data)

        return self._save(caller, "RetireModel", decide)

    def record_deployment(self, caller: Caller, spec: DeploymentSpec) -> Written:
        """Record that a version went into service: trained if it is new, reinstated if not."""
        self._check_deployment(spec)

        def decide() -> Fact:
            model = self._live_model(spec.model)
            serving = model.in_service
            current = serving.model_version if serving else None
            if spec.replaces is not None and spec.replaces != current:
                raise LedgerError(
                    Reason.VERSION_CONFLICT,
                    f"{spec.model} is served by {current or 'no version'}, not by {spec.replaces}.",
                    remedy="Read the model again, then decide again what to deploy.",
                    metadata={"model": spec.model, "in_service": current or ""},
                )
            data = ModelDeployed(
                model=spec.model,
                model_version=spec.model_version,
                kind="reinstated" if _has_served(model, spec.model_version) else "trained",
                in_service_at=format_time(spec.in_service_at),
                trained_through=format_time(spec.trained_through),
                baseline_loss=spec.baseline_loss,
                replaces=current,
            )
            return self._fact(caller, model.id, model.version + 1, data)

        stated = spec.in_service_at
        return self._save(caller, "RecordDeployment", decide, stated_time=stated)

    def lint_policy(self, text: str) -> LintResult:
        """Return everything that is wrong or doubtful about a policy's text; writes nothing."""
        self._fleet.refresh()
        return lint(text, {view.defined.signal: view.defined for view in self._fleet.signals()})

    def draft_policy(self, caller: Caller, policy: str, text: str, rationale: str) -> Drafted:
        """Record the next version of a policy; POLICY_INVALID names every error of the text."""
        result = self.lint_policy(text)
        document = result.document
        errors = [problem for problem in result.problems if problem.severity == "error"]
        if document is None or errors:
            raise refusal(errors)
        digest = policy_digest(document)
        drafted: list[int] = []

        def decide() -> Fact:
            stream = policy_stream(policy)
            known = self._aggregates.policy(stream) or Policy(stream, 0)
            data = PolicyDrafted(
                policy=policy,
                version=len(known.drafts) + 1,
                digest=digest,
                document=document,
                rationale=rationale,
            )
            return self._fact(caller, stream, known.version + 1, data)

        written = self._save(caller, "DraftPolicy", decide)
        view = self._policy_view(policy)
        for draft, placed in zip(view.policy.drafts, view.drafted, strict=True):
            if placed.position == written.position:
                drafted.append(draft.version)
        return Drafted(written, drafted[0], digest, result)

    def activate_policy(
        self, caller: Caller, policy: str, version: int, digest: str, scope: Scope, rationale: str
    ) -> Written:
        """Record that a version came into force; `digest`, where given, must be that version's."""
        if scope.kind == "model" and scope.model is not None:
            self._fleet.refresh()
            if self._fleet.model(scope.model) is None:
                raise model_unknown(scope.model)

        def decide() -> Fact:
            stream = policy_stream(policy)
            known = self._aggregates.policy(stream)
            drafts = {} if known is None else {draft.version: draft for draft in known.drafts}
            if known is None or version not in drafts:
                raise policy_unknown(policy, version)
            draft = drafts[version]
            if digest and digest != draft.digest:
                raise invalid_field(
                    "digest",
                    f"version {version} of {policy} has digest {draft.digest}",
                    remedy="Read the version again and make sure that it is the one you mean.",
                )
            data = PolicyActivated(
                policy=policy,
                version=version,
                digest=draft.digest,
                scope=scope,
                rationale=rationale,
            )
            return self._fact(caller, stream, known.version + 1, data)

        return self._save(caller, "ActivatePolicy", decide)

    # ---- shared ----------------------------------------------------------------------------------

    def _save(
        self,
        caller: Caller,
        method: str,
        decide: Callable[[], Fact],
        stated_time: int | None = None,
    ) -> Written:
        answered = answered_before(self._store, self._info, caller, method)
        if answered is not None:
            return answered
        fact = decide()
        try:
            position = self._aggregates.save(
                fact,
                method=method,
                request_id=caller.request_id,
                digest=caller.digest,
                stated_time=stated_time,
                deadline_monotonic=caller.deadline_monotonic,
            )
        except IntegrityError as error:
            raise _stale(
                fact.originator_id, fact.originator_version - 1, fact.originator_version
            ) from error
        self._fleet.refresh(position)
        event = self._store.event(self._info.origin, position)
        assert event is not None, "what was appended can be read"
        return Written(position, position, event.event_hash, event.recorded_at, repeated=False)

    def _fact(self, caller: Caller, stream: str, version: int, data: EventData) -> Fact:
        return Fact(stream, version, data, caller.actor, caller.request_id)

    def _live_model(self, name: str) -> Model:
        model = self._aggregates.model(model_stream(name))
        if model is None:
            raise model_unknown(name)
        if model.retired:
            return self._fleet.require_model(name).model  # raises MODEL_RETIRED
        return model

    def _policy_view(self, policy: str) -> PolicyView:
        view = self._fleet.policy(policy)
        assert view is not None, "a drafted policy is known"
        return view

    def _check_described(self, described: ModelRegistered | ModelUpdated) -> None:
        if int(described.cost_micros) <= 0:
            raise invalid_field("cost_micros", "must be above 0: nothing is retrained for free")
        if int(described.unit_value_micros) < 0:
            raise invalid_field("unit_value_micros", "must not be below 0")
        slo = described.slo_signal
        if slo is not None and self._fleet.signal(slo) is None:
            self._fleet.refresh()
            if self._fleet.signal(slo) is None:
                raise LedgerError(
                    Reason.SIGNAL_UNKNOWN,
                    f"slo_signal: no signal is defined under {slo!r}.",
                    remedy="Define the signal first, or leave the field empty.",
                    metadata={"signal": slo, "field": "slo_signal"},
                )

    def _check_deployment(self, spec: DeploymentSpec) -> None:
        if nano(spec.baseline_loss) <= 0:
            raise invalid_field("baseline_loss", "must be above 0")
        if spec.trained_through > spec.in_service_at:
            raise invalid_field("trained_through", "lies after in_service_at")
        if self._info.clock == "wall":
            latest = self._clock.now_micros() + self._info.skew_seconds * _MICROS
            if spec.in_service_at > latest:
                raise LedgerError(
                    Reason.CLOCK_AHEAD,
                    f"in_service_at lies more than {self._info.skew_seconds} s ahead of the "
                    "ledger's clock.",
                    remedy="Record the deployment when it happens, and set the source's clock.",
                    metadata={"field": "in_service_at"},
                )


def answered_before(store: Store, info: LedgerInfo, caller: Caller, method: str) -> Written | None:
    """Return the first answer to a repeated request; REQUEST_ID_REUSED if its content differs."""
    if caller.request_id is None:
        return None
    found = store.answered(info.origin, caller.actor, method, caller.request_id)
    if found is None:
        return None
    digest, first, last = found
    if digest != caller.digest:
        raise LedgerError(
            Reason.REQUEST_ID_REUSED,
            f"Request id {caller.request_id!r} was used before for another {method} request.",
            remedy="Use a fresh request id for every new request, the same one only to retry.",
            metadata={
                "request_id": caller.request_id,
                "first_position": str(first),
                "last_position": str(last),
            },
        )
    event = store.event(info.origin, last)
    assert event is not None, "an answered request's events exist"
    return Written(first, last, event.event_hash, event.recorded_at, repeated=True)


def policy_unknown(policy: str, version: int | None = None) -> LedgerError:
    """Return the refusal of a policy, or a version of it, that was never drafted."""
    which = policy if version is None else f"{policy} version {version}"
    return LedgerError(
        Reason.POLICY_UNKNOWN,
        f"No policy {which} was drafted.",
        remedy="List the policies and their versions.",
        metadata={"policy": policy, "version": "" if version is None else str(version)},
    )


def _has_served(model: Model, version: str) -> bool:
    return any(one.model_version == version for one in model.deployments)


def _stale(stream: str, expected: int, found: int) -> LedgerError:
    return LedgerError(
        Reason.VERSION_CONFLICT,
        f"{stream} has changed: version {expected} was expected, {found} or later was found.",
        remedy="Read it again, then decide again.",
        metadata={"stream": stream, "expected": str(expected), "found": str(found)},
    )
