"""Advice on a policy before it is drafted: every error with its place, and what looks unmeant.

Errors are what `text` refuses, expressions that do not compile, limits that run against the
definition of their signal, and under format policy/2 what no sensible policy has; a policy with one
cannot be drafted. Those that a document shows by itself, or beside the ledger, are judged in
`ledger.rules.policy_soundness` and `policy_grounds`, and told here with their places. Warnings are
for a person to judge and stop no draft unless it is a strict one. `ledger/docs/policies.md` has the
codes of both.
"""

from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

from ledger.application.documents.problems import Problem, Severity
from ledger.application.documents.source import place_within
from ledger.application.names import did_you_mean
from ledger.application.policies.authoring import POLICY_1
from ledger.application.policies.compiled import scoring_of
from ledger.application.policies.fleet_lint import LintFleet, fleet_findings
from ledger.application.policies.lint_rules import lint_rules
from ledger.application.policies.lint_steps import lint_steps
from ledger.application.policies.problems import Code
from ledger.application.policies.text import PolicyReading, digest, read_policy, refusal, to_text
from ledger.application.policies.units import SignalValue
from ledger.events.notation import shown
from ledger.events.policies import DRAFTED, PolicyDrafted
from ledger.events.policy_document import PolicyDocument
from ledger.rules.policy_findings import REFUSED_ALWAYS, PolicyFinding
from ledger.rules.policy_soundness import tiers_used, unsound_policy
from ledger.rules.shares import to_stored

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
        judged = unsound_policy(document, scoring_of(document))
        for one in chain(judged, fleet_findings(reading, document, fleet)):
            _report(reading, document, one, text)
        _advise_scoring(reading, document)
        _advise_rest(reading, document)
        lint_steps(reading, document, fleet.planned)
    problems = tuple(sorted(reading.problems, key=lambda each: each.order))
    if document is None or any(each.severity == "error" for each in problems):
        return LintResult(None, None, problems)
    return LintResult(document, digest(document), problems)


def fleet_faults(document: PolicyDocument, fleet: LintFleet) -> list[Problem]:
    """Return by what of the ledger as it is a drafted version is refused; places are `to_text`'s.

    Under format policy/1 there is none: what could be drafted by an earlier release still may.
    """
    if document.format == POLICY_1:
        return []
    text = to_text(document)
    reading = read_policy(text)
    for one in fleet_findings(reading, document, fleet):
        _report(reading, document, one, text)
    return [each for each in reading.problems if each.severity == "error"]


def _report(
    reading: PolicyReading, document: PolicyDocument, found: PolicyFinding, text: str
) -> None:
    """Report what was found at its place, with its weight under the format of the document."""
    is_refused = found.code in REFUSED_ALWAYS or (found.is_refused and document.format != POLICY_1)
    place = None
    if found.offset is not None:
        scalar = reading.scalars[found.path]
        offset = found.offset
        if found.path.startswith("decision."):
            offset = to_stored(scalar.text).written_offset(offset)
        place = place_within(text, scalar, offset)
    remedy = found.remedy if found.near is None else did_you_mean(*found.near) + found.remedy
    severity: Severity = "error" if is_refused else "warning"
    reading.report(found.path, found.code, found.message, remedy, severity, at=place)


def _warn(reading: PolicyReading, path: str, code: Code, message: str, remedy: str) -> None:
    reading.report(path, code, message, remedy, "warning")


def _advise_scoring(reading: PolicyReading, document: PolicyDocument) -> None:
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        if rule.half_life_seconds > 16 * rule.window_seconds:
            message = "is too long: nothing in the window decays"
            remedy = "Use a span of the window's order."
            _warn(reading, f"{path}.half_life", "HALF_LIFE_TOO_LONG", message, remedy)
        for name, kept in (("baseline", rule.baseline), ("critical", rule.critical)):
            written = reading.scalars[f"{path}.{name}"].text.strip()
            if SignalValue().nearest(written)[1]:
                message = f"{shown(written)} has more than 9 decimals and is rounded to {kept}"
                remedy = "Write it so if that is exact enough."
                _warn(reading, f"{path}.{name}", "DECIMALS_ROUNDED", message, remedy)


def _advise_rest(reading: PolicyReading, document: PolicyDocument) -> None:
    """Warn of rules, tiers and planning that do not serve the rest of the policy."""
    planning, decision = document.planning, document.decision
    if not decision.rules:
        message = f"without rules every model gets {decision.otherwise_action}"
        remedy = "Add a rule for what calls for action."
        _warn(reading, "decision.rules", "RULES_MISSING", message, remedy)
    used = {tier for _, tier in tiers_used(document)}
    for index, one in enumerate(document.tiers):
        if one.name not in used:
            message = f"nothing leads to the tier {one.name!r}"
            remedy = "Use it in a rule or remove it."
            _warn(reading, f"tiers[{index}].name", "TIER_UNUSED", message, remedy)
    actions = {decision.otherwise_action, *(rule.action for rule in decision.rules)}
    if planning is not None:
        if planning.loss_signal not in {rule.signal for rule in document.scoring.signals}:
            message = f"{planning.loss_signal!r} is planned by but not scored"
            remedy = "Add it to `scoring.signals`."
            _warn(reading, "planning.loss_signal", "LOSS_NOT_SCORED", message, remedy)
        if planning.candidates == "decided" and "SCHEDULE_RETRAINING" not in actions:
            message = "no rule schedules retraining, so no plan can admit a model"
            remedy = "Add such a rule, or use `all`."
            _warn(reading, "planning.candidates", "PLAN_ADMITS_NOTHING", message, remedy)
