"""At least 120 malformed or dangerous policies are refused, each with place, reason and remedy.

Method: a table of one fault each (`bad_policies`), run through the linter as a ledger with three
signals runs it. Every code there is has a row, so that none is without a case.
"""

import pytest

from ledger.application.policies.lint import LintResult, lint
from ledger.application.policies.problems import MEANING
from tests.application.bad_policies import APPROVERS, BAD, GOVERNED, KNOWN, SOURCES, Bad
from tests.application.policy_texts import DEFAULT
from tests.application.test_policy_lint import defined

DEFINITIONS = {name: defined(name) for name in KNOWN}
WITHOUT_A_ROW = {"MEANING_CHANGED"}  # needs a history: tests/application/test_definitions.py


def found(text: str) -> LintResult:
    return lint(text, DEFINITIONS, (), lambda: SOURCES, lambda: APPROVERS)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_policy_is_refused_with_line_column_reason_and_remedy(bad: Bad) -> None:
    result = found(bad.text)
    places = [(each.line, each.column) for each in result.problems if each.code == bad.code]
    assert places == [(bad.line, bad.column)], result.problems
    assert all(each.message and each.remedy for each in result.problems)
    if result.document is not None:  # it reads well: --strict refuses it
        assert {each.severity for each in result.problems} == {"warning"}


def test_the_policies_that_the_table_spoils_are_clean() -> None:
    assert found(DEFAULT).problems == found(GOVERNED).problems == ()


def test_under_policy_2_what_the_text_alone_proves_is_an_error() -> None:
    late = "    - {id: late, when: priority >= 50%, action: INVESTIGATE, tier: one, rationale: x}\n"
    result = found(GOVERNED.replace("tiers:\n", late + "tiers:\n"))
    assert [(each.code, each.severity) for each in result.problems] == [
        ("RULE_UNREACHABLE", "error")
    ]
    assert result.document is None
    few = found(GOVERNED.replace("count: 2", "count: 3"))  # persons may still come
    assert [each.severity for each in few.problems] == ["warning"]


def test_the_table_has_120_texts_that_differ_and_a_row_for_each_code() -> None:
    assert len({bad.text for bad in BAD}) == len({bad.name for bad in BAD}) == len(BAD) >= 120
    assert {bad.code for bad in BAD} == set(MEANING) - WITHOUT_A_ROW
