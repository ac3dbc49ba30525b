"""The control map names only what there is, and each answer is on one page that harms no reader."""

import json
import re
from pathlib import Path

import pytest

from ledger.compliance.answer_page import answers_page
from ledger.compliance.controls import ControlClause, frameworks
from ledger.compliance.facts import KeptFacts
from ledger.compliance.inquiry import Answer, Inquiry
from ledger.compliance.questions import QUESTIONS, answer, answer_all
from ledger.compliance.report import TABLES
from ledger.compliance.tables import as_records, table_of
from ledger.events.registry import BY_TYPE
from ledger.events.signals import SignalObserved
from tests.support.facts import FactList
from tools.reference import commands

FOLDER = Path(__file__).resolve().parents[2] / "ledger" / "compliance" / "control_map"
ASKED = {"eu-ai-act", "sr-26-2", "iso-42001", "21-cfr-11", "nist-ai-rmf"}
CLAUSES = {
    f"{one.name} {clause.clause}": clause for one in frameworks().values() for clause in one.clauses
}
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"' & é"


def test_every_framework_that_was_promised_has_a_map_with_edition_source_and_version() -> None:
    assert set(frameworks()) == ASKED == {path.stem for path in FOLDER.glob("*.json")}
    for one in frameworks().values():
        assert one.edition
        assert one.source
        assert one.note
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", one.map_version)
    assert len(CLAUSES) == sum(len(one.clauses) for one in frameworks().values())


def test_the_articles_that_were_promised_are_in_the_map_of_the_ai_act() -> None:
    articles = {one.clause.partition("(")[0] for one in frameworks()["eu-ai-act"].clauses}
    assert articles == {"12", "14", "19", "26"}


@pytest.mark.parametrize("name", CLAUSES)
def test_a_clause_names_events_commands_tables_and_questions_that_there_are(name: str) -> None:
    clause = CLAUSES[name]
    assert clause.asks
    assert clause.events
    assert clause.commands
    assert clause.questions
    known = {type_.rpartition(".")[0] for type_ in BY_TYPE}
    assert set(clause.events) <= known
    assert set(clause.commands) <= {one for one, _ in commands()}
    assert set(clause.tables) <= set(TABLES)
    assert set(clause.questions) <= set(QUESTIONS)
    for names in (clause.events, clause.commands, clause.tables, clause.questions):
        assert len(set(names)) == len(names)


def test_policies_in_shadow_answer_in_every_framework_by_events_table_and_command() -> None:
    for one in frameworks().values():
        found = [clause for clause in one.clauses if "shadows" in clause.tables]
        assert found, one.name
        for clause in found:
            assert {"shadow.begun", "shadow.ended"} <= set(clause.events)
            assert "policy compare" in clause.commands
    ai_act = [one for one in frameworks()["eu-ai-act"].clauses if "shadows" in one.tables]
    assert [one.clause for one in ai_act] == ["12(2)(a)", "14(4)(a)", "26(5)"]


def test_a_name_means_all_versions_of_its_type() -> None:
    clause = ControlClause("1", "x", ("decision.made",), (), (), ())
    assert clause.types == {"decision.made.v1", "decision.made.v2"}


def test_the_map_says_how_many_events_of_each_clause_the_ledger_holds(golden: FactList) -> None:
    given = answer("controls", golden, Inquiry())
    (table,) = given.tables
    rows = {f"{row['framework']} {row['clause']}": row for row in as_records(table)}
    assert len(rows) == len(CLAUSES)
    assert rows["EU AI Act 14(4)(d)"]["recorded"] == 3  # two overrides and a closed task
    assert rows["ISO/IEC 42001 9.2"]["recorded"] == 3  # two audits and a drill
    bare = answer("controls", FactList("o", ()), Inquiry())
    assert {row["recorded"] for row in as_records(bare.tables[0])} == {0}


def test_all_answers_are_those_that_each_question_gets_by_itself(golden: FactList) -> None:
    asked = Inquiry(model="fraud-eu")
    every = answer_all(golden, asked)
    assert list(every) == list(QUESTIONS)
    for name, given in every.items():
        assert given == answer(name, golden, asked), name


def test_a_question_that_lacks_its_particulars_says_which(golden: FactList) -> None:
    given = answer_all(golden, Inquiry())["export"]
    assert (given.state, given.missing) == (
        "not answered",
        "This question is about one model: name it with --model.",
    )


def test_facts_are_kept_but_for_observations_which_are_read_again(golden: FactList) -> None:
    kept = KeptFacts(golden)
    types = sorted({fact.type for fact in golden.facts()})
    for wanted in (None, types, types[:3], [SignalObserved.TYPE]):
        assert list(kept.facts(wanted)) == list(golden.facts(wanted))


def test_a_page_of_answers_escapes_what_others_wrote_and_loads_nothing() -> None:
    table = table_of("t", HOSTILE, (("a", "prose", HOSTILE),), [(HOSTILE,)] * 201, HOSTILE)
    given = Answer([HOSTILE], [table], HOSTILE, [], [HOSTILE])
    page = answers_page({"why": given}, title=HOSTILE, facts=[(HOSTILE, HOSTILE)]).decode()
    assert "<script" not in page
    assert "<img" not in page
    assert re.findall(r'(?:src|href)="([^"]*)"', page) == ["#why"]
    assert "The first 200 of 201 rows." in page
    assert page.count("<tr>") == 202


def test_the_maps_are_data_of_one_form() -> None:
    for path in FOLDER.glob("*.json"):
        data = json.loads(path.read_text("utf-8"))
        assert path.read_text("utf-8") == json.dumps(data, indent=2, ensure_ascii=False) + "\n"
        assert data["name"] == path.stem
