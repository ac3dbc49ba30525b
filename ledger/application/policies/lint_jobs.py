"""Findings on what a policy asks of jobs: criteria that no gate can be judged by."""

from ledger.application.documents.source import offset_of, place_within
from ledger.application.policies.text import PolicyReading
from ledger.events.notation import listed
from ledger.events.policy_document import PolicyDocument
from ledger.jobs.policy_terms import jobs_part
from ledger.rules.expressions import ExpressionError
from ledger.rules.failing import failing_part
from ledger.rules.gates import check_criterion, reads_of
from ledger.rules.recipe_soundness import JUDGED

_FORM = (
    'A criterion compares whole numbers that executors report: metrics["missing"] <= 20000 && '
    'samples["rows"] >= 500; also champion, candidate, cost_micros and attempt.'
)


def lint_jobs(reading: PolicyReading, document: PolicyDocument, text: str) -> None:
    """Report criteria at a gate that is not judged by any, and what does not compile."""
    asked = jobs_part(document)
    for index, one in enumerate(() if asked is None else asked.criteria):
        path = f"jobs.criteria[{index}]"
        if one.gate not in JUDGED:
            message = f"nothing is measured at the gate {one.gate}"
            remedy = f"Move it to one of {listed(sorted(JUDGED))}."
            reading.report(f"{path}.gate", "CRITERION_MISPLACED", message, remedy)
        path = f"{path}.when"
        try:
            compiled = check_criterion(one.when)
        except ExpressionError as error:
            offset = offset_of(one.when, error.line, error.column)
            reading.places[path] = place_within(text, reading.scalars[path], offset)
            reading.report(path, "EXPRESSION_INVALID", error.message, _FORM)
            continue
        if not reads_of(compiled.tree):
            message = "reads no number, so every report has the same answer"
            remedy = "Compare a metric or a sample size with its limit."
            reading.report(path, "CRITERION_CONSTANT", message, remedy)
        elif failing := failing_part(compiled.tree):
            scalar = reading.scalars[path]
            reading.places[path] = place_within(text, scalar, failing[0].offset)
            remedy = "Compare the numbers with limits: a criterion that fails is never met."
            reading.report(path, "CONDITION_FAILS", failing[1], remedy)
