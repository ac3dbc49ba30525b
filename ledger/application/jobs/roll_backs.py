"""Roll-backs that a person asks for: offered to executors like what the ledger itself proposes."""

from typing import Final, NamedTuple

from ledger.application.appender import Addition, Appender, Proposal
from ledger.application.commands import Caller, fields_named, model_stream, none_after
from ledger.application.fleet.aggregates import ModelAggregate
from ledger.application.fleet.commands import FleetCommands
from ledger.application.jobs.put_backs import PutBackReader
from ledger.application.jobs.reader import JobReader
from ledger.errors import LedgerError, Reason
from ledger.events.models import ModelDeployed, ModelRetired
from ledger.events.registry import typed
from ledger.events.reuse import RollBackAsked
from ledger.jobs.deployment_grounds import took_back
from ledger.jobs.put_backs import asked_fault
from ledger.storage.records import AppendResult, LedgerInfo
from ledger.storage.store import Store

_TRIES: Final = 5  # each time a version, a job or another person came first


class RollBackSpec(NamedTuple):
    """The wish of a person: which version is to serve again, and why.

    `model_version` "" means the one that the version in service replaced; None that nothing is to
    be put back any more of what was asked before.
    """

    model: str
    model_version: str | None
    reason: str


class RollBacks:
    """Records what persons ask to be put back in one ledger. Safe between threads."""

    def __init__(
        self,
        store: Store,
        info: LedgerInfo,
        fleet: FleetCommands,
        put_backs: PutBackReader,
        jobs: JobReader,
    ) -> None:
        self._appender = Appender(store, info.origin)
        self._fleet = fleet
        self._put_backs = put_backs
        self._jobs = jobs

    def ask(self, caller: Caller, spec: RollBackSpec) -> tuple[AppendResult, RollBackAsked]:
        """Record that an earlier version is to serve again, or that it is not any more.

        DEPLOYMENT_REFUSED where it is none that served before, or a job decides otherwise.
        """
        written = self._appender.append(
            caller, RollBackAsked.METHOD, lambda: self._proposal(caller, spec), tries=_TRIES
        )
        return written, typed(self._appender.event(written.last_position), RollBackAsked)

    def _proposal(self, caller: Caller, spec: RollBackSpec) -> Proposal:
        at, before = self._put_backs.of_model(spec.model)
        model = self._fleet.live_model(spec.model)
        data = _asked(model, spec)
        versions = [one.model_version for one in model.in_order if model.in_service is not None]
        fault = asked_fault(
            data.to_data(), caller.actor, versions, None if before is None else before.proposed
        )
        if fault:
            raise _refused(spec.model, fault)
        stream = model_stream(spec.model)
        guards = [
            none_after(at, stream, ModelDeployed.TYPE, ModelRetired.TYPE),
            none_after(at, data.stream_name, RollBackAsked.TYPE),
        ]
        if data.put_back is not None:
            self._check_jobs(spec.model, data.put_back)
        return Proposal([Addition.of(data)], guards)

    def _check_jobs(self, model: str, version: str) -> None:
        """Refuse what no executor could carry out, as a job is against it."""
        deciding, refusing = self._jobs.against(model, version, is_asked=True)
        if refusing is not None:
            raise _refused(model, took_back(refusing.name, version))
        if deciding is not None:
            raise LedgerError(
                Reason.DEPLOYMENT_REFUSED,
                f"No version of {model} can be rolled back to: job {deciding.name} of the model "
                "decides which version serves.",
                remedy=f"See where it is: `decision-ledger job show {deciding.name}`. While its "
                "version is observed, a cancel takes that back: "
                f"`decision-ledger job cancel {deciding.name} --reason WHY`.",
                metadata={"model": model, "job": deciding.name},
            )


def _asked(model: ModelAggregate, spec: RollBackSpec) -> RollBackAsked:
    """Return what a person asks for; DEPLOYMENT_REFUSED where no version served before."""
    serving = model.in_service
    if spec.model_version is None:
        wanted = in_service = None
    elif serving is None:
        raise _refused(spec.model, "which version serves is not known")
    else:
        in_service, wanted = serving.model_version, spec.model_version or serving.replaces
        if wanted is None:
            raise _refused(spec.model, f"{in_service} is its first version")
    with fields_named():
        return RollBackAsked(
            model=spec.model, in_service=in_service, put_back=wanted, reason=spec.reason
        )


def _refused(model: str, why: str) -> LedgerError:
    return LedgerError(
        Reason.DEPLOYMENT_REFUSED,
        f"No version of {model} can be rolled back to: {why}.",
        remedy=f"See its versions: `decision-ledger model show {model}`; and what is open: "
        "`decision-ledger plan put-backs`.",
        metadata={"model": model, "why": why},
    )
