"""The models, signals and scopes that a request is about: a limited grant has to cover each."""

from collections.abc import Iterator
from typing import Any

from ledger.application.commands import model_stream, policy_stream
from ledger.application.fleet.fleet import Fleet
from ledger.authority.state import AuthorityState, Extent, Subject
from ledger.events.models import DESCRIBING
from ledger.governance.lifecycle import LIFECYCLE_TYPES, LifecycleState, ScopeKey
from ledger.governance.requirements import extent_of, person_of
from ledger.governance.steps import scope_concerned
from ledger.storage.records import Guard

_MODELS = "models/"
_NAME_PARTS = 4
"""Of `policies/{policy}/versions/{version}`."""


def subjects_of(fleet: Fleet, request: Any) -> Iterator[Subject]:  # noqa: ANN401 - any message
    """Yield what a request is about; nothing where it names neither a model nor a signal.

    A model that is unknown carries no labels. A description that is sent counts beside the one on
    record, so that a label neither lets a model in nor takes it out of a scope.
    """
    fields = request.DESCRIPTOR.fields_by_name
    if "observations" in fields:
        for model, signal in sorted({(one.model, one.signal) for one in request.observations}):
            yield _subject(fleet, model, signal)
        return
    if "signal" in fields and not isinstance(request.signal, str):
        yield Subject(signal=request.signal.signal)
        return
    if "model" in fields and not isinstance(request.model, str):
        sent = request.model
        if fleet.model(sent.model) is not None:
            yield _subject(fleet, sent.model)
        yield Subject(sent.model, None, dict(sent.labels))
        return
    for name in _named(request, fields):
        yield _subject(fleet, name)


def _named(request: Any, fields: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    """Yield the models that a request names by id or by resource name."""
    if "models" in fields:
        yield from sorted(set(request.models))
    if "model" in fields and request.model:
        yield request.model
    for field in ("name", "parent"):
        if field in fields and getattr(request, field).startswith(_MODELS):
            yield getattr(request, field).split("/")[1]


def _subject(fleet: Fleet, model: str, signal: str | None = None) -> Subject:
    view = fleet.model(model)
    labels = {} if view is None or view.model.described is None else view.model.described.labels
    return Subject(model, signal, labels)


# ---- approvals -----------------------------------------------------------------------------------


def approved_extents(
    state: LifecycleState,
    authority: AuthorityState,
    actor: str,
    request: Any,  # noqa: ANN401 - any message
) -> tuple[list[Extent], tuple[Guard, ...]]:
    """Return for what a request about approvals takes the right, and guards that it stays so.

    Nothing where the version that it names does not wait for approvals there.
    """
    policy, scope = _scope_of(state, authority, actor, request)
    if scope is None:
        return [], ()
    guards = [(policy_stream(policy), LIFECYCLE_TYPES)]
    if scope.model is not None:
        guards.append((model_stream(scope.model), frozenset(DESCRIBING)))
    return [extent_of(state, scope)], tuple(
        Guard(stream, types, after_position=state.position, is_passing=True)
        for stream, types in guards
    )


def _scope_of(
    state: LifecycleState,
    authority: AuthorityState,
    actor: str,
    request: Any,  # noqa: ANN401 - any message
) -> tuple[str, ScopeKey | None]:
    """Return the policy that a request names, and the scope that it concerns."""
    fields, parts = request.DESCRIPTOR.fields_by_name, request.name.split("/")
    if len(parts) != _NAME_PARTS or not parts[3].isdecimal():
        return "", None
    policy, version = parts[1], int(parts[3])
    named = {"policy": policy, "version": version}
    if "scope" in fields:  # the review of what is in force there
        model, labels = request.scope.model, dict(request.scope.labels.labels)
        kind = "model" if model else "labels" if labels else "ledger"
        return policy, ScopeKey(kind, model or None, tuple(sorted(labels.items())))
    if "submission" in fields:
        open_ = state.submission_at((policy, version), request.submission)
        return policy, None if open_ is None else open_.scope
    person = person_of(authority, actor)
    own = [
        one.position
        for one in state.approvals.values()
        if (one.policy, one.version) == (policy, version)
        and person_of(authority, one.actor) == person
        and not one.withdrawn_at
    ]
    return policy, scope_concerned(state, named | {"approval": own[-1]}) if own else None
