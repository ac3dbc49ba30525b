"""A poisoned source: it reports absurd values, and no decision may change on its word alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from ledger.application.commands import Caller, ledger_time
from ledger.application.fleet.intake import ObservationRow
from ledger.application.ledger import LedgerApplication
from ledger.application.policies.compiled import CompiledPolicy
from ledger.errors import LedgerError
from ledger.events.values import SECOND
from ledger.limits import BATCH_OBSERVATIONS_MAX
from ledger.operations.drills.detection import Detection
from ledger.operations.drills.scene import Scene
from ledger.service import Service

_POISONER = Caller("services/drill-poisoner")
_ABSURD = "999999999"
_SAMPLES = 1_000_000
_NOTHING = "NO_ACTION"
_MODELS_TRIED = 50
_EVALUATIONS = 20


@dataclass(frozen=True, slots=True)
class _Target:
    """A model that is decided about, the version that serves, and by which policy."""

    model: str
    version: str
    policy: CompiledPolicy


def can_be_poisoned(scene: Scene) -> bool:
    """Whether the ledger has a model that is decided about: else there is nothing to change."""
    subject = scene.subject
    with Service(subject.settings(), subject.clock(scene.clock), create=False) as service:
        return next(_targets(service.ledger(subject.origin)), None) is not None


def poisoned_source(scene: Scene) -> Detection:
    """Fill the windows of all signals of a model with absurd values of one source.

    They are bad for a model that needs nothing done, and good for one that does, to hide it.
    """
    subject = scene.subject
    with Service(subject.settings(), subject.clock(scene.clock), create=False) as service:
        ledger = service.ledger(subject.origin)
        target, before = _chosen(ledger)
        now = ledger_time(ledger.info, service.store, ledger.log.head())
        rows = _absurd(target, now, is_bad=before == _NOTHING)
        while batch := list(islice(rows, BATCH_OBSERVATIONS_MAX)):
            ledger.intake.submit(_POISONER, batch).result()
        found = scene.watching()
        after = _action(ledger, target.model)
        policy = f"policy {target.policy.policy} version {target.policy.version}"
        if after == before:
            what = f"Model {target.model} stays at {after} under {policy}."
            found.saw(_bound_of(target.policy), what)
            found.said += _later(ledger, target.model, before)
        else:
            found.said.append(
                f"One source changed the action for model {target.model} from {before} to {after}:"
                f" bound it by `sources_needed`, `source_cap` or `max_priority_step` in {policy}."
            )
    return found


def _chosen(ledger: LedgerApplication) -> tuple[_Target, str]:
    """Return the first model that needs nothing done, or else the first, with its action."""
    found = []
    for target in islice(_targets(ledger), _MODELS_TRIED):
        found.append((target, _action(ledger, target.model)))
        if found[-1][1] == _NOTHING:
            return found[-1]
    return found[0]


def _later(ledger: LedgerApplication, model: str, before: str) -> Iterator[str]:
    """Yield when the action changes after all, if nothing is done about the source."""
    for number in range(2, _EVALUATIONS + 1):
        after = _action(ledger, model)
        if after != before:
            yield f"Left alone, that source changes it to {after} at evaluation {number}."
            return


def _targets(ledger: LedgerApplication) -> Iterator[_Target]:
    """Yield the models that are decided about, in order of name."""
    head = ledger.log.head()
    for one in ledger.fleet.models():
        if one.model.retired or not one.served:
            continue
        try:
            _, policy = ledger.decisions.decidable(one.name, head)
        except LedgerError:
            continue
        yield _Target(one.name, one.served[0][1], policy)


def _action(ledger: LedgerApplication, model: str) -> str:
    (decided,) = ledger.decisions.evaluate(_POISONER, [model], None).decided
    return decided.decision.action


def _absurd(target: _Target, now: int, *, is_bad: bool) -> Iterator[ObservationRow]:
    """Yield an observation for each bucket of each window, as bad or as good as can be."""
    for rule in target.policy.scoring.signals:
        value = _ABSURD if (rule.critical > rule.baseline) == is_bad else f"-{_ABSURD}"
        width = rule.bucket_seconds * SECOND
        for age in range(rule.window_seconds // rule.bucket_seconds):
            at = now - age * width
            if at > 0:
                yield (target.model, rule.signal, target.version, value, at, _SAMPLES)


def _bound_of(policy: CompiledPolicy) -> str:
    """Return the part of a policy that bounds what one source can do."""
    if all(rule.sources_needed > 1 for rule in policy.scoring.signals):
        return "sources_needed"
    if any(rule.source_cap is not None for rule in policy.scoring.signals):
        return "source_cap"
    return "max_priority_step" if policy.rules.max_priority_step else "rules"
