"""A stored policy document as the kernels take it; compiled once per digest."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Final

from ledger.errors import LedgerError, Reason
from ledger.events.base import Part
from ledger.events.decisions import ScoreComputed
from ledger.events.fast import nano
from ledger.events.policies import PolicyActivated
from ledger.events.policy_document import (
    DecisionPart,
    PlanningPart,
    PolicyDocument,
    ReusingPlanningPart,
    TimedSignalRulePart,
)
from ledger.kernel.excess import PlannerPolicy
from ledger.kernel.reuse import ReusePolicy
from ledger.kernel.scoring import Scoring, SignalRule, scoring_problems
from ledger.rules.procedure import rule_problems

_CACHE_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class CompiledPolicy:
    """One policy version, ready to score and decide with."""

    policy: str
    version: int
    digest: str
    document: PolicyDocument
    scoring: Scoring
    rules: DecisionPart
    intervals: dict[str, int] | None
    """Hours between two reports by signal; None under `rules/1`, which shows none."""


class PolicyCache:
    """Compiled policies by (policy, version, digest): content decides, so nothing grows stale.

    Only an erasure ends what is kept: then `clear` is called, and what was read before is not kept
    after.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cleared = 0
        self._kept: OrderedDict[tuple[str, int, str], CompiledPolicy] = OrderedDict()

    def get(
        self, policy: str, version: int, digest: str, read: Callable[[], PolicyDocument]
    ) -> CompiledPolicy:
        """Return the compiled form, made of what `read` returns where it is not kept.

        POLICY_INVALID where the kernels refuse the document: it was not drafted by this service.
        """
        key = (policy, version, digest)
        with self._lock:
            cleared = self._cleared
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        compiled = compile_policy(policy, version, digest, read())
        with self._lock:
            if cleared == self._cleared:
                self._kept[key] = compiled
            while len(self._kept) > _CACHE_MAX:
                self._kept.popitem(last=False)
        return compiled

    def clear(self) -> None:
        """Forget every policy: the documents of some were erased."""
        with self._lock:
            self._cleared += 1
            self._kept.clear()


def compile_policy(
    policy: str, version: int, digest: str, document: PolicyDocument
) -> CompiledPolicy:
    """Refuse what the linter would have refused, so that scoring and deciding cannot fail."""
    scoring, rules = scoring_of(document), document.decision
    problems = [f"{field} {text}" for field, text in scoring_problems(scoring)]
    names = {rule.signal for rule in scoring.signals}
    problems += [f"{field}: {text}" for field, text in rule_problems(rules, names)]
    if problems:
        raise LedgerError(
            Reason.POLICY_INVALID,
            f"Policy {policy} version {version} cannot be used: {problems[0]}.",
            remedy="Draft a corrected version and activate it.",
            metadata={"policy": policy, "version": str(version)},
        )
    return CompiledPolicy(policy, version, digest, document, scoring, rules, _intervals(document))


def scoring_of(document: PolicyDocument) -> Scoring:
    """Return the kernel's view of the scoring part."""
    part = document.scoring
    return Scoring(
        combine=part.combine,
        impact_gain_ppm=part.impact_gain_ppm,
        risk_gain_ppm=part.risk_gain_ppm,
        signals=tuple(
            SignalRule(
                **_members(SignalRule, rule)
                | {"baseline": nano(rule.baseline), "critical": nano(rule.critical)}
            )
            for rule in part.signals
        ),
        kernel=part.kernel,
    )


def _intervals(document: PolicyDocument) -> dict[str, int] | None:
    """Return the hours between two reports of each signal, which `rules/2` shows to rules."""
    found = {
        rule.signal: -(-rule.reports_every_seconds // 3_600)
        for rule in document.scoring.signals
        if isinstance(rule, TimedSignalRulePart)
    }
    return found or None


def planner_of(part: PlanningPart) -> PlannerPolicy:
    """Return the planner's view of the planning part."""
    return PlannerPolicy(**_members(PlannerPolicy, part))


def reuse_of(part: ReusingPlanningPart) -> ReusePolicy:
    """Return by what a planning part puts versions back."""
    return ReusePolicy(
        period_seconds=part.period_seconds,
        versions=part.reuse_versions,
        half_life_seconds=part.reuse_half_life_seconds,
        periods=part.reuse_periods,
        prior_ppm=part.reuse_prior_ppm,
        margin_ppm=part.reuse_margin_ppm,
        season_periods=part.season_periods,
        season_ppm=part.season_ppm,
    )


def _members(of: type[Any], part: Part) -> dict[str, Any]:
    """Return what a part has of the fields of a class; both name them alike."""
    return {one.name: getattr(part, one.name) for one in fields(of) if hasattr(part, one.name)}


def is_same_versions(score: ScoreComputed, version: str | None, policy: CompiledPolicy) -> bool:
    """Whether a score is of this model version under this policy version."""
    return (
        score.model_version == version
        and score.policy == policy.policy
        and score.policy_version == policy.version
        and score.policy_digest == policy.digest
    )


def is_version_of(activated: PolicyActivated, policy: CompiledPolicy) -> bool:
    """Whether an activation is of this policy version."""
    return (activated.policy, activated.version, activated.digest) == (
        policy.policy,
        policy.version,
        policy.digest,
    )
