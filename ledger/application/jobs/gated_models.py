"""Which models of one ledger have their versions go live by jobs that pass their gates."""

from ledger.application.commands import model_stream
from ledger.application.fleet.history import HistoryReader
from ledger.errors import LedgerError, Reason
from ledger.events.models import DESCRIBING, ModelDeployed, ModelDescribed
from ledger.events.registry import decode_data
from ledger.jobs.deployment_grounds import counting, gates_wanted, is_gated
from ledger.jobs.policy_terms import jobs_part
from ledger.storage.records import LedgerInfo
from ledger.storage.store import Store


class GatedModels:
    """Judges the models of one ledger. Safe between threads."""

    def __init__(self, store: Store, info: LedgerInfo, histories: HistoryReader) -> None:
        self._events = store.events
        self._origin = info.origin
        self._histories = histories

    def why(self, model: str, as_of: int) -> str:
        """Return why versions of a model go live by jobs' gates alone; empty where they do not.

        A policy wants it that is in force at a position for the model as it is described, or as it
        was while a version of it served. A document that was erased wants nothing.
        """
        self._histories.refuse_unknown(model_stream(model), as_of)
        found = reversed(self._described(model, as_of))
        gating = ((at, self._gating(one, as_of)) for at, one in found)
        return next((gates_wanted(policy, at) for at, policy in gating if policy), "")

    def _described(self, model: str, as_of: int) -> list[tuple[int, ModelDescribed]]:
        """Return the descriptions that count, in order: of those with equal labels the newest."""
        stream = model_stream(model)
        events = self._events.of_types(self._origin, DESCRIBING, stream=stream, at_or_before=as_of)
        served = self._events.of_types(
            self._origin, (ModelDeployed.TYPE,), stream=stream, at_or_before=as_of, limit=1
        )
        first = served[0].position if served else None
        places = sorted(events, key=lambda one: one.position)
        by_labels: dict[tuple[tuple[str, str], ...], tuple[int, ModelDescribed]] = {}
        for event in counting([(one.position, one) for one in places], first):
            if event.body_bytes is not None:
                data = decode_data(event)
                assert isinstance(data, ModelDescribed), "its type describes a model"
                by_labels[tuple(sorted(data.labels.items()))] = event.position, data
        return sorted(by_labels.values(), key=lambda one: one[0])

    def _gating(self, described: ModelDescribed, as_of: int) -> str:
        """Return the policy in force for a description where it wants gates; else empty."""
        try:
            policy = self._histories.policy_in_force(described, as_of)
        except LedgerError as error:
            if error.reason is not Reason.BODY_ERASED:
                raise
            return ""
        if policy is None or not is_gated(jobs_part(policy.document)):
            return ""
        return policy.policy
