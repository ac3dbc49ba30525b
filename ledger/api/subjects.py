"""The models and signals that a request names: a limited grant has to cover each of them."""

from collections.abc import Iterator
from typing import Any

from ledger.application.fleet.fleet import Fleet
from ledger.authority.state import Subject

_MODELS = "models/"


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
