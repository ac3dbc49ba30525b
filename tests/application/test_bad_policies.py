"""More than 145 malformed or dangerous policies are refused, each with place, reason and remedy.

Method: a table of one fault each (`bad_policies`), run through the linter as a ledger with three
signals runs it, under the newest format and as they are written. Every code there is has a row, so
that none is without a case.
"""

import pytest

from ledger.application.documents.problems import Problem
from ledger.application.policies.fleet_lint import LintFleet, SeenSources
from ledger.application.policies.lint import LintResult, lint
from ledger.application.policies.lint_steps import PlannedModels
from ledger.application.policies.problems import MEANING
from ledger.errors import LedgerError, Reason
from tests.application.bad_policies import BAD, GOVERNED
from tests.application.bad_policy import ABLE, ADVICE, AUTHORS, KNOWN, SOURCES, Bad
from tests.application.policy_texts import DEFAULT
from tests.application.test_policy_lint import defined

DEFINITIONS = {name: defined(name) for name in KNOWN}
PLANNED = PlannedModels(frozenset({"risk"}), is_paid=False, are_tests_paid=False)
FLEET = LintFleet(
    DEFINITIONS,
    (),
    lambda _: SeenSources(SOURCES),
    lambda: ABLE,
    lambda: AUTHORS,
    lambda: PLANNED,
)
WITHOUT_A_ROW = {
    "MEANING_CHANGED",  # needs a history: tests/application/test_meaning.py
    "SOURCES_NOT_FOUND",  # needs a large one: tests/application/test_fitting_policies.py
}


def found(text: str) -> LintResult:
    return lint(text, FLEET)


def blamed(bad: Bad, result: LintResult) -> list[Problem]:
    """Return the findings of the row's code, after a look at what each says."""
    assert all(each.message and each.remedy for each in result.problems)
    return [each for each in result.problems if each.code == bad.code]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_policy_is_refused_with_line_column_reason_and_remedy(bad: Bad) -> None:
    result = found(bad.newest)
    problems = blamed(bad, result)
    assert [(each.line, each.column) for each in problems] == [(bad.line, bad.column)]
    if bad.code in ADVICE:
        assert problems[0].severity == "warning"
        result = result.strict()
    else:
        assert problems[0].severity == "error"
    assert result.document is None
    with pytest.raises(LedgerError) as refused:
        result.draft("main", 1, "x")
    assert refused.value.reason is Reason.POLICY_INVALID
    assert refused.value.remedy
    assert refused.value.metadata["line"].isdigit()
    assert refused.value.metadata["column"].isdigit()


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.name)
def test_a_bad_policy_of_any_format_is_blamed_at_the_same_place(bad: Bad) -> None:
    result = found(bad.text)
    places = [(each.line, each.column) for each in blamed(bad, result)]
    assert places == [(bad.line, bad.column)], result.problems
    if result.document is not None:  # what an earlier release drafted can be drafted again
        assert {each.severity for each in result.problems} == {"warning"}
        assert result.strict().document is None


def test_the_policies_that_the_table_spoils_are_clean() -> None:
    newest = Bad("", "", 0, 0, "", DEFAULT).newest
    for text in (DEFAULT, newest, GOVERNED):
        assert found(text).problems == ()
        assert found(text).strict() == found(text)


def test_the_table_has_145_texts_that_are_refused_without_strict_and_a_row_for_each_code() -> None:
    assert len({bad.newest for bad in BAD}) == len({bad.name for bad in BAD}) == len(BAD)
    assert sum(bad.code not in ADVICE for bad in BAD) >= 145
    assert {bad.code for bad in BAD} == set(MEANING) - WITHOUT_A_ROW
