"""The result of a trial: the decisions of two policies at the same scores, counted and compared."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.events.policy_document import Action

RETRAIN: Final = "SCHEDULE_RETRAINING"
_NO_TIER: Final = frozenset({"", "none"})


@dataclass(frozen=True, slots=True)
class TrialStep:
    """The decision in force after one score; `position` is the score's, or the last one read."""

    model: str
    position: int
    evaluated_at: int
    priority: int
    action: Action
    tier: str
    rule: str
    is_begun: bool
    """Whether this score made it another decision than the one before."""
    last_action: Action
    """The action that was in force before this score."""
    cost_micros: int
    """The cost of one retraining of the model at that time."""

    @property
    def decided(self) -> tuple[str, str, str]:
        """The decision, without the numbers that led to it."""
        return decided(self.action, self.tier, self.rule)


def decided(action: str, tier: str, rule: str) -> tuple[str, str, str]:
    """Return a decision as one compares it.

    No action by no rule is what holds before any decision, so it is one with every tier.
    """
    return (action, "", "") if action == "NO_ACTION" and not rule else (action, tier, rule)


@dataclass(slots=True)
class Trial:
    """The decisions of one policy, by model in order of position."""

    steps: list[TrialStep] = field(default_factory=list)
    erased: int = 0
    """Events that were not there any more."""

    def add(self, step: TrialStep) -> None:
        """Take one more step."""
        self.steps.append(step)


@dataclass(frozen=True, slots=True)
class TrialSide:
    """The decisions of one policy, counted."""

    scores: int
    decisions: int
    """How often a score led to another decision than the one in force."""
    retrainings: int
    """How often SCHEDULE_RETRAINING came into force: each calls for one retraining."""
    cost_micros: int
    """The cost of those retrainings, by each model's own cost at the time."""
    actions: dict[str, int]
    """Scores after which each action was in force."""
    escalations: dict[str, int]
    """Decisions that reached each tier."""


@dataclass(frozen=True, slots=True)
class TrialDifference:
    """One score after which the decisions of the two policies differ."""

    before: TrialStep
    after: TrialStep


@dataclass(frozen=True, slots=True)
class ModelEffect:
    """The effect for one model."""

    model: str
    scores: int
    differing: int
    before: TrialSide
    after: TrialSide


@dataclass(frozen=True, slots=True)
class TrialReport:
    """Two trials beside each other."""

    before: TrialSide
    after: TrialSide
    models: tuple[ModelEffect, ...]
    differences: tuple[TrialDifference, ...]
    erased: int


def report_of(before: Trial, after: Trial) -> TrialReport:
    """Return what differs; a score that only one of the two has is counted, and differs not."""
    differences = tuple(_differences(before.steps, after.steps))
    own = [_by_model(trial.steps) for trial in (before, after)]
    differing = Counter(each.after.model for each in differences)
    models = tuple(
        ModelEffect(
            model,
            len(own[1][model]),
            differing[model],
            _side(own[0][model]),
            _side(own[1][model]),
        )
        for model in sorted({*own[0], *own[1]})
    )
    sides = _side(before.steps), _side(after.steps)
    return TrialReport(*sides, models, differences, after.erased)


def _by_model(steps: Sequence[TrialStep]) -> defaultdict[str, list[TrialStep]]:
    found: defaultdict[str, list[TrialStep]] = defaultdict(list)
    for step in steps:
        found[step.model].append(step)
    return found


def _differences(
    before: Sequence[TrialStep], after: Sequence[TrialStep]
) -> Iterator[TrialDifference]:
    at = {(step.model, step.position): step for step in before}
    for step in after:
        other = at.get((step.model, step.position))
        if other is not None and other.decided != step.decided:
            yield TrialDifference(other, step)


def _side(steps: Sequence[TrialStep]) -> TrialSide:
    """Return the counts of steps that are in order of model, then position."""
    begun = [step for step in steps if step.is_begun]
    retrainings = [step for step in begun if step.action == RETRAIN != step.last_action]
    return TrialSide(
        scores=len(steps),
        decisions=len(begun),
        retrainings=len(retrainings),
        cost_micros=sum(step.cost_micros for step in retrainings),
        actions=dict(sorted(Counter(step.action for step in steps).items())),
        escalations=dict(
            sorted(Counter(step.tier for step in begun if step.tier not in _NO_TIER).items())
        ),
    )
