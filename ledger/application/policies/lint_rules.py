"""Advice on the rules of a policy: what does not compile, what can never be, what comes too late.

Only what is certain is said (`ledger.rules.conditions`): for all environments, by ranges of single
variables and equal parts.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ledger.application.documents.source import offset_of, place_within
from ledger.application.names import did_you_mean
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import share
from ledger.events.policy_document import PolicyDocument, RulePart
from ledger.rules.conditions import (
    Box,
    boxes_of,
    comparison_of,
    implies,
    is_covered,
    is_never_false,
)
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    activation_of,
    compile_expression,
)
from ledger.rules.failing import failing_part
from ledger.rules.shares import is_share, to_stored
from ledger.rules.vocabulary import VOCABULARIES, Vocabulary

_UNIT_TRAP: Final = 1_000  # a limit from 1 to this on a share was probably meant as per cent
_BARE_NAME: Final = re.compile(
    r"signals(?:\.([a-z0-9][a-z0-9._-]*)|\[([a-z0-9][a-z0-9._-]*)\](\.[a-z]+)?)", re.ASCII
)
_NO_RULE: Final = re.compile(r'no rule for signal "([^"]*)"')
_QUOTED_NAME: Final = re.compile(r"'([A-Za-z_][A-Za-z0-9_]*)'")
_FORM: Final = (
    "Rules compare variables with numbers or words: `priority >= 40% && risk < 10%`, `||` for or, "
    "`!` for not."
)
_REMOVE_ONE: Final = "Remove one of the two rules."
_FIRST: Final = "Put it before that rule, or remove one of the two."

Boxes = tuple[Box, ...] | None
"""The boxes of a condition (see `boxes_of`); None where nothing is known of it."""


@dataclass(frozen=True, slots=True)
class _Language:
    """The names that expressions of a document may use."""

    signals: tuple[str, ...]
    procedure: str


@dataclass(frozen=True, slots=True)
class _Condition:
    """The conditions of one rule: `certain` are the boxes in which it matches in any case."""

    rule: RulePart
    when: Boxes
    hold: Boxes

    @property
    def certain(self) -> tuple[Box, ...]:
        """The boxes in which the rule matches, whether it is in force or not."""
        if self.when is None or self.rule.hold is None:
            return self.when or ()
        return tuple(box for box in self.when if is_covered([box], self.hold or ()))


def lint_rules(reading: PolicyReading, document: PolicyDocument, text: str) -> None:
    """Compile every expression; report errors at their place, and rules that can never decide."""
    language = _Language(
        tuple(rule.signal for rule in document.scoring.signals), document.decision.procedure
    )
    before: list[_Condition] = []
    for index, rule in enumerate(document.decision.rules):
        path = f"decision.rules[{index}]"
        compiled = {
            part: _compiled(reading, f"{path}.{part}", expression, language, text)
            for part, expression in (("when", rule.when), ("hold", rule.hold))
            if expression is not None
        }
        found = {part: _boxes(each, language) for part, each in compiled.items()}
        condition = _Condition(rule, found["when"], found.get("hold"))
        for part, expression in compiled.items():
            if expression is not None:
                _lint_failing(reading, f"{path}.{part}", expression, text)
        if compiled["when"] is not None and not _report_late(reading, path, condition, before):
            _lint_condition(reading, path, condition)
            if {} in (condition.when or ()) or is_never_false(compiled["when"].tree):
                report_always(reading, f"{path}.when", rule.action, "is always true")
            for part, expression in compiled.items():
                if expression is not None:
                    _lint_limits(reading, f"{path}.{part}", expression, text)
        before.append(condition)


def _report_late(
    reading: PolicyReading, path: str, condition: _Condition, before: list[_Condition]
) -> bool:
    """Report a rule that an earlier one always comes before; say whether nothing more is needed."""
    rule = condition.rule
    for earlier in before:
        if {} in earlier.certain:
            why = f"rule {earlier.rule.id!r} before it is always true"
            message = f"rule {rule.id!r} is never reached: {why}"
            reading.report(path, "RULE_UNREACHABLE", message, _FIRST, "warning")
            return True
    for earlier in before:
        if earlier.rule.hold is None and earlier.rule.when == rule.when:
            message = f"the same condition as rule {earlier.rule.id!r}, which is tried before it"
            reading.report(f"{path}.when", "RULE_TWICE", message, _REMOVE_ONE, "warning")
            return False
    covers = _covers(condition.when, before)
    if covers:
        named = " or ".join(repr(each.rule.id) for each in covers)
        message = f"rule {rule.id!r} never begins: wherever it is true, rule {named} before it is"
        reading.report(path, "RULE_UNREACHABLE", message, _FIRST, "warning")
    return False


def _covers(boxes: Boxes, before: list[_Condition]) -> list[_Condition]:
    """Return the earlier rules that match wherever a condition is true; none if it can be first."""
    found: list[_Condition] = []
    for box in boxes or ():
        cover = next(
            (each for each in before if any(implies(box, of) for of in each.certain)), None
        )
        if cover is None:
            return []
        if cover not in found:
            found.append(cover)
    return found


def _lint_condition(reading: PolicyReading, path: str, condition: _Condition) -> None:
    """Report what can never be true, or never false where it should end."""
    when, hold = condition.when, condition.hold
    if when == ():
        message = "is never true: it contradicts itself or the range of a variable"
        remedy = "Correct the limit, or remove the rule."
        reading.report(f"{path}.when", "RULE_NEVER_TRUE", message, remedy, "warning")
    if condition.rule.hold is None or hold is None:
        return
    if hold == ():
        message = "is never true, so the rule ends at the next score after it begins"
        remedy = "Leave `hold` out, or state when the rule goes on."
        reading.report(f"{path}.hold", "HOLD_NEVER_TRUE", message, remedy, "warning")
    elif {} in hold and {} not in (when or ()):
        message = "is always true, so the rule never ends once it is in force"
        remedy = "State when the rule goes on, such as a lower limit than that of `when`."
        reading.report(f"{path}.hold", "HOLD_ALWAYS_TRUE", message, remedy, "warning")
    elif when and is_covered(hold, when) and not is_covered(when, hold):
        message = "asks for more than `when`, so the rule can end as soon as it begins"
        remedy = (
            "Ask for less in `hold` than in `when`: that is what keeps a decision from flapping."
        )
        reading.report(f"{path}.hold", "HOLD_NARROWER", message, remedy, "warning")


def report_always(reading: PolicyReading, path: str, action: str, why: str) -> None:
    """Report what would retrain every model, in need or not."""
    if action == "SCHEDULE_RETRAINING":
        message = f"{why}, so every model is retrained as often as the cool-down lets it"
        remedy = "State in a rule when a model needs it, such as `priority >= 40%`."
        reading.report(path, "RETRAINS_ALWAYS", message, remedy, "warning")


def _boxes(compiled: CompiledExpression | None, language: _Language) -> Boxes:
    """Return the boxes of an expression; of one without variables by its value."""
    if compiled is None:
        return None
    if compiled.paths:
        return boxes_of(compiled.tree)
    variables = VOCABULARIES[language.procedure].variables
    empty = {name: {"int": 0, "string": ""}.get(kind, {}) for name, kind in variables.items()}
    value = compiled.evaluate(activation_of(empty, language.procedure)).is_true
    return None if value is None else ({},) if value else ()


# ---- one expression ------------------------------------------------------------------------------


def _compiled(
    reading: PolicyReading, path: str, expression: str, language: _Language, text: str
) -> CompiledExpression | None:
    """Return the compiled expression, or report why there is none, at the place in the document."""
    scalar = reading.scalars[path]
    stored = to_stored(scalar.text)
    try:
        compiled = compile_expression(expression, language.signals, language.procedure)
    except ExpressionError as error:
        offset = stored.written_offset(offset_of(expression, error.line, error.column))
        reading.places[path] = place_within(text, scalar, offset)
        message, remedy = _advice(error.message, scalar.text, language)
        reading.report(path, "EXPRESSION_INVALID", message, remedy or _FORM)
        return None
    misplaced = stored.misplaced(compiled.tree)
    if misplaced is not None:
        reading.places[path] = place_within(text, scalar, misplaced.written_at)
        message = f"{misplaced.written} is beside a number that is no share"
        remedy = "Counts and hours are plain numbers; write it without `%`."
        reading.report(path, "SHARE_MISPLACED", message, remedy)
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
    unscored = _NO_RULE.search(message)
    if unscored is not None:
        return (
            message,
            f"{did_you_mean(unscored[1], language.signals)}Or score it: `scoring.signals`.",
        )
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
    if found is None or "Syntax" in message:
        return ""
    known = vocabulary.signal_fields if "field" in message else vocabulary.variables
    close = get_close_matches(found[1], known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(known)}."


def _lint_failing(
    reading: PolicyReading, path: str, compiled: CompiledExpression, text: str
) -> None:
    """Report a part that has no value: the rule would fail instead of matching or not."""
    found = failing_part(compiled.tree)
    if found is not None:
        scalar = reading.scalars[path]
        offset = to_stored(scalar.text).written_offset(found[0].offset)
        reading.places[path] = place_within(text, scalar, offset)
        remedy = "Compare the variables with limits; a rule whose condition fails decides nothing."
        reading.report(path, "CONDITION_FAILS", found[1], remedy, "warning")


def _lint_limits(
    reading: PolicyReading, path: str, compiled: CompiledExpression, text: str
) -> None:
    """Warn of limits that look like ratios or percentages, not parts per million."""
    scalar = reading.scalars[path]
    stored = to_stored(scalar.text)
    as_shares = {each.stored_at for each in stored.literals}
    for node in compiled.tree.walk():
        found = comparison_of(node)
        if found is None or not is_share(found[1]) or not isinstance(found[2], int):
            continue
        if not 1 <= found[2] <= _UNIT_TRAP or found[0] in ("_==_", "_!=_"):
            continue
        if any(part.offset in as_shares for part in node.parts):
            continue
        offset = stored.written_offset(node.offset)
        reading.places[path] = place_within(text, scalar, offset)
        name = found[1].rsplit(".", 1)[-1]
        message = f"{name} is in parts per million, so {found[2]} is {share(found[2])}"
        remedy = f"If you meant per cent, write {found[2]}%."
        reading.report(path, "LIMIT_IS_PPM", message, remedy, "warning")
