"""The door to the answers: loading it registers every one of them."""

from ledger.compliance import (  # noqa: F401 - each registers its answers
    decision_answers,
    fleet_answers,
    integrity_answers,
    management_answers,
    unanswered,
)
from ledger.compliance.questions import QuestionError, registered
from ledger.compliance.questions import answer as answer_to

__all__ = ["QuestionError", "answer_to", "registered"]
