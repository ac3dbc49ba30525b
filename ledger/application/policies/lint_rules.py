"""The expressions of a policy's rules as they are written: what does not compile, and limits.

That a compiled rule can never decide is judged in `ledger.rules.rule_soundness`.
"""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from ledger.application.documents.source import place_within
from ledger.application.names import did_you_mean
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import share
from ledger.events.policy_document import PolicyDocument
from ledger.rules.conditions import comparison_of
from ledger.rules.expressions import (
    CompiledExpression,
    ExpressionError,
    compile_expression,
    offset_of,
)
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


@dataclass(frozen=True, slots=True)
class _Language:
    """The names that expressions of a document may use."""

    signals: tuple[str, ...]
    procedure: str


def lint_rules(reading: PolicyReading, document: PolicyDocument, text: str) -> None:
    """Compile every expression; report errors at their place, and limits that look unmeant."""
    language = _Language(
        tuple(rule.signal for rule in document.scoring.signals), document.decision.procedure
    )
    for index, rule in enumerate(document.decision.rules):
        for part, expression in (("when", rule.when), ("hold", rule.hold)):
            if expression is None:
                continue
            path = f"decision.rules[{index}].{part}"
            compiled = _compiled(reading, path, expression, language, text)
            if compiled is not None:
                _lint_limits(reading, path, compiled, text)


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
        place = place_within(text, scalar, offset)
        message, remedy = _advice(error.message, scalar.text, language)
        reading.report(path, "EXPRESSION_INVALID", message, remedy or _FORM, at=place)
        return None
    misplaced = stored.misplaced(compiled.tree)
    if misplaced is not None:
        place = place_within(text, scalar, misplaced.written_at)
        message = f"{misplaced.written} is beside a number that is no share"
        remedy = "Counts and hours are plain numbers; write it without `%`."
        reading.report(path, "SHARE_MISPLACED", message, remedy, at=place)
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
        place = place_within(text, scalar, offset)
        name = found[1].rsplit(".", 1)[-1]
        message = f"{name} is in parts per million, so {found[2]} is {share(found[2])}"
        remedy = f"If you meant per cent, write {found[2]}%."
        reading.report(path, "LIMIT_IS_PPM", message, remedy, "warning", at=place)
