"""A starting policy around signals whose limits are known: what `policy init` writes.

The limits come from a ledger's history (`policy_fit`) or from a person who states them. All else is
the same for both: buckets that the usual gap between observations fits in, a window of 28 of them,
retraining for lasting loss, a look at all else that lasts, and at silence.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ledger.application.policies.authored_planning import AuthoredPlanning
from ledger.application.policies.authoring import (
    DAY,
    AuthoredApproval,
    AuthoredDecision,
    AuthoredEvaluation,
    AuthoredGovernance,
    AuthoredJobs,
    AuthoredPolicy,
    AuthoredRule,
    AuthoredScoring,
    AuthoredSignal,
    AuthoredTier,
)
from ledger.application.policies.text import to_text
from ledger.errors import invalid_field
from ledger.events.notation import share
from ledger.events.signals import SignalDefined
from ledger.events.standard_signals import adopted_by
from ledger.events.values import PPM, format_decimal, parse_decimal

_BUCKETS: Final = (3_600, 6 * 3_600, DAY, 7 * DAY, 28 * DAY)
_WINDOW_BUCKETS: Final = 28
_HALF_LIFE_BUCKETS: Final = 7
_SAMPLES_MAX: Final = 1_000_000
_LOOK_RULES_MAX: Final = 90  # with the others, within the limit of rules
_WEIGHTS: Final = {
    "performance": PPM,
    "fairness": PPM,
    "data_quality": 500_000,
    "latency": 500_000,
    "drift": 300_000,
    "cost": 300_000,
    "custom": 300_000,
}
_TIER: Final = "model-owner"
_SAMPLES_USUAL: Final = (1_000, 50)  # what a policy means that states neither cap nor prior


@dataclass(frozen=True, slots=True)
class LimitedSignal:
    """One signal's rule as fitted, with its definition."""

    defined: SignalDefined
    rule: AuthoredSignal
    cut: int | None = None
    """The 99th percentile, where it was too far out to be taken for the critical."""

    @property
    def is_performance(self) -> bool:
        """Whether its sustained rise calls for retraining: a performance that was realised."""
        return self.defined.kind == "performance" and _is_realised(self.defined)

    @property
    def is_loss(self) -> bool:
        """Whether planning can count its excess: a performance signal that grows as it worsens."""
        is_positive = not self.rule.baseline.startswith("-") and self.rule.baseline != "0"
        return self.is_performance and self.defined.direction == "higher_is_worse" and is_positive


NO_PLANNING: Final = (
    "`planning` is left out, so no plan can be made: a plan counts what is lost, and no signal of",
    "kind performance with direction higher_is_worse, a baseline above 0 and enough history is",
    "here to count it by. Define and submit one, add it to `scoring.signals`, then add:",
    "  planning:",
    "    loss_signal: ITS_ID",
)
NO_APPROVALS: Final = (
    "The next version takes no approval. Once persons hold the role policy-approver, write in",
    "`governance`: approvals: [{role: policy-approver, count: 1}]",
)
APPROVER: Final = "policy-approver"
AUTHOR: Final = "policy-author"


def first_policy(
    limits: Mapping[str, tuple[int, int] | None],
    definitions: Mapping[str, SignalDefined],
    reports_every_seconds: int,
    *,
    is_approved: bool = False,
) -> str:
    """Return the text of a policy without any history; it lints clean.

    `limits`: baseline and critical of each signal in nano, as a person states them; None for the
    hints of the standard that it adopts. FIELD_INVALID where there are no hints, or a critical lies
    on the healthy side of its baseline. `is_approved`: whether the next version takes an approval.
    """
    fits = [
        _by_hints(definitions[name], reports_every_seconds)
        if known is None
        else _by_statement(definitions[name], known, reports_every_seconds)
        for name, known in sorted(limits.items())
    ]
    fits.sort(key=lambda fit: (-fit.rule.weight, fit.defined.signal))
    said = "Begun before there was history, from what people expect of its signals."
    policy = policy_of(fits, said, is_approved=is_approved)
    heading = "A first policy, from stated limits. Read every line before you draft it; once there"
    lines = [heading, "is history, `decision-ledger policy init` fits another to it."]
    if not any(fit.is_loss for fit in fits):
        lines += NO_PLANNING
    if not is_approved:
        lines += NO_APPROVALS
    comment = "".join(f"# {line}\n" for line in lines)
    return f"{comment}{to_text(policy.document())}"


def _by_hints(defined: SignalDefined, gap_seconds: int) -> LimitedSignal:
    fit = hinted(defined, gap_seconds)
    if fit is None:
        raise invalid_field(
            f"baseline of {defined.signal}",
            "no standard that the signal adopts has a hint of what is healthy",
            remedy=f"State it: --signal {defined.signal} --baseline HEALTHY --critical BAD.",
        )
    return fit


def _by_statement(
    defined: SignalDefined, known: tuple[int, int], gap_seconds: int
) -> LimitedSignal:
    baseline, critical = known
    is_worse = critical > baseline
    if baseline == critical or is_worse != (defined.direction == "higher_is_worse"):
        raise invalid_field(
            f"critical of {defined.signal}",
            f"{format_decimal(critical)} is not worse than the baseline "
            f"{format_decimal(baseline)}: {defined.direction.replace('_', ' ')}",
            remedy="State a healthy baseline, and a critical that must not be.",
        )
    rationale = (
        f"Stated before there was history: {format_decimal(baseline)} is healthy, "
        f"{format_decimal(critical)} must not be."
    )
    rule = rule_of(defined, known, gap_seconds, samples=_SAMPLES_USUAL, rationale=rationale)
    return LimitedSignal(defined, rule)


def hinted(defined: SignalDefined, gap_seconds: int | None = None) -> LimitedSignal | None:
    """Return a rule by the hints of the standard that a definition adopts; None without hints."""
    entry = adopted_by(defined)
    if entry is None or entry.baseline is None or entry.critical is None:
        return None
    rationale = (
        f"Without history of its own: the hints of the standard {entry.name}, version "
        f"{entry.version}. {entry.rationale}"
    )
    rule = rule_of(
        defined,
        (parse_decimal(entry.baseline), parse_decimal(entry.critical)),
        gap_seconds or DAY,
        samples=_SAMPLES_USUAL,
        rationale=rationale,
    )
    return LimitedSignal(defined, rule)


def _is_realised(defined: SignalDefined) -> bool:
    """Whether nothing says that a signal is an estimate or calls for calibration alone."""
    entry = adopted_by(defined)
    return entry is None or not (entry.is_estimated or entry.family == "calibration")


def rule_of(
    defined: SignalDefined,
    limits: tuple[int, int],
    gap_seconds: int,
    *,
    samples: tuple[int, int],
    rationale: str,
) -> AuthoredSignal:
    """Return a signal's rule.

    `samples`: what an observation counts for at most, and what makes it half believed.
    `rationale`: why its limits.
    """
    bucket = next((size for size in _BUCKETS if size >= gap_seconds), _BUCKETS[-1])
    weight = _WEIGHTS[defined.kind] // (1 if _is_realised(defined) else 2)
    cap, prior = (min(max(count, 1), _SAMPLES_MAX) for count in samples)
    return AuthoredSignal(
        signal=defined.signal,
        weight=weight,
        baseline=format_decimal(limits[0]),
        critical=format_decimal(limits[1]),
        bucket=bucket,
        window=bucket * _WINDOW_BUCKETS,
        half_life=bucket * _HALF_LIFE_BUCKETS,
        sample_cap=cap,
        prior_samples=prior,
        reports_every=min(max(gap_seconds, 1), bucket * _WINDOW_BUCKETS),
        rationale={"weight": _why(defined, weight), "thresholds": rationale},
    )


def _why(defined: SignalDefined, weight: int) -> str:
    """Return why a signal has its weight."""
    if weight == PPM:
        return f"Kind {defined.kind}: what is lost itself, so it counts in full."
    estimate = "" if _is_realised(defined) else ", half of what it is for one that was realised"
    return (
        f"Kind {defined.kind}{estimate}: it hints at a loss and is none, so it counts "
        f"{share(weight)} of what a loss does."
    )


def policy_of(fits: list[LimitedSignal], rationale: str, *, is_approved: bool) -> AuthoredPolicy:
    """Return the whole policy; what it does not say here is as for any policy."""
    loss = next((fit for fit in fits if fit.is_loss), None)
    slowest = max(fit.rule.bucket for fit in fits)
    planning = None
    if loss is not None:
        period = max(7 * DAY, slowest)
        planning = AuthoredPlanning(loss_signal=loss.defined.signal, period=period)
    return AuthoredPolicy(
        format="policy/2",
        title="Starting policy",
        rationale=rationale,
        scoring=AuthoredScoring(signals=[fit.rule for fit in fits]),
        decision=AuthoredDecision(rules=_rules(fits), error_tier=_TIER),
        planning=planning,
        evaluation=AuthoredEvaluation(silence=min(slowest, DAY)),
        tiers=[
            AuthoredTier(
                name=_TIER,
                route="The owner named in the model's registration.",
                acknowledge=24,
            )
        ],
        governance=AuthoredGovernance(
            approvals=[AuthoredApproval(role=APPROVER)] if is_approved else []
        ),
        jobs=AuthoredJobs(budget="required", deployments="gated", margin=0),
    )


def _rules(fits: list[LimitedSignal]) -> list[AuthoredRule]:
    """Return retraining for sustained loss, a look at all else that lasts, and at silence."""
    considered = fits[:_LOOK_RULES_MAX]
    performance = [fit for fit in considered if fit.is_performance]
    others = [fit for fit in considered if not fit.is_performance]
    rules = [_retrain_rule(index, fit) for index, fit in enumerate(performance, start=1)]
    rules += [_look_rule(index, fit) for index, fit in enumerate(others, start=1)]
    slowest = max(fits, key=lambda fit: fit.rule.reports_every or 0).defined.signal
    rules.append(
        AuthoredRule(
            id="silence",
            when=f'coverage < 500000 && hours_since_deployed > signals["{slowest}"].interval_hours',
            action="INVESTIGATE",
            tier=_TIER,
            rationale="Less than half of what this policy watches is reported, on a version that "
            "has served longer than the slowest signal takes to be reported.",
        )
    )
    return rules


def _retrain_rule(number: int, fit: LimitedSignal) -> AuthoredRule:
    name = fit.defined.signal
    sustained = f'signals["{name}"].sustained'
    return AuthoredRule(
        id=f"retrain-{number}",
        when=f"{sustained} && priority >= 200000",
        hold=f"{sustained} && priority >= 120000",
        action="SCHEDULE_RETRAINING",
        tier=_TIER,
        rationale=f"{name} has been bad for most of its window, on a model that matters; held "
        "until priority is well below where it began.",
    )


def _look_rule(number: int, fit: LimitedSignal) -> AuthoredRule:
    name = fit.defined.signal
    return AuthoredRule(
        id=f"look-{number}",
        when=f'signals["{name}"].sustained',
        action="INVESTIGATE",
        tier=_TIER,
        rationale=f"{name} has been bad for most of its window; find out why before anything is "
        "retrained.",
    )
