"""The questions that auditors ask of a retraining service: one table, and what answers each.

The list is that of common audit programmes: completeness and integrity, one decision, gates and
deployment, policy and fleet, management. A question's name is for good; its place is not.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from ledger.compliance import access, holdout_answers, incident_answers, return_answers
from ledger.compliance import controls as catalogues
from ledger.compliance import decision_answers as decisions
from ledger.compliance import fleet_answers as fleet
from ledger.compliance import governance_answers as governance
from ledger.compliance import integrity_answers as integrity
from ledger.compliance import job_answers as jobs
from ledger.compliance import management_answers as management
from ledger.compliance import outcome_answers as outcomes
from ledger.compliance.callers import callers_in_words
from ledger.compliance.facts import FactFilter, FactSource, KeptFacts
from ledger.compliance.inquiry import Answer, Inquiry, QuestionError


class Question(NamedTuple):
    """A question, what answers it from events, and what no event tells; empty if all is told."""

    text: str
    answer: Callable[[FactSource, Inquiry, Answer], None] | None
    missing: str = ""


QUESTIONS: Final[dict[str, Question]] = {
    "whole-history": Question(
        "Is the history whole? Was anything changed, inserted, or cut since checkpoint X?",
        integrity.is_whole,
    ),
    "authorship": Question(
        "Who can write; which identity wrote event N; which key signed it, was the key valid then?",
        integrity.who_writes,
    ),
    "refusals-and-silence": Question(
        "Which requests were refused and why? Which sources went silent, since when?",
        integrity.refused_and_silent,
    ),
    "who-read": Question(
        "Who read what: exports, audits, tables, mass reads and ordinary ones; when, what for?",
        access.who_read,
    ),
    "clocks": Question(
        "Which clock gave the times; how far was it off; which signals came late?",
        integrity.clocks,
        "How far the server's clock was off is not recorded; `doctor` looks at it.",
    ),
    "retention": Question(
        "What is retained how long; what was erased, and does the chain still verify?",
        integrity.retained_and_erased,
    ),
    "why": Question("Why was model M retrained, or not, on day D?", decisions.why),
    "replay": Question(
        "Compute that decision again, bit for bit. With which code and policy digest?",
        decisions.compute_again,
    ),
    "known-then": Question(
        "What did the service know at that moment, and what did it learn only later?",
        decisions.knew,
    ),
    "queue": Question(
        "Which models were above and below it in the queue, and why was another left out?",
        decisions.neighbours,
    ),
    "what-if": Question("What would have changed the decision?", decisions.counterfactual),
    "rule-version": Question(
        "Which rule version applied, who wrote it, who approved it, since when, for which reason?",
        decisions.which_rule,
    ),
    "override": Question(
        "Was it an override? By whom, under which authority, for which reason, reviewed by whom?",
        decisions.overridden,
        "An override of an earlier release has no role. That one was reviewed is not recorded; how "
        "often each rule was overruled is part of its policy's review.",
    ),
    "provenance": Question(
        "Which data, schema, features, code, environment and seed produced the candidate?",
        fleet.provenance,
    ),
    "gates": Question(
        "Did the integrity and representativeness gates pass, on thresholds fixed before the run?",
        jobs.gates,
    ),
    "holdout": Question(
        "Was the holdout untouched by training and by earlier candidates? How often was it used?",
        holdout_answers.holdouts,
    ),
    "candidate-and-champion": Question(
        "Candidate against champion: metric, confidence, slices, samples; who accepted the risk?",
        jobs.comparisons,
    ),
    "approval": Question(
        "Did the approvers see exactly this evidence, are they others than the proposer, and did "
        "all come that were asked for?",
        jobs.approvals,
    ),
    "deployment": Question(
        "What was deployed where and when; is it the approved artefact?",
        fleet.deployed,
    ),
    "roll-back": Question(
        "Can it be rolled back, to what, when was that last exercised, how long did it take?",
        return_answers.roll_back,
    ),
    "realised-gain": Question(
        "Did the retraining deliver what was forecast? And the last 50, with calibration?",
        outcomes.gains,
    ),
    "policy-history": Question(
        "All policy versions with differences, effective periods and the decisions under each.",
        fleet.policy_history,
    ),
    "policy-simulation": Question(
        "Show the simulation that justified the last policy change; run it again.",
        None,
        "Simulations are not recorded.",
    ),
    "sensitivity": Question(
        "How sensitive are retrainings and losses to each weight and threshold?",
        None,
        "Analyses of sensitivity are not recorded; `policy show` has every weight and threshold.",
    ),
    "without-action": Question(
        "Which models exceeded a threshold without action, for how long, by whose decision?",
        fleet.without_action,
        "Postponements, declines and investigations are not recorded.",
    ),
    "false-alerts": Question(
        "Which alerts were false; how many retrainings were wasted; at what cost?",
        outcomes.wasted,
    ),
    "budgets": Question(
        "Was any budget exceeded, by whom raised; were loop limits ever hit?",
        outcomes.budgets,
    ),
    "evenness": Question(
        "Does the ranking treat groups of models or business units unevenly?", fleet.evenness
    ),
    "change-envelope": Question(
        "Which retrainings were inside the pre-determined change envelope?",
        None,
        "Change envelopes, and retrainings judged against one, are not recorded.",
    ),
    "incidents": Question(
        "Which incidents followed a deployment within N days, with lineage back to the signal?",
        incident_answers.incidents,
        "Incidents outside this ledger are not recorded.",
    ),
    "estimates": Question(
        "Which decisions used estimated performance, or labels that were corrected later?",
        governance.estimates,
        "Whether a value lay in the window of a decision is for its explanation to say.",
    ),
    "reviews": Question(
        "When were weights, thresholds and authorities last reviewed; which actions are open?",
        management.reviewed,
        "Reviews of authorities are not recorded, nor whether what a review asked for was done.",
    ),
    "audits": Question(
        "Drills, red-team runs and audits: scope, findings, closure.",
        management.audits,
        "Whether a follow-up was done is not recorded: a later drill of the same name shows it.",
    ),
    "limits": Question(
        "Limits of the method as told to users.",
        management.limits,
        "The words to users are not an event: they are in the release's README.",
    ),
    "export": Question(
        "Export everything on model M, readable and verifiable without this software.",
        management.everything,
    ),
    "controls": Question(
        "Map of these answers to the control catalogue in force.",
        catalogues.controls,
    ),
}


def answer(name: str, source: FactSource, inquiry: Inquiry) -> Answer:
    """Return the answer to a question; QuestionError for no such name or missing particulars."""
    question = QUESTIONS.get(name)
    if question is None:
        raise QuestionError(f"No question is named {name[:80]!r}; without a name they are listed.")
    given = Answer()
    if question.answer is not None:
        question.answer(source, inquiry, given)
        given.callers = callers_in_words(source, FactFilter())
    given.missing = given.missing or question.missing
    return given


def answer_all(source: FactSource, inquiry: Inquiry) -> dict[str, Answer]:
    """Return the answer to every question; one that needs particulars says which it lacks."""
    kept = KeptFacts(source)
    given: dict[str, Answer] = {}
    for name in QUESTIONS:
        try:
            given[name] = answer(name, kept, inquiry)
        except QuestionError as error:
            given[name] = Answer(missing=str(error))
    return given
