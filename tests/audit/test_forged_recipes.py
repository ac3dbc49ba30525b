"""Every condition on recipes and benchmark models is seen by its rule, and no honest life is.

Method: honest recipes and benchmarks on paper hold; each forgery breaks one condition.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.audit.paper import Paper
from tests.audit.test_forgeries import audit_of
from tests.audit.unapproved import MORE_UNAPPROVED, approve, draft, mark, register, step


@pytest.mark.parametrize("forge", MORE_UNAPPROVED, ids=lambda forge: forge.__name__)
def test_every_condition_on_recipes_and_benchmarks_is_seen_by_its_rule(
    paper: Paper, tmp_path: Path, forge: Callable[[Paper], int]
) -> None:
    position = forge(paper)
    report = audit_of(paper, tmp_path)
    seen = [(one.rule, one.position) for one in report.findings]
    assert seen == [(MORE_UNAPPROVED[forge], position)], report.text()


def test_an_honest_life_of_recipes_and_benchmarks_holds(paper: Paper, tmp_path: Path) -> None:
    draft(paper)
    approve(paper)
    draft(paper, 2)
    digest = paper.at(paper.find("recipe.drafted.v1")[1]).data["digest"]
    step(paper, "rejected", version=2, digest=digest, reason="no")
    step(paper, "retired", version=None, reason="old")
    draft(paper, 3)
    register(paper, "known_good")
    register(paper, "benchmark", "a-simple-one")
    mark(paper, "retired", "known_good", "v1", reason="it drifted")
    register(paper, "known_good")
    report = audit_of(paper, tmp_path)
    assert report.passed, report.text()
    checked = {one.rule: one.checked for one in report.rules}
    assert [checked[name] for name in ("recipes.drafted", "recipes.steps", "benchmarks")] == [
        3,
        3,
        4,
    ]


def test_where_a_deployment_was_erased_it_is_not_known_what_served(
    paper: Paper, tmp_path: Path
) -> None:
    for deployed in paper.find("model.deployed.v1", model="beta"):
        paper.at(deployed).is_gone = True
    position = register(paper, "known_good", "v9")
    report = audit_of(paper, tmp_path)
    assert ("benchmarks", position) not in {(one.rule, one.position) for one in report.findings}
    assert "benchmarks" in {gap.rule for gap in report.gaps}
