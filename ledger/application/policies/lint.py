"""Advice on a policy before it is drafted: every error with its place, and what looks unmeant.

Errors are what `text` refuses, and expressions that do not compile; a policy with one cannot
be drafted. Warnings are for a person to judge and never stop a draft.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ledger.application.names import did_you_mean
from ledger.application.policies.compiled import scoring_of
from ledger.application.policies.definition_usage import runs_against
from ledger.application.policies.source import place_within
from ledger.application.policies.source_bounds import bound_warnings
from ledger.application.policies.text import (
    PolicyReading,
    Problem,
    digest,
    read_policy,
    refusal,
)
from ledger.application.policies.tiers import lint_tiers
from ledger.application.policies.units import SignalValue
from ledger.events.notation import share, shown
from ledger.events.policies import DRAFTED, PolicyDrafted
from ledger.events.policy_document import PolicyDocument
from ledger.events.signals import SignalDefined
from ledger.events.values import PPM
from ledger.rules.expression_tree import ExpressionNode
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    activation_of,
    compile_expression,
)
from ledger.rules.shares import SHARES, to_stored
from ledger.rules.vocabulary import VOCABULARIES, Vocabulary

_PPM_NAMES: Final = SHARES - {"trend"}  # which is the only one that can be below 0
_UNIT_TRAP: Final = 1_000  # a limit from 1 to this on a share was probably meant as per cent
_FLIPPED: Final = {"_<_": "_>_", "_<=_": "_>=_", "_>_": "_<_", "_>=_": "_<=_"}
_BARE_NAME: Final = re.compile(
    r"signals(?:\.([a-z0-9][a-z0-9._-]*)|\[([a-z0-9][a-z0-9._-]*)\](\.[a-z]+)?)", re.ASCII
)
_QUOTED_NAME: Final = re.compile(r"'([A-Za-z_][A-Za-z0-9_]*)'")


@dataclass(frozen=True, slots=True)
class LintResult:
    """The findings. `document` and `digest` are None where there is an error among `problems`."""

    document: PolicyDocument | None
    digest: str | None
    problems: tuple[Problem, ...]

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


def lint(
    text: str,
    known_signals: Mapping[str, SignalDefined] | None = None,
    touched: Sequence[tuple[str, str]] = (),
) -> LintResult:
    """Return everything that is wrong or doubtful about a policy's text, in order of place.

    `known_signals`: the ledger's taxonomy by name; None where there is no ledger to ask. `touched`:
    signals that policies in force read by definitions that have changed since, each with how.
    """
    reading = read_policy(text)
    document = reading.document
    if document is not None:
        _lint_expressions(reading, document, text)
        _lint_scoring(reading, document)
        if known_signals is not None:
            _lint_taxonomy(reading, document, known_signals)
            _lint_touched(reading, document, touched)
        _lint_decision(reading, document)
        _lint_rest(reading, document)
    problems = tuple(sorted(reading.problems, key=lambda each: each.order))
    if document is None or any(each.severity == "error" for each in problems):
        return LintResult(None, None, problems)
    return LintResult(document, digest(document), problems)


@dataclass(frozen=True, slots=True)
class _Language:
    """The names that expressions of a document may use."""

    signals: tuple[str, ...]
    procedure: str


def _warn(reading: PolicyReading, path: str, message: str, remedy: str) -> None:
    reading.report(path, message, remedy, "warning")


# ---- expressions ---------------------------------------------------------------------------------


def _lint_expressions(reading: PolicyReading, document: PolicyDocument, text: str) -> None:
    """Compile every expression; report errors at their place, and rules nothing can reach."""
    language = _Language(
        tuple(rule.signal for rule in document.scoring.signals), document.decision.procedure
    )
    blocked_by: str | None = None
    seen: dict[str, str] = {}
    for index, rule in enumerate(document.decision.rules):
        path = f"decision.rules[{index}]"
        compiled = {
            part: _compiled(reading, f"{path}.{part}", expression, language, text)
            for part, expression in (("when", rule.when), ("hold", rule.hold))
            if expression is not None
        }
        if blocked_by is not None:
            message = f"rule {rule.id!r} is never reached: {blocked_by}"
            _warn(reading, path, message, "Put it before that rule, or remove one of the two.")
            continue
        when = compiled["when"]
        if when is None:
            continue
        for part, expression in compiled.items():
            if expression is not None:
                _lint_limits(reading, f"{path}.{part}", expression, text)
        if rule.when in seen:
            message = f"the same condition as rule {seen[rule.when]!r}, which is tried before it"
            _warn(reading, f"{path}.when", message, "Remove one of the two rules.")
        if rule.hold is None:
            seen.setdefault(rule.when, rule.id)
        values = {part: _constant(each, language) for part, each in compiled.items()}
        if values["when"] is True and (rule.hold is None or values["hold"] is True):
            blocked_by = f"rule {rule.id!r} before it is always true"
        elif values["when"] is False:
            _warn(reading, f"{path}.when", "is never true", "Remove the rule or its condition.")


def _compiled(
    reading: PolicyReading, path: str, expression: str, language: _Language, text: str
) -> CompiledExpression | None:
    """Return the compiled expression, or report why there is none, at the place in the document."""
    scalar = reading.scalars[path]
    stored = to_stored(scalar.text)
    try:
        compiled = compile_expression(expression, language.signals, language.procedure)
    except ExpressionError as error:
        lines = expression.split("\n")
        before = sum(len(line) + 1 for line in lines[: error.line - 1])
        offset = stored.written_offset(min(before + error.column - 1, len(expression)))
        reading.places[path] = place_within(text, scalar, offset)
        reading.report(path, *_advice(error.message, scalar.text, language))
        return None
    misplaced = stored.misplaced(compiled.tree)
    if misplaced is not None:
        reading.places[path] = place_within(text, scalar, misplaced.written_at)
        message = f"{misplaced.written} is beside a number that is no share"
        reading.report(path, message, "Counts and hours are plain numbers; write it without `%`.")
        return None
    return compiled


def _advice(message: str, written: str, language: _Language) -> tuple[str, str]:
    """Return what is wrong with an expression that was refused, and what to do about it."""
    for found in _BARE_NAME.finditer(written):
        name, field = _named(found[1] or f"{found[2]}{found[3] or ''}", language)
        if name and not name.isidentifier():
            message = (
                f"{found[0]} reads no signal: {name} is read in brackets, between quotation marks"
            )
            return message, f'Write signals["{name}"]{field}.'
    return message, _expression_remedy(message, VOCABULARIES[language.procedure])


def _named(text: str, language: _Language) -> tuple[str, str]:
    """Return the signal that `log-loss.sustained` begins with, or the nearest one, and the rest."""
    for name in sorted(language.signals, key=len, reverse=True):
        if text == name or text.startswith(f"{name}."):
            return name, text.removeprefix(name)
    name, dot, field = text.rpartition(".")
    if field not in VOCABULARIES[language.procedure].signal_fields:
        name, dot, field = text, "", ""
    close = get_close_matches(name, language.signals, 1)
    return (close[0] if close else ""), dot + field


def _expression_remedy(message: str, vocabulary: Vocabulary) -> str:
    """Return what to do about an expression that was refused."""
    if "double" in message:
        return "Shares are written as per cent: write 0.4 as 40%."
    found = _QUOTED_NAME.search(message)
    if found is None:
        return ""
    known = vocabulary.signal_fields if "field" in message else vocabulary.variables
    close = get_close_matches(found[1], known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


def _constant(compiled: CompiledExpression | None, language: _Language) -> bool | None:
    """Return the value of an expression that is always the same, else None."""
    if compiled is None:
        return None
    if compiled.paths:
        return _always(compiled.tree)
    variables = VOCABULARIES[language.procedure].variables
    empty = {name: {"int": 0, "string": ""}.get(kind, {}) for name, kind in variables.items()}
    return compiled.evaluate(activation_of(empty, language.procedure)).is_true


def _always(node: ExpressionNode) -> bool | None:
    """Return the value of a comparison that the range of a ppm value settles, else None."""
    found = _comparison(node)
    if found is None:
        return None
    operator, _, limit = found
    if (operator == "_>=_" and limit <= 0) or (operator == "_<=_" and limit >= PPM):
        return True
    if (operator == "_>_" and limit >= PPM) or (operator == "_<_" and limit <= 0):
        return False
    return None


def _comparison(node: ExpressionNode) -> tuple[str, str, int] | None:
    """Return operator, name and limit of a comparison of a ppm value with a constant."""
    if node.kind != "call" or node.name not in _FLIPPED:
        return None
    left, right = node.parts
    operator = node.name
    if left.kind == "const":
        left, right, operator = right, left, _FLIPPED[operator]
    if left.name not in _PPM_NAMES or left.kind not in ("ident", "select"):
        return None
    if right.kind != "const" or type(right.value) is not int:
        return None
    return operator, left.name, right.value


def _lint_limits(
    reading: PolicyReading, path: str, compiled: CompiledExpression, text: str
) -> None:
    """Warn of limits that look like ratios or percentages, not parts per million."""
    scalar = reading.scalars[path]
    stored = to_stored(scalar.text)
    as_shares = {each.stored_at for each in stored.literals}
    for node in compiled.tree.walk():
        found = _comparison(node)
        if found is None or not 1 <= found[2] <= _UNIT_TRAP:
            continue
        if any(part.offset in as_shares for part in node.parts):
            continue
        offset = stored.written_offset(node.offset)
        reading.places[path] = place_within(text, scalar, offset)
        message = f"{found[1]} is in parts per million, so {found[2]} is {share(found[2])}"
        _warn(reading, path, message, f"If you meant per cent, write {found[2]}%.")


# ---- scoring -------------------------------------------------------------------------------------


def _lint_scoring(reading: PolicyReading, document: PolicyDocument) -> None:
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        buckets = rule.window_seconds // rule.bucket_seconds
        if rule.min_buckets > buckets:
            message = f"needs {rule.min_buckets} buckets and the window has {buckets}"
            remedy = "The signal can never be sustained: lower it or lengthen the window."
            _warn(reading, f"{path}.min_buckets", message, remedy)
        if rule.breach_ppm == 0:
            message = "at 0 every bucket is a breach"
            _warn(reading, f"{path}.breach", message, "Set the severity that counts as a breach.")
        if rule.half_life_seconds > 16 * rule.window_seconds:
            message = "is too long: nothing in the window decays"
            _warn(reading, f"{path}.half_life", message, "Use a span of the window's order.")
        for name, kept in (("baseline", rule.baseline), ("critical", rule.critical)):
            written = reading.scalars[f"{path}.{name}"].text.strip()
            if SignalValue().nearest(written)[1]:
                message = f"{shown(written)} has more than 9 decimals and is rounded to {kept}"
                _warn(reading, f"{path}.{name}", message, "Write it so if that is exact enough.")
        if not rule.rationale.strip():
            message = f"signal {rule.signal!r} has no rationale"
            _warn(reading, path, message, "Say why it has this weight and these limits.")

    for bounded in scoring_of(document).signals:
        index = [rule.signal for rule in document.scoring.signals].index(bounded.signal)
        for field, message, remedy in bound_warnings(bounded):
            _warn(reading, f"scoring.signals[{index}].{field}", message, remedy)


def _lint_taxonomy(
    reading: PolicyReading, document: PolicyDocument, known: Mapping[str, SignalDefined]
) -> None:
    """Warn of signals the ledger does not know; refuse what it knows the other way round."""
    for index, rule in enumerate(document.scoring.signals):
        path = f"scoring.signals[{index}]"
        defined = known.get(rule.signal)
        if defined is None:
            _warn_unknown(reading, f"{path}.signal", rule.signal, known)
        elif runs_against(rule, defined):
            words = defined.direction.replace("_", " ")
            message = (
                f"critical {rule.critical} against baseline {rule.baseline} contradicts the "
                f"signal's definition, by which {words}"
            )
            reading.report(f"{path}.critical", message, "Swap the two, or define the signal again.")
    planning = document.planning
    if planning is not None and planning.loss_signal not in known:
        _warn_unknown(reading, "planning.loss_signal", planning.loss_signal, known)


def _lint_touched(
    reading: PolicyReading, document: PolicyDocument, touched: Sequence[tuple[str, str]]
) -> None:
    """Warn of signals whose meaning changed under a policy that is in force."""
    for index, rule in enumerate(document.scoring.signals):
        for signal, how in touched:
            if signal == rule.signal:
                message = f"{signal} does not mean what it did: {how}, which is in force"
                remedy = "Make sure that baseline and critical fit the present definition."
                _warn(reading, f"scoring.signals[{index}].signal", message, remedy)


def _warn_unknown(
    reading: PolicyReading, path: str, name: str, known: Mapping[str, SignalDefined]
) -> None:
    message = f"the ledger knows no signal {name!r}"
    remedy = f"{did_you_mean(name, known)}Otherwise define it before the policy is activated."
    _warn(reading, path, message, remedy)


# ---- decision and the rest -----------------------------------------------------------------------


def _lint_decision(reading: PolicyReading, document: PolicyDocument) -> None:
    decision = document.decision
    if not decision.rules:
        message = f"without rules every model gets {decision.otherwise_action}"
        _warn(reading, "decision.rules", message, "Add a rule for what calls for action.")
    for index, rule in enumerate(decision.rules):
        if not rule.rationale.strip():
            message = f"rule {rule.id!r} has no rationale"
            _warn(reading, f"decision.rules[{index}]", message, "Say what the rule is for.")
    lint_tiers(reading, document)


def _lint_rest(reading: PolicyReading, document: PolicyDocument) -> None:
    """Warn of planning, evaluation and rationale that do not serve the rest of the policy."""
    planning, decision = document.planning, document.decision
    actions = {decision.otherwise_action, *(rule.action for rule in decision.rules)}
    if planning is not None:
        if planning.loss_signal not in {rule.signal for rule in document.scoring.signals}:
            message = f"{planning.loss_signal!r} is planned by but not scored"
            _warn(reading, "planning.loss_signal", message, "Add it to `scoring.signals`.")
        if planning.candidates == "decided" and "SCHEDULE_RETRAINING" not in actions:
            message = "no rule schedules retraining, so no plan can admit a model"
            _warn(reading, "planning.candidates", message, "Add such a rule, or use `all`.")
    evaluation = document.evaluation
    if evaluation.interval_seconds > evaluation.silence_seconds:
        message = "a model is to be scored at least once in a span shorter than the interval"
        _warn(reading, "evaluation.silence", message, "Make it no shorter than `interval`.")
    if not document.rationale.strip():
        _warn(reading, "rationale", "the policy has no rationale", "Say what it is to achieve.")
