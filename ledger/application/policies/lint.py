"""Advice on a policy before it is drafted: every error with its place, and what looks unmeant.

Errors are what `text` refuses, expressions that do not compile, limits that run against the
definition of their signal, and under format policy/2 what no sensible policy has; a policy with one
cannot be drafted. Warnings are for a person to judge and stop no draft unless it is a strict one.
`ledger/docs/policies.md` has the codes of both.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ledger.application.documents.problems import Problem
from ledger.application.policies.authoring import POLICY_1
from ledger.application.policies.compiled import scoring_of
from ledger.application.policies.fleet_lint import LintFleet, lint_fleet
from ledger.application.policies.lint_jobs import lint_jobs
from ledger.application.policies.lint_rules import lint_rules, report_always
from ledger.application.policies.lint_spans import lint_spans
from ledger.application.policies.problems import REFUSED_SINCE_2, Code
from ledger.application.policies.source_bounds import bound_warnings
from ledger.application.policies.text import PolicyReading, digest, read_policy, refusal, to_text
from ledger.application.policies.tiers import lint_tiers
from ledger.application.policies.units import SignalValue
from ledger.events.notation import shown
from ledger.events.policies import DRAFTED, PolicyDrafted
from ledger.events.policy_document import PolicyDocument

_NO_LEDGER: Final = LintFleet()


@dataclass(frozen=True, slots=True)
class LintResult:
    """The findings. `document` and `digest` are None where there is an error among `problems`."""

    document: PolicyDocument | None
    digest: str | None
    problems: tuple[Problem, ...]

    def strict(self) -> "LintResult":
        """Return the result where warnings are errors too."""
        if not self.problems:
            return self
        return LintResult(
            None, None, tuple(replace(one, severity="error") for one in self.problems)
        )

    def draft(self, policy: str, version: int, rationale: str, within: str = "") -> PolicyDrafted:
        """Return a version that is drafted of it; POLICY_INVALID names every error of the text.

        `within` is the field of a request that the text is from, where it has several.
        """
        if self.document is None:
            raise refusal(self.problems, within)
        return DRAFTED[type(self.document)].model_validate(
            {
                "policy": policy,
                "version": version,
                "digest": self.digest,
                "document": self.document,
                "rationale": rationale,
            }
        )


def lint(text: str, fleet: LintFleet = _NO_LEDGER) -> LintResult:
    """Return everything that is wrong or doubtful about a policy's text, in order of place.

    `fleet`: the ledger that it is for; by default there is none to ask.
    """
    reading = read_policy(text)
    document = reading.document
    if document is not None:
        lint_rules(reading, document, text)
        _lint_scoring(reading, document)
        lint_jobs(reading, document, text)
        lint_fleet(reading, document, fleet)
        _lint_decision(reading, document)
        lint_spans(reading, document)
        _lint_rest(reading, document)
    problems = tuple(sorted(_weighed(reading, document), key=lambda each: each.order))
    if document is None or any(each.severity == "error" for each in problems):
        return LintResult(None, None, problems)
    return LintResult(document, digest(document), problems)


def fleet_faults(document: PolicyDocument, fleet: LintFleet) -> list[Problem]:
    """Return by what of the ledger as it is a drafted version is refused; places are `to_text`'s.

    Under format policy/1 there is none: what could be drafted by an earlier release still may.
    """
    if document.format == POLICY_1:
        return []
    reading = read_policy(to_text(document))
    lint_fleet(reading, document, fleet)
    return [each for each in _weighed(reading, document) if each.severity == "error"]


def _weighed(reading: PolicyReading, document: PolicyDocument | None) -> Iterator[Problem]:
    """Yield the findings, each with its weight under the format of the document."""
    is_strict = document is not None and document.format != POLICY_1
    for each in reading.problems:
        is_refused = is_strict and each.code in REFUSED_SINCE_2
        yield replace(each, severity="error") if is_refused else each


def _warn(reading: PolicyReading, path: str, code: Code, message: str, remedy: str) -> None:
    reading.report(path, code, message, remedy, "warning")


# ---- scoring -------------------------------------------------------------------------------------


def _lint_scoring(reading: PolicyReading, document: PolicyDocument) -> None:
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        buckets = rule.window_seconds // rule.bucket_seconds
        if rule.min_buckets > buckets:
            message = f"needs {rule.min_buckets} buckets and the window has {buckets}"
            remedy = "The signal can never be sustained: lower it or lengthen the window."
            _warn(reading, f"{path}.min_buckets", "MIN_BUCKETS_BEYOND_WINDOW", message, remedy)
        if rule.breach_ppm == 0:
            message = "at 0 every bucket is a breach"
            _warn(
                reading,
                f"{path}.breach",
                "BREACH_ZERO",
                message,
                "Set the severity that counts as a breach.",
            )
        if rule.sustain_ppm == 0:
            message = "at 0 the signal is sustained without a breach"
            remedy = "Set the share of buckets that must be breaches."
            _warn(reading, f"{path}.sustain", "SUSTAIN_ZERO", message, remedy)
        if rule.half_life_seconds > 16 * rule.window_seconds:
            message = "is too long: nothing in the window decays"
            _warn(
                reading,
                f"{path}.half_life",
                "HALF_LIFE_TOO_LONG",
                message,
                "Use a span of the window's order.",
            )
        for name, kept in (("baseline", rule.baseline), ("critical", rule.critical)):
            written = reading.scalars[f"{path}.{name}"].text.strip()
            if SignalValue().nearest(written)[1]:
                message = f"{shown(written)} has more than 9 decimals and is rounded to {kept}"
                _warn(
                    reading,
                    f"{path}.{name}",
                    "DECIMALS_ROUNDED",
                    message,
                    "Write it so if that is exact enough.",
                )
        if not rule.rationale.strip():
            message = f"signal {rule.signal!r} has no rationale"
            _warn(
                reading,
                path,
                "RATIONALE_MISSING",
                message,
                "Say why it has this weight and these limits.",
            )

    for bounded in scoring_of(document).signals:
        index = [rule.signal for rule in document.scoring.signals].index(bounded.signal)
        for field, code, message, remedy in bound_warnings(bounded):
            _warn(reading, f"scoring.signals[{index}].{field}", code, message, remedy)


# ---- decision and the rest -----------------------------------------------------------------------


def _lint_decision(reading: PolicyReading, document: PolicyDocument) -> None:
    decision = document.decision
    if not decision.rules:
        message = f"without rules every model gets {decision.otherwise_action}"
        _warn(
            reading,
            "decision.rules",
            "RULES_MISSING",
            message,
            "Add a rule for what calls for action.",
        )
    for index, rule in enumerate(decision.rules):
        if not rule.rationale.strip():
            message = f"rule {rule.id!r} has no rationale"
            _warn(
                reading,
                f"decision.rules[{index}]",
                "RATIONALE_MISSING",
                message,
                "Say what the rule is for.",
            )
    what = "decides wherever no rule does"
    report_always(reading, "decision.otherwise.action", decision.otherwise_action, what)
    if document.decision.max_priority_step == 0:
        message = "at 0% a model keeps its first priority for good"
        remedy = "Use `none` for no bound, or the most that one score may move it."
        _warn(reading, "decision.max_priority_step", "PRIORITY_NEVER_MOVES", message, remedy)
    lint_tiers(reading, document)


def _lint_rest(reading: PolicyReading, document: PolicyDocument) -> None:
    """Warn of planning, evaluation and rationale that do not serve the rest of the policy."""
    planning, decision = document.planning, document.decision
    actions = {decision.otherwise_action, *(rule.action for rule in decision.rules)}
    if planning is not None:
        if planning.loss_signal not in {rule.signal for rule in document.scoring.signals}:
            message = f"{planning.loss_signal!r} is planned by but not scored"
            _warn(
                reading,
                "planning.loss_signal",
                "LOSS_NOT_SCORED",
                message,
                "Add it to `scoring.signals`.",
            )
        if planning.candidates == "decided" and "SCHEDULE_RETRAINING" not in actions:
            message = "no rule schedules retraining, so no plan can admit a model"
            _warn(
                reading,
                "planning.candidates",
                "PLAN_ADMITS_NOTHING",
                message,
                "Add such a rule, or use `all`.",
            )
    evaluation = document.evaluation
    if evaluation.interval_seconds > evaluation.silence_seconds:
        message = "a model is to be scored at least once in a span shorter than the interval"
        _warn(
            reading,
            "evaluation.silence",
            "SILENCE_BELOW_INTERVAL",
            message,
            "Make it no shorter than `interval`.",
        )
    if not document.rationale.strip():
        message = "the policy has no rationale"
        _warn(reading, "rationale", "RATIONALE_MISSING", message, "Say what it is to achieve.")
