"""Benchmark models and known-good versions of one ledger: registered, retired, fallen back to."""

import threading
from collections.abc import Callable
from typing import Final, NamedTuple

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named, model_stream, none_after
from ledger.application.fleet.fleet import Fleet, model_retired
from ledger.errors import LedgerError, Reason
from ledger.events.models import ModelDeployed, ModelRetired
from ledger.events.recipes import (
    BENCHMARK_TYPES,
    BenchmarkData,
    BenchmarkKind,
    BenchmarkRegistered,
    BenchmarkRetired,
)
from ledger.jobs.benchmarks import Benchmarks, benchmark_fault
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5


class Training(NamedTuple):
    """How a benchmark was trained, as its deployment is to state it; None for what is not said."""

    trained_through: str | None
    """The time of the newest data, as events spell it."""
    baseline_loss: str | None


class BenchmarkModels:
    """The benchmark models of one ledger. Safe between threads; what is registered is a value."""

    def __init__(self, store: Store, info: LedgerInfo, fleet: Fleet) -> None:
        self._store = store
        self._info = info
        self._fleet = fleet
        self._appender = Appender(store, info.origin)
        self._lock = threading.Lock()
        self._known = Benchmarks()
        self._through = 0

    def registered(self) -> Benchmarks:
        """Return those that are registered at the head."""
        return self._at(self._store.events.head(self._info.origin).position)

    def register(
        self,
        caller: Caller,
        model: str,
        version: str,
        kind: BenchmarkKind,
        artifact: str,
        note: str,
        training: Training | None = None,
    ) -> AppendResult:
        """Record a version as a benchmark, or as known to be good; BENCHMARK_REFUSED.

        MODEL_UNKNOWN or MODEL_RETIRED where the model is not in the fleet.
        """

        def make() -> BenchmarkData:
            view = self._fleet.model(model)
            if view is not None and view.model.retired:
                raise model_retired(model)
            said = Training(None, None) if training is None else training
            return BenchmarkRegistered(
                model=model,
                model_version=version,
                kind=kind,
                artifact=artifact,
                trained_through=said.trained_through,
                baseline_loss=said.baseline_loss,
                note=note,
            )

        return self._record(caller, BenchmarkRegistered.METHOD, model, make)

    def retire(
        self, caller: Caller, model: str, version: str, kind: BenchmarkKind, reason: str
    ) -> AppendResult:
        """Record that a version is none any more; BENCHMARK_REFUSED where it is not registered."""

        def make() -> BenchmarkData:
            return BenchmarkRetired(model=model, model_version=version, kind=kind, reason=reason)

        return self._record(caller, BenchmarkRetired.METHOD, model, make)

    def _record(
        self, caller: Caller, method: str, model: str, make: Callable[[], BenchmarkData]
    ) -> AppendResult:
        def decide() -> Proposal:
            head = self._store.events.head(self._info.origin).position
            self._fleet.refresh(head)
            view = self._fleet.model(model)
            if view is None:
                raise self._fleet.model_unknown(model)
            with fields_named():
                made = make()
            served = {one.model_version for one in view.model.deployments}
            known = self._at(head)
            if fault := benchmark_fault(known, made.TYPE, caller.actor, made.to_data(), served):
                raise _refused(fault)
            stream = model_stream(model)
            changes = none_after(head, stream, ModelDeployed.TYPE, ModelRetired.TYPE)
            guards = [none_after(head, made.stream_name, *BENCHMARK_TYPES), changes]
            return Proposal([Addition.of(made)], guards)

        return self._appender.append(caller, method, decide, tries=_TRIES)

    def _at(self, head: int) -> Benchmarks:
        """Return those at a head, or at a later one that another thread has read."""
        with self._lock:
            if head > self._through:
                for event in self._store.events.of_types(
                    self._info.origin, BENCHMARK_TYPES, after=self._through, at_or_before=head
                ):
                    self._known = self._known.applied(event.position, event.type, event.data)
                self._through = head
            return self._known


def _refused(fault: str) -> LedgerError:
    return LedgerError(
        Reason.BENCHMARK_REFUSED,
        f"{fault[:1].upper()}{fault[1:]}. Nothing was written.",
        remedy="`benchmark list` shows what is registered, `model show` which versions served.",
    )
