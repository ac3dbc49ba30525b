"""Every question of the table has an answer, or says what is not recorded.

Method: ask all of them of the golden ledger, then look closely at those that events can answer.
"""

import re
from dataclasses import dataclass

import pytest

from ledger.compliance.incident_answers import CALLED_FOR
from ledger.compliance.inquiry import Inquiry, QuestionError
from ledger.compliance.questions import QUESTIONS
from ledger.compliance.questions import answer as answer_to
from ledger.compliance.tables import as_records
from ledger.events.decisions import DECISION_TYPES, ScoreComputed
from ledger.events.values import parse_time
from tests.support.facts import FactList

MODEL = "fraud-eu"
DECISION = 10
WHOLE = {
    "realised-gain",
    "gates",
    "holdout",
    "candidate-and-champion",
    "approval",
    "roll-back",
    "false-alerts",
    "budgets",
    "refusals-and-silence",
    "who-read",
    "why",
    "replay",
    "known-then",
    "queue",
    "what-if",
    "policy-history",
    "controls",
    "evenness",
    "export",
}
PARTLY = {
    "estimates",
    "whole-history",
    "authorship",
    "clocks",
    "rule-version",
    "override",
    "provenance",
    "deployment",
    "without-action",
    "incidents",
    "reviews",
    "audits",
    "limits",
}
UNANSWERED = {
    "policy-simulation",
    "sensitivity",
    "change-envelope",
}


@dataclass
class Server:
    """What only a server could say, as a note that it was asked."""

    def prove_since(self, note: bytes) -> list[str]:
        return [f"compared with {note.decode()}"]

    def replayed(self, model: str, position: int) -> list[str]:
        return [f"replayed {model} {position}"]

    def counterfactuals(self, model: str, position: int) -> list[str]:
        return [f"counterfactuals of {model} {position}"]


def inquiry(**changes: object) -> Inquiry:
    return Inquiry(**({"model": MODEL, "live": Server()} | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_answer_is_of_its_state_and_says_why(name: str, golden: FactList) -> None:
    given = answer_to(name, golden, inquiry())
    # Nothing was audited after the last erasure? The golden ledger has one.
    expected = "answered" if name in WHOLE | {"retention"} else "partly"
    assert given.state == ("not answered" if name in UNANSWERED else expected)
    assert bool(given.missing) == (given.state != "answered")
    assert given.said or given.state == "not answered"


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_sentence_shows_how_it_was_put_together(name: str, golden: FactList) -> None:
    begun = FactList(
        "o", tuple(fact._replace(recorded_at=0) for fact in golden.items)
    )  # before any data
    given = answer_to(
        name, begun, inquiry(position=DECISION) if name == "authorship" else inquiry()
    )
    text = " ".join([*given.said, given.missing])
    for seam in ("at before", " no a ", " , ", " .", "  ", "None"):
        assert seam not in text, text
    assert not re.search(r"\b1 (?!was|is|has)[a-z]+s\b", text), text


def test_every_question_is_of_one_state() -> None:
    assert {*WHOLE, *PARTLY, *UNANSWERED, "retention"} == set(QUESTIONS)
    assert len(WHOLE) + len(PARTLY) + len(UNANSWERED) + 1 == len(QUESTIONS) == 36
    assert {name for name, one in QUESTIONS.items() if one.answer is None} == UNANSWERED


def test_no_question_names_what_a_later_release_may_bring() -> None:
    for name, question in QUESTIONS.items():
        assert not re.search(r"\byet\b|\bcomes? with\b|\bwaits?\b|\bwill\b", question.missing), name


def test_a_kept_checkpoint_is_compared_by_the_server(golden: FactList) -> None:
    given = answer_to("whole-history", golden, inquiry(checkpoint=b"mine"))
    assert given.said[0] == "compared with mine"
    assert given.state == "answered"


def test_the_author_of_an_event_and_the_keys_valid_then_are_named(golden: FactList) -> None:
    given = answer_to("authorship", golden, inquiry(position=3))
    assert "Event 3 (signal.defined.v1) was caused by users/ada" in given.said[-1]
    keys = as_records(given.tables[1])
    assert len(keys) == 2
    assert keys[0]["reason"] == "The machine that held it was sold."
    assert str(keys[0]["verifier_key"]) in given.said[-1]
    revoked = keys[0]["revoked_from"]
    assert isinstance(revoked, int)
    later = answer_to("authorship", golden, inquiry(position=revoked)).said[-1]
    assert str(keys[0]["verifier_key"]) not in later
    assert str(keys[1]["verifier_key"]) in later


def test_an_event_that_is_not_there_is_refused(golden: FactList) -> None:
    with pytest.raises(QuestionError, match="no event at position 999"):
        answer_to("authorship", golden, inquiry(position=999))


def test_why_names_action_rule_signals_and_plan(golden: FactList) -> None:
    given = answer_to("why", golden, inquiry())
    said = " ".join(given.said)
    assert "In force for fraud-eu: SCHEDULE_RETRAINING" in said
    assert "Rule sustained-loss" in said
    assert "Plan 2026-w45" in said
    (signal,) = as_records(given.tables[0])
    assert (signal["signal"], signal["baseline"], signal["critical"]) == ("log-loss", "0.4", "0.6")


def test_why_at_a_time_before_any_decision_says_so(golden: FactList) -> None:
    with pytest.raises(
        QuestionError, match="No decision about fraud-eu was recorded at 2026-02-01"
    ):
        answer_to("why", golden, inquiry(at=parse_time("2026-02-01T00:00:00.000000Z")))


def a_historical_one(golden: FactList) -> int:
    return next(
        fact.position
        for fact in golden.facts(DECISION_TYPES)
        if fact.data is not None and fact.data["historical"]
    )


@pytest.mark.parametrize(
    "name", ["why", "replay", "known-then", "queue", "what-if", "rule-version", "override"]
)
def test_a_historical_decision_is_said_to_be_one(name: str, golden: FactList) -> None:
    words = "changed nothing in force"
    given = answer_to(name, golden, inquiry(position=a_historical_one(golden)))
    assert any(words in sentence for sentence in given.said)
    assert not any(sentence.startswith("In force") for sentence in given.said)
    other = answer_to(name, golden, inquiry(position=DECISION))
    assert not any(words in sentence for sentence in other.said)


def test_a_model_with_historical_scores_only_has_no_place_in_the_queue(golden: FactList) -> None:
    left = tuple(
        fact
        for fact in golden.items
        if fact.type != ScoreComputed.TYPE or (fact.data is not None and fact.data["historical"])
    )
    position = a_historical_one(golden)
    given = answer_to("queue", FactList("o", left), inquiry(position=position))
    assert given.said[0] == (
        f"{MODEL} had no place among the 0 scored models at position {position}."
    )


@pytest.mark.parametrize("name", ["why", "provenance", "roll-back", "export"])
def test_questions_about_one_model_ask_for_it(name: str, golden: FactList) -> None:
    with pytest.raises(QuestionError, match="--model"):
        answer_to(name, golden, inquiry(model=""))


def test_a_position_without_a_decision_is_refused(golden: FactList) -> None:
    with pytest.raises(QuestionError, match="no readable decision"):
        answer_to("why", golden, inquiry(position=1))


@pytest.mark.parametrize(("name", "word"), [("replay", "replayed"), ("what-if", "counterfactuals")])
def test_what_needs_a_server_asks_it(name: str, word: str, golden: FactList) -> None:
    assert any(one.startswith(word) for one in answer_to(name, golden, inquiry()).said)
    offline = answer_to(name, golden, inquiry(live=None))
    assert offline.state in {"partly", "not answered"}


def test_what_was_learned_later_is_told_apart_from_what_was_known(golden: FactList) -> None:
    observed = next(fact for fact in golden.items if fact.type == "signal.observed.v1")
    late = observed._replace(position=len(golden.items) + 1)
    given = answer_to("known-then", FactList("o", (*golden.items, late)), inquiry())
    assert "1 observation of fraud-eu from its time or before" in given.said[0]
    assert given.said[1].endswith("2 observations.")  # one of v2 is in the golden ledger
    assert as_records(given.tables[0])[-1]["position"] == late.position


def test_late_observations_are_listed_by_source(golden: FactList) -> None:
    observed = next(fact for fact in golden.items if fact.type == "signal.observed.v1")
    assert observed.data is not None
    data = observed.data | {"observed_at": "2026-02-27T00:00:00.000000Z"}
    late = observed._replace(position=len(golden.items) + 1, data=data)
    given = answer_to("clocks", FactList("o", (*golden.items, late)), inquiry())
    (row,) = as_records(given.tables[0])
    assert (row["late"], row["latest_by_seconds"]) == (1, 2 * 86_400)


def test_a_model_whose_action_nothing_has_answered_is_listed(golden: FactList) -> None:
    living = tuple(fact for fact in golden.items if fact.type != "model.retired.v1")
    (row,) = as_records(answer_to("without-action", FactList("o", living), inquiry()).tables[0])
    assert (row["model"], row["action"]) == (MODEL, "SCHEDULE_RETRAINING")
    assert not answer_to("without-action", golden, inquiry()).tables[0].rows


def test_decisions_soon_after_a_deployment_are_found_by_days(golden: FactList) -> None:
    assert not answer_to("incidents", golden, inquiry(days=14)).tables[0].rows
    (row,) = as_records(answer_to("incidents", golden, inquiry(days=40)).tables[0])
    assert (row["position"], row["incident"]) == (DECISION, CALLED_FOR)


def test_a_name_of_no_question_is_refused(golden: FactList) -> None:
    with pytest.raises(QuestionError, match="No question is named '36'"):
        answer_to("36", golden, inquiry())
